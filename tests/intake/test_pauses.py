"""What strangers hand in and ask, at its worst: the interpreter is never held long, for the loop has to go on meanwhile."""

from __future__ import annotations

import json
import os
import time
from asyncio import run
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mailer.config.sections.daemon import Submitter
from mailer.events import Settled, Tried
from mailer.intake.handlers import Handlers
from mailer.intake.rules import SubmitterRules
from mailer.mail.envelope_reader import LEAST_MARKS, MARKS_EACH, largest
from mailer.mail.principal import unix
from mailer.spool.files.admit import IntakeTerms
from mailer.spool.files.enqueue import head
from mailer.spool.files.pickup import adopt
from mailer.spool.files.store import SpoolDirectory
from mailer.status.sqlite import NAME
from mailer.status.sqlite.writer import SqliteRecorder
from tests.fakes.mail import BODY, envelope, outcome
from tests.fakes.pauses import LONGEST, longest_pause

pytestmark = pytest.mark.slow

USER, MANY, SIZE = 70_001, 10_000, 25_000_000
MARKS = LEAST_MARKS + MARKS_EACH * MANY


class House:
    """A spool with its handlers, and rules of who may send as whom."""

    def __init__(self, path: Path) -> None:
        self.spool = SpoolDirectory(str(path / "spool"))
        self.spool.prepare()
        os.mkdir(f"{self.spool.root}/drop")
        self.status = SqliteRecorder(f"{self.spool.root}/{NAME}")
        rules = SubmitterRules([Submitter(user="*", senders=("*@*.example.com", "me@example.com"))])
        self.terms = IntakeTerms(SIZE, MANY, rules.judge, taken=self.status.adopted)
        self.handlers = Handlers(self.spool, self.terms, lambda _id: None)

    def adopt(self, data: bytes, id: str) -> None:
        Path(self.spool.root, "drop", id).write_bytes(data)
        assert not adopt(self.spool, self.terms).bugs

    def ask(self, line: str, data: bytes = b"") -> bytes:
        return b"".join(self.handlers.answer(unix(USER), line.encode() + b"\n" + data))


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path)
    yield made
    run(made.status.close())


def with_member(value: bytes) -> Callable[[bytes], bytes]:
    return lambda line: line.replace(b"{", b'{"x":' + value + b",", 1)


ENVELOPES: dict[str, Callable[[bytes], bytes]] = {
    "33 MB of lists": with_member(b"[" + b"[]," * 11_000_000 + b"0]"),
    "as many lists as may be": with_member(b"[" + b"[]," * (MARKS // 2 - 20) + b"0]"),
    "as many members as may be": with_member(b"{" + b",".join(b'"%d":0' % at for at in range(MARKS // 2 - 20)) + b"}"),
    "all escapes": with_member(b'"' + b"\\u00e9" * (largest(MANY) // 6 - 1000) + b'"'),
    "all digits": with_member(b"1" * (largest(MANY) - 1000)),
    "a long subject": lambda line: line.replace(b"{", b'{"subject":"' + b"s" * (largest(MANY) - 1000) + b'",', 1),
}
BODIES = {
    "a line end at last": BODY + b"x" * (SIZE - 1000) + b"\n",
    "a header without end": b"a:b\r\n" * (SIZE // 5 - 100),
    "a header of small fields": b"From: me@example.com\r\n" + b"a:b\r\n" * 60_000 + b"\r\nx\r\n",
    "a long From": b"From: " + b"a@b.example.co," * 20_000 + b"\r\n\r\nx\r\n",
}


@pytest.mark.parametrize("change", ENVELOPES.values(), ids=ENVELOPES)
@pytest.mark.parametrize("way", ["drop", "socket"])
def test_an_envelope_holds_up_nothing(house: House, change: Callable[[bytes], bytes], way: str) -> None:
    """What is too much is refused before it is read, and what is not is not too much."""

    def ready() -> Callable[[], object]:
        letter = envelope(at=time.time())
        line = change(letter.to_line())
        data = head(line, BODY) + line + BODY
        return (lambda: house.adopt(data, letter.id)) if way == "drop" else lambda: house.ask(f"put {letter.id}", data)

    assert longest_pause(ready) < LONGEST


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_a_message_holds_up_nothing(house: House, body: bytes) -> None:
    """Its lines, its header, and who it says it is from."""

    def ready() -> Callable[[], object]:
        letter = envelope(at=time.time())
        line = letter.to_line()
        return lambda: house.ask(f"put {letter.id}", head(line, body) + line + body)

    assert longest_pause(ready) < LONGEST


QUESTIONS = {
    "list": ("list", b"{}"),
    "list, almost": ("list", json.dumps({"to": "*a" * 400 + "*b", "sender": "*m*e*@*.*m"}).encode()),
    "bounces": ("bounces", b"{}"),
    "queue": ("queue", b""),
    "summary": ("summary", b""),
    "find": ("find ID", b""),
    "find nothing": (f"find {'x' * 4000}", b""),
    "read": ("read ID", b""),
    "story": ("story ID", b""),
    "cancel": ("cancel ID", b""),
}


@pytest.mark.parametrize("question", QUESTIONS.values(), ids=QUESTIONS)
def test_a_question_holds_up_nothing(house: House, question: tuple[str, bytes]) -> None:
    """Patterns that fit almost, names without end; and the answers, about a message to thousands, each put off in other words."""
    letter = envelope(*(f"{'a' * 50}{at}@example.net" for at in range(MANY)), at=time.time())
    line = letter.to_line()
    assert house.ask(f"put {letter.id}", head(line, BODY) + line + BODY) == b"ok " + letter.id.encode()
    late = [outcome(to, "defer", text=f"{to} {'w' * 400}", at=time.time(), due=time.time() + 3600) for to in range(MANY)]
    with house.spool.claim(letter.id) as claim:
        house.spool.defer(claim, late, time.time() + 3600)
        claim.entry.history.add(late)
        run(house.status.write([Tried(time.time(), claim.entry, late), Settled(time.time(), claim.entry, "deferred", time.time() + 3600)]))
    asked, data = question
    answers: list[bytes] = []
    assert longest_pause(lambda: lambda: answers.append(house.ask(asked.replace("ID", letter.id), data))) < LONGEST
    assert answers[0].startswith(b"ok")
