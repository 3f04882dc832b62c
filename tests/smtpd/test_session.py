"""A session at a door: what a client may take of time and memory, and how it ends."""

from __future__ import annotations

import asyncio
import gc
import ssl
import tracemalloc

import pytest

from mailer.net.handshakes import Handshakes
from mailer.serving.common import Common
from mailer.serving.pace import TURN
from mailer.serving.room import MessageRoom
from mailer.smtp.reply import Reply
from mailer.smtp.server_state import ServerSettings
from mailer.smtpd.session import MENDING
from tests.smtpd.talking import ENVELOPE, Door, at_a_door, now

CHUNKING = ServerSettings(offer=("CHUNKING",), verbatim=True)


# -- time


def test_a_command_has_its_time_from_its_first_octet() -> None:
    """One that comes in single octets is over when its time is, as silence is."""

    async def test(door: Door) -> None:
        for said in (b"", b"NOOP and so on"):
            client = await door.greeted()
            began, heard = now(), asyncio.ensure_future(client.hear())
            for octet in said:
                await client.say(bytes((octet,)))
                await asyncio.wait((heard,), timeout=299)
                if heard.done():
                    break
            assert (await heard).startswith("421 4.4.2")
            assert 299 < now() - began < 302

    at_a_door(test)


def test_each_command_has_that_time() -> None:
    """Who says something every four minutes is heard."""

    async def test(door: Door) -> None:
        client = await door.greeted()
        for _ in range(5):
            await asyncio.sleep(240)
            assert (await client("NOOP")).startswith("250")

    at_a_door(test)


def test_where_it_is_crowded_clients_have_less_time() -> None:
    """While most places are taken, a minute."""

    async def test(door: Door) -> None:
        client = await door.greeted()
        began = now()
        assert (await client.hear()).startswith("421 4.4.2")
        assert 59 < now() - began < 62

    at_a_door(test, most=1)


def test_a_session_comes_to_an_end() -> None:
    """After an hour, between two commands, however many it says."""

    async def test(door: Door) -> None:
        client = await door.greeted()
        while (said := await client("NOOP")).startswith("250"):
            await asyncio.sleep(200)
        assert said.startswith("421 4.4.2 the session has lasted long enough")
        assert 3590 < now() < 3810

    at_a_door(test, ServerSettings(max_idle=0))


@pytest.mark.parametrize("begin", [b"DATA\r\n", b"BDAT 100000 LAST\r\n", b"BDAT 2\r\nab"])
def test_a_message_that_drips_is_cut_off(begin: bytes) -> None:
    """After a minute a message has to come at some speed."""

    async def test(door: Door) -> None:
        client = await door.greeted()
        await client.say(ENVELOPE + begin)
        await client.hear()
        await client.hear()
        if not begin.endswith(b"LAST\r\n"):
            await client.hear()
        began, heard = now(), asyncio.ensure_future(client.hear())
        while not heard.done():
            if b"DATA" in begin or b"LAST" in begin:
                await client.say(b"x")
            await asyncio.wait((heard,), timeout=5)
        assert (await heard).startswith("421 4.4.2 the message comes too slowly")
        assert 59 < now() - began < 66
        assert not door.policy.bodies

    at_a_door(test, CHUNKING)


def test_a_message_that_is_slow_and_steady_is_taken() -> None:
    """At a thousand octets a second it may take minutes, and no more than half an hour."""

    async def test(door: Door) -> None:
        client = await door.greeted()
        await client.say(ENVELOPE + b"DATA\r\n")
        for _ in range(3):
            await client.hear()
        for _ in range(40):
            await client.say(b"x" * 9998 + b"\r\n")
            await asyncio.sleep(10)
        assert (await client(".")).startswith("250")
        assert len(door.policy.bodies[0].content) == 400_000
        await client.say(ENVELOPE + b"DATA\r\n")
        for _ in range(3):
            await client.hear()
        began, heard = now(), asyncio.ensure_future(client.hear())
        while not heard.done():
            await client.say(b"x" * 9998 + b"\r\n")
            await asyncio.wait((heard,), timeout=10)
        assert (await heard).startswith("421 4.4.2")
        assert 1799 < now() - began < 1802

    at_a_door(test, CHUNKING)


