"""The accept loop: who calls, places, time, descriptors, errors and the end, each over real sockets."""

from __future__ import annotations

import asyncio
import os
import resource
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from mailer.net.listening import unix_socket
from mailer.net.peer import Peer
from mailer.net.server import PAUSE, streams
from mailer.net.stream import Stream
from tests.fakes import waiting
from tests.net.accepting import HOST, Loop, heard, looping, wait_for_the_end, with_loop

# -- who calls


def test_a_server_is_told_who_calls(tmp_path: Path) -> None:
    """An address and a port over TCP, and over a unix socket the user whom the kernel names."""
    peers: list[Peer] = []

    async def serve(caller: socket.socket, peer: Peer) -> None:
        peers.append(peer)
        caller.close()

    async def run() -> None:
        async with looping(serve) as loop:
            loop.accepting.listen(unix_socket(str(tmp_path), "door", 0o600))
            reader, writer = await loop.call()
            assert await reader.read() == b""
            reader, other = await asyncio.open_unix_connection(str(tmp_path / "door"))
            assert await reader.read() == b""
            assert peers == [Peer(*writer.get_extra_info("sockname")), Peer(uid=os.geteuid())]
            other.close()

    waiting.run(run())


@pytest.mark.parametrize(
    ("peer", "share"),
    [
        (Peer("192.0.2.1", 25), "192.0.2.1"),
        (Peer("2001:db8:0:1:2:3:4:5", 25), "2001:db8:0:1::/64"),
        (Peer("fe80::1%eth0", 25), "fe80::/64"),
        (Peer("::ffff:192.0.2.1", 25), "192.0.2.1"),
        (Peer(uid=0), "unix:0"),
    ],
)
def test_what_has_one_share_of_the_places(peer: Peer, share: str) -> None:
    """A host with a network of IPv6 addresses has no more than one with an IPv4 address."""
    assert peer.share == share


# -- places


def test_there_are_so_many_places_and_no_more() -> None:
    """One who finds none is told so and hung up on; a place is free again when its holder leaves; numbers may change."""

    async def test(loop: Loop) -> None:
        first, writer = await loop.call()
        assert await first.read(6) == b"hello\n"
        await loop.call()
        late, _ = await loop.call()
        assert await late.read() == b"421 too many\r\n"
        writer.close()
        while not await loop.served():
            await asyncio.sleep(1)
        loop.accepting.most = 1
        assert not await loop.served()
        loop.accepting.most = 0
        assert await loop.served()

    with_loop(test, most=2, refusal=b"421 too many\r\n")


def test_one_peer_has_not_all_the_places() -> None:
    """Of one address only so many are served; others are."""

    async def test(loop: Loop) -> None:
        first, writer = await loop.call()
        assert await first.read(6) == b"hello\n"
        assert not await loop.served()
        other, _ = await loop.call(local_addr=("127.0.0.2", 0))
        assert await other.read(6) == b"hello\n"
        writer.close()
        while not await loop.served():
            await asyncio.sleep(1)

    with_loop(test, each=1)


def test_who_keeps_his_place_for_longest_loses_it() -> None:
    """With `evict` each newcomer is served, however many there are, and however fast they come."""

    async def test(loop: Loop) -> None:
        callers = [await loop.call() for _ in range(10)]
        for reader, _ in callers[:7]:
            assert await heard(reader) in (b"", b"hello\n")
        for reader, _ in callers[7:]:
            assert await reader.read(6) == b"hello\n"

    with_loop(test, most=3, evict=True)


# -- time


def test_a_connection_has_its_time() -> None:
    """Whatever its server waits for, and however busily its client drips."""

    async def test(loop: Loop) -> None:
        reader, writer = await loop.call()
        begun = asyncio.get_running_loop().time()
        ended = asyncio.create_task(heard(reader))
        while not ended.done():
            writer.write(b"x")
            await asyncio.sleep(0.5)
        assert 5 <= asyncio.get_running_loop().time() - begun < 8

    with_loop(test, seconds=5)


def test_a_deadline_of_the_server_ends_it() -> None:
    """A wait that is over is no bug: the connection is closed."""
    bugs: list[Exception] = []

    async def serve(stream: Stream, _peer: Peer) -> None:
        stream.allow(5)
        await stream.read()

    async def test(loop: Loop) -> None:
        reader, _ = await loop.call()
        assert await heard(reader) == b""
        assert bugs == []

    with_loop(test, serve, bug=bugs.append)


# -- descriptors and errors


