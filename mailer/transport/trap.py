"""The courier of a sandbox: what it gets is done with, goes nowhere, and is kept in a Maildir where there is one.

Each message lies there as it would have left (with its signature), below two lines that say what its envelope said: Return-Path and
X-Sandbox-Recipients.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from mailer.io.maildir import make_maildir, write_message
from mailer.rewriting import diverted

from . import verdict

if TYPE_CHECKING:
    from collections.abc import Callable

    from mailer.dsn.fields import Kind
    from mailer.io.clock import SteadyClock
    from mailer.mail.outcome import Outcome, Phase

    from .courier import Load, Meaning
    from .pool import Pool


class TrapCourier:
    """The courier; each of its sessions is itself."""

    dialled = 0
    unconfirmed: tuple[tuple[int, Kind], ...] = ()
    phase: Phase = "body"

    def __init__(self, pool: Pool, clock: SteadyClock, meaning: Meaning) -> None:  # noqa: ARG002 - as all couriers are made
        self.clock = clock

    def session(self, stands: Callable[[], None]) -> TrapCourier:  # noqa: ARG002 - nobody is called
        """The courier."""
        return self

    async def deliver(self, load: Load[Any], ahead: Callable[[], Load[Any] | None]) -> list[Outcome]:  # noqa: ARG002 - one at a time
        """Keep the message, if there is a place for it. Where that cannot be, it waits."""
        job, now = load.job, self.clock.now()
        if job.route.place:
            sender = load.returns.of(load.envelope, job.route, job.recipients)
            people = [load.envelope.recipients[to].address for to in job.recipients]
            content = b"Return-Path: <%b>\r\n" % sender.encode() + diverted(load.content, people)
            try:
                await asyncio.to_thread(_keep, job.route.place, content, now)
            except OSError as error:
                return verdict.untrapped(job.recipients, f"{error.filename or job.route.place}: {error.strerror}", now)
        return verdict.trapped(job.recipients, now)

    def end(self) -> None:
        """Take leave of nobody."""

    def change(self, pool: Pool, meaning: Meaning) -> None:
        """Go on as before: the route says where things are kept."""

    async def close(self) -> None:
        """Close nothing: nothing is open."""


def _keep(place: str, content: bytes, now: float) -> None:
    """Write the message, with the ends of lines of a Maildir. Raises `OSError`."""
    make_maildir(place)
    write_message(place, [content.replace(b"\r\n", b"\n")], now)
