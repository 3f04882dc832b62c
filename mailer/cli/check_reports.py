"""``mailer config check``: whether a report about mail of the default sender would arrive anywhere.

Reports go to the sender, by the way that all mail goes. A host that delivers to MX hosts itself and lets its users write as
root@mail.example.com sends their reports to itself, where nobody takes mail; each then fails in its turn, and nobody hears of anything.
"""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING

from mailer.config.file import Problem
from mailer.mail.address import is_private

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mailer.config import Config
    from mailer.delivery.nexthop import Unroutable

PATIENCE = 2.0  # seconds for the DNS


def warnings(config: Config) -> Iterator[Problem]:
    """One, if the DNS says that mail for the domain of the default sender must fail; whatever it does not say in time is none."""
    submission = config.submission
    chosen = "from_address" if submission.from_address else "default_domain"
    domain = submission.from_address.rpartition("@")[2] or submission.default_domain or config.hostname
    if is_private(domain):  # nobody is asked about a name that is none to the world
        return
    trouble = asyncio.run(_trouble(config, domain))
    if trouble is not None and trouble.verdict == "fail":
        line = config.lines.get(f"submission.{chosen}", config.lines.get("mailer.hostname", 0))
        hint = "set submission.from_address, or default_domain, to where mail is read"
        yield Problem(line, f"reports about mail that fails would go to {domain}, and fail as well: {trouble.text}; {hint}")


async def _trouble(config: Config, domain: str) -> Unroutable | None:
    from mailer.delivery.finder import Finder
    from mailer.net.dns import Resolver

    dns = config.dns
    resolver = Resolver(dns.nameservers, min(dns.timeout, PATIENCE), min(dns.lifetime, PATIENCE), family=config.delivery.family)
    finder = Finder(config, resolver, random.shuffle)
    if any(via.kind != "mx" for via in finder.table.find(domain).via):
        return None
    try:
        async with asyncio.timeout(PATIENCE):
            return (await finder.plan(domain)).trouble
    except TimeoutError:
        return None
