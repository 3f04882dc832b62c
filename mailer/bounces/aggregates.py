"""Aggregate reports are read, and counted: what a report of kind ``dmarc`` or ``tlsrpt`` comes to.

Used by whatever acts on reports that have come in. Counting is idempotent (`StatusRecorder.count`), so it may be done again after a crash.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING

from mailer.aggregate.finding import read
from mailer.mail.address import domain_of
from mailer.mail.domain import compared

if TYPE_CHECKING:
    from collections.abc import Callable

    from mailer.aggregate.summary import AggregateReport
    from mailer.config import Config
    from mailer.status.api import StatusRecorder


def ours(config: Config) -> Callable[[str], bool]:
    """Whether a domain is one that mail is sent from, as far as the configuration says, or one below such; "" is none."""
    said = config.submission
    addresses = (said.from_address, config.postmaster, config.bounce.address)
    written = [config.hostname, said.default_domain, *said.masquerade, *(key.domain for key in config.dkim), *map(domain_of, addresses)]
    own = frozenset(compared(domain) for domain in written if domain)

    def is_ours(domain: str) -> bool:
        while domain and domain not in own:
            domain = domain.partition(".")[2]
        return bool(domain)

    return is_ours


AHEAD = 2 * 86400.0
"""Seconds that a report may end after it came: clocks differ, and so do time zones. What is about other years would never be old enough
to go, and would keep the room of those that come then."""


async def count(content: bytes, at: float, status: StatusRecorder, ours: Callable[[str], bool]) -> dict[str, object]:
    """Count what the report in the message `content` says, which came `at` (seconds since the epoch); returns a note for those who wonder.

    It is read in a thread. `ours` says whether a domain is. The note has how many reports were ``counted``, were ``known`` before, or found
    ``no_room``, how many of their rows said nothing usable (``bad_rows``), and ``problems`` with what could not be read, each a
    sentence. Raises `StatusError` where it has to be tried again.
    """
    found = await asyncio.to_thread(read, content)
    whole: list[AggregateReport] = [*found.dmarc, *found.tlsrpt]
    reports = [report for report in whole if report.end <= at + AHEAD]
    problems = [*found.problems, *(["it is about a time that has not come yet"] * (len(whole) - len(reports)))]
    became = Counter(await status.count(reports, at, ours)) if reports else Counter()
    return {
        "counted": became["new"],
        "known": became["known"],
        "no_room": became["full"],
        "bad_rows": sum(report.bad for report in reports),
        "problems": problems,
    }
