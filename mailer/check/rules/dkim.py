"""DKIM: whether a verifier finds the key that mail is signed with.

A key of the configuration signs, waits for its record, or is retired and leaves its record for what is in flight; see
``mailer dkim rotate``, which asks `difference` before it lets a key sign.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mailer.check.finding import FAIL, PASS, WARN, Finding, ZoneRecord, unknown
from mailer.dkim.key import GOOD_BITS, KeyProblem, PublicKey, name, public_key
from mailer.mail.dates import rfc3339

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mailer.auth.records import DnsRecords
    from mailer.check.situation import Situation
    from mailer.dkim.key import PrivateKey

CHECK = "DKIM"


class Used(NamedTuple):
    """A key of the configuration: `key` itself, or the `trouble` with its file. `state` is signs, waiting or retired.

    `needed_until`: of a retired key, when no signature by it holds any more, in seconds since the epoch.
    """

    domain: str
    selector: str
    state: str
    key: PrivateKey | None
    trouble: str = ""
    needed_until: float = 0.0

    @property
    def record(self) -> ZoneRecord:
        """The record that has to be published for the key."""
        return ZoneRecord(name(self.selector, self.domain), "TXT", self.key.record if self.key else "")


def difference(key: PrivateKey, records: Sequence[str]) -> str:
    """Why a verifier would not find `key` in the TXT records at its name; empty if it would."""
    if len(records) != 1:
        return "is not published yet" if not records else f"has {len(records)} records, not one"
    try:
        found = public_key(records[0])
    except KeyProblem as problem:
        return f"is wrong: {problem}"
    return "" if _same(key, found) else "has another key"


def _same(key: PrivateKey, found: PublicKey) -> bool:
    return found.kind == key.kind and found.holds(key.sign(b"mine"), b"mine")


def findings(
    domain: str, keys: Sequence[tuple[Used, DnsRecords]], at: Situation, now: float, theirs: Sequence[DnsRecords] = ()
) -> Iterator[Finding]:
    """The keys that sign mail from `domain`, its own or those of a domain above it, each with the answer for its record.

    `theirs` are the answers for the keys that the relays' providers may have there.
    """
    if not any(used.state == "signs" for used, _ in keys):
        yield _unsigned(domain, at, [answer.name for answer in theirs if holds_key(answer)])
    for used, answer in keys:
        yield _key(used, answer, now)


def holds_key(answer: DnsRecords) -> bool:
    """Whether a key is published there."""
    try:
        return len(answer.records) == 1 and public_key(answer.records[0]).bits > 0
    except KeyProblem:
        return False


def _unsigned(domain: str, at: Situation, theirs: Sequence[str]) -> Finding:
    advice = f"`mailer dkim keygen {domain}` makes a key and its record"
    if at.relays and not at.direct:
        who = " and ".join(relay.provider.name if relay.provider else relay.host for relay in at.relays)
        if theirs:
            return Finding(CHECK, theirs[0], PASS, f"mailer has no key for {domain}; {who} has one there")
        text = f"mailer has no key for it; whether {who} signs cannot be seen from here"
        return Finding(CHECK, domain, WARN, text, f"let it sign there, or here: {advice}")
    return Finding(CHECK, domain, FAIL, "no key: its mail is not signed", advice)


def _key(used: Used, answer: DnsRecords, now: float) -> Finding:
    if used.key is None:
        if used.state != "signs":
            return Finding(CHECK, used.record.name, WARN, used.trouble, "without the file the record cannot be compared")
        return Finding(CHECK, used.record.name, FAIL, used.trouble, "the daemon needs this file to sign")
    if answer.trouble:
        return unknown(CHECK, used.record.name, answer.trouble)
    if used.state == "retired":
        return _retired(used, answer, now)
    problem = difference(used.key, answer.records)
    if used.state == "waiting":
        return _waiting(used, problem)
    if problem:
        return Finding(CHECK, used.record.name, FAIL, f"the record {problem}; mail is signed with this key", "publish it", used.record)
    return _signing(used, used.key, public_key(answer.records[0]))


def _signing(used: Used, key: PrivateKey, found: PublicKey) -> Finding:
    name = used.record.name
    if found.testing:  # RFC 6376 §3.6.1
        return Finding(CHECK, name, WARN, "the record says t=y: only testing, do not believe it", "publish it without", used.record)
    if key.kind == "rsa" and key.bits < GOOD_BITS:
        text = f"the key has {key.bits} bits; {GOOD_BITS} is what is asked for today"
        return Finding(CHECK, name, WARN, text, f"`mailer dkim rotate {used.domain}` makes a longer one")
    return Finding(CHECK, name, PASS, f"the record has the key that signs, {key.kind} of {key.bits} bits")


def _waiting(used: Used, problem: str) -> Finding:
    if problem:
        return Finding(CHECK, used.record.name, WARN, f"a key waits to sign; its record {problem}", "publish it", used.record)
    advice = f"`mailer dkim rotate {used.domain}` lets it sign"
    return Finding(CHECK, used.record.name, WARN, "a key waits to sign, and its record is published", advice)


def _retired(used: Used, answer: DnsRecords, now: float) -> Finding:
    name = used.record.name
    assert used.key is not None
    if now < used.needed_until:
        until = rfc3339(int(used.needed_until))
        if problem := difference(used.key, answer.records):
            text = f"the record {problem}; mail in flight is signed with this key until {until}"
            return Finding(CHECK, name, FAIL, text, "publish it again", used.record)
        return Finding(CHECK, name, PASS, f"retired; the record is needed until {until}")
    if not answer.records:
        return Finding(CHECK, name, PASS, "retired, and its record is gone; its section can be taken out of the configuration")
    text = f"retired, and not needed since {rfc3339(int(used.needed_until))}"
    return Finding(CHECK, name, WARN, text, "take the record away, and its section out of the configuration")
