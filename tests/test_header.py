"""Where a header ends: every room reads the same one, so that nobody is judged by one From and signed, or shown, with another."""

from __future__ import annotations

import re
import time
from email import message_from_bytes
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.client.prepare import prepared
from mailer.config.sections.daemon import Submitter
from mailer.dkim.sign import Seal, domains, draft
from mailer.intake.rules import SubmitterRules
from mailer.mail.address_list import in_header
from mailer.mail.message import Message, header_end, is_divided, normalise, without_preface
from mailer.mail.principal import unix
from mailer.mail.problem import Problem
from mailer.operate.queue import header as shown
from mailer.queue.loader import hops
from mailer.smtp.extension import Extensions
from mailer.smtp.transaction import Transaction
from mailer.spool.api import CorruptMessage
from mailer.spool.files.admit import IntakeTerms, Stranger, admit
from mailer.spool.files.store import SpoolDirectory
from tests.dkim.keys import key
from tests.fakes.mail import envelope, spool_file

ANNA = unix(70_001)
LINES = (
    b"From: a@one.example", b"from : b@two.example", b"From: c@three.example,\r\n d@four.example", b" (fold)", b"\t(fold)",
    b"Subject: s", b"X: y", b"",
    b" ", b"no field", b"From ceo@example.com Mon Nov 30 10:00:00 2026", b">From x: y", b"Fr\xc3\xb6m: x", b"Fr\xf6m: x", b": no name",
    b"Two words: x", b"DKIM-Signature: v=1", b"Received: x", b"RECEIVED: y", "X: ü".encode(),
)  # fmt: skip


@given(st.lists(st.sampled_from(LINES), max_size=9))
def test_all_rooms_agree_where_the_header_ends(lines: list[bytes]) -> None:
    """Splitter, signer, whoever finds the author, whoever judges him, who counts hosts and who looks for UTF-8, the client library, and
    what an operator is shown."""
    content = normalise(b"\r\n".join(lines))
    names = [name for name, _ in Message.split(content).fields()]
    authors = [list(in_header(value)) for value in Message.split(content).values(b"from")]
    assert list(domains(content)) == [text.partition("@")[2] for text in (authors or [[]])[0]]
    assert [name.lower().encode() for name, _ in shown(content)] == names
    drawn = draft(content, [Seal("one.example", "s", key("ed25519"), 60.0)], 0.0)
    (signed,) = re.findall(rb"\th=([^;]*);", drawn.parts[0].field)
    assert signed.replace(b"\r\n\t", b"").split(b":").count(b"from") == names.count(b"from") + 1
    assert hops(content) == names.count(b"received")
    asked = Transaction("me@example.com", ["you@example.net"], content, Extensions(eight_bit=True))
    assert (asked.answers() == [None]) == Message.split(content).header.isascii()
    sent = prepared(content, "me@example.com", ["you@example.net"], "host.example.com")
    said = [name for name, _ in Message.split(normalise(without_preface(content))).fields()]  # as submission hands it on
    assert [name for name, _ in Message.split(sent.parcel.content).fields() if name not in (b"date", b"message-id")] == said
    assert judged(content, *[text for found in authors for text in found])
    assert judged(content, "nobody@example.com") == (not authors)


def judged(content: bytes, *allowed: str) -> bool:
    """Whether a user may send it who may send as these."""
    try:
        SubmitterRules([Submitter(user="*", senders=allowed)]).judge(envelope(sender=""), content, ANNA)
    except Problem:
        return False
    return True


@given(st.lists(st.sampled_from(LINES), max_size=9))
def test_what_the_splitter_has_divided_other_readers_divide_alike(lines: list[bytes]) -> None:
    """Also one who looks for the first empty line, and the standard library's parser, but for blanks before a colon."""
    content = bytes(Message.split(normalise(b"\r\n".join(lines))))
    at = header_end(content)
    assert is_divided(content) or at == len(content)
    assert at == 0 or content.find(b"\r\n\r\n") in (at - 2, -1)
    if b"from :" not in content:
        assert [name.lower().encode() for name in message_from_bytes(content)] == [name for name, _ in Message.split(content).fields()]


@pytest.mark.parametrize(
    "header",
    [
        b"From: a@example.com\r\nno field\r\nFrom: ceo@example.com\r\n",
        b" blank\r\nFrom: ceo@example.com\r\n",
        b"Fr\xf6m: x\r\nFrom: ceo@example.com\r\n",
        b"From ceo@example.com Mon Nov 30 10:00:00 2026\r\nFrom: ceo@example.com\r\n",
        b"From: a@example.com\r\nFrom: ceo@example.com\r\n\r\n",
        b"Subject: nobody\r\n\r\n",
        b"From: a@example.com\r\n",
        b"From: a@example.com\r\n" + b"a:\r\n" * 300_000 + b"\r\n",
    ],
)
def test_what_others_hand_in_has_one_header_with_one_from(tmp_path: Path, header: bytes) -> None:
    """Whoever writes spool files himself gets nothing into the queue that a reader further on would divide otherwise."""
    spool = SpoolDirectory(str(tmp_path))
    spool.prepare()
    made = envelope(at=time.time() - 60)
    body = header + b"body\r\n" if header.endswith(b"\r\n\r\n") else header
    begun = time.thread_time()
    with pytest.raises(CorruptMessage, match=r"its message"):
        admit(spool, spool_file(made, body), made.id, Stranger(ANNA, time.time()), IntakeTerms(10_000_000, 10))
    assert time.thread_time() - begun < 5
    assert spool.ids("queued") == []