def test_who_reads_no_answers_is_hung_up_on() -> None:
    """Nothing more of him is read, and after a minute he is gone."""

    async def test(door: Door) -> None:
        door.policy.answers["noop"] = Reply(250, "", ("x" * 1000,) * 2000)
        client = await door.greeted()
        client.reader._transport.pause_reading()  # type: ignore[attr-defined]
        await client.say(b"NOOP\r\n" * 20)
        while not door.policy.sessions:
            await asyncio.sleep(1)
        assert now() < 70

    at_a_door(test, ServerSettings(max_idle=0))


# -- room


def test_who_finds_no_room_hears_so_at_the_end() -> None:
    """His message is read to its end and answered with 452; when there is room again, the next one is taken."""

    async def test(door: Door) -> None:
        door.policy.seconds["body"] = 300.0
        first, late = await door.greeted(), await door.greeted()
        taking = asyncio.ensure_future(first.send(b"x" * 150_000 + b"\r\n", "c@d.example"))
        while not door.policy.bodies:
            await asyncio.sleep(0.1)
        (said,) = await late.send(b"y" * 150_000 + b"\r\n", "c@d.example")
        assert said.startswith("452 4.3.1")
        assert 119 < now() < 122
        assert (await late("RCPT TO:<c@d.example>")).startswith("503")
        assert (await taking)[0].startswith("250")
        assert (await late.send(b"y" * 150_000 + b"\r\n", "c@d.example"))[0].startswith("250")
        assert [body.content[:1] for body in door.policy.bodies] == [b"x", b"y"]

    at_a_door(test, CHUNKING, common=Common(MessageRoom(100_000)))


@pytest.mark.parametrize("content", [b"x\n" * 50_000 + b"\r\n", b"x\r\n" * 33_333], ids=["stray", "normal"])
def test_a_message_that_is_to_be_put_right_takes_the_room_of_several(content: bytes) -> None:
    """For it is there as it came and as it will be kept; two of them wait for one another."""

    async def test(door: Door) -> None:
        door.policy.seconds["body"] = 50.0
        first, second = await door.greeted(), await door.greeted()
        sent = [asyncio.ensure_future(client.send(content, "c@d.example")) for client in (first, second)]
        while not door.policy.bodies:
            await asyncio.sleep(0.1)
        stray = not door.policy.bodies[0].normal
        assert (door.common.room.taken >= MENDING * len(content)) is stray
        assert [said[0][:3] for said in await asyncio.gather(*sent)] == ["250", "250"]
        assert (now() >= 99) is stray

    at_a_door(test, CHUNKING, common=Common(MessageRoom(1_000_000)))


def test_time_in_which_we_did_not_read_is_not_the_clients() -> None:
    """A client that had to wait for room for minutes is not taken for slow."""

    async def test(door: Door) -> None:
        door.policy.seconds["body"] = 100.0
        first, second = await door.greeted(), await door.greeted()
        sent = [asyncio.ensure_future(client.send(b"y" * 150_000 + b"\r\n", "c@d.example")) for client in (first, second)]
        assert [said[0][:3] for said in await asyncio.gather(*sent)] == ["250", "250"]
        assert now() >= 199

    at_a_door(test, CHUNKING, common=Common(MessageRoom(100_000)))


def test_what_was_taken_is_no_more_held() -> None:
    """Messages behind one another in one segment, by SMTP and LMTP, leave nothing behind."""

    async def test(door: Door) -> None:
        client = await door.greeted("LHLO me")
        three = ENVELOPE + b"RCPT TO:<e@f.example>\r\nDATA\r\n" + b"x" * 70_000 + b"\r\n.\r\n"
        await client.say(three * 3)
        said = [await client.hear() for _ in range(18)]
        assert {line[:3] for line in said} == {"250", "354"}
        assert len(door.policy.bodies) == 6
        await client("NOOP")
        assert door.common.room.taken == 0

    at_a_door(test, ServerSettings(lmtp=True))


# -- those who cannot wait


