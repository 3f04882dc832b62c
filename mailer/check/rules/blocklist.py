"""DNS blocklists: whether an address is on one (RFC 5782).

A list is asked by name: ``2.0.0.127.LIST`` for 127.0.0.2. It answers with an address in 127.0.0.0/8 for what is on it, and that
there is no such name for what is not. Whoever asks too much, or through a resolver that thousands share, gets an
address in 127.255.255.0/24, or nothing at all, or lies: so each list is also asked for its test entries, of which one has
to be on it and the other must not. Only a list that passes is believed.
"""

from __future__ import annotations

from ipaddress import IPv4Network, ip_address
from typing import TYPE_CHECKING

from mailer.check.finding import FAIL, PASS, WARN, Finding

if TYPE_CHECKING:
    from mailer.check.finding import DnsRecords

CHECK = "blocklist"
LISTED, NOT_LISTED = "127.0.0.2", "127.0.0.1"  # the test entries, RFC 5782 §5
_ANSWERS = IPv4Network("127.0.0.0/8")
_REFUSALS = IPv4Network("127.255.255.0/24")


def entry(address: str, blocklist: str) -> str:
    """The name to ask for. RFC 5782 §2.1, §2.4"""
    return f"{ip_address(address).reverse_pointer.removesuffix('.in-addr.arpa').removesuffix('.ip6.arpa')}.{blocklist}"


def judge(address: str, blocklist: str, answer: DnsRecords, why: DnsRecords, listed: DnsRecords, not_listed: DnsRecords) -> Finding:
    """`answer` is that for `entry`, `why` its TXT records; the last two are those for the test entries."""
    subject = f"{address} at {blocklist}"
    for each in (answer, listed, not_listed):
        if problem := _unusable(each):
            return _silent(subject, problem)
    if not listed.records or not_listed.records:
        lies = "knows nothing, not even its own test entry" if not listed.records else "says yes to everything"
        return _silent(subject, f"it {lies}")
    if not answer.records:
        return Finding(CHECK, subject, PASS, "not listed")
    said = f": {why.records[0]}" if why.records else ""
    text = f"listed ({', '.join(answer.records)}){said}"
    return Finding(CHECK, subject, FAIL, text, f"find out why, mend it, and ask {blocklist} to take it off")


def _unusable(answer: DnsRecords) -> str:
    """Why an answer is neither yes nor no; empty if it is one."""
    if answer.trouble:
        return answer.trouble
    if any(ip_address(record) in _REFUSALS for record in answer.records):
        return f"it refuses to answer ({answer.records[0]}), as lists do that are asked through a resolver many share"
    if any(ip_address(record) not in _ANSWERS for record in answer.records):
        return f"it answers with {answer.records[0]}, as no list does"
    return ""


def _silent(subject: str, problem: str) -> Finding:
    advice = "ask through a resolver of your own, or leave it out of check.blocklists"
    return Finding(CHECK, subject, WARN, f"cannot be asked: {problem}", advice)