@contextmanager
def no_descriptor() -> Iterator[None]:
    """The process can open no file more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest = os.dup(0)
    os.close(lowest)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_without_a_descriptor_it_rests_and_goes_on() -> None:
    """Those who are served are served on, those who call wait, and the loop does not spin meanwhile."""

    async def run() -> None:
        events = asyncio.get_running_loop()
        async with looping(streams(wait_for_the_end)) as loop:
            first, _ = await loop.call()
            assert await first.read(6) == b"hello\n"
            with socket.socket() as caller:
                caller.setblocking(False)
                with no_descriptor():
                    await events.sock_connect(caller, (HOST, loop.port))
                    before = events.time()
                    await asyncio.sleep(PAUSE * 2.5)
                    assert events.time() - before < PAUSE * 3
                    assert len(loop.accepting._tasks) == 1
                assert await events.sock_recv(caller, 6) == b"hello\n"

    waiting.run(run())


def test_a_loop_that_rests_can_be_closed() -> None:
    """Nothing begins to accept again afterwards."""

    async def run() -> None:
        async with looping(streams(wait_for_the_end)) as loop:
            with socket.socket() as caller:
                caller.setblocking(False)
                with no_descriptor():
                    await asyncio.get_running_loop().sock_connect(caller, (HOST, loop.port))
                    await asyncio.sleep(PAUSE / 2)
                await loop.accepting.close()
                await asyncio.sleep(PAUSE * 2)

    waiting.run(run())


def test_a_bug_ends_one_connection_and_is_told() -> None:
    """The next one is served."""
    bugs: list[Exception] = []

    async def serve(stream: Stream, peer: Peer) -> None:
        stream.allow(10)
        if await stream.read() == b"bang":
            raise ZeroDivisionError("ours")
        stream.write(b"fine")

    async def test(loop: Loop) -> None:
        for said, answer in ((b"bang", b""), (b"hello", b"fine")):
            reader, writer = await loop.call()
            writer.write(said)
            assert await heard(reader) == answer
        assert [str(bug) for bug in bugs] == ["ours"]

    with_loop(test, serve, bug=bugs.append)


def test_without_anybody_to_tell_asyncio_hears_of_a_bug() -> None:
    """As it does of any callback's."""
    told: list[dict[str, Any]] = []

    async def serve(stream: Stream, _peer: Peer) -> None:
        raise ZeroDivisionError

    async def test(loop: Loop) -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
        assert not await loop.served()
        assert isinstance(told[0]["exception"], ZeroDivisionError)

    with_loop(test, serve)


# -- the end


def test_those_who_are_served_may_finish() -> None:
    """Nobody new is accepted at once; who ends within the grace is not cancelled, who does not may say a last word."""
    stops: list[bool] = []

    async def serve(stream: Stream, _peer: Peer) -> None:
        stream.allow(1000)
        seconds = float(await stream.read())
        try:
            await asyncio.sleep(seconds)
        except asyncio.CancelledError:
            stream.write(b"421 cancelled")
            raise
        stops.append(loops[0].accepting.stopping)
        stream.write(b"done")

    loops: list[Loop] = []

    async def test(loop: Loop) -> None:
        loops.append(loop)
        quick, slow = await loop.call(), await loop.call()
        quick[1].write(b"5")
        slow[1].write(b"500")
        await asyncio.sleep(1)
        closing = asyncio.create_task(loop.accepting.close(20))
        await asyncio.sleep(1)
        with pytest.raises(ConnectionRefusedError):
            await loop.call()
        assert await quick[0].read() == b"done"
        assert await slow[0].read() == b"421 cancelled"
        assert await closing == 1
        assert stops == [True]

    with_loop(test, serve)


def test_who_waits_for_a_command_is_not_waited_for() -> None:
    """At the end an idle connection is closed at once, one in the middle of a message when that is done, whatever else was sent already."""

    async def serve(stream: Stream, _peer: Peer) -> None:
        stream.allow(1000)
        try:
            while True:
                with loops[0].accepting.idle():
                    command = await stream.read()
                if command == b"begin":
                    assert await stream.read() == b"the end"
                    stream.write(b"250 taken\n")
        except asyncio.CancelledError:
            stream.write(b"421 bye\n")
            raise

    loops: list[Loop] = []

    async def test(loop: Loop) -> None:
        loops.append(loop)
        idle, busy, between = await loop.call(), await loop.call(), await loop.call()
        busy[1].write(b"begin")
        between[1].write(b"begin")
        await asyncio.sleep(1)
        between[1].write(b"the end")
        assert await between[0].readline() == b"250 taken\n"
        closing = asyncio.create_task(loop.accepting.close(500))
        for reader, _ in (idle, between):
            async with asyncio.timeout(10):
                assert await heard(reader) == b"421 bye\n"
        assert not closing.done()
        busy[1].write(b"the end")
        async with asyncio.timeout(10):
            assert await heard(busy[0]) == b"250 taken\n421 bye\n"
            assert await closing == 0

    with_loop(test, serve)


def test_who_calls_in_the_moment_of_the_end_is_let_go() -> None:
    """Whether it was accepted already or not: no task and no socket is left, and it is no wait."""

    async def test(loop: Loop) -> None:
        callers = [await loop.call() for _ in range(5)]
        assert await loop.accepting.close() <= 5
        for reader, _ in callers:
            assert await heard(reader) in (b"", b"hello\n")

    with_loop(test)


def test_last_words_have_their_time_and_no_more() -> None:
    """A client that does not read them holds no place for ever."""

    async def serve(stream: Stream, _peer: Peer) -> None:
        stream.write(b"x" * 50_000_000)

    async def test(loop: Loop) -> None:
        reader, _ = await loop.call(limit=1000)
        await asyncio.sleep(10)
        assert not loop.accepting._tasks
        assert len(await heard(reader)) < 50_000_000

    with_loop(test, serve)


def test_who_is_vouched_for_counts_for_no_network() -> None:
    """He keeps his place among all; his network has room for others, and when he goes nothing is counted back twice."""

    async def run() -> None:
        go = asyncio.Event()

        async def serve(stream: Stream, _: Peer) -> None:
            stream.write(b"hello\n")
            loop.accepting.vouch()
            loop.accepting.vouch()
            await go.wait()

        async with looping(streams(serve), most=3, each=1, refusal=b"full\n") as loop:
            readers = [(await loop.call())[0] for _ in range(3)]
            assert [await reader.readline() for reader in readers] == [b"hello\n"] * 3
            assert loop.accepting.occupied == 3
            assert await (await loop.call())[0].readline() == b"full\n"
            go.set()
            for reader in readers:
                assert await reader.read() == b""
            await loop.accepting.close(5)
            assert loop.accepting.occupied == 0

    waiting.run(run())
