"""The doors that speak SMTP or LMTP: whether each answers, and whether it offers what the configuration says. Used by `visit`.

They are called at their own places, from this machine, up to the answer to EHLO. Whether others get there too is for `mailer check`.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from mailer.check.finding import FAIL, PASS, WARN, Finding
from mailer.mail.text import one_line
from mailer.net.os_error import reason_of

from .doors import called

if TYPE_CHECKING:
    from asyncio import StreamReader, StreamWriter

    from mailer.config import Config
    from mailer.config.sections.doors import DoorPlace, Listen

    from .serving import Running

PATIENCE = 5.0  # seconds for one door
MOST = 100  # lines of an answer
LONGEST = 200  # characters of it that are shown
START = "mailer run opens it; its alarms say why not: mailer status"


async def smtp_doors(config: Config, now: Running) -> list[Finding]:
    """Whether each door is one; where no daemon runs, one that does not answer is no surprise."""
    asked = [(section, place) for section in config.mail_doors for place in section.address]
    return [*await asyncio.gather(*(_door(section, place, now) for section, place in asked))]


async def _door(section: Listen, place: DoorPlace, now: Running) -> Finding:
    try:
        async with asyncio.timeout(PATIENCE):
            greeting, offered = await _asked(section, place)
    except (OSError, ValueError) as error:  # with TimeoutError; and with a line that has no end
        why = reason_of(error) or "no answer in time"
        return Finding("door", str(place), FAIL if now.running else WARN, f"does not answer: {one_line(why, LONGEST)}", START)
    what = f"{section.kind}: {one_line(greeting, LONGEST)}"
    if not greeting.startswith("220"):
        text = f"takes no mail now ({section.kind}): {one_line(greeting, LONGEST) or 'it hung up'}"
        return Finding("door", str(place), WARN, text, "mailer status; receiving.max_connections, and what the other checks say")
    if section.tls == "starttls" and "STARTTLS" not in offered:
        text = f"answers, and offers no STARTTLS ({what})"
        return Finding("door", str(place), FAIL, text, "certificate_file and key_file of [[listen]], then: mailer reload")
    return Finding("door", str(place), PASS, f"answers ({what})")


async def _asked(section: Listen, place: DoorPlace) -> tuple[str, set[str]]:
    """The greeting, and the words that are offered. Raises `OSError`, `ValueError`."""
    async with called(place, tls=section.tls == "implicit") as (reader, writer):
        return await _greeted(section, reader, writer)


async def _greeted(section: Listen, reader: StreamReader, writer: StreamWriter) -> tuple[str, set[str]]:
    greeting = await _answer(reader)
    if not greeting or not greeting[0].startswith("220"):
        return "".join(greeting[:1]), set()
    lmtp = section.kind == "lmtp" or section.protocol == "lmtp"
    writer.write(b"LHLO localhost\r\n" if lmtp else b"EHLO localhost\r\n")
    offered = {line[4:].partition(" ")[0].upper() for line in await _answer(reader)}
    with contextlib.suppress(OSError):
        writer.write(b"QUIT\r\n")
        await writer.drain()
    return greeting[0], offered


async def _answer(reader: StreamReader) -> list[str]:
    """The lines of one answer, RFC 5321 §4.2.1; none where it hung up."""
    lines: list[str] = []
    while len(lines) < MOST and (line := (await reader.readline()).decode("utf-8", "replace").rstrip("\r\n")):
        lines.append(line)
        if line[3:4] != "-":
            break
    return lines
