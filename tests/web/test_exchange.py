"""Answers as they go over the wire: their length, their end, and what cannot be said."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mailer.config.sections.doors import DoorPlace
from mailer.web.server import WebServer
from tests.fakes import waiting

from .oddities import HEAD
from .served import Caller, config_with, with_server

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from .served import Served

Fields = tuple[tuple[bytes, bytes], ...]
GET11 = b"GET /a%20b?x=%20 HTTP/1.1\r\nHost: localhost\r\n\r\n"
GET10 = GET11.replace(b"1.1", b"1.0")
HEAD11 = GET11.replace(b"GET", b"HEAD")
LENGTH: Fields = ((b"content-length", b"6"),)


def said(place: Path, request: bytes, status: int, fields: Fields, *parts: bytes) -> tuple[list[bytes], bytes]:
    """The lines of the answer without its date, and all octets behind, where an application answers so; that was asked is checked."""
    scopes: list[Scope] = []

    async def app(scope: Scope, _receive: Receive, send: Send) -> None:
        scopes.append(scope)
        await send({"type": "http.response.start", "status": status, "headers": [*fields]})
        for number, part in enumerate(parts, 1):
            await send({"type": "http.response.body", "body": part, "more_body": number < len(parts)})

    async def run() -> bytes:
        config, bugs = config_with(place), list[BaseException]()
        server = WebServer(app, config, lambda *_: None, bugs.append)
        listening = socket.create_server(("127.0.0.1", 0))
        port = listening.getsockname()[1]
        (await server.listen(config, {DoorPlace("127.0.0.1", 1): listening}))()
        caller = Caller(*await asyncio.open_connection("127.0.0.1", port))
        try:
            caller.say(request)
            return await caller.rest()
        finally:
            caller.close()
            await server.close(0)

    head, _, body = waiting.run(run()).partition(b"\r\n\r\n")
    [scope] = scopes
    assert (scope["path"], scope["raw_path"], scope["query_string"]) == ("/a b", b"/a%20b", b"x=%20")
    return [line for line in head.split(b"\r\n") if not line.startswith(b"date: ")], body


@pytest.mark.parametrize(
    ("request_", "status", "fields", "parts", "lines", "body"),
    [
        (GET11, 200, LENGTH, (b"abc", b"def"), [b"content-length: 6"], b"abcdef"),
        (GET11, 200, (), (b"abc", b"", b"def"), [b"transfer-encoding: chunked"], b"3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n"),
        (GET10, 200, (), (b"abc", b"def"), [b"connection: close"], b"abcdef"),
        (GET10, 200, LENGTH, (b"abcdef",), [b"content-length: 6", b"connection: close"], b"abcdef"),
        (HEAD11, 200, LENGTH, (b"abcdef",), [b"content-length: 6"], b""),
        (HEAD11, 200, (), (b"abcdef",), [], b""),
        (GET11, 204, (), (b"",), [], b""),
        (GET11, 304, (), (b"",), [], b""),
        (GET11, 200, (*LENGTH, (b"Connection", b"close")), (b"abcdef",), [b"content-length: 6", b"connection: close"], b"abcdef"),
    ],
)
def test_an_answer_ends_where_it_says(
    tmp_path: Path, request_: bytes, status: int, fields: Fields, parts: tuple[bytes, ...], lines: list[bytes], body: bytes
) -> None:
    """By its length, by chunks, with the connection, or with its header. RFC 9112 §6.3"""
    (first, *rest), found = said(tmp_path, request_, status, fields, *parts)
    assert first.startswith(b"HTTP/1.1 %d " % status)
    assert (rest, found) == (lines, body)


@pytest.mark.parametrize("field", [(b"x", b"y\r\nset-cookie: z"), (b"x\nset-cookie", b"z"), (b"x", b"y\rset-cookie: z"), (b"x", b"\0")])
def test_a_field_is_one_line(tmp_path: Path, field: tuple[bytes, bytes]) -> None:
    """Whatever an application says, nothing of it becomes a field that it did not name."""
    (first, *rest), _ = said(tmp_path, GET11, 200, (*LENGTH, field), b"abcdef")
    assert first.startswith(b"HTTP/1.1 500 ")
    assert not any(b"cookie" in line for line in rest)


@pytest.mark.parametrize("parts", [(b"abc",), (b"abc", b"")])
def test_an_answer_that_is_too_short_ends_the_connection(tmp_path: Path, parts: tuple[bytes, ...]) -> None:
    """So the client sees that it is none."""
    assert said(tmp_path, GET11 + GET11, 200, LENGTH, *parts)[1] in (b"", b"abc")


def test_an_answer_that_is_too_long_ends_the_connection(tmp_path: Path) -> None:
    """What is too much is not taken for the next answer."""
    assert said(tmp_path, GET11 + GET11, 200, LENGTH, b"abc", b"defg")[1] == b"abc"


def test_a_later_request_that_turns_odd_at_once_is_answered(tmp_path: Path) -> None:
    """Though the one before it on this connection has its answer."""

    async def test(served: Served) -> None:
        caller = await served.call(HEAD + b"Content-Length: 2\r\n\r\n{}")
        assert (await caller.answer()).body == b"{}"
        caller.say(HEAD + b"Transfer-Encoding: chunked\r\n\r\nnonsense\r\n")
        assert (await caller.answer()).status == 400
        assert await caller.ends()

    with_server(test, config_with(tmp_path))
