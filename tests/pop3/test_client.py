"""The POP3 client: answers are paired with commands, whole however they are cut, and bounded."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailer.pop3.client import LISTED, LONGEST, Pop3Answer, Pop3Client, Pop3State, Pop3Violation
from mailer.pop3.listing import capabilities, names, sizes
from tests.fakes.chance import examples


def logged_in() -> Pop3Client:
    client = Pop3Client()
    for line, answer in (("", b"+OK hello\r\n"), ("USER me", b"+OK\r\n"), ("PASS secret word", b"+OK 3 messages\r\n")):
        if line:
            client.send(line)
        client.feed(answer)
        said = client.next()
        assert said is not None
        assert said.ok
    assert client.state is Pop3State.TRANSACTION
    return client


def answers(client: Pop3Client, data: bytes, size: int) -> Pop3Answer | None:
    """What the client says when `data` comes in parts of `size` octets."""
    found = None
    for at in range(0, len(data), size):
        client.feed(data[at : at + size])
        found = found or client.next()
    return found and found._replace(stuffed=found.content)


@pytest.mark.parametrize("size", [1, 2, 3, 5, 1000])
def test_a_message_comes_as_it_was_however_it_is_cut(size: int) -> None:
    """Dots that were put in are taken out, and only the line with a dot alone ends it."""
    client = logged_in()
    assert client.send("RETR 1", 1000) == b"RETR 1\r\n"
    wire = b"+OK 99 octets\r\n..first\r\n..\r\nx\n.\n.\r.\r\n...\r\n\r\n.\r\n"
    assert answers(client, wire, size) == Pop3Answer(True, "99 octets", b".first\r\n.\r\nx\n.\n.\r.\r\n..\r\n\r\n")


@given(st.lists(st.sampled_from([b".", b"\r\n", b"a", b"\n", b"\r", b".."]), max_size=30), st.integers(1, 7))
@settings(max_examples=examples(150), deadline=None)
def test_what_a_server_stuffs_is_unstuffed(parts: list[bytes], size: int) -> None:
    """For whatever octets a message has."""
    content = b"".join(parts)
    if content and not content.endswith(b"\r\n"):
        content += b"\r\n"
    stuffed = b"".join(b"." + line if line.startswith(b".") else line for line in _lines(content))
    client = logged_in()
    client.send("RETR 1", 1000)
    assert answers(client, b"+OK\r\n" + stuffed + b".\r\n", size) == Pop3Answer(True, "", content)


def _lines(content: bytes) -> list[bytes]:
    return [line + b"\r\n" for line in content.split(b"\r\n")[:-1]]


def test_a_refusal_has_one_line() -> None:
    """Also of a command that has lines."""
    client = logged_in()
    client.send("RETR 9", 1000)
    client.feed(b"-ERR no such message\r\n")
    assert client.next() == Pop3Answer(False, "no such message")
    client.send("LIST 1")
    client.feed(b"+OK 1 120\r\n")
    assert client.next() == Pop3Answer(True, "1 120")


def test_a_line_may_be_as_long_as_the_message() -> None:
    """Where the standard library gives up at 2,048 octets, and never gets past such a message."""
    client = logged_in()
    client.send("RETR 1", 1_000_000)
    content = b"x" * 500_000 + b"\r\n"
    assert answers(client, b"+OK\r\n" + content + b".\r\n", 4096) == Pop3Answer(True, "", content)


def test_an_endless_message_ends_at_its_bound() -> None:
    """With no more in memory than that, and a piece."""
    client = logged_in()
    client.send("RETR 1", 100_000)
    client.feed(b"+OK\r\n")

    def endless() -> None:
        for _ in range(1000):
            client.feed(b"x" * 998 + b"\r\n")
            client.next()

    with pytest.raises(Pop3Violation, match="longer than 100000"):
        endless()
    assert len(client._in) < 102_000


def test_a_first_line_without_end_ends_at_its_bound() -> None:
    """Of the greeting as of any answer."""
    client = Pop3Client()
    client.feed(b"+OK " + b"x" * LONGEST)
    with pytest.raises(Pop3Violation, match="first line"):
        client.next()


@pytest.mark.parametrize("said", [b"HTTP/1.1 200 OK\r\n", b"* OK IMAP\r\n", b"\r\n", b"+ \r\n", b"+okay\r\n", b"\xff\xfe\n"])
def test_what_is_no_answer_raises_one_class(said: bytes) -> None:
    """Another protocol, or noise."""
    client = Pop3Client()
    client.feed(said)
    with pytest.raises(Pop3Violation, match="no POP3"):
        client.next()


def test_nobody_answers_unasked() -> None:
    """Neither between two commands, nor more than one answer to one."""
    client = logged_in()
    with pytest.raises(Pop3Violation, match="without being asked"):
        client.feed(b"+OK\r\n")
    client = logged_in()
    client.send("NOOP")
    client.feed(b"+OK\r\n+OK injected\r\n")
    with pytest.raises(Pop3Violation, match="more than was asked"):
        client.next()


def test_words_in_front_of_the_handshake_are_no_answer() -> None:
    """RFC 2595 §4: what came in the clear behind STLS must not be read as if TLS had brought it."""
    client = Pop3Client()
    client.feed(b"+OK\r\n")
    client.next()
    client.send("STLS")
    client.feed(b"+OK begin\r\n+OK logged in already\r\n")
    with pytest.raises(Pop3Violation):
        client.next()


@pytest.mark.parametrize("line", ["USER me\r\nDELE 1", "USER a\nb", "PASS \0", "USER " + "x" * LONGEST])
def test_a_command_is_one_line(line: str) -> None:
    """No name and no password makes two of it."""
    client = Pop3Client()
    client.feed(b"+OK\r\n")
    client.next()
    with pytest.raises(ValueError, match="one line"):
        client.send(line)


def test_commands_have_their_time() -> None:
    """One at a time, and each in its state."""
    client = Pop3Client()
    with pytest.raises(RuntimeError, match="out of order"):
        client.send("STAT")
    client = logged_in()
    with pytest.raises(RuntimeError, match="out of order"):
        client.send("PASS x")
    client.send("NOOP")
    with pytest.raises(RuntimeError, match="out of order"):
        client.send("NOOP")


def test_auth_asks_for_more() -> None:
    """RFC 5034 §4: a line of base64, as often as the server wants."""
    client = Pop3Client()
    client.feed(b"+OK\r\n")
    client.next()
    client.send("AUTH PLAIN")
    client.feed(b"+ \r\n")
    assert client.next() == Pop3Answer(False, "", more=True)
    assert client.respond(b"AG1lAHg=") == b"AG1lAHg=\r\n"
    client.feed(b"+OK welcome\r\n")
    assert client.next() == Pop3Answer(True, "welcome")
    assert client.state is Pop3State.TRANSACTION


def test_a_large_message_costs_linear_time() -> None:
    """Ten million octets in pieces of a kilobyte; a dot at the end of each piece is none."""
    client = logged_in()
    client.send("RETR 1", 20_000_000)
    client.feed(b"+OK\r\n")
    piece = b"x" * 1021 + b"\r\n."
    began = time.process_time()
    for _ in range(10_000):
        client.feed(piece)
        assert client.next() is None
    client.feed(b".\r\n.\r\n")
    answer = client.next()
    assert answer is not None
    assert len(answer.content) > 10_000_000
    assert time.process_time() - began < 5.0


def test_lists_are_read_as_far_as_they_are_lists() -> None:
    """A server's nonsense is passed over."""
    assert sizes(b"1 120\r\n2 99999999999999\r\nx\r\n3 7 more\r\n-1 5\r\n0 5\r\n") == {1: 120, 3: 7}
    assert names(b"1 abc\r\n2 " + b"y" * 71 + b"\r\n3\r\n4 a b\r\n5 \xff\r\n") == {1: "abc", 5: "\xff"}
    assert capabilities(b"STLS\r\nsasl plain login\r\n\r\n") == {"STLS": (), "SASL": ("PLAIN", "LOGIN")}
    assert LISTED > 1_000_000
