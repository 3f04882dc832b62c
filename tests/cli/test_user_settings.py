"""``mailer user settings``: what a person types into a phone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mailer.cli import main

DOORS = """
[mailer]
hostname = "mail.example.com"
[[domain]]
name = "example.com"
via = "local"
[[listen]]
kind = "imap"
address = ["0.0.0.0:993"]
tls = "implicit"
certificate_file = "/x.pem"
[[listen]]
kind = "pop3"
address = ["0.0.0.0:110"]
tls = "starttls"
certificate_file = "/x.pem"
[[listen]]
kind = "submission"
address = ["0.0.0.0:587"]
tls = "starttls"
certificate_file = "/x.pem"
"""


def settings(home: Path, capsys: pytest.CaptureFixture[str], text: str, *words: str) -> tuple[int, str, str]:
    (home / "config.toml").write_text(text)
    code = main(["mailer", "user", "settings", "ann@example.com", "--config", f"{home}/config.toml", "--spool", f"{home}/spool", *words])
    return (code, *capsys.readouterr())


def test_the_best_door_of_each_kind_is_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """POP3 is not shown beside IMAP; there is no profile where no web is."""
    code, out, err = settings(tmp_path, capsys, DOORS)
    assert (code, err) == (0, "")
    assert [line.split() for line in out.splitlines()[1:]] == [
        ["incoming", "(IMAP)", "mail.example.com", "993", "SSL/TLS", "ann@example.com"],
        ["outgoing", "(SMTP)", "mail.example.com", "587", "STARTTLS", "ann@example.com"],
    ]


def test_programs_get_all_of_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = settings(tmp_path, capsys, DOORS, "--json")
    found = json.loads(out)
    assert code == 0
    assert (found["username"], found["profile"]) == ("ann@example.com", None)
    assert [service["kind"] for service in found["services"]] == ["imap", "pop3", "submission"]


def test_without_doors_it_is_said_what_makes_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = settings(tmp_path, capsys, '[mailer]\nhostname = "mail.example.com"\n')
    assert (code, out, err.count("\n")) == (67, "", 1)
    assert "mailer setup receive" in err
