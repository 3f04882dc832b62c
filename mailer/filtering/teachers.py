"""The filters that learn: spamd and rspamd, each told of one message what it is. What they speak is `mailer.scan`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

from mailer.config.secret import Secret
from mailer.scan import rspamd, spamd

from .line import FilterLine

if TYPE_CHECKING:
    from mailer.config.sections.filtering import FilterSection
    from mailer.scan.opinion import Class


class Teacher(Protocol):
    """What tells one filter of a message."""

    async def tell(self, content: bytes, known: Class, recipient: str) -> bool:
        """Tell what a message to `recipient` is; whether that was new. Undone by telling the other.

        Raises `OSError` where the filter is not to be had, `ScanError` where it cannot learn, `Unlearnable` where it cannot from this
        message, and `Problem` where its password is not to be had.
        """


class SpamdTeacher:
    """SpamAssassin's daemon, which learns for everybody."""

    def __init__(self, section: FilterSection) -> None:
        self._place = section.learning_place

    async def tell(self, content: bytes, known: Class, recipient: str) -> bool:  # noqa: ARG002 - whom it is for does not matter to it
        """Tell it. Raises as `Teacher` says."""
        with await FilterLine.open(self._place) as line:
            if await line.offer((spamd.lesson(len(content), known), content)):
                line.done()
            heard = bytearray()
            while len(heard) <= spamd.MOST and (piece := await line.hear()):
                heard += piece
        return spamd.learned(bytes(heard))


class RspamdTeacher:
    """The controller of rspamd."""

    def __init__(self, section: FilterSection) -> None:
        self._place = section.learning_place
        self._password = Secret("file", (section.learn_password_file,)) if section.learn_password_file else None

    async def tell(self, content: bytes, known: Class, recipient: str) -> bool:
        """Tell it. Raises as `Teacher` says."""
        password = await asyncio.to_thread(self._password) if self._password else ""
        host = "localhost" if self._place.path else str(self._place)
        ear = rspamd.RspamdEar()
        with await FilterLine.open(self._place) as line:
            await line.offer((rspamd.lesson(len(content), known, host, password, recipient), content))
            while not ear.whole:
                ear.hear(await line.hear())
                await asyncio.sleep(0)
        return ear.learned


TEACHERS: dict[str, type[SpamdTeacher | RspamdTeacher]] = {"spamd": SpamdTeacher, "rspamd": RspamdTeacher}
"""By the kind in the configuration."""
