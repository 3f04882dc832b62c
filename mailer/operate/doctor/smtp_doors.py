"""The doors that speak SMTP or LMTP: whether each answers, and whether it offers what the configuration says. Used by `visit`.

They are called at their own places, from this machine, up to the answer to EHLO. Whether others get there too is for `mailer check`.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final

from .greeted import MOST, GreetingTerms, answering, line_of

if TYPE_CHECKING:
    from asyncio import StreamReader, StreamWriter

    from mailer.check.finding import Finding
    from mailer.config import Config
    from mailer.config.sections.doors import Listen

    from .serving import Running

TERMS: Final = GreetingTerms(
    "220", "STARTTLS", "takes no mail", "receiving.max_connections", "mailer run opens it; its alarms say why not: mailer status"
)


async def smtp_doors(config: Config, now: Running) -> list[Finding]:
    """Whether each door is one; where no daemon runs, one that does not answer is no surprise."""
    return await answering(config.mail_doors, now, _greeted, lambda _: TERMS)


async def _greeted(section: Listen, reader: StreamReader, writer: StreamWriter) -> tuple[str, set[str]]:
    greeting = await _answer(reader)
    if not greeting or not greeting[0].startswith(TERMS.begins):
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
    while len(lines) < MOST and (line := await line_of(reader)):
        lines.append(line)
        if line[3:4] != "-":
            break
    return lines
