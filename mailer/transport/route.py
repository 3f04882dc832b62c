"""Where mail goes: a route, the hosts on it, and the reason why there is none.

`mailer.routing` finds routes, the queue keeps mail apart by them, and what carries the mail is chosen by the name of their `transport`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from mailer.mail.cause import Cause

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mailer.mail.outcome import Phase, Verdict

    from .endpoint import Endpoint


class NextHop(NamedTuple):
    """One host to try: the `endpoint` that a session needs and the `addresses` that it may dial, in order; whether it is a `relay`."""

    endpoint: Endpoint
    addresses: Sequence[str]
    relay: bool


@dataclass(frozen=True, slots=True)
class Route:
    """How mail travels: the `hops` in order; `key` names the destination that shares limits, `relay` whether it is one.

    `author` is the only one that the relay takes, if it does. `transport` is the name of what carries the mail: ``smtp`` or ``lmtp``.
    """

    key: str
    hops: tuple[NextHop, ...]
    relay: bool
    author: str = ""
    transport: str = "smtp"


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
