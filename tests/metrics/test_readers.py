"""Requests for figures, as octets, and their answers."""

from __future__ import annotations

import asyncio
import gzip
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.metrics.counts import Counts
from mailer.metrics.page import Figures, application
from mailer.metrics.queue_figures import QueueFigures
from mailer.metrics.readers import LARGEST, Readers, answer
from mailer.queue.invariants import Invariants
from tests.fakes import waiting
from tests.queue.post import Post


def parts(said: bytes) -> tuple[str, dict[str, str], bytes]:
    """The status, the fields by their names in small letters, and the body of an answer."""
    head, _, body = said.partition(b"\r\n\r\n")
    status, *fields = head.decode().split("\r\n")
    return status, {name.lower(): value for name, _, value in (field.partition(": ") for field in fields)}, body


def asked(root: Path, request: bytes) -> tuple[str, dict[str, str], bytes]:
    """What the page's application says to `request`."""
    post = Post(root)
    return parts(answer(application(Figures(Counts(), QueueFigures(post.manager), Invariants(post.manager))), request))


@pytest.mark.parametrize("path", ["/metrics", "/", "/else?x=y"])
def test_figures_at_any_path(tmp_path: Path, path: str) -> None:
    """The whole answer has its length, and ends the connection."""
    status, fields, body = asked(tmp_path, f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    assert (status, fields["connection"], fields["content-length"]) == ("HTTP/1.0 200 OK", "close", str(len(body)))
    assert fields["content-type"].startswith("text/plain")
    assert fields["date"].endswith(" GMT")
    assert b"mailer_messages_seen_total 0.0" in body


def test_figures_are_pressed_where_that_is_accepted(tmp_path: Path) -> None:
    """Field names have no case."""
    _, fields, body = asked(tmp_path, b"GET /metrics HTTP/1.1\r\naccept-ENCODING: gzip\r\n\r\n")
    assert fields["content-encoding"] == "gzip"
    assert b"mailer_messages_seen_total" in gzip.decompress(body)


def test_other_methods_are_refused(tmp_path: Path) -> None:
    """With those that are known."""
    status, fields, _ = asked(tmp_path, b"POST /metrics HTTP/1.1\r\n\r\n")
    assert (status, fields["allow"]) == ("HTTP/1.0 405 Method Not Allowed", "OPTIONS,GET")


@given(st.one_of(st.just(b""), st.sampled_from([b"GET\r\n\r\n", b"GET /metrics\r\n\r\n", b"EHLO x SMTP\r\n\r\n"]), st.binary(max_size=50)))
def test_what_is_no_request_is_answered_so(said_to_us: bytes) -> None:
    """Whatever it is made of."""

    def nothing(_: object, start: Any) -> list[bytes]:
        start("200 OK", [])
        return []

    said = answer(nothing, said_to_us)
    assert said.startswith((b"HTTP/1.0 400 ", b"HTTP/1.0 200 "))
    assert said.endswith(b"\r\n\r\n")


def test_a_request_without_end_is_not_read_for_ever(tmp_path: Path) -> None:
    """So many octets, and then an answer; an application's own mistake is told and ends one connection."""
    bugs: list[Exception] = []

    def broken(*_: object) -> list[bytes]:
        raise ZeroDivisionError

    async def say(port: int, request: bytes) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request)
        try:
            return await reader.read(100)
        except ConnectionError:
            return b""
        finally:
            writer.close()

    async def run() -> None:
        readers = Readers(broken, bugs.append)
        await readers.listen("127.0.0.1", 0)
        assert (await say(readers.port, b"GET / HTTP/1.1\r\nX: " + b"x" * LARGEST)).startswith(b"HTTP/1.0 400 ")
        assert bugs == []
        assert await say(readers.port, b"GET / HTTP/1.1\r\n\r\n") == b""
        assert [type(bug) for bug in bugs] == [ZeroDivisionError]
        await readers.close()

    waiting.run(run())
