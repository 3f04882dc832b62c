"""ENVELOPE and BODYSTRUCTURE as Dovecot tells them of the same messages; where we differ, the reason stands in `explained`."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from mailer.mail.message import normalise, without_preface
from mailer.mime.rendered import render
from tests.fakes.chance import examples
from tests.peers import dovecot_imap
from tests.peers.install import SAMPLES

from .letters import letter
from .trees import Value, read, value

pytestmark = pytest.mark.peer(dovecot_imap.PROGRAM)

REPORTS = ("flufl.bounce/tests/data/*.txt", "bounceparser/t/corpus/*.msg")
ODD = {
    "dsn_13.txt", "dsn_14.txt", "dsn_15.txt", "dsn_16.txt", "hotpop_01.txt", "microsoft_01.txt", "microsoft_04.txt", "netscape_01.txt",
    "simple_15.txt", "simple_19.txt",
    "simple_25.txt", "simple_27.txt", "simple_31.txt", "simple_38.txt", "sina_01.txt",
    "simple_35.txt", "spam-rejection36.msg", "surfcontrol-extra-newline.msg", "warning-5.msg",
}  # fmt: skip
"""Samples whose message in a message begins with a line that is no field: it ends the header for us, Dovecot passes over it;
and the last four with ``postmaster\\@example.com@xxx.com``, which is read as it stands, and ``<>``, no address: Dovecot makes one up."""


def explained(found: Value) -> Value:
    """What is the same in all that matters is made the same.

    Types, encodings and names of parameters have no case. Parameters have no order. Dovecot writes ``MISSING_DOMAIN`` where an address has
    none, we nothing; it makes white space in subjects one blank, which no standard says, and keeps blanks at the ends of values.
    """
    if isinstance(found, list):
        each = [explained(value) for value in found]
        return sorted(filter(None, each), key=repr) if each and len(each) % 2 == 0 and all(isinstance(one, bytes) for one in each) else each
    if isinstance(found, bytes):
        return b" ".join(found.lower().split()) if found not in (b"MISSING_DOMAIN", b"MISSING_MAILBOX") else b""
    return found


def same(ours: Value, theirs: Value) -> bool:
    """Whether it is the same but for the line end before a delimiter: it belongs to the delimiter (RFC 2046 §5.1.1), and Dovecot counts it
    to a message whose last part is a multipart that has just ended, 2 octets and a line."""
    if not isinstance(ours, list) or not isinstance(theirs, list):
        return ours == theirs
    if len(ours) != len(theirs):
        return False
    if ours[:2] == theirs[:2] == [b"message", b"rfc822"] and isinstance(ours[6], int) and isinstance(ours[9], int):
        more = [ours[6] + 2, *ours[7:9], ours[9] + 1]
        theirs = [*theirs[:6], ours[6], *theirs[7:9], ours[9], *theirs[10:]] if [theirs[6], *ours[7:9], theirs[9]] == more else theirs
    return all(map(same, ours, theirs))


def told(messages: Sequence[bytes]) -> Iterator[tuple[Value, Value]]:
    """What Dovecot says of each."""
    with tempfile.TemporaryDirectory(prefix="mailer-dovecot-") as home:
        Path(home).chmod(0o755)
        with dovecot_imap.DovecotImap(Path(home), messages) as dovecot:
            dovecot.ask(b"SELECT INBOX")
            for number in range(1, len(messages) + 1):
                answer = next(line for line in dovecot.ask(b"FETCH %d (ENVELOPE BODYSTRUCTURE)" % number) if b"FETCH (" in line)
                envelope, at = read(answer, answer.index(b"ENVELOPE ") + 9)
                yield envelope, read(answer, answer.index(b"BODYSTRUCTURE ", at) + 14)[0]


def compared(messages: dict[str, bytes]) -> list[str]:
    """Those of which we say something else."""
    different = []
    for (name, message), (envelope, structure) in zip(messages.items(), told([*messages.values()]), strict=True):
        made = render(message)
        if explained(value(made.envelope)) != explained(envelope):
            different.append(f"{name}: ENVELOPE")
        if not same(explained(value(made.structure)), explained(structure)):
            different.append(f"{name}: BODYSTRUCTURE")
    return different


def test_messages_of_all_shapes() -> None:
    """What is made by chance of all forms of fields and parts is told alike."""
    assert compared({f"letter {seed}": letter(seed) for seed in range(examples(1000))}) == []


@pytest.mark.skipif(not SAMPLES.exists(), reason="the samples of other programs are not here")
def test_reports_that_came_back_to_others() -> None:
    """Reports of dozens of programs, many of them ill written, are told alike."""
    paths = [path for pattern in REPORTS for path in sorted(SAMPLES.glob(pattern)) if path.name not in ODD]
    messages = {path.name: normalise(path.read_bytes()) for path in paths}
    usual = {name: message for name, message in messages.items() if without_preface(message).lstrip(b"\r\n") == message}
    assert len(usual) > 150
    assert compared(usual) == []
