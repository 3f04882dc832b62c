"""What a user says by moving his mail is heard by the filter, from the mailbox to the answer."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mailer.config import Config
from mailer.events import Alarm, Event, Judged
from mailer.filtering.learner import LearningComponent
from mailer.io.component import Chores
from mailer.mail.problem import Problem
from mailer.mailbox.mailboxes import Mailboxes
from tests.mailbox.premises import ANN, Premises, message, number_of, put

from .scene import StoppedClock, filter_at, section


class Town:
    """Ann's mailbox, and a daemon as far as it learns."""

    def __init__(self, home: Path, address: str) -> None:
        self.told: list[Event] = []
        self.lost = False
        self.premises = Premises()
        config = Config(filters=(section("spamd", address, learn=True),))
        clock, chores = StoppedClock(), Chores(self.told.append, self.told.append)  # type: ignore[arg-type]
        self.learner = LearningComponent(config, str(home), self.lent, self.told.append, self.told.append, clock, chores)
        self.premises.boxes = Mailboxes(
            self.premises.owners, self.premises._engine, self.premises.bodies, clock=lambda: self.premises.now, judged=self.learner.judged
        )

    @contextmanager
    def lent(self) -> Iterator[Mailboxes]:
        """The mailboxes, unless they are lost."""
        if self.lost:
            raise Problem("there is no place for mailboxes", "bad-config")
        yield self.premises.boxes


def test_what_is_moved_to_junk_is_learned_as_it_was_delivered(tmp_path: Path) -> None:
    """Out of Junk to Trash nobody is told; what was deleted for good teaches nothing."""
    heard: list[bytes] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.read())
        writer.write(b"SPAMD/1.1 0 EX_OK\r\nDidSet: local\r\n\r\n")
        await writer.drain()

    async def scenario() -> None:
        async with filter_at(tmp_path / "spamd", talk) as address:
            town = Town(tmp_path, address)
            await town.learner.start()
            with town.premises.ann() as box:
                put(box, many=2)
                await asyncio.to_thread(box.move, 1, [(1, 1)], "Junk")
                await town.learner.learning.teach()
                await asyncio.to_thread(box.move, number_of(box, "Junk"), [(1, 1)], "Trash")
                await town.learner.learning.teach()
            [lesson] = heard
            assert lesson.startswith(b"TELL SPAMC/1.5\r\n")
            assert lesson.endswith(message("number 0"))
            await asyncio.sleep(0)
            [said] = [each for each in town.told if isinstance(each, Judged)]
            assert (said.address, said.verdict) == (ANN, "spam")
            with town.premises.ann() as box:
                box.move(1, None, "Junk")
            town.premises.boxes.remove(ANN)
            await town.learner.learning.teach()
            assert len(heard) == 1
            await town.learner.stop(0.0)

    asyncio.run(scenario())


def test_mail_is_moved_whatever_becomes_of_the_lesson(tmp_path: Path) -> None:
    """Trouble is an alarm."""
    town = Town(tmp_path, f"{tmp_path}/none")
    with town.premises.ann() as box:
        put(box)
        town.lost = True
        box.move(1, None, "Junk")
        assert box.folder("Junk").messages == 1  # type: ignore[union-attr]
    [alarm] = town.told
    assert isinstance(alarm, Alarm)
    assert "no place for mailboxes" in alarm.detail
