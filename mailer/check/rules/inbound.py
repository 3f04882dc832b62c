"""Whether a domain of ours gets its mail by this machine: what its MX says, what is met there, and whose mail would be taken."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mailer.check.finding import FAIL, PASS, WARN, Finding, ZoneRecord
from mailer.mail.dates import rfc3339

if TYPE_CHECKING:
    from collections.abc import Sequence

SOON = 14 * 86400.0  # seconds
ELSEWHERE = "relay-check.example"
"""A domain that nobody has, RFC 2606 §3."""

SHAPES = (
    "user@{other}",
    "user%{other}@{domain}",
    "@{domain}:user@{other}",
    "{other}!user@{domain}",
    "{domain}!user@{other}",
    '"user@{other}"@{domain}',
    '"user%{other}"@{domain}',
    "user@{other}@{domain}",
    "user%{other}@[127.0.0.1]",
    "user@[127.0.0.1]",
    "user@{other}@",
    "user@{other}.",
)
"""Addresses by which others try whether a host carries mail for strangers."""


class DoorSeen(NamedTuple):
    """What was seen of the door of an MX `host`, called at `address`: the `greeting`, or in what `trouble` that ended.

    `starttls`: TLS was offered and stood. `unverified` is why its certificate would not be accepted for the name, empty where it would be;
    `ends` is when that ends, in seconds since the epoch, 0.0 for none.
    """

    host: str
    address: str = ""
    greeting: str = ""
    trouble: str = ""
    starttls: bool = False
    unverified: str = ""
    ends: float = 0.0


def mx_finding(domain: str, hosts: Sequence[str], ours: Sequence[str], hostname: str) -> Finding:
    """Whether mail for the domain comes to this machine: `hosts` are those of its MX, best first, and `ours` those among them."""
    publish = ZoneRecord(domain, "MX", f"10 {hostname}.")
    if not ours:
        where = ", ".join(hosts[:3]) or "nowhere"
        text = f"its mail goes to {where}; none of that is this machine, as far as can be seen"
        return Finding("MX here", domain, WARN, text, "let MX name this machine, unless a host there passes the mail on to it", publish)
    if hosts[0] not in ours:
        return Finding("MX here", domain, PASS, f"leads here by {ours[0]}, behind {hosts[0]}")
    return Finding("MX here", domain, PASS, f"leads here by {ours[0]}")


def door_missing(domain: str) -> Finding:
    """No door of the kind mx: nobody can bring mail for the domain."""
    advice = 'a section [[listen]] with kind = "mx" and address = ["0.0.0.0:25", "[::]:25"]; mailer setup --receive writes one'
    return Finding("port 25 in", domain, FAIL, "the configuration has no door of the kind mx: nobody can bring its mail", advice)


def door_findings(seen: DoorSeen, now: float) -> list[Finding]:
    """What a sender meets at an MX host that is this machine, called from here."""
    if seen.trouble:
        where = f"{seen.host}{f' ({seen.address})' if seen.address else ''}"
        advice = "does the daemon run, and let the firewall in port 25? In some networks no machine reaches itself by its public address"
        return [Finding("port 25 in", seen.host, WARN, f"{where} does not answer as one calls it from here: {seen.trouble}", advice)]
    found = [Finding("port 25 in", seen.host, PASS, f"{seen.address} answers: {seen.greeting}")]
    if not seen.starttls:
        advice = 'tls = "starttls", certificate_file and key_file in that section [[listen]]'
        return [*found, Finding("TLS in", seen.host, WARN, "offers no STARTTLS: mail comes in the clear, and some send none", advice)]
    return [*found, _certificate(seen, now)]


def _certificate(seen: DoorSeen, now: float) -> Finding:
    renew = "renew certificate_file of that [[listen]], then: mailer reload"
    if seen.ends and seen.ends < now:
        return Finding("TLS in", seen.host, FAIL, f"its certificate ended at {rfc3339(int(seen.ends))}", renew)
    if seen.unverified:
        text = f"its certificate would not be accepted: {seen.unverified}; most send all the same, those with MTA-STS or DANE do not"
        return Finding("TLS in", seen.host, WARN, text, f"a certificate of a known authority for {seen.host}")
    if seen.ends and seen.ends - now < SOON:
        return Finding("TLS in", seen.host, WARN, f"its certificate ends at {rfc3339(int(seen.ends))}", renew)
    return Finding("TLS in", seen.host, PASS, f"a good certificate for {seen.host}, until {rfc3339(int(seen.ends))}")


def postmaster_finding(domain: str, kind: str) -> Finding:
    """Whether mail for postmaster is taken, of whom `kind` says what becomes of it (RFC 5321 §4.5.1)."""
    if kind in ("mailbox", "forward", "group"):
        return Finding("postmaster", domain, PASS, "mail for postmaster is taken")
    if kind == "trouble":
        return Finding("postmaster", domain, WARN, "who lives there cannot be looked up from here", "mailer doctor; sudo mailer check")
    advice = f"mailer user add postmaster@{domain}, an alias of that name, or receiving.postmaster"
    return Finding("postmaster", domain, FAIL, "mail for postmaster is refused, and there has to be one", advice)


def relay_finding(domain: str, leaks: Sequence[str], tried: int) -> Finding:
    """Whether a stranger gets mail through this machine to somewhere else; `leaks` are the shapes of address that led there."""
    if leaks:
        text = f"mail of strangers is carried elsewhere for {', '.join(leaks)}"
        return Finding("relay", domain, FAIL, text, "look for an alias or a catch_all that leads there; else this is a bug: report it")
    return Finding("relay", domain, PASS, f"none of {tried} shapes of address gets a stranger's mail elsewhere")
