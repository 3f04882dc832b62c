"""What the configuration says about delivery, and a reload may change while messages are under way."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mailer.bounces import Reports
    from mailer.config.sections import SubmissionSettings

    from ..limits.backoff import Schedule
    from ..routing.resolve import Router
    from ..shaping.replies import Reactions
    from .signing import Signer


class Unsigned(Exception):
    """A message must not leave as it is, and that is our own fault; `str()` is the reply to its recipients."""


@dataclass(slots=True)
class Policy:
    """Where mail goes, when it is tried again, what is reported, how reports are submitted, and how mail is signed."""

    router: Router
    schedule: Schedule
    reports: Reports
    submission: SubmissionSettings
    signer: Signer | None = None
    """What changes a message last, right before it leaves; None where mail leaves as it is."""
    max_hops: int = 50
    """The most Received fields that a message may have."""
    reactions: Reactions | None = None
    """What refusals lead to, and whether a message may leave now; it knows the terms of all destinations."""
    attempt_limit: float = 4 * 3600.0
    """Seconds after which an attempt without progress is broken off."""

    def close(self) -> None:
        """End what belongs to this policy: it is over, or another one comes."""
        if self.signer is not None:
            self.signer.close()

    def become(self, other: Policy) -> None:
        """Take over all of `other`; who holds this one sees it from the next message on."""
        for field in fields(self):
            setattr(self, field.name, getattr(other, field.name))
