"""The doors where users read their mail: whether each answers, in its protocol, and offers TLS where the configuration says so. Used by
`visit`.

They are called at their own places, from this machine, up to the greeting and what is offered; nobody logs in.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Final

from mailer.check.finding import FAIL, PASS, WARN, Finding
from mailer.mail.text import one_line
from mailer.net.os_error import reason_of

from .doors import called

if TYPE_CHECKING:
    from asyncio import StreamReader, StreamWriter

    from mailer.config import Config
    from mailer.config.sections.doors import DoorPlace, Listen

    from .serving import Running

PATIENCE: Final = 5.0  # seconds for one door
MOST: Final = 100  # lines of an answer
LONGEST: Final = 200  # characters of it that are shown
START: Final = "mailer run starts it; or mailer access, whose last lines on standard error say why not"
WORDS: Final = {"imap": ("* OK", b"a CAPABILITY\r\n", "a ", "STARTTLS"), "pop3": ("+OK", b"CAPA\r\n", ".", "STLS")}
"""By the kind: how a greeting begins, what asks for what is offered, how the end of the answer begins, the word for TLS.
RFC 9051 §6.1.1, RFC 2449 §5."""


async def access_doors(config: Config, now: Running) -> list[Finding]:
    """Whether each door is one; where no daemon runs, one that does not answer is no surprise."""
    asked = [(section, place) for section in config.access_doors for place in section.address]
    return [*await asyncio.gather(*(_door(section, place, now) for section, place in asked))]


async def _door(section: Listen, place: DoorPlace, now: Running) -> Finding:
    try:
        async with asyncio.timeout(PATIENCE):
            greeting, offered = await _asked(section, place)
    except (OSError, ValueError) as error:  # with TimeoutError; and with a line that has no end
        why = reason_of(error) or "no answer in time"
        return Finding("door", str(place), FAIL if now.running else WARN, f"does not answer: {one_line(why, LONGEST)}", START)
    begins, _, _, word = WORDS[section.kind]
    what = f"{section.kind}: {one_line(greeting, LONGEST)}"
    if not greeting.startswith(begins):
        text = f"lets nobody in now ({section.kind}): {one_line(greeting, LONGEST) or 'it hung up'}"
        return Finding("door", str(place), WARN, text, "mailer status; access.max_connections, and what the other checks say")
    if section.tls == "starttls" and word not in offered:
        text = f"answers, and offers no {word} ({what})"
        return Finding("door", str(place), FAIL, text, "certificate_file and key_file of [[listen]], then: mailer reload")
    return Finding("door", str(place), PASS, f"answers ({what})")


async def _asked(section: Listen, place: DoorPlace) -> tuple[str, set[str]]:
    """The greeting, and the words that are offered. Raises `OSError`, `ValueError`."""
    async with called(place, tls=section.tls == "implicit") as (reader, writer):
        return await _greeted(section, reader, writer)


async def _greeted(section: Listen, reader: StreamReader, writer: StreamWriter) -> tuple[str, set[str]]:
    begins, question, end, _ = WORDS[section.kind]
    greeting = await _line(reader)
    if not greeting.startswith(begins):
        return greeting, set()
    writer.write(question)
    offered: set[str] = set()
    for _ in range(MOST):
        line = await _line(reader)
        if not line or line.startswith(end):
            break
        offered |= {*line.upper().split()}
    with contextlib.suppress(OSError):
        writer.write(b"a LOGOUT\r\n" if section.kind == "imap" else b"QUIT\r\n")
        await writer.drain()
    return greeting, offered


async def _line(reader: StreamReader) -> str:
    """A line; empty where it hung up. Raises `OSError`, `ValueError`."""
    return (await reader.readline()).decode("utf-8", "replace").rstrip("\r\n")
