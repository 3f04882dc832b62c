"""``mailer sink`` as a process: what it prints, what it refuses to do, and how it ends."""

from __future__ import annotations

import json
import os
import re
import signal
import smtplib
import ssl
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from mailer.cli import main
from tests.fakes.processes import MAILER

starts = pytest.mark.slow
"""Starts a sink as a process."""


class Running:
    """A sink that listens."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        self.process = process
        self.out = process.stdout
        self.first = self.out.readline()

    @property
    def port(self) -> int:
        return int(self.first.rstrip().rpartition(":")[2])

    def line(self) -> str:
        return self.out.readline().rstrip()

    def event(self) -> dict[str, Any]:
        event: dict[str, Any] = json.loads(self.out.readline())
        return event

    def stop(self, number: signal.Signals = signal.SIGTERM) -> str:
        """End it; returns what it still said."""
        self.process.send_signal(number)
        rest = self.out.read()
        assert self.process.wait(60) == 0
        return rest


@contextmanager
def sink(tmp_path: Path, *options: str) -> Iterator[Running]:
    """``mailer sink`` on a free port, its scratch directories in `tmp_path`."""
    process = subprocess.Popen(
        [*MAILER, "sink", "--port", "0", *options], stdout=subprocess.PIPE, text=True, env={**os.environ, "TMPDIR": str(tmp_path)}
    )
    try:
        yield Running(process)
    finally:
        process.kill()
        process.wait()
        if process.stdout:
            process.stdout.close()


def deliver(port: int, recipient: str = "c@d.example") -> None:
    with smtplib.SMTP("127.0.0.1", port, timeout=60) as client:
        client.sendmail("a@b.example", recipient, "Subject: x\n\ny\n")


@starts
def test_each_message_and_refusal_is_a_line(tmp_path: Path) -> None:
    """The port comes first, then where messages go, then one line for each thing that happens, and the count at the end."""
    with sink(tmp_path, "--refuse", "no@d.example=553 5.1.3 no such", "--maildir", str(tmp_path / "mail")) as running:
        assert re.fullmatch(r"listening on 127\.0\.0\.1:\d+\n", running.first)
        assert running.line() == f"keeping messages in {tmp_path / 'mail'}"
        deliver(running.port)
        assert running.line() == "taken <a@b.example> -> c@d.example (17 octets from 127.0.0.1)"
        with pytest.raises(smtplib.SMTPRecipientsRefused):
            deliver(running.port, "no@d.example")
        assert running.line() == "refused at rcpt: 553 5.1.3 no such, <a@b.example> -> no@d.example (from 127.0.0.1)"
        assert running.stop() == "stopped; messages: 1, octets: 17\n"
    (kept,) = (tmp_path / "mail" / "new").iterdir()
    assert kept.read_bytes().endswith(b"Delivered-To: c@d.example\r\nSubject: x\r\n\r\ny\r\n")


@starts
def test_json_lines(tmp_path: Path) -> None:
    """With ``--json`` every line is an object, the first one too."""
    with sink(tmp_path, "--json", "--greylist", "0") as running:
        listening = json.loads(running.first)
        assert listening["event"] == "listening"
        with pytest.raises(smtplib.SMTPRecipientsRefused):
            deliver(listening["port"])
        deliver(listening["port"])
        grey, taken = running.event(), running.event()
        assert (grey["event"], grey["phase"], grey["code"], grey["enhanced"], grey["to"]) == (
            "refused",
            "rcpt",
            451,
            "4.7.1",
            "c@d.example",
        )
        assert (taken["event"], taken["from"], taken["to"], taken["octets"]) == ("taken", "a@b.example", ["c@d.example"], 17)
        assert Path(taken["file"]).parent == Path(listening["maildir"]) / "new"
        assert json.loads(running.stop(signal.SIGINT)) == {"event": "stopped", "messages": 1, "octets": 17}


@starts
def test_counting(tmp_path: Path) -> None:
    """``--count`` keeps nothing, prints no message, and says how many there were."""
    with sink(tmp_path, "--count") as running:
        for _ in range(3):
            deliver(running.port)
        assert running.stop() == "stopped; messages: 3, octets: 51\n"
    assert not list(tmp_path.iterdir())


@starts
def test_what_came_from_outside_cannot_act_on_the_terminal(tmp_path: Path) -> None:
    """Escape sequences, line ends and bidirectional overrides in a command give one safe line each."""
    nasty = ("MAIL FROM:<\x1b[31m@b.example>", "MAIL FROM:<a\rb@c.example>", "MAIL FROM:<a\u202eb@c.example> SMTPUTF8")
    with sink(tmp_path) as running:
        running.line()
        with smtplib.SMTP("127.0.0.1", running.port, timeout=60) as client:
            client.ehlo()
            for command in nasty:
                client.send(command.encode() + b"\r\n")
                assert client.getreply()[0] == 500
        for _ in nasty:
            line = running.line()
            assert line.startswith("refused at ?: 500")
            assert line.isprintable()


@starts
def test_moods_from_the_command_line(tmp_path: Path) -> None:
    """Replies, delays, drops, extensions and limits are passed on."""
    told = (
        "--reply", "vrfy=550 5.7.1 no", "--delay", "noop=0.05", "--drop", "body", "--first", "1", "--hide", "pipelining",
        "--offer", "DSN", "--max-size", "99", "--defer", "@later.example", "--no-magic",
    )  # fmt: skip
    with sink(tmp_path, *told) as running, smtplib.SMTP("127.0.0.1", running.port, timeout=60) as client:
        client.ehlo()
        assert "pipelining" not in client.esmtp_features
        assert client.esmtp_features["size"] == "99"
        assert "dsn" in client.esmtp_features
        assert client.docmd("VRFY", "x") == (550, b"5.7.1 no")
        assert client.docmd("VRFY", "x")[0] == 252
        assert client.noop()[0] == 250
        assert client.mail("a@b.example")[0] == 250
        assert client.rcpt("x@later.example") == (451, b"4.3.0 try again later")
        assert client.rcpt("550@d.example")[0] == 250
        client.putcmd("data")
        assert client.getreply()[0] == 354
        client.send(b"x\r\n.\r\n")
        with pytest.raises(smtplib.SMTPServerDisconnected):
            client.getreply()


@starts
def test_tls_and_authentication(tmp_path: Path) -> None:
    """``--tls`` names a certificate that a client can trust; ``--user`` then asks for authentication over it."""
    secret = tmp_path / "secret"
    secret.write_text("pa ss\n")
    with sink(tmp_path, "--tls", "--user", "ann", "--password-file", str(secret), "--count") as running:
        certificate = running.line().removeprefix("showing the certificate ")
        with smtplib.SMTP("localhost", running.port, timeout=60) as client:
            client.starttls(context=ssl.create_default_context(cafile=certificate))
            with pytest.raises(smtplib.SMTPSenderRefused):
                client.sendmail("a@b.example", "c@d.example", "x")
            with pytest.raises(smtplib.SMTPAuthenticationError):
                client.login("ann", "wrong")
            client.login("ann", "pa ss")
            client.sendmail("a@b.example", "c@d.example", "x")
        said = running.stop()
        assert "messages: 1" in said
        assert "pa ss" not in said


@pytest.mark.parametrize(
    ("options", "code", "complaint"),
    [
        (["--host", "0.0.0.0"], 64, "--public"),
        (["--host", "mail.example"], 64, "--public"),
        (["--reply", "mial=450"], 64, "did you mean 'mail'"),
        (["--reply", "mail"], 64, "--reply takes NAME=VALUE"),
        (["--reply", "mail=999"], 64, "no reply"),
        (["--delay", "mail=soon"], 64, "--delay takes seconds"),
        (["--greylist", "inf"], 64, "--greylist takes seconds"),
        (["--drop", "there"], 64, "no phase"),
        (["--every", "0"], 64, "--every takes a whole number from 1 on"),
        (["--max-size", "9" * 30], 64, "--max-size takes a whole number"),
        (["--user", "ann"], 64, "go together"),
        (["--user", "ann", "--password-file", "/dev/null"], 78, "no password"),
        (["--user", "ann", "--password-file", "/nowhere/secret"], 73, "/nowhere/secret"),
        (["--key", "x"], 64, "--cert"),
        (["--cert", "/nowhere/cert"], 78, "/nowhere/cert"),
        (["--maildir", "/dev/null/mail"], 73, "/dev/null/mail"),
        (["operand"], 64, "operand"),
    ],
)
def test_orders_that_cannot_be_carried_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], options: list[str], code: int, complaint: str
) -> None:
    """A mistake is one line that says what it is, and the right exit code; no scratch directory stays."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert main(["mailer", "sink", "--port", "0", *options]) == code
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert complaint in said
    assert not os.listdir(tmp_path)


@starts
def test_a_scratch_directory_without_messages_does_not_stay(tmp_path: Path) -> None:
    """Messages are left where the sink said; without any, and where it could not start, nothing is left."""
    with sink(tmp_path, "--tls") as running:
        running.stop()
    assert not list(tmp_path.iterdir())
    with sink(tmp_path, "--tls") as running:
        place = Path(running.line().removeprefix("keeping messages in "))
        deliver(running.port)
        running.stop()
    assert len(list((place / "new").iterdir())) == 1


@starts
def test_a_port_that_is_taken(tmp_path: Path) -> None:
    """The second sink on a port says so and exits 69."""
    with sink(tmp_path) as running:
        done = subprocess.run([*MAILER, "sink", "--count", "--port", str(running.port)], capture_output=True, text=True, timeout=60)
        assert done.returncode == 69
        assert "--port" in done.stderr


@starts
def test_it_ends_with_its_reader(tmp_path: Path) -> None:
    """When whoever reads its lines has left, the sink stops instead of failing at each message."""
    with sink(tmp_path) as running:
        running.out.close()
        with suppress(OSError):  # its second line may have told it already; all errors of smtplib are of that kind
            deliver(running.port)
        assert running.process.wait(60) == 0
