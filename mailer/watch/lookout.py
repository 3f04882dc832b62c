"""The lookout: what no mail meets in time, and an operator wants to know before his users do.

Once a minute the age of the oldest message that waits. Once a day, as ``alarm.watch`` says, what others see of this machine: each check
that `mailer check` makes, the login at each relay, and how long certificates are good. The first look comes soon after the start, and not
at every one: when the last was is kept in the spool, in ``watched``, with what passed then. For what has never passed is how somebody
wants it, or known: an alarm is that a DNS record no longer matches. A key that signs, a relay, a certificate and a blocklist are alarms
whatever was before. While something is wrong it is looked at every hour. Without a network nothing is asked.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import contextmanager
from typing import TYPE_CHECKING

from mailer.check.finding import FAIL, PASS, WARN
from mailer.events import Alarm, Mended
from mailer.io import durable
from mailer.io.component import Component
from mailer.io.system import os
from mailer.net.happy_eyeballs import has_route
from mailer.spool import first_id, put_at
from mailer.spool.api import CorruptMessage, NoSuchMessage

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence

    from mailer.alarms.book import AlarmBook
    from mailer.check.finding import Finding
    from mailer.config import Config
    from mailer.events import Event
    from mailer.io.clock import Clock
    from mailer.io.component import Chores
    from mailer.mail.alarm import AlarmKind, Severity
    from mailer.queue.scheduler import Scheduler
    from mailer.spool.api import Spool

NAME = "watched"
MINUTE = 60.0
SOON = 300.0  # seconds after the start, up to three times as many, for the first look
HOURLY = 3600.0  # seconds between two looks while something is wrong
PATIENCE = 300.0  # seconds for one look
LATE_ONES = 50  # of the oldest messages whose files are read: they may be scheduled
MANY = ("blocklist", "relay", "certificate", "DKIM")
CRITICAL: frozenset[AlarmKind] = frozenset(("login", "destination", "blocklist"))


class DailyLookout(Component):
    """Looks after what waits in `spool`, which `scheduler` knows, and what others see by `look`. `root` has the file.

    What is wrong goes to `tell`, and is in the `book` then.
    """

    def __init__(
        self,
        config: Config,
        root: str,
        spool: Spool,
        scheduler: Scheduler,
        book: AlarmBook,
        clock: Clock,
        tell: Callable[[Event], None],
        chores: Chores,
        random: Callable[[], float],
        look: Callable[[Config, float], Awaitable[Sequence[Finding]]] | None = None,
    ) -> None:
        self._config = config
        self._path = f"{root}/{NAME}"
        self._spool = spool
        self._scheduler = scheduler
        self._book = book
        self._clock = clock
        self._tell = tell
        self._chores = chores
        self._random = random
        self._look = look or everything
        self._began = clock.now()
        self._first = SOON * (1 + 2 * random())
        self._jitter = 1 + 0.1 * random()
        self._passed: set[str] = set()
        self._last = 0.0

    async def start(self) -> None:
        """Begin; others are asked later."""
        self._last, self._passed = self._read()
        self._chores.every(MINUTE, self.age)
        self._chores.every(MINUTE, self.outside)

    @contextmanager
    def reload(self, config: Config) -> Iterator[None]:
        """Look as another configuration says; what it has changed may be right now, so that what is wrong is looked at soon."""
        yield
        self._config = config
        if self._troubles():
            self._last = 0.0

    # What waits

    async def age(self) -> None:
        """Look whether a message waits for longer than it should."""
        older, now = self._config.alarm.older, self._clock.now()
        found = await self._oldest(now - older) if older else ""
        if not found:
            self._tell(Mended(now, "old", detail="no message waits for so long any more" if older else "nobody wants to know"))
            return
        hours = (now - put_at(found)) / 3600
        why = f"mailer explain {found} says why"
        self._tell(Alarm(now, "old", f"message {found} waits for {hours:.1f} h, which is more than alarm.older", remedy=why))

    async def _oldest(self, before: float) -> str:
        """The oldest message that was put before then and is not there to leave later; empty if there is none."""
        bound = first_id(before)
        known = self._scheduler.known()
        late = await asyncio.to_thread(lambda: sorted(id for id in known if id < bound)[:LATE_ONES])
        for id in late:
            try:
                entry = await self._spool.read(id)
            except (NoSuchMessage, CorruptMessage):
                continue
            if entry.appointed < before:
                return id
        return ""

    # What others see

    async def outside(self) -> None:
        """Ask others, if it is time to."""
        now, every = self._clock.now(), self._config.alarm.watch
        if not every or not self._is_time(now, every):
            return
        if self._book.has("offline") or self._book.has("dns") or not has_route():
            return
        self._last = now
        try:
            async with asyncio.timeout(PATIENCE):
                findings = await self._look(self._config, now)
        except TimeoutError:
            return
        except Exception as error:  # what asks the world must not end what delivers
            self._tell(Alarm.of(now, error))
            return
        self._judge(findings, now)
        await asyncio.to_thread(self._write, now)

    def _is_time(self, now: float, every: float) -> bool:
        if now - self._began < self._first or now < self._last:
            return now < self._last - every  # the clock was set back
        return now - self._last >= (min(HOURLY, every) if self._troubles() else every * self._jitter)

    def _troubles(self) -> bool:
        return bool(self._book.about(("blocklist", "record", "expiry"))) or any(
            self._book.has(kind, f"relay:{name}") for name in self._config.relays for kind in ("login", "destination")
        )

    def _judge(self, findings: Sequence[Finding], now: float) -> None:
        """Make an alarm of what is wrong, and an end of one of what is right. The worst that is said of a thing counts."""
        named: dict[str, Finding] = {}
        for finding in findings:
            name = _name(finding)
            if name not in named or _is_wrong(finding) > _is_wrong(named[name]):
                named[name] = finding
        for name, finding in named.items():
            kind, key = _kind(finding, name)
            if _is_wrong(finding):
                if name in self._passed or _counts(finding):
                    severity: Severity = "critical" if kind in CRITICAL else "warning"
                    self._tell(Alarm(now, kind, f"{name}: {finding.evidence}", key, finding.advice, severity))
            elif finding.result == PASS:
                self._passed.add(name)
                kinds: tuple[AlarmKind, ...] = ("login", "destination") if finding.check == "relay" else (kind,)
                for each in kinds:
                    self._tell(Mended(now, each, key, finding.evidence))

    # What is kept

    def _read(self) -> tuple[float, set[str]]:
        """When the last look was, and what passed; nothing where that is not known."""
        try:
            with open(self._path, encoding="utf-8") as file:
                known = json.loads(file.read(1 << 20))
            return float(known["at"]), {str(name) for name in known["passed"]}
        except (OSError, ValueError, KeyError, TypeError):
            return 0.0, set()

    def _write(self, now: float) -> None:
        """Keep it: written whole, and renamed into its place. Where that fails it is looked again after the next start."""
        text = json.dumps({"at": now, "passed": sorted(self._passed)})
        new = f"{self._path}.new"
        try:
            durable.forget(new)
            durable.write_new(new, [text.encode()])
            os.rename(new, self._path)
        except OSError:
            return


def _name(finding: Finding) -> str:
    """What is looked at: one of several things of a kind by its own name, the only one of a domain by that."""
    subject = finding.subject if finding.check in MANY or not finding.domain else finding.domain
    return f"{finding.check} {subject}"


def _is_wrong(finding: Finding) -> bool:
    return finding.result == FAIL or (finding.check == "certificate" and finding.result == WARN)


def _counts(finding: Finding) -> bool:
    """Whether it is an alarm whatever was before: it concerns what this machine has and uses."""
    return finding.check in ("blocklist", "relay", "certificate") or (finding.check == "DKIM" and "._domainkey." in finding.subject)


def _kind(finding: Finding, name: str) -> tuple[AlarmKind, str]:
    """Which alarm a finding is about. That a relay does not let us in is the one that mail meets, too."""
    if finding.check == "relay":
        return ("login" if "password" in finding.advice else "destination"), f"relay:{finding.subject}"
    kinds: dict[str, AlarmKind] = {"blocklist": "blocklist", "certificate": "expiry"}
    return kinds.get(finding.check, "record"), name


async def everything(config: Config, now: float) -> Sequence[Finding]:
    """All that is looked at once a day; what looks is loaded for that, and no daemon starts later for it."""
    from mailer.check.examine import domains_of, examine
    from mailer.operate.doctor.relays import logins, own_certificates

    parts: Iterable[Sequence[Finding]] = await asyncio.gather(examine(config, domains_of(config), [], now), logins(config, now))
    own = await asyncio.to_thread(lambda: [*own_certificates(config, now)])
    return [finding for part in (*parts, own) for finding in part]
