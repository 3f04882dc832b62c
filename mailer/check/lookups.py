"""Questions to the DNS for a report: each is asked once, many at a time, and all of them end at one deadline.

SPF is evaluated as a receiver does, by pyspf, with our look-ups in place of its own (`evaluate`). The library is a set of plain functions
that wait for each answer. So it runs in a thread, whose questions are asked in the event loop: by the name servers of the configuration,
until the deadline of the report, and each only once.

Why this library: it is the one on PyPI that evaluates a record for an address; it passes the standard's own test suite,
is what Debian's and Ubuntu's policy daemons for Postfix stand on, and needs nothing but dnspython. Others, such as checkdmarc,
read records and count look-ups, but do not say what a receiver of mail from an address would find.

`reason` puts into words what went wrong outside.
"""

from __future__ import annotations

import asyncio
import os
import ssl
import warnings
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from mailer.net.query import DnsTrouble

from .finding import DnsRecords
from .rules.spf import Evaluation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

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
        return DnsRecords(name, tuple(map(_text, found.records)), found.missing)


def _both(four: DnsRecords, six: DnsRecords) -> DnsRecords:
    """What both families say together; that one of them has nothing means little."""
    records = four.records + six.records
    trouble = "" if records else four.trouble or six.trouble
    missing = "" if records or trouble else four.missing
    return DnsRecords(four.name, records, missing, trouble)


def _text(record: Any) -> str:
    """A record of the DNS library as `DnsRecords` has it."""
    if hasattr(record, "strings"):
        return b"".join(record.strings).decode("utf-8", "replace")
    if hasattr(record, "exchange"):
        return f"{record.preference} {record.exchange.to_text(omit_final_dot=True).lower() or '.'}"
    if hasattr(record, "target"):
        return str(record.target.to_text(omit_final_dot=True)).lower()
    return str(record.address)


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
    loop = asyncio.get_running_loop()
    wanted = [*addresses]

    def ask(name: str, type: str) -> Any:
        return asyncio.run_coroutine_threadsafe(lookups.ask(name, type), loop).result()

    spf = _library()
    sender = f"postmaster@{domain}" if domain else ""
    found = await asyncio.gather(*(asyncio.to_thread(_evaluate, spf, ask, address, sender, hello) for address in wanted))
    return dict(zip(wanted, found, strict=True))


def _library() -> Any:
    """Imported here and not in the threads: what happens to warnings meanwhile holds for all of them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its source has escapes that newer versions of Python frown upon
        import spf
    return spf


def _evaluate(spf: Any, ask: Callable[[str, str], Any], address: str, sender: str, hello: str) -> Evaluation:
    """In a thread."""
    query = spf.query(i=address, s=sender, h=hello)
    query.dns = partial(_dns, spf, query, ask)
    try:
        result, _, why = query.check()
    except Exception as error:  # whatever a stranger's record may do to the library
        return Evaluation("permerror", "", query.lookups, query.void_lookups, f"it cannot be evaluated ({type(error).__name__})")
    why = why.removeprefix("SPF Permanent Error: ").removeprefix("SPF Temporary Error: ")
    return Evaluation(result, query.mechanism or "", query.lookups, query.void_lookups, why)


def _dns(spf: Any, query: Any, ask: Callable[[str, str], Any], name: object, type: str, *_: object, ignore_void: bool = False) -> list[Any]:
    """What the library calls for a look-up. RFC 7208 §4.6.4 counts those that find nothing."""
    text = str(name).rstrip(".").lower()
    if not text or not all(0 < len(label) < 64 for label in text.split(".")):
        return []
    answer = ask(text, type)
    if answer.trouble:
        raise spf.TempError(f"{text}: {answer.trouble}")
    if not answer.records and not ignore_void:
        query.void_lookups += 1
        if query.void_lookups > spf.MAX_VOID_LOOKUPS:
            raise spf.PermError(f"more than {spf.MAX_VOID_LOOKUPS} look-ups find nothing")
    return [_form(record, type) for record in answer.records]


def _form(record: str, type: str) -> Any:
    """A record as the library wants it."""
    if type == "MX":
        preference, host = record.split(" ", 1)
        return int(preference), host
    return [record.encode()] if type == "TXT" else record
