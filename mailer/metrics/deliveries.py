"""What is counted of deliveries, host by host: [002] §9.2.1. Told of every outcome, so it has to be quick.

A transaction counts as one mail: a success if somebody got it, else a failure of the kind that its first recipient met. What was not
called for at all, since a breaker was open or a pause in force, is no mail that was sent or failed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailer.mail.outcome import Cause

from .row import RETRIES

if TYPE_CHECKING:
    from mailer.events import Tried
    from mailer.mail.outcome import Outcome, Trace

    from .hosts import Hosts

TOO_MUCH = frozenset({Cause.TOO_FAST, Cause.QUOTA_USED_UP})
LAST = len(RETRIES)

PERMANENT, TEMPORARY = "permanent", "temporary"
KINDS = (*(cause.value for cause in Cause), PERMANENT, TEMPORARY)
"""What a failure can be: why, where that is known, else whether the host said 5xx or 4xx."""


def kind(outcome: Outcome) -> str:
    """The kind of a failure."""
    if outcome.cause is not None:
        return outcome.cause.value
    return TEMPORARY if outcome.verdict == "defer" else PERMANENT


class Deliveries:
    """Counts of what `hosts` did with mail."""

    def __init__(self, hosts: Hosts) -> None:
        self.hosts = hosts
        self._last: Trace | None = None

    def tried(self, event: Tried) -> None:
        """Count the transactions of an attempt."""
        self.hosts.look(event.at)
        outcomes = event.outcomes
        if len(outcomes) == 1:  # as nearly always
            self._count(event, outcomes[0], 1, delivered=outcomes[0].verdict == "delivered")
            return
        of: dict[object, list[Outcome]] = {}
        for outcome in outcomes:
            of.setdefault(outcome.hop if outcome.trace is None else id(outcome.trace), []).append(outcome)
        for together in of.values():
            delivered = any(outcome.verdict == "delivered" for outcome in together)
            self._count(event, together[0], len(together), delivered=delivered)

    def _count(self, event: Tried, first: Outcome, recipients: int, *, delivered: bool) -> None:
        hop, entry = first.hop, event.entry
        if not (hop.host or first.counts):
            return  # nobody was called
        if first.trace is not None:
            if first.trace is self._last:
                return  # the next portion of a very long transaction
            self._last = first.trace
        row = self.hosts.row(hop.host, hop.port)
        if delivered:
            row.success += 1
        else:
            row.failure += 1
            why = kind(first)
            row.failed[why] = row.failed.get(why, 0) + 1
            row.limited += first.cause in TOO_MUCH
        row.sent.add(first.seconds)
        row.sizes.add(entry.size)
        row.recipients.add(recipients)
        tries = entry.history.tries.get(first.to, 0)
        if tries > 1:
            row.retries[min(tries - 1, LAST) - 1] += 1
