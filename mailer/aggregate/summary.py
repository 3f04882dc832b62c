"""What aggregate reports come to: sums by what people ask for. Values only; nothing of a single message is in a report, and so in here.

`DmarcReport` and `TlsReport` are one report each, with its rows; `day_of` says to which day the sums belong. Texts are bounded and
harmless: domains as the DNS has them, words of a fixed list, the rest as `mail.text.one_line` makes it.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from mailer.mail.domain import ascii_domain
from mailer.mail.text import one_line

if TYPE_CHECKING:
    from collections.abc import Mapping

K = TypeVar("K")

MOST_ROWS = 20_000
"""Different sums of one report; the largest reporters come to a few thousand. What is beyond is added to one row without a source."""

MOST_COUNT = 10**12
"""Messages or sessions of one row."""

LONGEST_TIME = 32 * 86400
"""Seconds that one report may be about."""

LATEST = 253402300800
"""The end of the year 9999, in seconds since the epoch: no clock of ours goes further."""

DAY = 86400


class BadReport(Exception):
    """An error: a document is no report, or not one that can be read; `str()` says why, as a sentence about "it"."""


class DmarcSource(NamedTuple):
    """What is alike in the messages that a count is of: `source` is the IP address that sent them, "" for many that are not told apart.

    `author` is the domain of their From. `disposition` (none, quarantine, reject, pass) is what became of them, `dkim` and `spf` whether
    each passed **and** agreed with `author` (RFC 9989 §3.2.10). `signer` and `signed` are the domain and result of the best
    signature, `path` and `allowed` those of SPF: who sent them really. `override` is why the policy was not followed, if it was not.
    """

    author: str
    source: str
    disposition: str
    dkim: bool
    spf: bool
    signer: str = ""
    signed: str = ""
    path: str = ""
    allowed: str = ""
    override: str = ""

    @property
    def passes(self) -> bool:
        """Whether DMARC passed: one of the two is enough."""
        return self.dkim or self.spf


class DmarcReport(NamedTuple):
    """One DMARC report on `domain` (the one that publishes the policy), of `reporter`, from `begin` to `end` (seconds since the epoch).

    `policy` is what the reporter found published: none, quarantine or reject, "" if he does not say. `bad` are rows that said nothing
    usable, `trouble` what the reporter says of the published record.
    """

    domain: str
    reporter: str
    report_id: str
    begin: int
    end: int
    policy: str
    counts: Mapping[DmarcSource, int]
    bad: int = 0
    trouble: str = ""
    contact: str = ""


class TlsResult(NamedTuple):
    """What is alike in the sessions that a count is of: under a `policy` (tlsa, sts, no-policy-found), `result` is ``success`` or why not.

    `host` is the MX host of ours that was meant, and `reason` what else the reporter says.
    """

    domain: str
    policy: str
    result: str
    host: str = ""
    reason: str = ""


class TlsReport(NamedTuple):
    """One TLS report of `reporter`, from `begin` to `end` (seconds since the epoch); each of its counts has a domain. `bad`: see above."""

    reporter: str
    report_id: str
    begin: int
    end: int
    counts: Mapping[TlsResult, int]
    bad: int = 0
    contact: str = ""


AggregateReport = DmarcReport | TlsReport


def day_of(begin: int, end: int) -> int:
    """The day, in whole days since the epoch, that has the middle of a report: days of reporters begin in their own time zones."""
    return (begin + end) // 2 // DAY


def time_range(begin: int | None, end: int | None) -> tuple[int, int]:
    """`begin` and `end`, if they are a time that a report can be about. Raises `BadReport`."""
    if begin is None or end is None or not 0 <= begin <= end < LATEST or end - begin > LONGEST_TIME:
        raise BadReport("it does not say usably from when to when it is")
    return begin, end


def whole(text: str) -> int | None:
    """A count or a time in decimal digits; None for anything else. ``1234567890.0`` is a time of some reporters."""
    digits = text.strip().partition(".")[0]
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= 12 else None


def domain_of(text: str) -> str:
    """A domain in the form that is compared; "" for anything else. Some reporters write an address in its place."""
    try:
        return ascii_domain(text.strip().rpartition("@")[2])
    except ValueError:
        return ""


def host_of(text: str) -> str:
    """An IP address in the form that is compared; "" for anything else, also for one with a zone (RFC 4007 §11), which is any text."""
    try:
        return "" if "%" in text else ip_address(text).compressed
    except ValueError:
        return ""


def told(text: str, limit: int = 200) -> str:
    """A text of the reporter's, for people: one harmless line."""
    return one_line(text[: 4 * limit], limit)


def add(counts: dict[K, int], what: K, rest: K, count: int) -> None:
    """Add `count` to what is known of `what`; to `rest` where that would be one row too many."""
    if what not in counts and len(counts) >= MOST_ROWS:
        what = rest
    counts[what] = counts.get(what, 0) + count
