"""A machine that `mailer setup receive` has made, as programs find it that know an address and nothing else."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from .alone import in_its_network

PORTS = [("imap", 993, "SSL"), ("imap", 143, "STARTTLS"), ("pop3", 995, "SSL"), ("pop3", 110, "STARTTLS")]
PORTS += [("smtp", 465, "SSL"), ("smtp", 587, "STARTTLS")]


@pytest.mark.peer("nsd", "unshare", "ip", "curl", root=True)
def test_who_knows_an_address_finds_the_doors_and_mail_is_heard_of(tmp_path: Path) -> None:
    """By the records that it prints and by Thunderbird's file alike; with the certificates of these names, and who waits hears of mail."""
    done = subprocess.run(in_its_network(tmp_path), capture_output=True, text=True, timeout=60, check=False)
    log = tmp_path / "log"
    assert done.returncode == 0, done.stderr + (log.read_text() if log.exists() else "")
    told = json.loads(done.stdout)
    assert told["records"] == told["file"] == [[kind, "mx.example.com", port, tls] for kind, port, tls in PORTS]
    assert told["heard"] < 100
    assert '"bug"' not in log.read_text()
