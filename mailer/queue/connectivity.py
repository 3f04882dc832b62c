"""Connectivity: whether this machine has a network, and mail that waits until it has one.

*Offline* is noticed by what fails: no name server can be reached, or a connection cannot be begun and this machine has no route. It is
our own trouble, for which nothing expires. While something waits for that, the kernel is asked every `POLL` seconds whether there is
a route, which sends nothing; if there is one, a single message finds out how far it gets, and when it gets further than the
last time, all go. (Netlink would tell a second earlier, and not whether the name servers answer.)

That this machine is short of what a connection needs is told apart here as well: it is no attempt either.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailer.events import Daemon, Mended
from mailer.mail.outcome import Cause
from mailer.net.happy_eyeballs import has_route
from mailer.transport import verdict

from .suspension import REMEMBERED

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mailer.mail.alarm import AlarmKind
    from mailer.mail.outcome import Outcome

    from .attempt import Job
    from .context import Context, Current
    from .suspension import SuspendedMail

OURS: tuple[AlarmKind, ...] = ("dns", "offline")
POLL = 3.0  # seconds between two looks for a route, while something waits for one
OFFLINE_LOOK = 60.0  # seconds after which mail that found no network is looked at again, whatever the kernel says
SHORT_LOOK = 5.0  # seconds after which mail is tried again for which there was no descriptor, up to twice as long


class Connectivity:
    """The mail that waits for the network. `suspended` lets it go; `online` says whether there is a route."""

    def __init__(self, current: Current, suspended: SuspendedMail, online: Callable[[], bool] = has_route) -> None:
        self.current = current
        self.suspended = suspended
        self.online = online
        self._offline: dict[str, None] = {}
        self._probe = ""
        self._asked = ""
        self._told = False

    def offline(self, id: str) -> float:
        """Note that message `id` has found no network; returns when it is looked at again, in seconds since the epoch."""
        if len(self._offline) < REMEMBERED:
            self._offline[id] = None
        kind: AlarmKind = "dns" if self.online() else "offline"
        what = "no name server answers" if kind == "dns" else "this machine has no route to other networks"
        self._told = True
        self.current.context.alarms.met(kind, f"{what}: {len(self._offline)} wait, and nothing of it expires")
        return self.current.context.clock.now() + OFFLINE_LOOK

    def unreachable(self, job: Job, outcomes: Sequence[Outcome]) -> list[Outcome] | None:
        """What became of `job` instead, whose `outcomes` are that no connection could be begun, if this machine is offline, or short of
        what a connection needs: that is no attempt, and nothing is learned from it."""
        if outcomes[0].cause is Cause.SHORT:
            return self._short(outcomes)
        if not all(o.scope == "host" and o.phase == "connect" and _is_elsewhere(o.hop.ip) for o in outcomes) or self.online():
            return None
        due = self.offline(job.attempt.entry.id)
        return verdict.offline(outcomes, due)

    def _short(self, outcomes: Sequence[Outcome]) -> list[Outcome]:
        context = self.current.context
        context.alarms.met("descriptors", outcomes[0].text)
        due = context.clock.now() + SHORT_LOOK * (1 + context.random())
        return verdict.short_of_descriptors(outcomes, due)

    def poll(self) -> None:
        """Look whether the network is back, if something waits for it."""
        context = self.current.context
        if not self._offline:
            if self._told and self._asked not in context.scheduler.active and self.online():
                self._end(context)
            return
        if not self.online():
            self._probe = ""
        elif not self._probe:
            self._send_probe()
        elif self._probe not in context.scheduler.active:  # it has come back, or has got further than the last time
            if self._probe in self._offline:
                self._send_probe()
            else:
                ids, self._offline, self._probe = [*self._offline], {}, ""
                self._end(context)
                context.tell(Daemon(context.clock.now(), "online", f"{len(ids)} messages waited for the network"))
                self.suspended.try_now(lambda _: True)
                self.suspended.hurry(ids)

    def _end(self, context: Context) -> None:
        self._told = False
        for kind in OURS:
            context.tell(Mended(context.clock.now(), kind, detail="the network is back"))

    def _send_probe(self) -> None:
        """One message finds out; if it has left meanwhile, that is an answer, too."""
        self._probe = self._asked = next(iter(self._offline))
        del self._offline[self._probe]
        self.suspended.hurry([self._probe])
        if len(self._offline) == 0:  # nobody waits for what it finds out
            self._probe = ""


def _is_elsewhere(ip: str) -> bool:
    """Whether an address is beyond this machine: what does not answer here says nothing about the network."""
    place = ip.rpartition("://")[2]  # of a dialer: a proxy, or the path of a socket
    return not place.startswith(("127.", "localhost:", "[::1]:", "/")) and ip != "::1"
