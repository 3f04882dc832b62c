"""Doors that greet whoever calls: whether one answers in its protocol, and offers TLS where the configuration says so. Used by `smtp_doors`
and `access_doors`, which know the protocols.

They are called at their own places, from this machine, up to the greeting and what is offered; nobody logs in.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Final, NamedTuple

from mailer.check.finding import FAIL, PASS, WARN, Finding
from mailer.mail.text import one_line
from mailer.net.os_error import reason_of

from .doors import called

if TYPE_CHECKING:
    from asyncio import StreamReader, StreamWriter

    from mailer.config.sections.doors import DoorPlace, Listen

    from .serving import Running

PATIENCE: Final = 5.0  # seconds for one door
MOST: Final = 100  # lines of an answer
LONGEST: Final = 200  # characters of it that are shown

Greet = Callable[["Listen", "StreamReader", "StreamWriter"], Awaitable[tuple[str, set[str]]]]
"""Hears the greeting, and the words that are offered; none where the greeting is a refusal. Raises `OSError`, `ValueError`."""


class GreetingTerms(NamedTuple):
    """How a greeting `begins` and which `word` offers TLS; what `refuses` is for whom, by which `limit`, and what to `start`."""

    begins: str
    word: str
    refuses: str
    limit: str
    start: str


async def answering(sections: Iterable[Listen], now: Running, greet: Greet, terms_of: Callable[[Listen], GreetingTerms]) -> list[Finding]:
    """Whether each door is one; where no daemon runs, one that does not answer is no surprise."""
    asked = [(section, place) for section in sections for place in section.address]
    return [*await asyncio.gather(*(_door(section, place, now, greet, terms_of(section)) for section, place in asked))]


async def _door(section: Listen, place: DoorPlace, now: Running, greet: Greet, terms: GreetingTerms) -> Finding:
    try:
        async with asyncio.timeout(PATIENCE), called(place, tls=section.tls == "implicit") as (reader, writer):
            greeting, offered = await greet(section, reader, writer)
    except (OSError, ValueError) as error:  # with TimeoutError; and with a line that has no end
        why = reason_of(error) or "no answer in time"
        return Finding("door", str(place), FAIL if now.running else WARN, f"does not answer: {one_line(why, LONGEST)}", terms.start)
    what = f"{section.kind}: {one_line(greeting, LONGEST)}"
    if not greeting.startswith(terms.begins):
        text = f"{terms.refuses} now ({section.kind}): {one_line(greeting, LONGEST) or 'it hung up'}"
        return Finding("door", str(place), WARN, text, f"mailer status; {terms.limit}, and what the other checks say")
    if section.tls == "starttls" and terms.word not in offered:
        text = f"answers, and offers no {terms.word} ({what})"
        return Finding("door", str(place), FAIL, text, "certificate_file and key_file of [[listen]], then: mailer reload")
    return Finding("door", str(place), PASS, f"answers ({what})")


async def line_of(reader: StreamReader) -> str:
    """A line; empty where it hung up. Raises `OSError`, `ValueError`."""
    return (await reader.readline()).decode("utf-8", "replace").rstrip("\r\n")
