"""What is true of this host whatever it sends: the way out by port 25, the clock, and whether its address is known at all."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mailer.check.finding import FAIL, PASS, WARN, Finding
from mailer.mail.ip_filter import allowed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

EGRESS, PORT, CLOCK = "egress", "port 25", "clock"
TOLERABLE, WRONG = 5.0, 60.0  # seconds; some verifiers refuse a signature from the future, RFC 6376 §3.5


class OwnAddress(NamedTuple):
    """An address that mail may come from, how it is known, and what is said in EHLO there; empty for the name of this host."""

    address: str
    known: str
    hello: str = ""


class Call(NamedTuple):
    """What came of calling `host` at `address` by port 25: its greeting, or the `trouble`. `seen`: whom it saw calling."""

    host: str
    address: str
    greeting: str = ""
    trouble: str = ""
    seen: str = ""


def public(sources: Sequence[OwnAddress]) -> list[str]:
    """The addresses that others can see."""
    return [source.address for source in sources if allowed(source.address)]


def egress_findings(sources: Sequence[OwnAddress]) -> Iterator[Finding]:
    """Whether it is known what receivers see."""
    for source in sources:
        if allowed(source.address):
            yield Finding(EGRESS, source.address, PASS, f"mail comes from there: {source.known}")
    if public(sources):
        return
    hidden = ", ".join(f"{source.address} ({source.known})" for source in sources)
    text = f"this host calls from {hidden}; receivers see another address, that of whatever translates it"
    text = text if hidden else "this host has no way to the world"
    advice = "say the public address with --from-ip; what hangs on it was not looked at"
    yield Finding(EGRESS, sources[0].address if sources else "none", WARN, text, advice)


def elsewhere(relays: Sequence[str]) -> Finding:
    """What is found where all mail leaves through relays: this host's addresses do not matter."""
    text = "all mail for the world leaves through relays, and from their addresses; this host's own matter to nobody"
    return Finding(EGRESS, ", ".join(relays) or "no relay", PASS, text)


def port_finding(domain: str, calls: Sequence[Call], trouble: str) -> Finding:
    """Whether the MX hosts of `domain` could be called; `trouble`: why there are none to call."""
    if trouble:
        return Finding(PORT, domain, WARN, f"was not tried: {trouble}", "name a domain with check.port_domain whose MX hosts may be called")
    answered = [call for call in calls if call.greeting]
    if not answered:
        tried = "; ".join(f"{call.host} at {call.address}: {call.trouble}" for call in calls)
        advice = "providers and firewalls often close port 25; have it opened, or send through a relay"
        return Finding(PORT, domain, FAIL, tried, advice)
    silent = [call for call in calls if not call.greeting]
    evidence = f"{answered[0].host} at {answered[0].address} says {answered[0].greeting}"
    if silent:
        family = "prefer6" if ":" in answered[0].address else "prefer4"
        text = f"{evidence}; but not at {silent[0].address}: {silent[0].trouble}"
        return Finding(PORT, domain, WARN, text, f'set delivery.family = "{family}", or mend the other family')
    return Finding(PORT, domain, PASS, evidence)


def clock_finding(server: str, offset: float | None, trouble: str) -> Finding:
    """What is found of the clock, which is `offset` seconds ahead of that of `server`; None: not known, because of `trouble`."""
    if offset is None:
        return Finding(CLOCK, server, WARN, f"not compared: {trouble}", 'set check.time_server to one that answers, or to ""')
    words = f"{abs(offset):.1f} s {'ahead' if offset > 0 else 'behind'}"
    if abs(offset) < TOLERABLE:
        return Finding(CLOCK, server, PASS, words)
    worth = FAIL if abs(offset) >= WRONG else WARN
    return Finding(CLOCK, server, worth, f"{words}: signatures, dates and certificates will be doubted", "let the clock be set by NTP")
