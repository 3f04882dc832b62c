"""Connections, each over a real socket: what is odd, slow, too large, or early, and what the client sees of that."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from .oddities import GET, GOOD, HEAD, ODD, chunked
from .served import Served, config_with, with_server

END = b"\r\n"


@pytest.mark.parametrize("what", ODD)
def test_what_is_odd_is_answered_and_hung_up_on(what: str, tmp_path: Path) -> None:
    """With an error that says what it was, and nothing that stood behind is taken for a request."""
    data, status = ODD[what]

    async def test(served: Served) -> None:
        caller = await served.call(data + GET + END)
        answer = await caller.answer()
        assert answer.status == status
        assert answer.fields["connection"] == "close"
        assert answer.error["code"]
        assert answer.error["message"]
        caller.close()
        assert await caller.ends()
        assert served.refused == [("127.0.0.1", status)]
        assert not served.bugs

    with_server(test, config_with(tmp_path))


@pytest.mark.parametrize("what", GOOD)
def test_what_is_right_is_answered(what: str, tmp_path: Path) -> None:
    """And the next request of the same connection as well, where that goes on."""
    data, body = GOOD[what]

    async def test(served: Served) -> None:
        caller = await served.call(data + HEAD + b"Content-Length: 4\r\n\r\nnext")
        first = await caller.answer()
        assert (first.status, first.body) == (200, body)
        if b"HTTP/1.0" not in data:
            assert (await caller.answer()).body == b"next"
        caller.close()
        assert not served.refused

    with_server(test, config_with(tmp_path))


def test_requests_that_are_sent_ahead_are_answered_in_order(tmp_path: Path) -> None:
    """A refusal of a later one does not get before an earlier answer."""

    async def test(served: Served) -> None:
        bodies = [b"%04d" % number for number in range(50)]
        caller = await served.call(b"".join(HEAD + b"Content-Length: 4\r\n\r\n" + body for body in bodies) + ODD["LF alone"][0])
        for body in bodies:
            assert (await caller.answer()).body == body
        assert (await caller.answer()).status == 400
        assert await caller.ends()

    with_server(test, config_with(tmp_path))


# -- slow clients


def test_a_slow_header_is_answered_in_time(tmp_path: Path) -> None:
    """However steadily it comes."""

    async def test(served: Served) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        caller = await served.call(b"GET /echo HTTP/1.1\r\nHost: localhost\r\n")
        drip = asyncio.ensure_future(_drip(caller.say, b"X: y\r\n"))
        answer = await caller.answer()
        assert (answer.status, answer.error["code"]) == (408, "too_slow")
        assert 9 < loop.time() - began < 13
        drip.cancel()
        assert await caller.ends()
        assert loop.time() - began < 16

    with_server(test, config_with(tmp_path))


def test_a_slow_body_is_answered_in_time(tmp_path: Path) -> None:
    """The time is for all of it, and an octet now and then gives no more."""

    async def test(served: Served) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        caller = await served.call(HEAD + b"Content-Length: 90000\r\n\r\n")
        drip = asyncio.ensure_future(_drip(caller.say, b" "))
        answer = await caller.answer()
        assert (answer.status, answer.error["code"]) == (408, "too_slow")
        assert "api.body_timeout" in answer.error["message"]
        assert 59 < loop.time() - began < 63
        drip.cancel()
        assert await caller.ends()

    with_server(test, config_with(tmp_path))


async def _drip(say: object, data: bytes) -> None:
    while True:
        await asyncio.sleep(2)
        say(data)  # type: ignore[operator]


@pytest.mark.parametrize("before", [b"", GET + END])
def test_an_idle_connection_is_closed(before: bytes, tmp_path: Path) -> None:
    """Whether it had a request or none."""

    async def test(served: Served) -> None:
        loop = asyncio.get_running_loop()
        caller = await served.call(before)
        if before:
            assert (await caller.answer()).status == 200
        began = loop.time()
        assert await caller.ends()
        assert 59 < loop.time() - began < 62

    with_server(test, config_with(tmp_path))


def test_the_times_are_settings(tmp_path: Path) -> None:
    """Each of its own."""

    async def test(served: Served) -> None:
        loop = asyncio.get_running_loop()
        for data, seconds in ((b"GET", 1), (HEAD + b"Content-Length: 9\r\n\r\n", 2), (b"", 3)):
            began = loop.time()
            caller = await served.call(data)
            await caller.reader.read(1)
            assert seconds - 0.5 < loop.time() - began < seconds + 0.9, data
            caller.close()

    with_server(test, config_with(tmp_path, 'header_timeout = "1s"\nbody_timeout = "2s"\nidle_timeout = "3s"'))


def test_who_does_not_take_the_answer_is_cut_off(tmp_path: Path) -> None:
    """What he was to be sent is not kept for ever."""

    async def test(served: Served) -> None:
        loop = asyncio.get_running_loop()
        caller = await served.call(b"GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n")
        caller.writer.transport.pause_reading()  # type: ignore[attr-defined]
        began = loop.time()
        while served.server.connections or not served.asked:
            await asyncio.sleep(1)
        assert 58 < loop.time() - began < 65
        caller.close()

    with_server(test, config_with(tmp_path))


# -- too large, and early


@pytest.mark.parametrize("chunks", [False, True])
def test_a_client_in_the_middle_of_a_body_sees_that_it_is_too_large(chunks: bool, tmp_path: Path) -> None:
    """Not a reset: it is read on for a while."""

    async def test(served: Served) -> None:
        body = b" " * 150_000
        begin = chunked(b"24a00\r\n") if chunks else HEAD + b"Content-Length: 150000\r\n\r\n"
        caller = await served.call(begin)
        for at in range(0, len(body), 10_000):
            caller.say(body[at : at + 10_000])
            await asyncio.sleep(0)
        answer = await caller.answer()
        assert (answer.status, answer.error["code"]) == (413, "too_large")
        assert "api.max_body" in answer.error["message"]
        assert await caller.ends()

    with_server(test, config_with(tmp_path))


def test_who_sends_on_for_ever_is_cut_off(tmp_path: Path) -> None:
    """Two seconds, or as much as a body may have."""

    async def test(served: Served) -> None:
        loop = asyncio.get_running_loop()
        caller = await served.call(HEAD + b"Content-Length: 999999999\r\n\r\n")
        assert (await caller.answer()).status == 413
        began = loop.time()
        while served.server.connections:
            await asyncio.sleep(0.5)
        assert 1.4 < loop.time() - began < 3
        caller = await served.call(HEAD + b"Content-Length: 999999999\r\n\r\n")
        assert (await caller.answer()).status == 413
        began = loop.time()
        while served.server.connections:
            caller.say(b" " * 50_000)
            await asyncio.sleep(0.01)
        assert loop.time() - began < 1.4

    with_server(test, config_with(tmp_path))


def test_a_body_that_is_announced_is_asked_for(tmp_path: Path) -> None:
    """100 Continue, unless it would be refused: then the refusal comes first, and no body is waited for. RFC 9110 §10.1.1"""

    async def test(served: Served) -> None:
        caller = await served.call(HEAD + b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        assert (await caller.answer()).status == 100
        caller.say(b"{}")
        assert (await caller.answer()).body == b"{}"
        caller.close()
        caller = await served.call(HEAD + b"Expect: 100-continue\r\nContent-Length: 200000\r\n\r\n")
        assert (await caller.answer()).status == 413
        assert await caller.ends()
        caller = await served.call(HEAD.replace(b"/echo", b"/early") + b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        answer = await caller.answer()
        assert (answer.status, answer.fields["connection"]) == (401, "close")
        assert await caller.ends()

    with_server(test, config_with(tmp_path))


def test_an_early_answer_ends_the_connection_where_the_body_has_not_come(tmp_path: Path) -> None:
    """What comes late is not taken for a request; where it has come, the connection goes on."""

    async def test(served: Served) -> None:
        early = HEAD.replace(b"/echo", b"/early")
        caller = await served.call(early + b"Content-Length: 2\r\n\r\n{}" + GET + END)
        answer = await caller.answer()
        assert (answer.status, answer.fields.get("connection")) == (401, None)
        assert (await caller.answer()).status == 200
        caller.close()
        late = GET + END
        caller = await served.call(early + b"Content-Length: %d\r\n\r\n" % len(late))
        answer = await caller.answer()
        assert (answer.status, answer.fields["connection"]) == (401, "close")
        caller.say(late)
        assert await caller.ends()
        assert len(served.asked) == 3

    with_server(test, config_with(tmp_path))


def test_a_body_that_turns_odd_ends_the_request(tmp_path: Path) -> None:
    """Whoever waits for the rest of it is told that there is none, and the client why."""

    async def test(served: Served) -> None:
        caller = await served.call(chunked(b"2\r\n{}\r\n"))
        await asyncio.sleep(0.1)
        caller.say(b"nonsense\r\n")
        assert (await caller.answer()).status == 400
        assert await caller.ends()
        assert served.refused == [("127.0.0.1", 400)]
        assert not served.bugs

    with_server(test, config_with(tmp_path))


# -- the end


def test_who_says_no_more_gets_the_answer(tmp_path: Path) -> None:
    """As with nc -N."""

    async def test(served: Served) -> None:
        caller = await served.call(HEAD + b"Content-Length: 2\r\n\r\n{}")
        caller.writer.write_eof()
        assert (await caller.answer()).body == b"{}"
        assert await caller.ends()

    with_server(test, config_with(tmp_path))


def test_who_leaves_ends_nothing_else(tmp_path: Path) -> None:
    """In the middle of a header, of a body, of an answer."""

    async def test(served: Served) -> None:
        for data in (b"GET", HEAD + b"Content-Length: 9\r\n\r\n{", b"GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n"):
            caller = await served.call(data)
            await asyncio.sleep(0.1)
            caller.writer.transport.abort()
        caller = await served.call(GET + END)
        assert (await caller.answer()).status == 200
        caller.close()
        while served.server.connections:
            await asyncio.sleep(0.1)
        assert not served.bugs

    with_server(test, config_with(tmp_path))


def test_a_stop_waits_for_what_is_asked_and_for_nobody_else(tmp_path: Path) -> None:
    """Idle connections end at once, a request has its answer, and a stream is cut off when the time is over."""

    async def test(served: Served) -> None:
        loop = asyncio.get_running_loop()
        idle, half, stream = [await served.call(data) for data in (b"", HEAD + b"Content-Length: 2\r\n\r\n", b"")]
        stream.say(b"GET /endless HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert b"200 OK" in await stream.reader.readuntil(b"\r\n\r\n")
        began = loop.time()
        ending = asyncio.ensure_future(served.server.close(10))
        assert await idle.ends()
        assert loop.time() - began < 1
        half.say(b"{}")
        assert (await half.answer()).body == b"{}"
        assert await half.ends()
        assert await ending == 1
        assert 9 < loop.time() - began < 12
        await stream.rest()

    with_server(test, config_with(tmp_path))
