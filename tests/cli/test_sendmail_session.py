"""``sendmail -bs``: a program talks SMTP to its own process, and what is answered with 250 is on disk."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mailer.cli.sendmail_session import PipeSession
from mailer.config.sections import SubmissionSettings
from mailer.spool.files.store import SpoolDirectory
from tests.fakes.processes import MAILER
from tests.mail.test_message import SMUGGLING

from .home import Home

HELLO = b"EHLO here.example\r\n"
ENVELOPE = b"MAIL FROM:<a@here.example>\r\nRCPT TO:<b@example.net>\r\nDATA\r\n"
TEXT = b"From: a@here.example\r\nSubject: x\r\n\r\nhello\r\n"
END = b".\r\n"
QUIT = b"QUIT\r\n"

LOOKALIKES = (
    b"\n.\n", b"\n.\r", b"\r.\n", b"\r.\r", b"\n.\r\n", b"\r.\r\n", b"\r\n.\n", b"\r\n.\r", b"\r\n.\r\r\n", b"\r\r\n.\r\r\n",
    b"\r\r\n\x00.\r\n",
)  # fmt: skip
VECTORS = sorted({*SMUGGLING, *LOOKALIKES} - {b"\r\n.\r\n"})
"""What some server takes for the end of a message, and is none."""


class Office:
    """A session with no process around it, and its spool."""

    def __init__(self, root: Path, **found: Any) -> None:
        self.spool = SpoolDirectory(str(root / "spool"))
        self.session = PipeSession(SubmissionSettings(**{"spool": self.spool.root, "hostname": "host.example", **found}))

    def says(self, *pieces: bytes) -> str:
        return b"".join(map(self.session.feed, pieces)).decode()

    @property
    def envelopes(self) -> list[Any]:
        return [self.spool.read(id).envelope for id in self.spool.ids("queued")]


@pytest.fixture
def office(tmp_path: Path) -> Office:
    office = Office(tmp_path)
    assert office.says(b"").startswith("220 host.example ESMTP")
    return office


def codes(said: str) -> list[int]:
    """The code of each reply."""
    return [int(line[:3]) for line in said.splitlines() if line[3] == " "]


def test_what_is_offered(office: Office) -> None:
    """Neither TLS nor passwords: whoever asks is a program of this user."""
    said = office.says(HELLO)
    assert {line[4:].partition(" ")[0] for line in said.splitlines()[1:]} == {
        "PIPELINING", "SIZE", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES", "DSN",
    }  # fmt: skip


def test_each_message_is_in_the_spool_before_its_250(office: Office) -> None:
    """All in one write, as with pipelining, and two messages in a session."""
    assert codes(office.says(HELLO + ENVELOPE + TEXT)) == [250, 250, 250, 354]
    assert office.spool.ids("queued") == []
    said = office.says(END)
    assert said == f"250 2.0.0 queued as {office.spool.ids('queued')[0]}\r\n"
    assert codes(office.says(ENVELOPE + TEXT + END + QUIT)) == [250, 250, 354, 250, 221]
    assert office.session.over
    assert [(e.sender, e.recipients[0].address) for e in office.envelopes] == [("a@here.example", "b@example.net")] * 2


def test_every_command_has_its_answer(office: Office) -> None:
    """HELO, RSET, NOOP, VRFY, HELP, and what is none."""
    said = office.says(b"NOOP\r\nHELO here\r\nMAIL FROM:<>\r\nRSET\r\nRCPT TO:<b@example.net>\r\nVRFY ann\r\nHELP\r\nSTARTTLS\r\nWHAT\r\n")
    assert codes(said) == [250, 250, 250, 250, 503, 252, 214, 502, 500]


def test_what_is_asked_beside_the_envelope_goes_with_it(office: Office) -> None:
    """DSN, and only what was asked for this message."""
    office.says(HELLO + b"MAIL FROM:<a@here.example> RET=HDRS ENVID=q+2B1 BODY=8BITMIME SIZE=10\r\n")
    office.says(b"RCPT TO:<b@example.net> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;old@example.net\r\nRCPT TO:<c@example.net>\r\n")
    office.says(b"DATA\r\n" + TEXT + END + ENVELOPE + TEXT + END)
    first, second = office.envelopes
    wanted = {"b@example.net": {"notify": "SUCCESS,DELAY", "orcpt": "rfc822;old@example.net"}}
    assert first.options == {"ret": "HDRS", "envid": "q+1", "recipients": wanted}
    assert not second.options


def test_what_is_asked_for_all_is_asked_for_those_they_stand_for(tmp_path: Path) -> None:
    """An alias takes the place of a recipient, and the wish of all stays."""
    office = Office(tmp_path)
    rcpt = b"RCPT TO:<b@example.net> NOTIFY=NEVER\r\nRCPT TO:<c@example.net> NOTIFY=NEVER\r\n"
    office.says(b"", HELLO + b"MAIL FROM:<a@here.example>\r\n" + rcpt + b"DATA\r\n" + TEXT + END)
    assert office.envelopes[0].options["notify"] == "NEVER"


@pytest.mark.parametrize("stray", [b"\n", b"\r", b"\0"])
def test_a_stray_line_end_refuses_the_message(office: Office, stray: bytes) -> None:
    """It is not put right: who writes SMTP knows what a line end is, and who does not may mean something else."""
    assert codes(office.says(HELLO + ENVELOPE + b"Subject: x\r\n\r\none" + stray + b"two\r\n" + END))[-1] == 554
    assert office.envelopes == []


def test_the_null_sender_and_utf8(office: Office) -> None:
    """Both are senders like others."""
    office.says(HELLO + b"MAIL FROM:<>\r\nRCPT TO:<b@example.net>\r\nDATA\r\n" + TEXT + END)
    office.says("MAIL FROM:<jörg@here.example> SMTPUTF8\r\nRCPT TO:<b@example.net>\r\nDATA\r\n".encode() + TEXT + END)
    assert [envelope.sender for envelope in office.envelopes] == ["", "jörg@here.example"]


def test_limits_are_those_of_submission(tmp_path: Path) -> None:
    """552 for the size, said or seen; 452 for the recipients."""
    office = Office(tmp_path, max_message_size=1000, max_recipients=2)
    office.says(b"")
    assert codes(office.says(HELLO + b"MAIL FROM:<a@here.example> SIZE=1001\r\n")) == [250, 552]
    assert codes(office.says(ENVELOPE + TEXT + b"x" * 1000 + b"\r\n" + END))[-1] == 552
    rcpt = b"RCPT TO:<b@example.net>\r\n"
    assert codes(office.says(b"MAIL FROM:<a@here.example>\r\n" + rcpt * 3)) == [250, 250, 250, 452]
    assert office.spool.ids("queued") == []


def test_what_submission_refuses_is_refused(tmp_path: Path) -> None:
    """A header that is too large for good, a spool that cannot be written for now; nothing of it is queued."""
    office = Office(tmp_path, max_header_size=200)
    office.says(b"")
    assert office.says(HELLO + ENVELOPE + b"X: y\r\n" * 100 + TEXT + END).splitlines()[-1].startswith("554 5.6.0 ")
    blocked = Office(tmp_path / "blocked")
    Path(blocked.spool.root).parent.mkdir()
    Path(blocked.spool.root).write_text("no directory")
    said = blocked.says(b"", HELLO + ENVELOPE + TEXT + END).splitlines()[-1]
    assert said.startswith("451 4.3.0 ")


@pytest.mark.parametrize("vector", VECTORS, ids=repr)
def test_nothing_that_looks_like_an_end_is_one(tmp_path: Path, vector: bytes) -> None:
    """However the octets are divided, the message is refused as a whole or is one; a second one never comes of it."""
    stray = b"MAIL FROM:<evil@here.example>\r\nRCPT TO:<victim@example.net>\r\nDATA\r\nSubject: smuggled\r\n\r\nx"
    body = b"Subject: x\r\n\r\nhello" + vector + stray + b"\r\n.\r\n"
    start = body.index(b"hello") + 5
    for split in [None, *range(start - 1, start + len(vector) + 2)]:
        office = Office(tmp_path / str(split))
        office.says(b"", HELLO + ENVELOPE)
        pieces = [body] if split is None else [body[:split], body[split:]]
        said = office.says(*pieces, b"NOOP\r\n")
        assert codes(said) in ([554, 250], [250, 250]), said
        assert len(office.envelopes) == (codes(said)[0] == 250)
        assert all(envelope.recipients[0].address == "b@example.net" for envelope in office.envelopes)
        for id in office.spool.ids("queued"):
            content = office.spool.content(id).replace(b"\r\n", b"")
            assert not re.search(rb"[\r\n\0]", content)


def test_octet_by_octet(office: Office) -> None:
    """How they arrive makes no difference."""
    everything = HELLO + ENVELOPE + TEXT + END + QUIT
    said = office.says(*(everything[at : at + 1] for at in range(len(everything))))
    assert codes(said) == [250, 250, 250, 354, 250, 221]
    assert len(office.envelopes) == 1


# As a process


def test_a_session_with_a_process(home: Home) -> None:
    """Greeting to QUIT; the exit code is 0, and the input may simply end between messages."""
    done = home.mailer("sendmail", "-bs", input=HELLO + ENVELOPE + TEXT + END + QUIT)
    assert (done.returncode, done.stderr) == (0, b"")
    assert codes(done.stdout.decode()) == [220, 250, 250, 250, 354, 250, 221]
    assert home.mailer("sendmail", "-bs", input=HELLO + ENVELOPE + TEXT + END).returncode == 0
    assert len(home.queued()) == 2


def test_the_input_may_not_end_within_a_message(home: Home) -> None:
    """What was not said to its end is not queued, and 75 says so."""
    done = home.mailer("sendmail", "-bs", input=HELLO + ENVELOPE + TEXT)
    assert (done.returncode, home.queued()) == (75, [])
    assert b"not queued" in done.stderr


def test_a_line_without_cr_is_refused(home: Home) -> None:
    """In words that a person who tries it understands."""
    done = home.mailer("sendmail", "-bs", input=b"EHLO x\nMAIL FROM:<a@b.example>\n")
    assert codes(done.stdout.decode()) == [220, 521]
    assert b"CRLF" in done.stdout


def test_a_person_at_a_terminal_may_type(home: Home) -> None:
    """A terminal has no CR to give, and can smuggle nothing."""
    master, slave = os.openpty()
    process = home.start("sendmail", "-bs", stdin=slave, stdout=subprocess.PIPE)
    os.close(slave)
    os.write(master, (HELLO + ENVELOPE + TEXT + END + QUIT).replace(b"\r\n", b"\n"))
    said, _ = process.communicate(timeout=60)
    os.close(master)
    assert codes(said.decode()) == [220, 250, 250, 250, 354, 250, 221]
    assert len(home.queued()) == 1


def test_who_says_nothing_is_left(home: Home) -> None:
    """After five minutes, here less: 421, and 75."""
    code = "import sys; from mailer.cli import main, sendmail_session as s; s.PATIENCE = 0.1; sys.exit(main(['sendmail', '-bs']))"
    with subprocess.Popen(
        [sys.executable, "-c", code], env=home.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]
    ) as process:
        assert process.stdout is not None
        assert codes(process.stdout.read().decode()) == [220, 421]
        assert process.wait(60) == 75


def test_a_closed_stream_is_said(home: Home) -> None:
    """74."""
    home.refused(home.mailer("sendmail", "-bs", input=None, preexec_fn=lambda: os.close(0)), 74, "closed")


@pytest.mark.peer("strace")
def test_the_250_is_written_after_the_disk_has_it(home: Home) -> None:
    """System calls in their order: the file is synced, renamed, its directory is synced, and only then 250 goes out."""
    log = home.path / "strace"
    argv = ["strace", "-qq", "-s", "2000", "-e", "trace=fsync,fdatasync,rename,write", "-o", log, *MAILER, "sendmail", "-bs"]
    subprocess.run(argv, input=HELLO + ENVELOPE + TEXT + END + QUIT, env=home.env, capture_output=True, check=True, timeout=60)
    lines = log.read_text().splitlines()
    after = next(at for at, line in enumerate(lines) if "queued as" in line)
    calls = [line.partition("(")[0] for line in lines[:after]]
    renamed = calls.index("rename")
    assert {"fsync", "fdatasync"} & set(calls[:renamed])
    assert "fsync" in calls[renamed:]
