"""The same commands to our door and to Dovecot, over the same messages: the same answers, and the same messages are left.

Not asked for: a message whose very first octet is a dot, which Dovecot 2.3 does not double."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.peers import dovecot_pop3
from tests.peers.dovecot_pop3 import DovecotPop3

from .house import PHONE, PopHouse, PopTalker, played

pytestmark = [pytest.mark.peer(dovecot_pop3.PROGRAM), pytest.mark.slow]

PIECES = st.sampled_from(
    [b"\r\n", b"\r\n", b"\n", b".", b"..", b"\r\n.\r\n", b"\n.\n", b"a", b"word ", b"a\rb", b"\0", b"\xff", b"x" * 5000]
)
BODY = st.lists(PIECES, max_size=12).map(b"".join)
HEAD = st.sampled_from([b"Subject: x\r\n", b"X: .y\r\n.dot: x\r\n", b"Subject: x\nFrom: y\n", b""])
MESSAGE = st.builds(lambda head, body, end: head + b"\r\n" + body + end, HEAD, BODY, st.sampled_from([b"\r\n", b"\n", b"x\r\n"]))

NUMBER = st.sampled_from(["1", "2", "3", "4", "0", "9", "-1", "x", "", "99999999999999999999", "1 1"])
COMMAND = st.one_of(
    st.sampled_from(["STAT", "LIST", "UIDL", "NOOP", "RSET", "stat", "List", "XYZZY", "USER ann", "LIST 1", "UIDL 2"]),
    st.builds("{} {}".format, st.sampled_from(["RETR", "DELE", "LIST", "UIDL", "dele"]), NUMBER.filter(bool)),
    st.builds("TOP {} {}".format, st.sampled_from("1234"), st.sampled_from(["0", "1", "2", "3", "1000000", "x", ""])),
)


def is_long(command: str) -> bool:
    """Whether an answer that says yes has several lines."""
    verb, _, rest = command.upper().partition(" ")
    return verb in ("RETR", "TOP") or (verb in ("LIST", "UIDL") and not rest)


def comparable(command: str, first: bytes, rest: bytes) -> tuple[object, ...]:
    """What two servers have to say alike: their words are their own, and so are their names for messages."""
    status, *words = first.split()
    verb = command.upper().partition(" ")[0]
    if status != b"+OK":
        return (status,)
    if verb == "UIDL":
        return status, words[:1] if not rest else None, [line.split()[0] for line in rest.splitlines()]
    return status, words[:2] if verb == "STAT" or (verb == "LIST" and not rest) else None, rest


async def ours(client: PopTalker, command: str) -> tuple[object, ...]:
    await client.say(f"{command}\r\n".encode())
    first, rest = await client.reader.readline(), b""
    if first.startswith(b"+OK") and is_long(command):
        rest = line = await client.reader.readline()
        while line not in (b".\r\n", b""):
            line = await client.reader.readline()
            rest += line
    return comparable(command, first, rest)


def theirs(dovecot: DovecotPop3, command: str) -> tuple[object, ...]:
    dovecot.say(f"{command}\r\n".encode())
    first = dovecot.line()
    return comparable(command, first, dovecot.lines() if first.startswith(b"+OK") and is_long(command) else b"")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(MESSAGE, max_size=4), st.lists(COMMAND, max_size=18), st.booleans())
@example([b"a: b\n\n.\n..\nc", b"\r\n\r\n"][:1], ["RETR 1", "TOP 1 0", "TOP 1 1"], True)
def test_both_say_the_same(messages: list[bytes], commands: list[str], quits: bool) -> None:
    """Whatever they are asked, in whatever order, and whether QUIT was said or not."""
    house = PopHouse()
    if messages:
        house.put(*messages)

    async def play(house: PopHouse) -> None:
        with tempfile.TemporaryDirectory(prefix="mailer-dovecot-") as home, DovecotPop3(Path(home), messages) as dovecot:
            async with house.client(PHONE) as client:
                for command in (*commands, *(["QUIT"] if quits else [])):
                    assert await ours(client, command) == await asyncio.to_thread(theirs, dovecot, command), command
            dovecot.__exit__()
            assert ({*house.left()} if messages else set()) == dovecot.left()

    played(house, play)
