"""What a type checker sees of the library, in a program of somebody else."""

from __future__ import annotations

import importlib
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

from mailer import SmtpClient, SyncSmtpClient, outcome, outcome_async, queue, queue_async

PROGRAM = """\
import mailer
from mailer import Email, Proxy, SyncSmtpClient

with SyncSmtpClient("mail.example.com", 587, tls="starttls", dialer=Proxy.at("socks5://p")) as client:
    sent = client.send(Email(to="a@b.example", text="x"), recipients=["a@b.example"])
    reveal_type(sent.accepted)
    client.send(b"x", recipient="a@b.example")  # wrong: misspelt
    client.send(7)  # wrong: no message
    client.shutdown("soon")  # wrong: seconds
SyncSmtpClient("mail.example.com", ttls="none")  # wrong: misspelt
SyncSmtpClient("mail.example.com", retry=3)  # wrong: settings
reveal_type(mailer.outcome(mailer.queue(b"x"), wait=3).status)
mailer.queue(b"x", sendr="a@b.example")  # wrong: misspelt
mailer.outcome("x", wait="long")  # wrong: seconds
"""


def test_what_takes_mail_is_told_of_alike_whichever_import_came_first() -> None:
    """`mailer.queue` is the function, or the room of that name that answers for it once something of it is imported."""
    room = importlib.import_module("mailer.queue")
    assert inspect.signature(room) == inspect.signature(queue_async)  # type: ignore[arg-type]


@pytest.mark.parametrize(("one", "other"), [(SmtpClient, SyncSmtpClient), (queue, queue_async), (outcome, outcome_async)])
def test_both_ways_of_calling_take_the_same(one: object, other: object) -> None:
    """Name by name, type by type, default by default."""
    assert inspect.signature(one) == inspect.signature(other)  # type: ignore[arg-type]
    if inspect.isclass(one):
        for name in ("send", "send_batch", "test_connection", "ask", "pool_status", "shutdown"):
            assert inspect.signature(getattr(one, name)) == inspect.signature(getattr(other, name)), name


@pytest.mark.slow
def test_mypy_sees_a_misspelt_option(tmp_path: Path) -> None:
    """Strictly, from the package as it is installed: what is right passes, what is wrong is told in its line, and nothing else is."""
    (tmp_path / "program.py").write_text(PROGRAM)
    cache = Path(__file__).parents[2] / ".mypy_cache"
    argv = [sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent", "--cache-dir", str(cache / "snippets"), "program.py"]
    done = subprocess.run(argv, capture_output=True, text=True, cwd=tmp_path)
    told = {int(line) for line in re.findall(r"^program\.py:(\d+): error", done.stdout, re.MULTILINE)}
    assert told == {at for at, line in enumerate(PROGRAM.splitlines(), 1) if "# wrong" in line}, done.stdout + done.stderr
    assert re.findall(r'Revealed type is "(.*)"', done.stdout)[0].replace("builtins.", "") == "tuple[str, ...]"
