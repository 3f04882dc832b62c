"""Questions to the DNS for a report: each is asked once, many at a time, and all of them end at one deadline.

SPF is evaluated as a receiver does (`mailer.auth.spf`), with the answers of these look-ups.

`reason` puts into words what went wrong outside.
"""

from __future__ import annotations

import asyncio
import os
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mailer.auth import spf
from mailer.auth.records import DnsRecords
from mailer.net.query import DnsTrouble
from mailer.net.records import answered, as_records

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mailer.auth.spf import Evaluation
    from mailer.config import Config
    from mailer.net.query import Asker

    from .rules.host import OwnAddress
    from .situation import Situation


class Lookups:
    """Questions to `asker`, which end at `until` on the clock of the event loop. Nothing here raises: see `DnsRecords.trouble`."""

    def __init__(self, asker: Asker, until: float) -> None:
        self.until = until
        self._asker = asker
        self._known: dict[tuple[str, str], asyncio.Task[DnsRecords]] = {}

    async def ask(self, name: str, type: str) -> DnsRecords:
        """The records of `type` for `name`, or why there are none."""
        key = (name.lower().rstrip("."), type)
        task = self._known.get(key)
        if task is None:
            task = self._known[key] = asyncio.create_task(self._ask(*key))
        return await asyncio.shield(task)

    async def all(self, names: Iterable[str], type: str) -> dict[str, DnsRecords]:
        """What `ask` says of each of several names, all asked at once."""
        wanted = [*dict.fromkeys(names)]
        return dict(zip(wanted, await asyncio.gather(*(self.ask(name, type) for name in wanted)), strict=True))

    async def addresses(self, names: Iterable[str]) -> dict[str, DnsRecords]:
        """The A and AAAA records of several names together."""
        wanted = [*dict.fromkeys(names)]
        four, six = await asyncio.gather(self.all(wanted, "A"), self.all(wanted, "AAAA"))
        return {name: _both(four[name], six[name]) for name in wanted}

    async def _ask(self, name: str, type: str) -> DnsRecords:
        try:
            async with asyncio.timeout_at(self.until):
                found = await self._asker.ask(name, type)
        except TimeoutError:
            return DnsRecords(name, trouble="no answer before the deadline")
        except DnsTrouble as trouble:
            return DnsRecords(name, trouble=trouble.reason)
        return as_records(name, found)


def _both(four: DnsRecords, six: DnsRecords) -> DnsRecords:
    """What both families say together; that one of them has nothing means little."""
    records = four.records + six.records
    trouble = "" if records else four.trouble or six.trouble
    missing = "" if records or trouble else four.missing
    return DnsRecords(four.name, records, missing, trouble)


def reason(error: Exception) -> str:
    """Why something outside failed, in a few words: asyncio puts whole addresses into its messages."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not accepted: {error.verify_message}"
    if isinstance(error, EOFError):
        return "it hung up"
    if isinstance(error, asyncio.LimitOverrunError):
        return "it says one line without an end"
    number = getattr(error, "errno", None)
    return os.strerror(number) if number and not isinstance(error, ssl.SSLError) else str(error) or type(error).__name__


@dataclass(frozen=True, slots=True)
class Scene:
    """What the checks of a run share. `own` are the addresses of this host and how they are known; `now` is in seconds since the epoch."""

    config: Config
    lookups: Lookups
    situation: Situation
    own: Sequence[OwnAddress]
    now: float
    https_port: int


async def evaluate(lookups: Lookups, domain: str, hello: str, addresses: Iterable[str]) -> dict[str, Evaluation]:
    """What a caller from each of `addresses` gets who says `hello` and has a reverse-path at `domain`; none for a report."""
    wanted = [*addresses]
    sender = f"postmaster@{domain}" if domain else ""
    found = await asyncio.gather(*(answered(spf.evaluate(address, sender, hello), lookups.ask) for address in wanted))
    return dict(zip(wanted, found, strict=True))
