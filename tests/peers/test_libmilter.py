"""What sendmail's own libmilter is told by us and asks of us, in a filter that does what a test says."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mailer.filtering.milter import MilterSession
from mailer.scan.milter_changes import MilterMail
from tests.fakes.processes import Program, free_port
from tests.filtering.scene import ARRIVAL, section

from . import libmilter
from .install import FETCHED

pytestmark = [pytest.mark.slow, pytest.mark.peer("libmilter")]

OURS = b"Authentication-Results: mx.example.com; none\r\n"
MAIL = b"From: ann@sender.example\r\nX-Mark: forged\r\nX-Mark: twice\r\nSubject: a\r\n long one\r\n\r\nbody\r\n"
MUTE = 0x80 | 0x1000 | 0x2000 | 0x4000 | 0x10000 | 0x40000 | 0x80000  # what gets no answer: all but recipients and the end
LEADING = 0x100000


class Filter:
    """A filter that runs, at `address`."""

    def __init__(self, address: str, program: Program) -> None:
        self.address = address
        self.program = program

    def judged(self, mail: MilterMail, *recipients: str) -> tuple[Any, ...]:
        """What it says of each recipient, of the message, and what comes of that."""

        async def judge() -> tuple[Any, ...]:
            session = MilterSession(section("milter", self.address, timeout=20.0), "mx.example.com")
            try:
                assert (await session.begin(ARRIVAL, "ann@sender.example", "QUEUE1")).act == "continue"
                answers = [await session.recipient(each) for each in recipients]
                taken = [each for each, answer in zip(recipients, answers, strict=True) if answer.act == "continue"]
                return (*answers, *await session.judge(mail, taken))
            finally:
                await session.end()

        return asyncio.run(judge())

    def told(self, step: str) -> list[list[str]]:
        """What it was told in a step, each time: it says so before it answers."""
        lines = [json.loads(line) for line in self.program.said.splitlines() if line.startswith("[")]
        return [what for name, *what in lines if name == step]


@contextmanager
def filter_on(home: Path, *eom: Any, steps: int = 0, reply: tuple[str | None, ...] = ()) -> Iterator[Filter]:
    """A filter with this plan."""
    port = free_port()
    plan = json.dumps({"eom": eom, "steps": steps, "reply": reply})
    with Program([sys.executable, libmilter.__file__, FETCHED["libmilter"], str(port), plan], home / "said") as program:
        program.accepts(port)
        yield Filter(f"127.0.0.1:{port}", program)


def mail(content: bytes = MAIL) -> MilterMail:
    return MilterMail.of(OURS, content)


@pytest.mark.parametrize("steps", [0, MUTE, LEADING])
def test_it_is_told_each_step(tmp_path: Path, steps: int) -> None:
    """With macros and folds as sendmail sends them, whether it answers to each or not; a large body comes in pieces."""
    with filter_on(tmp_path, steps=steps) as other:
        answer = other.judged(mail(MAIL + b"x" * 70_000), "bob@example.com")[-2]
        assert answer.act == "continue"
        assert other.told("connect") == [["mx.sender.example", "mx.example.com"]]
        assert other.told("helo") == [["mx.sender.example"]]
        assert other.told("envfrom") == [["<ann@sender.example>", "ann@sender.example"]]
        assert other.told("envrcpt") == [["<bob@example.com>", "bob@example.com"]]
        assert [name for name, _ in other.told("header")] == ["Authentication-Results", "From", "X-Mark", "X-Mark", "Subject"]
        assert other.told("header")[-1][1] == (" " if steps == LEADING else "") + "a\n long one"
        assert [int(size) for size, _ in other.told("body")] == [65535, 70_006 - 65535]
        assert [len(other.told(step)) for step in ("data", "eoh", "eom", "failed")] == [1, 1, 1, 0]


@pytest.mark.parametrize(("ip", "name", "told"), [("2001:db8::1", "", "[2001:db8::1]"), ("", "", "localhost")])
def test_a_client_by_ipv6_or_a_unix_socket_is_told(tmp_path: Path, ip: str, name: str, told: str) -> None:
    """As sendmail tells of one that has no name."""
    with filter_on(tmp_path) as other:

        async def begin() -> None:
            session = MilterSession(section("milter", other.address, timeout=20.0), "mx.example.com")
            assert (await session.begin(replace(ARRIVAL, ip=ip, name=name), "ann@sender.example")).act == "continue"
            await session.end()

        asyncio.run(begin())
        assert [host for host, _ in other.told("connect")] == [told]


def test_what_it_wants_changed_is_done(tmp_path: Path) -> None:
    """Fields, body and envelope; the field that it has added stays, and the forged ones of its name go."""
    wishes = (
        ["addheader", "X-Mark", "mine"],
        ["chgheader", "X-Mark", 1, None],
        ["chgheader", "X-Mark", 1, None],
        ["insheader", 0, "X-First", "folded\n value"],
        ["chgheader", "Subject", 1, "other"],
        ["progress"],
        ["replacebody", "new body\r\n", 10_000],
        ["chgfrom", "<eve@sender.example>", None],
        ["addrcpt", "<carl@example.com>"],
        ["addrcpt_par", "<dora@example.com>", "NOTIFY=NEVER"],
        ["delrcpt", "<bob@example.com>"],
        ["quarantine", "looks odd"],
    )
    with filter_on(tmp_path, *wishes) as other:
        answer, changed = other.judged(mail(), "bob@example.com")[-2:]
        assert other.told("failed") == []
        assert answer.act == "continue"
        assert changed.fields == b"X-First: folded\r\n value\r\n" + OURS + b"X-Mark: mine\r\n"
        assert changed.content == b"From: ann@sender.example\r\nSubject: other\r\n\r\n" + b"new body\r\n" * 10_000
        assert (changed.sender, changed.added) == ("eve@sender.example", ["carl@example.com", "dora@example.com"])
        assert (changed.removed, changed.held) == (["bob@example.com"], "looks odd")


def test_it_refuses_in_its_own_words(tmp_path: Path) -> None:
    """Of several lines, with an enhanced code, and with a sign that stands for itself; other recipients get the message."""
    with filter_on(tmp_path, reply=("550", "5.7.1", "You are 100%% wrong", "Go away")) as other:
        refused, taken, answer, _ = other.judged(mail(), "refused@example.com", "bob@example.com")
        assert (refused.act, str(refused.reply)) == ("refuse", "550 5.7.1 You are 100% wrong Go away")
        assert (taken.act, answer.act) == ("continue", "continue")
