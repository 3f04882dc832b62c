"""The status of mail as parts of the daemon: it is written from the start to the end, made good where it has missed something, and
what is past its time goes, from it and from the spool.
"""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from mailer.events import Alarm
from mailer.io.component import Component
from mailer.spool.api import Retention

from .api import StatusError
from .catchup import catch_up, missed, settle_left

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from mailer.config import Config
    from mailer.events import Event
    from mailer.io.clock import Clock
    from mailer.io.component import Chores
    from mailer.mail.history import Status
    from mailer.spool.api import Spool
    from mailer.spool.files.store import SpoolDirectory

    from .api import StatusRecorder

MAINTAIN_EVERY = 1.0  # seconds
MAKING_GOOD = 0.005  # seconds at a time
SWEEP_EVERY = 3600.0  # seconds


class EventRecorder(Protocol):
    """A recorder that gathers events and has the writer write them."""

    def told(self, event: Event) -> None:
        """Have `event` written soon."""

    async def close(self) -> None:
        """Have all events written, and end."""


class StatusComponent(Component):
    """The part of the daemon that has the `status` of `spool` written, with what `recorder` is told.

    What the status has missed is found in the spool: with `once` at the start, else little by little, beside the mail; then the recorder
    hears of it, unless the message is `active`, for what is tried now will be told anyway.
    """

    def __init__(
        self,
        status: StatusRecorder,
        recorder: EventRecorder,
        spool: SpoolDirectory,
        active: Callable[[str], bool],
        tell: Callable[[Event], None],
        clock: Clock,
        chores: Chores,
        *,
        once: bool = False,
    ) -> None:
        self._status = status
        self._recorder = recorder
        self._spool = spool
        self._active = active
        self._tell = tell
        self._clock = clock
        self._chores = chores
        self._once = once

    async def start(self) -> None:
        """Write down what has left the spool, which has to come before anything is delivered."""
        self._chores.every(MAINTAIN_EVERY, self._status.maintain)
        if self._once:
            await catch_up(self._status, self._spool, self._lost)
            return
        known = await settle_left(self._status, self._spool, self._lost)
        self._chores.beside(lambda: self._tell_missed(known))
        self._chores.every(MAINTAIN_EVERY, self._make_good)

    async def stop(self, _grace: float) -> None:
        """Write what is left, within the grace of whatever writes. No event may come after."""
        await self._recorder.close()
        await self._status.close()

    async def _make_good(self) -> None:
        """Where the status was begun anew, or has lost something, write it from the spool."""
        if self._status.incomplete:
            self._status.incomplete = False
            try:
                await self._tell_missed(await self._status.unsent())
            except StatusError as error:
                self._lost(f"{error.what} cannot be brought up to date: {error}")

    def _lost(self, text: str) -> None:
        self._tell(Alarm(self._clock.now(), "status", text))

    async def _tell_missed(self, known: Mapping[str, Status] | None) -> None:
        """In a part of the time: the mail goes first."""
        time = asyncio.get_running_loop().time
        begin = time()
        for event in missed(self._spool, known) if known is not None else ():
            if event is not None and not self._active(event.entry.id):
                self._recorder.told(event)
            if time() - begin > MAKING_GOOD:
                await asyncio.sleep(9 * (time() - begin))
                begin = time()


class Sweep(Component):
    """The sweep: what is past its time is deleted from time to time; where no daemon ever runs (`once`), after each pass."""

    def __init__(self, spool: Spool, status: StatusRecorder, config: Config, clock: Clock, chores: Chores, *, once: bool = False) -> None:
        self._spool = spool
        self._status = status
        self._config = config
        self._clock = clock
        self._chores = chores
        self._once = once
        self._believed = False

    async def start(self) -> None:
        """Begin, an hour from now."""
        if not self._once:
            self._chores.every(SWEEP_EVERY, self._sweep)

    @contextmanager
    def reload(self, config: Config) -> Iterator[None]:
        """Let other times hold from the next sweep on."""
        yield
        self._config = config

    def believed(self) -> bool:
        """Whether the clock was one by which things may be deleted, when that was looked at last."""
        return self._believed

    async def end_pass(self) -> None:
        """Clear out after a pass. A disk that fails is told."""
        try:
            await self._sweep()
        except OSError as error:
            self._chores.trouble(error)

    async def _sweep(self) -> None:
        self._believed = await clear_out(self._spool, self._status, self._config, self._clock.now())


async def clear_out(spool: Spool, status: StatusRecorder, config: Config, now: float) -> bool:
    """Delete what is past its time, in the spool and in its status; nothing by a clock that may be wrong. Whether it is believed.

    Raises `OSError`.
    """
    swept = await spool.sweep(now, Retention(config.bounce.retention, config.submission.request_id_ttl))
    if swept.believed:
        await status.forget(now - config.status.retention)
        await status.forget_received(now - config.status.received_retention)
    return swept.believed
