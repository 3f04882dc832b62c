"""What a way out leads to: hosts that can be called, or a reply that says why there are none.

The values that pass between the look-up of hosts (`hosts`, `exchangers`), the finder and ``mailer route``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mailer.mail.cause import Cause
from mailer.net.dns import DnsTrouble, Offline

if TYPE_CHECKING:
    from mailer.mail.outcome import Phase, Verdict


class Unroutable(Exception):
    """No way leads there, for now or for good, because of `cause`: a reply that we write ourselves, with a code of RFC 3463."""

    def __init__(self, code: int, enhanced: str, text: str, verdict: Verdict, cause: Cause, phase: Phase = "dns") -> None:
        super().__init__(f"{code} {enhanced} {text}")
        self.code = code
        self.enhanced = enhanced
        self.text = text
        self.verdict = verdict
        self.cause = cause
        self.phase = phase

    @property
    def offline(self) -> bool:
        """Whether it is because this machine has no network, and so was no attempt."""
        return self.cause is Cause.OFFLINE


@dataclass(frozen=True, slots=True)
class Target:
    """One host and the addresses at which it may be called, in order. `preference` is its MX record's."""

    host: str
    port: int
    addresses: list[str]
    preference: int = 0


@dataclass(frozen=True, slots=True)
class NextHop:
    """What one way out leads to: `key` is the same for all domains with the same MX hosts; `hosts` are in the order to try.

    `notes` say, for people, which hosts and addresses were left out and why.
    """

    key: str
    hosts: list[Target]
    notes: list[str] = field(default_factory=list)


def for_now(trouble: DnsTrouble, prefix: str = "") -> Unroutable:
    """The DNS cannot say: mail waits."""
    return Unroutable(451, "4.4.3", f"{prefix}{trouble}", "defer", Cause.OFFLINE if isinstance(trouble, Offline) else Cause.DNS)


def comes_back(domain: str) -> Unroutable:
    """The trouble that this host is the best to take mail for `domain`, and has no other way for it: a loop, which somebody has to mend."""
    text = f"mail for {domain} would come back to this host, which is its best MX: it needs a route of its own"
    return Unroutable(554, "5.4.6", text, "fail", Cause.LOOP)


def refused(domain: str, addresses: list[str]) -> Unroutable:
    """The DNS leads only to where mail for others must not go."""
    shown = ", ".join(addresses[:3])
    text = f"mail for {domain} leads to {shown}, which nobody outside can reach: it needs a route to a relay, or delivery.allow_private"
    return Unroutable(550, "5.4.4", text, "fail", Cause.PRIVATE)
