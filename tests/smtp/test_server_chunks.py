"""The receiving side of BDAT and of LMTP."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.smtp import server_events as ask
from mailer.smtp.reply import Reply, ReplyReader
from mailer.smtp.server import Server, ServerSettings

CHUNKING = ServerSettings(offer=("CHUNKING", "BINARYMIME"), max_size=1000)
ENVELOPE = b"MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\n"
CONTENT = b".\r\nSubject: x\r\n\r\n..\r\n"


class Talk:
    """A client that says things; `taken` are the messages."""

    def __init__(self, service: ServerSettings, hello: bytes = b"EHLO me.example\r\n", refuse: str = "") -> None:
        self.server = Server(service)
        self.refuse = refuse
        self.taken: list[ask.Body] = []
        self._reader = ReplyReader()
        self.say(hello)

    def say(self, data: bytes) -> list[Reply]:
        self.server.feed(data)
        while (question := self.server.next()) is not None:
            if isinstance(question, ask.Body):
                if self.refuse in question.recipients:
                    self.server.answer(Reply.own(550, "5.7.1", "not for them"))
                    continue
                self.taken.append(question)
            self.server.answer()
        return self._reader.feed(self.server.take())

    def codes(self, data: bytes) -> list[int]:
        return [reply.code for reply in self.say(data)]


def test_one_flight() -> None:
    """A message that comes with its envelope is taken as it is, dots and all."""
    talk = Talk(CHUNKING)
    assert talk.codes(ENVELOPE + b"BDAT %d LAST\r\n" % len(CONTENT) + CONTENT + b"NOOP\r\n") == [250] * 4
    assert [body.content for body in talk.taken] == [CONTENT]


@given(st.lists(st.integers(1, 30), min_size=1, max_size=20), st.integers(0, 21))
def test_any_pieces(sizes: list[int], cut: int) -> None:
    """It makes no difference how the message is cut into chunks, nor how the network cuts these."""
    talk = Talk(CHUNKING)
    said = ENVELOPE + b"BDAT %d\r\n" % cut + CONTENT[:cut] + b"BDAT %d LAST\r\n" % (len(CONTENT) - cut) + CONTENT[cut:]
    at, codes = 0, []
    while at < len(said):
        size = sizes[at % len(sizes)]
        codes += talk.codes(said[at : at + size])
        at += size
    assert codes == [250] * 4
    assert [body.content for body in talk.taken] == [CONTENT]


@pytest.mark.parametrize(
    ("service", "before", "code"),
    [
        (CHUNKING, b"", 503),
        (CHUNKING, b"MAIL FROM:<a@b.example>\r\n", 503),
        (ServerSettings(), ENVELOPE, 502),
    ],
)
def test_octets_are_no_commands(service: ServerSettings, before: bytes, code: int) -> None:
    """What follows a BDAT that is refused is thrown away as the octets that it is, and never read as commands."""
    talk = Talk(service)
    talk.say(before)
    assert talk.codes(b"BDAT 6 LAST\r\nQUIT\r\nNOOP\r\n") == [code, 250]
    assert talk.taken == []


def test_too_large() -> None:
    """Chunks that add up to too much are refused, and the rest of them too."""
    talk = Talk(CHUNKING)
    talk.say(ENVELOPE)
    assert talk.codes(b"BDAT 600\r\n" + b"x" * 600) == [250]
    assert talk.codes(b"BDAT 600\r\n" + b"x" * 600) == [552]
    assert talk.codes(b"BDAT 6 LAST\r\n" + b"x" * 6) == [503]


@pytest.mark.parametrize("line", [b"BDAT", b"BDAT x", b"BDAT -1", b"BDAT 1 FIRST", b"BDAT " + b"9" * 21])
def test_no_number(line: bytes) -> None:
    """A chunk of an unknown length is refused."""
    talk = Talk(CHUNKING)
    talk.say(ENVELOPE)
    assert talk.codes(line + b"\r\n") == [501]


def test_no_mixture() -> None:
    """After the first chunk there is neither DATA nor another recipient; RSET makes a fresh start."""
    talk = Talk(CHUNKING)
    talk.say(ENVELOPE)
    talk.say(b"BDAT 3\r\nabc")
    assert talk.codes(b"DATA\r\nRCPT TO:<e@f.example>\r\nRSET\r\n") == [503, 503, 250]
    assert talk.codes(ENVELOPE + b"BDAT 2 LAST\r\n\r\n") == [250] * 3
    assert talk.taken[-1].content == b"\r\n"


def test_binary() -> None:
    """A binary message is taken octet by octet, and only with BDAT; one that is not said to be binary has lines."""
    talk = Talk(CHUNKING)
    binary = ENVELOPE.replace(b"example>", b"example> BODY=BINARYMIME", 1)
    assert talk.codes(binary + b"DATA\r\n") == [250, 250, 503]
    assert talk.codes(b"BDAT 3 LAST\r\n\0\n\r") == [250]
    assert talk.taken[-1].content == b"\0\n\r"
    assert talk.codes(ENVELOPE + b"BDAT 3 LAST\r\n\0\n\r") == [250, 250, 554]


LMTP = ServerSettings(lmtp=True, offer=("CHUNKING",))
THREE = b"MAIL FROM:<a@b.example>\r\n" + b"".join(b"RCPT TO:<%d@d.example>\r\n" % number for number in range(3))


@pytest.mark.parametrize("end", [b"DATA\r\nhello\r\n.\r\n", b"BDAT 7 LAST\r\nhello\r\n"])
def test_lmtp(end: bytes) -> None:
    """In LMTP each recipient has an answer of their own."""
    talk = Talk(LMTP, b"LHLO me.example\r\n", refuse="1@d.example")
    codes = talk.codes(THREE + end)
    assert codes[-3:] == [250, 550, 250]
    assert [body.recipients for body in talk.taken] == [("0@d.example",), ("2@d.example",)]
    assert talk.codes(b"NOOP\r\n") == [250]


@pytest.mark.parametrize(("service", "hello"), [(LMTP, b"EHLO x\r\n"), (LMTP, b"HELO x\r\n"), (CHUNKING, b"LHLO x\r\n")])
def test_the_other_protocol(service: ServerSettings, hello: bytes) -> None:
    """Who greets in the other protocol is not understood, so that nobody waits for answers that do not come."""
    assert Talk(service, b"").codes(hello) == [500]
