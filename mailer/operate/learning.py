"""What an operator tells filters of a message by hand: that it is spam, or that it is none."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NamedTuple

from mailer.filtering.learning import PATIENCE
from mailer.filtering.teachers import TEACHERS
from mailer.mail.problem import Problem
from mailer.net.os_error import reason_of
from mailer.scan.opinion import ScanError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mailer.config import Config
    from mailer.config.sections.filtering import FilterSection
    from mailer.scan.opinion import Class


class Learned(NamedTuple):
    """What became of a lesson at the filter called `name`: whether it was `new` to it, or what `trouble` there was."""

    name: str
    new: bool = False
    trouble: str = ""

    def as_json(self) -> dict[str, object]:
        """As ``mailer filter learn --json`` has it."""
        return {"name": self.name, "new": self.new, "trouble": self.trouble or None}


async def taught(config: Config, content: bytes, known: Class, recipient: str = "") -> Sequence[Learned]:
    """Tell each filter that learns what a message to `recipient` is. Raises `Problem` (bad-config) where none learns."""
    filters = [section for section in config.filters if section.learn]
    if not filters:
        raise Problem("no [[filter]] learns; write learn = true below one of kind spamd or rspamd", "bad-config")
    return await asyncio.gather(*(_told(section, content, known, recipient) for section in filters))


async def _told(section: FilterSection, content: bytes, known: Class, recipient: str) -> Learned:
    if section.max_size is not None and len(content) > section.max_size:
        return Learned(section.name, trouble=f"larger than {section.max_size} octets, the most that it is given")
    try:
        async with asyncio.timeout(PATIENCE):
            return Learned(section.name, new=await TEACHERS[section.kind](section).tell(content, known, recipient))
    except Problem as problem:
        return Learned(section.name, trouble=str(problem))
    except (OSError, ScanError) as error:  # with `TimeoutError`
        return Learned(section.name, trouble=reason_of(error))
