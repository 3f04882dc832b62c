"""Why mail waits: what stands between a recipient and his message this moment, and what would take it away.

Pure: what is to be looked at comes as `BlockerFacts`. The cases, in the order in which `blockers` looks at them; the
first that holds is what counts, those behind it hold too:

============  ===========================================  ==========================================================
kind          what it is                                   what takes it away
============  ===========================================  ==========================================================
hold          an operator has taken it out of delivery     ``mailer queue release``
sending       it is being delivered this moment            nothing has to
daemon        no daemon runs on the spool                  ``mailer run``
disk          the spool's disk has no room for the news    room
schedule      it was submitted for a later time            that time, or ``mailer queue retry``
pause         an operator lets the destination wait        ``mailer queue resume``
offline       this machine has no network                  the network; no attempt is counted meanwhile
route         no way leads there now                       the DNS, or the configuration
login         our login cannot be had, or is refused       the right one; nothing expires meanwhile
refused       a host refuses something else of ours        the setting that is named; for a relay nothing expires meanwhile
limit         our own limits keep it from being tried      time
breaker       the destination did not answer, repeatedly   time: one session finds out
retry         the last attempt failed for now              time, or ``mailer queue retry``
rate          it would go faster than was allowed          time, or another limit
window        as many sessions as it may have are at work  time, or another limit
connections   all sessions there are are at work           time, or another limit
queue         it is due, and others are before it          nothing has to
============  ===========================================  ==========================================================
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple

from mailer.mail.dates import rfc3339
from mailer.mail.outcome import Cause, WaitKind
from mailer.net.tls import NOT_ACCEPTED
from mailer.shaping.blame import BLAME, kind_of, mended
from mailer.shaping.table import TermsTable, where
from mailer.spool.suspensions import Suspensions
from mailer.status.standing import FOREVER, hosts_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mailer.config import Config
    from mailer.mail.history import Status
    from mailer.routing.resolve import Resolution
    from mailer.status.standing import Standing
    from mailer.status.story import Attempted


BlockerKind = Literal[
    "hold", "sending", "daemon", "disk", "schedule", "pause", "offline", "route", "login", "refused", "limit", "breaker", "retry",
    "rate", "window", "connections", "queue",
]  # fmt: skip
"""A word of the table above."""


class Blocker(NamedTuple):
    """`kind` is a word of the table above; `until` is seconds since the epoch, 0.0 where that is not known; `remedy` may be empty."""

    kind: BlockerKind
    detail: str
    until: float = 0.0
    remedy: str = ""

    def as_json(self) -> dict[str, object]:
        """One element of ``blocked_by``."""
        return {
            "kind": self.kind,
            "detail": self.detail,
            "until": rfc3339(self.until) if 0 < self.until < 253402300800 else None,
            "what_would_unblock": self.remedy or None,
        }


@dataclass(slots=True)
class BlockerFacts:
    """The facts that blockers are found in. `ways` and `standings` are by domain and by destination; what is not known is left empty.

    `due` is the next attempt at a recipient, 0.0 for now; `leaves` the time that it was submitted for, if it is still to come.
    """

    id: str
    status: Status
    now: float
    running: bool
    leaves: float = 0.0
    boxed: bool = False
    """Whether it was submitted in a sandbox, and nobody has said that it may leave."""
    shortage: str = ""
    pauses: Suspensions = field(default_factory=Suspensions)
    standings: Mapping[str, Standing] = field(default_factory=dict)
    ways: Mapping[str, Resolution] = field(default_factory=dict)
    config: Config | None = None

    def destination(self, domain: str, last: Attempted | None) -> str:
        """The key of the destination for `domain`: by the way that mail would go now, or by the host that was tried last."""
        way = self.ways.get(domain)
        if way is not None and way.key:
            return way.key
        if last is not None and last.host:
            return next((key for key in self.standings if last.host.lower() in hosts_of(key)), "")
        return ""


def blockers(facts: BlockerFacts, domain: str, due: float, last: Attempted | None) -> list[Blocker]:
    """What stands before a recipient in `domain` who is still to get his mail, the most important first."""
    if facts.status == "sending":
        return [Blocker("sending", "it is being delivered this moment")]
    found = [*_of_message(facts), *_of_destination(facts, domain, last)]
    if not any(blocker.kind in ("hold", "schedule") for blocker in found):
        found += _of_attempt(facts, domain, due, last, {blocker.kind for blocker in found})
    if not found:
        found += _of_turn(facts, facts.destination(domain, last))
    return found


def _of_message(facts: BlockerFacts) -> Iterator[Blocker]:
    if facts.status == "held":
        live = facts.config is None or not facts.config.sandbox.holds
        if facts.boxed and live:
            remedy = f"mailer queue release --yes {facts.id} lets it go to whom it names; mailer queue cancel {facts.id} to nobody"
            yield Blocker("hold", "it was submitted in a sandbox, and none holds now", remedy=remedy)
        else:
            yield Blocker("hold", "it is held until an operator releases it", remedy=f"mailer queue release {facts.id}")
    if not facts.running:
        yield Blocker("daemon", "no daemon runs on this spool, so nothing is delivered", remedy="mailer run, or mailer run --once")
    if facts.shortage:
        yield Blocker("disk", f"the disk of the spool has only {facts.shortage}", remedy="make room on it")
    if facts.leaves > facts.now and facts.status != "held":
        yield Blocker(
            "schedule", "it was submitted to leave at a later time", facts.leaves, f"mailer queue retry {facts.id} sends it at once"
        )


def _of_destination(facts: BlockerFacts, domain: str, last: Attempted | None) -> Iterator[Blocker]:
    key = facts.destination(domain, last)
    pause = facts.pauses.of_domain(domain, facts.now) or facts.pauses.of_way(key, facts.now)
    if pause is not None:
        until = 0.0 if pause.until == float("inf") else pause.until
        yield Blocker("pause", pause.reply, until, f"mailer queue resume {pause.target}")
    way = facts.ways.get(domain)
    if way is not None and (trouble := way.trouble):
        if trouble.offline:
            yield Blocker("offline", f"this machine reaches no name server: {trouble.text}", remedy="the network; it goes on by itself")
        else:
            remedy = f"a route for {domain} in the configuration, or its DNS; see mailer route {domain}"
            yield Blocker("route", f"no way leads there: {trouble.text}", remedy=remedy)
    standing = facts.standings.get(key) if facts.running else None
    if standing is None:
        return
    if standing.paused_until > facts.now and pause is None:
        remedy = f"mailer queue resume {key}"
        until = standing.paused_until if standing.paused_until < FOREVER else 0.0
        yield Blocker("pause", standing.pause_reason or f"{key} rests", until, remedy)
    if standing.breaker == "open" and standing.open_until > facts.now and not (last is not None and last.cause in BLAME):
        said = f" ({standing.breaker_reason})" if standing.breaker_reason else ""
        ours = last is not None and last.scope == "us"
        times = f" {standing.failures} times in a row" if standing.failures > 1 else ""
        why = f"for {key} something of ours has to be mended first" if ours else f"{key} failed{times}"
        remedy = (
            f"what the daemon's last alarm about it names; then a reload, or mailer queue retry {facts.id}, tries at once"
            if ours
            else f"then one session finds out whether it answers; mailer probe {_probed(key)} does so now"
        )
        yield Blocker("breaker", f"{why}{said}; it is left alone", standing.open_until, remedy)


def _probed(key: str) -> str:
    """What ``mailer probe`` calls the first of its hosts."""
    leg = key.partition(" ")[0]
    return leg.removeprefix("relay:") if leg.startswith("relay:") else next(iter(hosts_of(leg)), leg)


def _of_attempt(facts: BlockerFacts, domain: str, due: float, last: Attempted | None, known: set[BlockerKind]) -> Iterator[Blocker]:
    """What the last attempt left behind."""
    if last is None or due <= facts.now or last.verdict != "defer":
        return
    now = f"mailer queue retry {facts.id} tries at once"
    if last.cause in BLAME:
        where = f"{last.host}: " if last.host else ""
        remedy = mended(last.cause, facts.config, _relay(facts, domain, last))
        again = f"then a reload, or mailer queue retry {facts.id}, tries at once"
        yield Blocker(kind_of(last.cause), f"{where}{BLAME[last.cause].what}: {last.told}", due, f"{remedy}; {again}")
        return
    kind = _KINDS.get(last.cause, "retry")
    if kind == "retry":
        besides = f" (besides, {last.besides})" if last.besides else ""
        yield Blocker(kind, f"it was put off: {last.told}{besides}", due, now + _advice(_relay(facts, domain, last), last))
    elif kind not in known and not (kind in ("route", "offline") and known & {"route", "offline"}):
        yield Blocker(kind, f"no way led there: {last.reply}" if last.phase == "dns" else last.text, due, now)


_KINDS: dict[Cause | None, BlockerKind] = {
    Cause.PAUSED: "pause",
    Cause.SUSPENDED: "pause",
    Cause.BREAKER: "breaker",
    Cause.CONGESTED: "limit",
    Cause.SOURCE_EXHAUSTED: "limit",
    Cause.FUSED: "limit",
    Cause.FOLDING: "limit",
    Cause.SHORT: "limit",
    Cause.OFFLINE: "offline",
    Cause.DNS: "route",
    Cause.NO_DOMAIN: "route",
    Cause.NULL_MX: "route",
    Cause.NO_ADDRESS: "route",
    Cause.PRIVATE: "route",
    Cause.LOOP: "route",
}
"""What an attempt left behind that came to nothing of ours, by its cause; all else is tried again."""


def _advice(relay: str, last: Attempted) -> str:
    """What else there is to look at, by how far the attempt got."""
    if last.phase in ("connect", "greeting", "ehlo") and last.host:
        return f"; mailer probe {relay or last.host} shows whether it answers"
    if last.phase == "starttls" and last.host:
        if NOT_ACCEPTED in last.text:
            return f"; mailer probe {relay or last.host} shows the certificate, and {_trusted(relay)}"
        setting = f"tls of [relay.{relay}]" if relay else "tls.mx"
        return f"; mailer probe {relay or last.host} shows what it offers, and {setting} says what is required"
    return ""


def _trusted(relay: str) -> str:
    """Which settings decide whether a certificate is accepted."""
    if not relay:
        return "ca_file of [tls] says whose certificates are trusted"
    return (
        f"ca_file of [relay.{relay}] (else of [tls]) says whose certificates are trusted, server_name which name they have to carry, "
        "fingerprints which one counts whoever made it"
    )


def _relay(facts: BlockerFacts, domain: str, last: Attempted) -> str:
    """The name of the relay that was tried for `domain`; empty if it was none. Of several accounts with one host it is that on the way."""
    relays = facts.config.relays if facts.config else {}
    tried = last.host, last.port, last.tls_wanted
    names = [name for name, relay in relays.items() if (relay.host, relay.port, relay.tls) == tried]
    way = facts.destination(domain, last).split(" ")
    return next((name for name in names if f"relay:{name}" in way), next(iter(names), ""))


_SETTINGS = {"window": ("max_connections",), "rate": ("message_rate", "connection_rate"), "breaker": ("breaker_threshold",)}
"""Which settings are behind it."""


def _limit(facts: BlockerFacts, key: str, kind: WaitKind) -> str:
    """The settings that make it wait, what they are for that destination, and where they stand."""
    config = facts.config
    if kind == "connections":
        return "delivery.max_connections limits the sessions of all destinations together" + (
            f": {config.delivery.max_connections} ({where(config, 'delivery.max_connections')})" if config else ""
        )
    if config is None:
        return "the settings of this destination; mailer route shows them"
    said = [each for each in TermsTable(config).explain(key) if each.name in _SETTINGS[kind] and each.value is not None]
    return ", ".join(f"{each.name} is {each.value} ({each.where})" for each in said) or "it goes on by itself"


def _of_turn(facts: BlockerFacts, key: str) -> Iterator[Blocker]:
    """It is due and could go: whether it waits for its turn at the destination, or for the daemon to look."""
    standing = facts.standings.get(key)
    if standing is not None and standing.wait in ("rate", "window", "connections", "breaker"):
        detail = f"{standing.waiting} wait for {key}: {standing.wait_detail}"
        yield Blocker(standing.wait, detail, standing.wait_until, _limit(facts, key, standing.wait))
    else:
        yield Blocker("queue", "it is due, and its turn comes")
