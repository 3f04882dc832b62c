"""Each daemon is called, heard to the end of what matters, and what it says before it hangs up counts."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from .scene import CLEAN, MAIL, Scene, Talk, filter_at, says, section, silence, spamd_with

LARGE = MAIL + (b"x" * 70 + b"\r\n") * 200_000


def rspamd_with(action: str, score: float = 0.0, **more: object) -> Talk:
    """An Rspamd that says so."""
    body = json.dumps(
        {"action": action, "score": score, "required_score": 15.0, "symbols": {"FROM_ANN": {"score": score}}, **more}
    ).encode()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        if head.startswith(b"GET /ping"):
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npong\r\n")
            return
        length = next(int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
        await reader.readexactly(length)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
        await writer.drain()

    return talk


def judged(path: Path, kind: str, talk: Talk, content: bytes = MAIL, **more: Any) -> Any:
    async def main() -> Any:
        async with filter_at(path / kind, talk) as address:
            return await Scene(section(kind, address, **more)).judged(content)

    return asyncio.run(main())


@pytest.mark.parametrize(
    ("action", "score", "verdict"),
    [
        ("no action", 2.0, "accept"),
        ("no action", 15.0, "refuse"),
        ("add header", 0.0, "mark"),
        ("reject", 0.0, "refuse"),
        ("soft reject", 0.0, "tempfail"),
    ],
)
def test_rspamd_is_asked_over_http(tmp_path: Path, action: str, score: float, verdict: str) -> None:
    """Its action and its score both count."""
    assert judged(tmp_path, "rspamd", rspamd_with(action, score)).verdict == verdict


def test_a_long_answer_of_rspamd_is_read_all_the_same(tmp_path: Path) -> None:
    """In a thread, for it is JSON."""
    ruling = judged(tmp_path, "rspamd", rspamd_with("add header", 7.0, padding="x" * 500_000))
    assert (ruling.verdict, ruling.score) == ("mark", 7.0)


@pytest.mark.parametrize(
    ("kind", "talk"),
    [
        ("rspamd", says(b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n", b"\r\n\r\n")), ("rspamd", says(b"", b"\r\n\r\n")),
        ("rspamd", says(b"HTTP/1.1 200 OK\r\nContent-Length: 3000000\r\n\r\n" + b"x" * 3_000_000, b"\r\n\r\n")),
        ("spamd", says(b"")), ("spamd", says(b"SPAMD/1.1 76 Bad header line\r\n\r\n")), ("spamd", says(b"x" * 1_000_000)),
    ],
)  # fmt: skip
def test_what_is_no_answer_puts_mail_off(tmp_path: Path, kind: str, talk: Talk) -> None:
    assert judged(tmp_path, kind, talk).verdict == "tempfail"


@pytest.mark.parametrize(("kind", "talk"), [("spamd", spamd_with(1.0)), ("rspamd", rspamd_with("no action")), ("clamd", CLEAN)])
def test_a_large_message_is_sent_whole(tmp_path: Path, kind: str, talk: Talk) -> None:
    assert judged(tmp_path, kind, talk, LARGE, max_size=100_000_000).verdict == "accept"


def test_clamd_is_heard_when_it_takes_no_more(tmp_path: Path) -> None:
    """It has found something at the beginning, says so and hangs up while fifteen megabytes are on their way."""

    async def early(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(1000)
        writer.write(b"stream: Early FOUND\0")
        await writer.drain()

    ruling = judged(tmp_path, "clamd", early, LARGE)
    assert (ruling.verdict, ruling.reply.text) == ("refuse", "the message has a virus: Early")


def test_each_is_asked_how_it_is(tmp_path: Path) -> None:
    async def main() -> dict[str, tuple[str, str]]:
        async with (
            filter_at(tmp_path / "c", says(b"PONG\0", b"zPING\0")) as clamd,
            filter_at(tmp_path / "s", says(b"SPAMD/1.5 0 PONG\r\n")) as spamd,
            filter_at(tmp_path / "r", rspamd_with("x")) as rspamd,
            filter_at(tmp_path / "x", silence) as silent,
            filter_at(tmp_path / "y", says(b"no\0", b"zPING\0")) as wrong,
        ):
            scene = Scene(
                section("clamd", clamd),
                section("spamd", spamd),
                section("rspamd", rspamd),
                section("spamd", silent, name="silent", timeout=0.05),
                section("clamd", wrong, name="wrong"),
                section("program", command=("/nowhere/look",)),
            )
            return {each.name: (well, trouble) for each, well, trouble in await scene.panel.pinged()}

    assert asyncio.run(main()) == {
        "clamd": ("it answers", ""),
        "spamd": ("it answers", ""),
        "rspamd": ("it answers pong", ""),
        "silent": ("", "it does not answer in time"),
        "wrong": ("", "clamd does not answer PING with PONG"),
        "program": ("", "/nowhere/look cannot be run"),
    }
