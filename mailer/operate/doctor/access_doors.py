"""The doors where users read their mail: whether each answers, in its protocol, and offers TLS where the configuration says so. Used by
`visit`.
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

WORDS: Final = {"imap": ("* OK", b"a CAPABILITY\r\n", "a ", "STARTTLS"), "pop3": ("+OK", b"CAPA\r\n", ".", "STLS")}
"""By the kind: how a greeting begins, what asks for what is offered, how the end of the answer begins, the word for TLS.
RFC 9051 §6.1.1, RFC 2449 §5."""


async def access_doors(config: Config, now: Running) -> list[Finding]:
    """Whether each door is one; where no daemon runs, one that does not answer is no surprise."""
    return await answering(config.access_doors, now, _greeted, _terms)


def _terms(section: Listen) -> GreetingTerms:
    begins, _, _, word = WORDS[section.kind]
    start = "mailer run starts it; or mailer access, whose last lines on standard error say why not"
    return GreetingTerms(begins, word, "lets nobody in", "access.max_connections", start)


async def _greeted(section: Listen, reader: StreamReader, writer: StreamWriter) -> tuple[str, set[str]]:
    begins, question, end, _ = WORDS[section.kind]
    greeting = await line_of(reader)
    if not greeting.startswith(begins):
        return greeting, set()
    writer.write(question)
    offered: set[str] = set()
    for _ in range(MOST):
        line = await line_of(reader)
        if not line or line.startswith(end):
            break
        offered |= {*line.upper().split()}
    with contextlib.suppress(OSError):
        writer.write(b"a LOGOUT\r\n" if section.kind == "imap" else b"QUIT\r\n")
        await writer.drain()
    return greeting, offered
