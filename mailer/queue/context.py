"""The context: all that a message is delivered with, from one reload of the configuration to the next.

Nothing in it changes. A reload makes another one and puts it into `Current`, in one step: whoever begins a piece of work (reads a message,
takes a job on, settles an attempt) asks for the context then, and has the same one to the end of it. A configuration that is refused has
changed nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mailer.transport.return_path import PLAIN

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mailer.bounces import OwnReports
    from mailer.config.sections import SubmissionSettings
    from mailer.events import Event
    from mailer.io.clock import SteadyClock
    from mailer.limits.backoff import Schedule
    from mailer.routing.resolve import Router
    from mailer.routing.sandbox import Diversion
    from mailer.shaping.replies import Reactions
    from mailer.spool.api import Spool
    from mailer.transport.courier import Courier
    from mailer.transport.return_path import ReturnPaths

    from .alarms import Alarms
    from .recorder import Recorder
    from .scheduler import Scheduler
    from .signing import Signer
    from .tasks import Tasks
    from .unsubscribing import UnsubscribeLinks


class Policy(NamedTuple):
    """The policy of a configuration: where mail goes, when it is tried again, what is reported, how reports are submitted, who signs."""

    router: Router
    schedule: Schedule
    reports: OwnReports
    submission: SubmissionSettings
    signer: Signer | None = None
    """What changes a message last, right before it leaves; None where mail leaves as it is."""
    max_hops: int = 50
    """The most Received fields that a message may have."""
    reactions: Reactions | None = None
    """What refusals lead to, and whether a message may leave now; it knows the terms of all destinations."""
    sandbox: Diversion | None = None
    """Whose mail goes another way than its address says; None where mail is live."""
    links: UnsubscribeLinks | None = None
    """What writes links to unsubscribe into mail that is to have one."""
    attempt_limit: float = 4 * 3600.0
    """Seconds after which an attempt without progress is broken off."""
    returns: ReturnPaths = PLAIN
    """What gives mail the sender that it leaves with."""

    vouches_as: str = ""
    """Our name in what we have found of strangers' mail, where what is passed on is sealed with that; empty where nothing is."""

    def diverts_as(self, other: Policy) -> bool:
        """Whether mail goes another way than its address says under the same terms as under `other`."""
        return (self.sandbox and self.sandbox.sandbox) == (other.sandbox and other.sandbox.sandbox)

    def close(self) -> None:
        """End what belongs to this policy: it is over, or another one comes."""
        if self.signer is not None:
            self.signer.close()


class Context(NamedTuple):
    """What a message is delivered with: the `policy`, which a reload changes, and what lasts as long as the daemon."""

    policy: Policy
    couriers: Mapping[str, Courier]
    """What carries mail, by the name of its route's transport."""
    spool: Spool
    scheduler: Scheduler
    recorder: Recorder
    tasks: Tasks
    alarms: Alarms
    clock: SteadyClock
    tell: Callable[[Event], None]
    wake: Callable[[], None]
    """Plan anew as soon as whoever runs now has done."""
    random: Callable[[], float]


class Current:
    """A holder of the `context` that is in force."""

    __slots__ = ("context",)

    def __init__(self, context: Context) -> None:
        self.context = context