def test_who_talks_before_the_greeting_is_noted() -> None:
    """While we are still looking who it is; that may end the session."""

    async def test(door: Door) -> None:
        door.policy.seconds["greeting"] = 2.0
        client = await door.called()
        await client.say(b"EHLO me\r\n")
        assert (await client.hear()).startswith("220")
        assert door.policy.haste == ["greeting"]
        assert (await client.hear()).startswith("250")
        door.policy.verdict = Reply.own(554, "5.7.1", "wait for the greeting")
        client = await door.called()
        await client.say(b"EHLO me\r\nQUIT\r\n")
        assert await client.hear() == "554 5.7.1 wait for the greeting"
        assert await client.hear() == ""

    at_a_door(test)


def test_who_goes_on_behind_ehlo_is_noted_once() -> None:
    """And one who waits is not."""

    async def test(door: Door) -> None:
        client = await door.greeted()
        await client.send(b"x\r\n", "c@d.example")
        assert door.policy.haste == []
        client = await door.called()
        await client.hear()
        await client.say(b"EHLO me\r\n" + ENVELOPE + b"DATA\r\nx\r\n.\r\n")
        for _ in range(5):
            await client.hear()
        assert door.policy.haste == ["EHLO"]

    at_a_door(test)


def test_many_commands_at_once_let_others_have_their_turn() -> None:
    """However many have come in one segment, and however dear each of them is to answer."""

    async def test(door: Door) -> None:
        client = await door.greeted()
        turns = 0

        async def other() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        door.policy.dear["rcpt"] = 2 * TURN
        await client("MAIL FROM:<a@b.example>")
        await client.say(b"RCPT TO:<c@d.example>\r\n" * 10)
        task = asyncio.ensure_future(other())
        for _ in range(2):
            await asyncio.sleep(0)
        before = turns
        for _ in range(10):
            assert (await client.hear()).startswith("250")
        task.cancel()
        assert turns - before >= 10

    at_a_door(test)


# -- the end


def test_whoever_is_idle_when_the_door_closes_is_told() -> None:
    """At once; a message that is under way has its time, and is answered."""

    async def test(door: Door) -> None:
        idle, busy, chunks = [await door.greeted() for _ in range(3)]
        await busy.say(ENVELOPE + b"DATA\r\nx\r\n")
        await chunks.say(ENVELOPE + b"BDAT 3\r\nx\r\n")
        for client in (busy, chunks):
            for _ in range(3):
                await client.hear()
        closing = asyncio.ensure_future(door.loop.accepting.close(30))
        assert (await idle.hear()).startswith("421 4.3.2")
        await busy.say(b".\r\n")
        await chunks.say(b"BDAT 3 LAST\r\ny\r\n")
        for client in (busy, chunks):
            assert (await client.hear()).startswith("250")
            assert (await client.hear()).startswith("421 4.3.2")
        assert await closing == 0
        assert door.policy.sessions == 3

    at_a_door(test, CHUNKING)


def test_a_handshake_that_has_no_turn() -> None:
    """Who asks for TLS while too many others do, waits, and is told so; he may go on without."""

    async def test(door: Door) -> None:
        async with door.common.handshakes.turn():
            client = await door.greeted()
            assert (await client("STARTTLS")).startswith("454 4.7.0")
        assert 29 < now() < 32
        assert (await client("MAIL FROM:<>")).startswith("250")

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    at_a_door(test, ServerSettings(starttls=True), context=context, common=Common(handshakes=Handshakes(1)))


@pytest.mark.parametrize("leaves", [True, False])
def test_what_came_of_a_message_goes_with_its_session(leaves: bool) -> None:
    """Whether the client leaves or is late, what was held is free at once, and does not wait until somebody collects circles."""

    async def test(door: Door) -> None:
        client = await door.greeted()
        await client.say(ENVELOPE + b"BDAT 1000000 LAST\r\n")
        for _ in range(2):
            await client.hear()
        before = tracemalloc.get_traced_memory()[0]
        await client.say(b"x" * 400_000)
        while door.common.room.taken < 400_000:
            await asyncio.sleep(0.1)
        assert tracemalloc.get_traced_memory()[0] > before + 400_000
        if leaves:
            client.writer.transport.abort()
        while not door.policy.sessions:
            await asyncio.sleep(1)
        await asyncio.sleep(10)
        assert tracemalloc.get_traced_memory()[0] < before + 100_000

    gc.collect()
    gc.disable()
    tracemalloc.start()
    try:
        at_a_door(test, CHUNKING)
    finally:
        tracemalloc.stop()
        gc.enable()
