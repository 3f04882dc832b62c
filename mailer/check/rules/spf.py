"""SPF: whether the domain lets those addresses send that its mail comes from (RFC 7208).

What counts is the domain of the reverse-path, which we take to be the sending domain, and, for reports, which have none, the
name that this host says in EHLO. Mail that leaves through a relay comes from the relay's addresses: then the record
has to have the provider's term, and what our own address is matters to nobody.
"""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import TYPE_CHECKING

from mailer.auth.spf import MOST_LOOKUPS, MOST_VOID
from mailer.auth.spf_record import is_spf
from mailer.check.finding import FAIL, PASS, WARN, Finding, ZoneRecord, unknown

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from mailer.auth.records import DnsRecords
    from mailer.auth.spf import Evaluation
    from mailer.check.situation import Outlet, Situation

CHECK = "SPF"
_ALL = re.compile(r"(?<= )[+?~-]?all(?= |$)|(?<= )redirect=", re.IGNORECASE)


def records(answer: DnsRecords) -> list[str]:
    """The SPF records among the TXT records of a domain. RFC 7208 §4.5"""
    return [text for text in answer.records if is_spf(text)]


def term(address: str) -> str:
    """The term that lets an address send."""
    return f"ip{ip_address(address).version}:{address}"


def with_terms(record: str, terms: Iterable[str]) -> str:
    """`record` with terms that it does not have yet, before the one that decides about all others."""
    new = [each for each in dict.fromkeys(terms) if each.lower() not in record.lower().split()]
    last = _ALL.search(record)
    at = last.start() if last else len(record)
    return " ".join([record[:at].strip(), *new, record[at:].strip()]).strip()


def fresh(terms: Iterable[str]) -> str:
    """A new record of `terms`. It ends in ~all: with -all some refuse forwarded mail before they look at its signature (RFC 7489 §10.1)."""
    return with_terms("v=spf1 ~all", terms)


def findings(
    domain: str,
    answer: DnsRecords,
    by_address: Mapping[str, Evaluation],
    by_relay: Mapping[Outlet, Mapping[str, Evaluation]],
    at: Situation,
) -> Iterator[Finding]:
    """The record of `domain`, evaluated `by_address` for our own, and `by_relay` for the addresses of each relay."""
    if answer.trouble:
        yield unknown(CHECK, domain, answer.trouble)
        return
    found = records(answer)
    wanted = _wanted(at)
    if len(found) != 1:
        yield _not_one(domain, found, wanted, at)
        return
    yield from _loose(domain, found[0])
    for address, evaluation in by_address.items():
        yield _address(domain, found[0], address, evaluation)
    for relay, evaluations in by_relay.items():
        yield _relay(domain, found[0], relay, evaluations)
    if at.direct and not by_address:
        text = "there is a record; which address mail comes from is not known, so whether that may send is not either"
        yield Finding(CHECK, domain, WARN, text, "say the public address with --from-ip")


def _wanted(at: Situation) -> list[str]:
    """The terms that a record for this situation needs."""
    return [term(address) for address in at.egress] + [relay.provider.spf for relay in at.relays if relay.provider]


def _not_one(domain: str, found: list[str], wanted: list[str], at: Situation) -> Finding:
    if found:
        text = f"{len(found)} records, where only one may be: receivers take that for an error"
        joined = with_terms(found[0], [each for record in found[1:] for each in record.split()[1:] if not _ALL.search(f" {each}")])
        return Finding(CHECK, domain, FAIL, text, "make one of them", ZoneRecord(domain, "TXT", with_terms(joined, wanted)))
    if at.relays and not at.direct and all(relay.provider and relay.provider.rewrites for relay in at.relays):
        text = "no record; the relay's reverse-path is its own, so that this one says only that nobody else may send"
        return Finding(CHECK, domain, WARN, text, "say so", ZoneRecord(domain, "TXT", fresh(wanted)))
    known = "" if wanted else "; put the term that the relay's operator names before ~all"
    advice = f"say who may send for it{known}"
    return Finding(CHECK, domain, FAIL, "no record", advice, ZoneRecord(domain, "TXT", fresh(wanted)))


