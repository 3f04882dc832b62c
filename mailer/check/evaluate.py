"""SPF as a receiver evaluates it, by pyspf, with our look-ups in place of its own.

The library is a set of plain functions that wait for each answer. So it runs in a thread, whose questions are asked in the
event loop: by the name servers of the configuration, until the deadline of the report, and each only once.

Why this library: it is the one on PyPI that evaluates a record for an address; it passes the standard's own test suite,
is what Debian's and Ubuntu's policy daemons for Postfix stand on, and needs nothing but dnspython. Others, such as checkdmarc,
read records and count look-ups, but do not say what a receiver of mail from an address would find.
"""

from __future__ import annotations

import asyncio
import warnings
from functools import partial
from typing import TYPE_CHECKING, Any

from .rules.spf import Evaluation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .lookups import Lookups


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
