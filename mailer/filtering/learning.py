"""Filters learn from what users say: who moves a message to Junk, or out of it, is heard by each ``[[filter]]`` with ``learn = true``.

What was said is on the disk before anybody is told (`mailer.filtering.lessons`), so that a filter which is down, and a daemon which is
killed, lose nothing. A filter that does not answer is left alone for a while that gets longer, up to `LONGEST`, and is told all of it
then; others are told meanwhile. A message at which it did not answer comes behind the others then, for it may be what the filter cannot
bear. The message is read from the mailbox at that moment: one that was deleted for good teaches nothing.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Final

from mailer.events import Alarm, Judged, Mended
from mailer.mail.problem import Problem
from mailer.net.os_error import reason_of
from mailer.scan.opinion import ScanError, Unlearnable

from .lessons.api import Lesson
from .teachers import TEACHERS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mailer.config import Config
    from mailer.config.sections.filtering import FilterSection
    from mailer.events import Event
    from mailer.io.clock import Clock

    from .lessons.api import Lessons
    from .teachers import Teacher

    Content = Callable[[str, str], bytes | None]
    """A message of a mailbox by the ID of its owner and its own; None for one that is gone. Waits for the disk. Raises `Problem`."""

PAUSE: Final = 30.0  # seconds that a filter is left alone when it does not answer; twice as long each time
LONGEST: Final = 1800.0
AGAIN: Final = 3600.0  # seconds until a message is tried again that a filter could not learn from
SOME: Final = 20  # lessons that are told before other filters have their turn
PATIENCE: Final = 60.0  # seconds for one lesson: learning takes longer than judging


class _Pupil:
    """A filter that learns, and how it does."""

    def __init__(self, section: FilterSection, teacher: Teacher) -> None:
        self.section = section
        self.teacher = teacher
        self.pause = 0.0  # seconds; 0 while it answers
        self.rests_until = 0.0
        self.silent_at: set[Lesson] = set()  # where it did not answer


class Learning:
    """What the filters of a configuration learn from `lessons`. `content` gives a message that a lesson is about."""

    def __init__(self, lessons: Lessons, content: Content, tell: Callable[[Event], None], clock: Clock) -> None:
        self._lessons = lessons
        self._content = content
        self._tell = tell
        self._clock = clock
        self._pupils: list[_Pupil] = []

    def take(self, config: Config) -> None:
        """Teach the filters of `config`; one that is the same is left alone for as long as it was to be."""
        before = {each.section: each for each in self._pupils}
        wanted = [section for section in config.filters if section.learn]
        self._pupils = [before.get(section) or _Pupil(section, TEACHERS[section.kind](section)) for section in wanted]

    @property
    def learns(self) -> bool:
        """Whether any filter does."""
        return bool(self._pupils)

    @property
    def names(self) -> Sequence[str]:
        """What the filters that learn are called."""
        return [each.section.name for each in self._pupils]

    def hear(self, said: Judged) -> None:
        """Keep what a user has said, where any filter learns; waits for the disk. Raises `Problem`."""
        if self.learns:
            self._lessons.hear([Lesson(said.owner, said.mail, said.address, said.verdict, said.at)])

    async def teach(self) -> None:
        """Tell each filter what it has not heard, for as long as it answers."""
        await asyncio.gather(*(self._taught(pupil) for pupil in self._pupils if pupil.rests_until <= self._clock.now()))

    async def sweep(self) -> None:
        """Forget what is too old, or too much, and tell of it where somebody has not heard it."""
        now = self._clock.now()
        try:
            lost = await asyncio.to_thread(self._lessons.sweep, now, self.names)
        except Problem as problem:
            self._trouble(problem)
            return
        if lost:
            text = f"{lost} messages that users have called spam, or none, were not learned: they are too old, or too many"
            self._tell(Alarm(now, "filter", text, "lessons"))

    def close(self) -> None:
        """Let go of what is open."""
        self._lessons.close()

    async def _taught(self, pupil: _Pupil) -> None:
        name = pupil.section.name
        try:
            while some := await asyncio.to_thread(self._lessons.due, name, self._clock.now(), SOME):
                for lesson in sorted(some, key=pupil.silent_at.__contains__):
                    if not await self._told(pupil, lesson):
                        return
        except Problem as problem:
            self._trouble(problem)

    async def _told(self, pupil: _Pupil, lesson: Lesson) -> bool:
        """Tell one filter one lesson; whether it is to be told more now. Raises `Problem`."""
        try:
            content = await asyncio.to_thread(self._content, lesson.owner, lesson.mail)
        except Problem as problem:
            await self._put_off(pupil, lesson, str(problem), counts=problem.kind == "io-error")
            return True
        if content is None:
            await asyncio.to_thread(self._lessons.forget, [lesson])
            return True
        most = pupil.section.max_size
        try:
            if most is None or len(content) <= most:
                async with asyncio.timeout(PATIENCE):
                    await pupil.teacher.tell(content, lesson.verdict, lesson.address)
        except Unlearnable as error:
            await self._put_off(pupil, lesson, str(error))
            return True
        except (OSError, ScanError, Problem) as error:  # with `TimeoutError`
            self._rest(pupil, str(error) if isinstance(error, Problem) else reason_of(error))
            if len(pupil.silent_at) >= SOME:
                pupil.silent_at.clear()
            pupil.silent_at.add(lesson)
            return False
        pupil.silent_at.discard(lesson)
        await asyncio.to_thread(self._lessons.told, pupil.section.name, [lesson])
        self._answered(pupil)
        return True

    async def _put_off(self, pupil: _Pupil, lesson: Lesson, why: str, *, counts: bool = True) -> None:
        """Tell it later, or, after some tries that count, not again."""
        name, now = pupil.section.name, self._clock.now()
        again = await asyncio.to_thread(partial(self._lessons.failed, name, lesson, now + AGAIN, counts=counts))
        if not (again and counts):
            then = "later" if again else "not again"
            text = f"{name} cannot learn from a message of {lesson.address}, and is told {then}: {why}"
            self._tell(Alarm(now, "filter", text, f"{name} {lesson.address}", severity="warning"))

    def _rest(self, pupil: _Pupil, why: str) -> None:
        now = self._clock.now()
        pupil.pause = min(max(2 * pupil.pause, PAUSE), LONGEST)
        pupil.rests_until = now + pupil.pause
        text = (
            f"{pupil.section.name} at {pupil.section.learning_place} does not learn what users say of their mail, and is told later: {why}"
        )
        self._tell(Alarm(now, "filter", text, f"{pupil.section.name} learns", severity="warning"))

    def _answered(self, pupil: _Pupil) -> None:
        pupil.pause = pupil.rests_until = 0.0
        self._tell(Mended(self._clock.now(), "filter", f"{pupil.section.name} learns", "it learns"))

    def _trouble(self, problem: Problem) -> None:
        self._tell(Alarm(self._clock.now(), "filter", f"filters cannot be told what users say of their mail: {problem}", "lessons"))
