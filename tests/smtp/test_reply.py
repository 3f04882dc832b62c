"""Replies and the reader of replies."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.smtp import reply as reply_room
from mailer.smtp.reply import MAX_LINE, MAX_LINES, MAX_OCTETS, MAX_REPLY, ProtocolError, Reply, ReplyReader


def read(data: bytes) -> list[Reply]:
    """The replies of `data`, and the error that comes behind them."""
    reader = ReplyReader()
    replies = reader.feed(data)
    reader.check()
    return replies


@pytest.mark.parametrize(
    ("data", "reply"),
    [
        (b"250 ok\r\n", Reply(250, "", ("ok",))),
        (b"250 2.1.5 ok\r\n", Reply(250, "2.1.5", ("ok",))),
        (b"250\r\n", Reply(250, "", ("",))),
        (b"250 \r\n", Reply(250, "", ("",))),
        (b"250 2.0.0\r\n", Reply(250, "2.0.0", ("",))),
        (b"250 ok\n", Reply(250, "", ("ok",))),
        (b"250-a\r\n250 b\r\n", Reply(250, "", ("a", "b"))),
        (b"250-a\r\n250\r\n", Reply(250, "", ("a", ""))),
        (b"550-5.1.1 a\r\n550-5.1.1\r\n550 5.1.1 b\r\n", Reply(550, "5.1.1", ("a", "", "b"))),
        (b"550 4.1.1 the class of the code counts\r\n", Reply(550, "", ("4.1.1 the class of the code counts",))),
        (b"550 5.1.1234 no such code\r\n", Reply(550, "", ("5.1.1234 no such code",))),
        (b"550 5.1.1.2 a version\r\n", Reply(550, "", ("5.1.1.2 a version",))),
        (b"550 \xc3\xbc\r\n", Reply(550, "", ("ü",))),
        (b"550 \xfc\r\n", Reply(550, "", ("\ufffd",))),
        (b"550 a\x1b[31mb\rc\0\r\n", Reply(550, "", ("a?[31mb c?",))),
    ],
)
def test_read(data: bytes, reply: Reply) -> None:
    """A reply has a code, perhaps an enhanced one, and texts without either, on which no terminal chokes."""
    assert read(data) == [reply]


@pytest.mark.parametrize(
    "data",
    [
        b"\r\n",
        b"hello\r\n",
        b"25 ok\r\n",
        b"2500 ok\r\n",
        b"250\tok\r\n",
        b"250_ok\r\n",
        b"150 ok\r\n",
        b"650 ok\r\n",
        b"\xb2\xb5\xb0 ok\r\n",
        b" 250 ok\r\n",
        b"250-a\r\nb\r\n",
        b"250-a\r\n251 b\r\n",
        b"250\rok\r\n",
        b"x" * (MAX_LINE + 1),
        b"250-" + b"a" * MAX_LINE + b"\r\n251 b\r\n",
        b"250-a\r\n" * MAX_LINES + b"b\r\n",
    ],
)
def test_no_reply(data: bytes) -> None:
    """Whatever is no reply raises one class of error, however long it is."""
    with pytest.raises(ProtocolError):
        read(data)


@pytest.mark.parametrize(
    "data",
    [
        b"550 5.1.1 " + b"x" * 5000 + b"\r\n",
        b"550 5.1.1 " + b"x" * 100_000 + b"\r\n",
        b"550-5.1.1 x\r\n" * 5000 + b"550 5.1.1 x\r\n",
        (b"550-5.1.1 " + b"x" * 4000 + b"\r\n") * 40 + b"550 5.1.1 x\r\n",
    ],
)
def test_of_a_long_reply_the_beginning_is_kept_and_the_code_counts(data: bytes) -> None:
    """A line of more than 4096 octets, hundreds of them, more than 64 KiB: what follows is read as ever. RFC 5321 §4.2.1"""
    long, after = read(data + b"250 ok\r\n")
    assert (long.code, long.enhanced, long.lines[0][:1]) == (550, "5.1.1", "x")
    assert len(long.lines) <= MAX_LINES
    assert len(long.text) <= MAX_REPLY
    assert after == Reply(250, "", ("ok",))


@pytest.mark.parametrize(
    "data", [b"250-" + b"x" * 2 * MAX_OCTETS, b"250-ok\r\n" * (MAX_OCTETS // 4), b"250 " + b"x" * MAX_OCTETS + b"\r\n250 b"]
)
def test_a_reply_without_end_counts_and_is_the_last(data: bytes) -> None:
    """Its code is known from the first line on; after a megabyte nobody listens any more."""
    reader = ReplyReader()
    (reply,) = reader.feed(data)
    assert (reply.code, len(reply.text) <= MAX_REPLY) == (250, True)
    with pytest.raises(ProtocolError, match="more than 1048576 octets"):
        reader.feed(b"250 ok\r\n")


@pytest.mark.parametrize(
    ("data", "known"),
    [
        (b"", False),
        (b"250 o", False),
        (b"250-ok\r\n", True),
        (b"250-ok\r\n250", True),
        (b"250 " + b"x" * MAX_LINE, True),
        (b"250 ok\r\n", False),
    ],
)
def test_a_reply_that_is_broken_off_counts_if_a_line_of_it_has_come(data: bytes, known: bool) -> None:
    """All lines of a reply have one code, RFC 5321 §4.2.1. What has ended was handed out."""
    reader = ReplyReader()
    reader.feed(data)
    reply = reader.break_off()
    assert (reply is not None and reply.code == 250) is known
    assert not reader.partial or not known


def test_what_came_before_garbage_counts() -> None:
    """Replies before an offence are handed out first; the offence is raised by the next call, and for ever."""
    reader = ReplyReader()
    assert reader.feed(b"250 ok\r\ngarbage\r\n250 late\r\n") == [Reply(250, "", ("ok",))]
    for _ in range(2):
        with pytest.raises(ProtocolError, match="garbage"):
            reader.feed(b"250 ok\r\n")


def test_partial() -> None:
    """A reply is partial from its first octet to its last."""
    reader = ReplyReader()
    for piece in (b"2", b"50-a\r\n", b"250 b\r"):
        assert reader.feed(piece) == []
        assert reader.partial
    assert reader.feed(b"\n") == [Reply(250, "", ("a", "b"))]
    assert not reader.partial


def test_classes() -> None:
    """The first digit says whether something was accepted, refused for now, or refused."""
    kinds = {code: (r.positive, r.transient, r.permanent) for code in (250, 354, 451, 550) if (r := Reply.own(code, "", ""))}
    assert kinds == {250: (True, False, False), 354: (True, False, False), 451: (False, True, False), 550: (False, False, True)}


def test_what_is_worth_keeping() -> None:
    """The beginning of what a server said; the sign at its end says that there was more."""
    assert Reply(550, "", ("no", "such user")).brief == "no such user"
    assert Reply(550, "", ("x" * 999, "y" * 999)).brief == "x" * 999 + "…"


def test_as_text() -> None:
    """A reply prints as it would be read aloud: code, enhanced code, all lines as one."""
    assert str(Reply(550, "5.1.1", ("no", "such user"))) == "550 5.1.1 no such user"
    assert str(Reply(250, "", ("",))) == "250"


texts = st.text(st.characters(blacklist_categories=("C", "Z")), max_size=20)
replies = st.builds(
    Reply, st.integers(200, 559), st.just(""), st.lists(texts.map(lambda text: "x" + text), min_size=1, max_size=5).map(tuple), st.none()
)


def wire(reply: Reply) -> bytes:
    """How a server would send it."""
    *more, last = reply.lines
    return "".join([f"{reply.code}-{line}\r\n" for line in more] + [f"{reply.code} {last}\r\n"]).encode()


@given(st.lists(replies, max_size=5), st.lists(st.integers(1, 30), min_size=1))
def test_any_pieces(sent: list[Reply], sizes: list[int]) -> None:
    """It makes no difference in what pieces replies come."""
    data = b"".join(map(wire, sent))
    reader = ReplyReader()
    got: list[Reply] = []
    at = turn = 0
    while at < len(data):
        size = sizes[turn % len(sizes)]
        got += reader.feed(data[at : at + size])
        at, turn = at + size, turn + 1
    assert got == sent
    assert not reader.partial


noise = st.binary(max_size=60) | st.sampled_from([b"250-", b"250 ok\r\n", b"\r\n", b"\n", b"354", b"421 bye\r\n", b"x" * 5000])


def heard(pieces: list[bytes]) -> tuple[list[Reply], bool]:
    """The replies, and whether an error came behind them."""
    reader, got = ReplyReader(), []
    try:
        for piece in pieces:
            got += reader.feed(piece)
        reader.check()
    except ProtocolError:
        return got, True
    return got, False


@given(st.lists(noise, max_size=30))
def test_any_bytes(pieces: list[bytes]) -> None:
    """Any bytes end in replies or in one class of error, whole or byte by byte alike, and never in much memory."""
    data = b"".join(pieces)
    assert heard(pieces) == heard([data]) == heard([data[at : at + 1] for at in range(len(data))])
    assert all("\n" not in reply.text and "\r" not in reply.text for reply in heard([data])[0])


small = st.sampled_from(
    [b"250-", b"250 ", b"\r\n", b"\n", b"x", b"xxxxxxx", b"250-ok\r\n", b"250 ok\r\n", b"251 no\r\n", b"\r", b"\xc3\xbc"]
)


@given(st.lists(small, max_size=30))
def test_long_replies_in_any_pieces(pieces: list[bytes]) -> None:
    """Whether a bound is met within a piece or between two makes no difference; the bounds are small here, so that all are met."""
    with pytest.MonkeyPatch.context() as bounds:
        for name, bound in (("MAX_LINE", 10), ("MAX_LINES", 3), ("MAX_REPLY", 24), ("MAX_OCTETS", 60)):
            bounds.setattr(reply_room, name, bound)
        data = b"".join(pieces)
        assert heard(pieces) == heard([data]) == heard([data[at : at + 1] for at in range(len(data))])
        assert all(len(reply.lines) <= 3 for reply in heard([data])[0])