def _loose(domain: str, record: str) -> Iterator[Finding]:
    """A record that lets everybody send proves nothing."""
    if (last := _ALL.search(record)) and last[0].lower() in ("all", "+all"):
        tight = record[: last.start()] + "~all" + record[last.end() :]
        yield Finding(
            CHECK, domain, WARN, f"{last[0]}: everybody may send for it", "let only those who do", ZoneRecord(domain, "TXT", tight)
        )


def _address(domain: str, record: str, address: str, found: Evaluation) -> Finding:
    """One of our addresses."""
    subject = f"{domain} from {address}"
    if found.result == "temperror":
        return unknown(CHECK, subject, found.why)
    if found.result == "permerror":
        return Finding(CHECK, subject, FAIL, f"permerror: {found.why} ({found.cost})", "mend the record; as it is, receivers ignore it")
    if found.result != "pass":
        by = f" by {found.term}" if found.term else ""
        add = ZoneRecord(domain, "TXT", with_terms(record, [term(address)]))
        return Finding(CHECK, subject, FAIL, f"{found.result}{by} ({found.cost})", "let this address send", add)
    return _passed(subject, found)


def _passed(subject: str, found: Evaluation) -> Finding:
    evidence = f"pass by {found.term} ({found.cost})"
    if found.lookups >= MOST_LOOKUPS or found.void >= MOST_VOID:
        advice = "one more, in a record of somebody else that this one includes, and it is an error; leave out what is not needed"
        return Finding(CHECK, subject, WARN, evidence, advice)
    return Finding(CHECK, subject, PASS, evidence)


def _relay(domain: str, record: str, relay: Outlet, evaluations: Mapping[str, Evaluation]) -> Finding:
    """A relay: its provider's term, or the addresses that it takes mail at, which are often those that it sends from."""
    subject = f"{domain} through relay {relay.name}"
    broken = next((one for one in evaluations.values() if one.result == "permerror"), None)
    if broken:
        return Finding(CHECK, subject, FAIL, f"permerror: {broken.why} ({broken.cost})", "mend the record; as it is, receivers ignore it")
    if trouble := next((one.why for one in evaluations.values() if one.result == "temperror"), ""):
        return unknown(CHECK, subject, trouble)
    if provider := relay.provider:
        if provider.spf in record.lower().split():
            return Finding(CHECK, subject, PASS, f"{provider.spf}: the hosts of {provider.name} may send")
        add = ZoneRecord(domain, "TXT", with_terms(record, [provider.spf]))
        if provider.rewrites:
            text = f"not asked for: {provider.name} puts a reverse-path of its own on mail, so that DKIM has to prove the domain"
            return Finding(CHECK, subject, PASS, text)
        return Finding(CHECK, subject, FAIL, f"no {provider.spf}", f"let the hosts of {provider.name} send", add)
    passed = [(address, one) for address, one in evaluations.items() if one.result == "pass"]
    if passed:
        return Finding(CHECK, subject, PASS, f"{relay.host} at {passed[0][0]} may send: pass by {passed[0][1].term}")
    text = f"whether the addresses that {relay.host} sends from may send cannot be seen from here"
    return Finding(CHECK, subject, WARN, text, "ask its operator for the term that belongs into the record")


def hello_findings(hostname: str, answer: DnsRecords, by_address: Mapping[str, Evaluation]) -> Iterator[Finding]:
    """The name that is said in EHLO, which counts for reports: they have no reverse-path. RFC 7208 §2.3"""
    check = f"{CHECK} of EHLO"
    if answer.trouble:
        yield unknown(check, hostname, answer.trouble)
        return
    publish = ZoneRecord(hostname, "TXT", "v=spf1 a -all")
    if not records(answer):
        text = "no record; reports of bounces leave with no other proof of where they come from"
        yield Finding(check, hostname, WARN, text, "let the host answer for itself", publish)
        return
    for address, found in by_address.items():
        subject = f"{hostname} from {address}"
        if found.result == "temperror":
            yield unknown(check, subject, found.why)
        elif found.result == "pass":
            yield Finding(check, subject, PASS, f"pass by {found.term} ({found.cost})")
        else:
            text = f"{found.result}{': ' + found.why if found.result == 'permerror' else ''} ({found.cost})"
            yield Finding(check, subject, FAIL, text, "let the host answer for itself", publish)
