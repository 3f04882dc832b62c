"""What others report in sums, put together: who sends in the name of our domains, and whether our hosts are reached by TLS.

Reports are about whatever domain their writer says, so what is about ours is told from the rest by the configuration as it is
now: the domains that mail is sent from, and all below them.

Each sum says what it means and what to do. The sums of one sender may differ in how he is known: many of his messages may be signed
and some not. What is told is about the part that fails, if any does.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from mailer.aggregate.summary import DAY
from mailer.aggregate.tlsrpt import SUCCESS
from mailer.bounces.aggregates import ours
from mailer.mail.dates import rfc3339
from mailer.mail.pattern import fits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from mailer.aggregate.summary import DmarcSource
    from mailer.status.api import DmarcSum, SumReport, TlsSum

__all__ = ["Sender", "TlsOutcome", "Told", "advice", "ours", "senders", "tls_outcomes", "told"]

FORWARDED = frozenset({"mailing_list", "forwarded", "trusted_forwarder"})

TLS_ADVICE = {
    "starttls-not-supported": "{host} offered no STARTTLS: switch it on there; if it is on, something on the way takes it out",
    "certificate-host-mismatch": "the certificate of {host} does not bear that name: have one made that does",
    "certificate-expired": "the certificate of {host} has expired: renew it, and have the server load it",
    "certificate-not-trusted": "the certificate of {host} is signed by nobody whom others trust, or comes without its chain",
    "validation-failure": "the certificate of {host} could not be verified; the reason says more",
    "tlsa-invalid": "no TLSA record of {host} fits its certificate: publish the new one a day before the certificate changes",
    "dnssec-invalid": "DNSSEC of {domain} or {host} does not validate: look at the signatures and the DS record",
    "dane-required": "the sender wants DANE, and {host} has no TLSA record that DNSSEC proves",
    "sts-policy-fetch-error": "https://mta-sts.{domain}/.well-known/mta-sts.txt could not be fetched",
    "sts-policy-invalid": "the MTA-STS policy of {domain} has a mistake",
    "sts-webpki-invalid": "the certificate of mta-sts.{domain} could not be verified",
}
"""What each failure of RFC 8460 §4.3 asks for."""


class Sender(NamedTuple):
    """All messages from one IP address with one domain in From, in the words of `DmarcSource`: `passed` of `messages` passed DMARC.

    `dkim` and `spf` are how many agreed so. `signer` and `path` are who sent those that failed (of all, where none did).
    """

    domain: str
    author: str
    source: str
    messages: int
    passed: int
    dkim: int
    spf: int
    dispositions: dict[str, int]
    signer: str
    path: str
    override: str
    reporters: list[str]
    first_day: int
    last_day: int
    ours: bool
    advice: str

    def as_json(self) -> dict[str, object]:
        """One line of ``mailer bounces dmarc --json``."""
        return _as_json(self, self._asdict(), ("source", "signer", "path", "override", "advice"))


class TlsOutcome(NamedTuple):
    """All sessions with one host of a domain that ended alike, in the words of `TlsResult`."""

    domain: str
    policy: str
    result: str
    host: str
    reason: str
    sessions: int
    reporters: list[str]
    first_day: int
    last_day: int
    ours: bool
    advice: str

    def as_json(self) -> dict[str, object]:
        """One line of ``mailer bounces tlsrpt --json``."""
        return _as_json(self, self._asdict(), ("policy", "host", "reason", "advice"))


def _as_json(row: Sender | TlsOutcome, fields: dict[str, object], absent: tuple[str, ...]) -> dict[str, object]:
    """The `fields` of `row`, with its days as dates, and null for those of `absent` that are empty."""
    days = {"first_day": day_text(row.first_day), "last_day": day_text(row.last_day)}
    return fields | {name: fields[name] or None for name in absent} | days


class Told(NamedTuple):
    """What is known of the reports themselves: how many, from whom, how many rows said nothing, what they complain of."""

    reports: int
    reporters: int
    bad: int
    troubles: list[str]


def day_text(day: int) -> str:
    """The day as people write it: ``2026-11-21``."""
    return rfc3339(day * DAY)[:10]


def senders(found: Iterable[DmarcSum], wanted: str, is_ours: Callable[[str], bool]) -> list[Sender]:
    """List who sends in whose name, those with most failures first; `wanted` is a pattern for the domain, "" for all."""
    heaps: dict[tuple[str, str, str], list[DmarcSum]] = {}
    for each in found:
        if not wanted or fits(wanted, each.domain) or fits(wanted, each.what.author):
            heaps.setdefault((each.domain, each.what.author, each.what.source), []).append(each)
    made = [_sender(*key, heap, is_ours(key[0])) for key, heap in heaps.items()]
    return sorted(made, key=lambda each: (not each.ours, each.domain, each.passed - each.messages, -each.messages, each.source))


def _sender(domain: str, author: str, source: str, heap: list[DmarcSum], own: bool) -> Sender:
    all_of = _total(heap)
    failing = [each for each in heap if not each.what.passes]
    telling = max(failing or heap, key=lambda each: each.messages).what
    dispositions: Counter[str] = Counter()
    for each in heap:
        dispositions[each.what.disposition] += each.messages
    return Sender(
        domain,
        author,
        source,
        all_of,
        all_of - _total(failing),
        _total([each for each in heap if each.what.dkim]),
        _total([each for each in heap if each.what.spf]),
        dict(dispositions.most_common()),
        telling.signer if telling.signed == "pass" else "",
        telling.path if telling.allowed == "pass" else "",
        telling.override,
        sorted({each.reporter for each in heap}),
        min(each.day for each in heap),
        max(each.day for each in heap),
        own,
        advice(telling),
    )


def _total(heap: Iterable[DmarcSum]) -> int:
    return sum(each.messages for each in heap)


def advice(what: DmarcSource) -> str:
    """What it means that such messages failed, and what to do; "" for what passed."""
    if what.passes:
        return "" if what.dkim else "no signature agrees: it passes by SPF alone, which breaks where mail is forwarded"
    if what.override in FORWARDED:
        return "forwarded by somebody, or a mailing list: nothing to do, as long as what you send is signed"
    if what.signed == "pass":
        return f"signed by {what.signer}: if it sends for you, have it sign as {what.author}"
    if what.allowed == "pass":
        return f"sent for {what.path}: if it sends for you, have it sign as {what.author}, with a key that you publish"
    if what.signer and (what.signer == what.author or what.author.endswith(f".{what.signer}")):
        return f"the signature of {what.signer} does not hold: another key is in the DNS, or somebody changes the mail (mailer check)"
    forged = (
        "it is forged, and your policy stops it" if what.disposition in ("quarantine", "reject") else "it is forged: p=quarantine stops it"
    )
    return f"neither signed nor allowed: if it is yours, sign there or send by your relay; if not, {forged}"


def tls_outcomes(found: Iterable[TlsSum], wanted: str, is_ours: Callable[[str], bool]) -> list[TlsOutcome]:
    """How sessions with our hosts ended, failures first; `wanted` is a pattern for the domain, "" for all."""
    heaps: dict[tuple[str, ...], list[TlsSum]] = {}
    for each in found:
        if not wanted or fits(wanted, each.what.domain):
            heaps.setdefault(each.what, []).append(each)
    made = [
        TlsOutcome(
            *heap[0].what,
            sum(each.sessions for each in heap),
            sorted({each.reporter for each in heap}),
            min(each.day for each in heap),
            max(each.day for each in heap),
            is_ours(heap[0].what.domain),
            _tls_advice(heap[0]),
        )
        for heap in heaps.values()
    ]
    return sorted(made, key=lambda each: (not each.ours, each.domain, each.result == SUCCESS, -each.sessions, each.host))


def _tls_advice(each: TlsSum) -> str:
    text = TLS_ADVICE.get(each.what.result, "")
    return text.format(host=each.what.host or "a host", domain=each.what.domain)


def told(reports: Iterable[SumReport], kind: str, is_ours: Callable[[str], bool]) -> Told:
    """What is known of the reports of this kind, those on other domains left out."""
    meant = [each for each in reports if each.kind == kind and (each.ours if kind == "tlsrpt" else is_ours(each.domain))]
    troubles = sorted({f"{each.reporter} on the record of {each.domain}: {each.trouble}" for each in meant if each.trouble})
    return Told(len(meant), len({each.reporter for each in meant}), sum(each.bad for each in meant), troubles)
