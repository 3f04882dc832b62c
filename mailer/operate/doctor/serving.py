"""The daemon, seen from outside: whether one serves this spool, hears, has the configuration, and what mail waits for. Used by `visit`."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, NamedTuple

from mailer.check.finding import FAIL, PASS, WARN, Finding
from mailer.mail.dates import rfc3339
from mailer.spool.files import daemons, doorbell, handover, traces
from mailer.spool.files.store import SpoolDirectory
from mailer.status import sqlite

from .place import REPAIR

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from mailer.config import Config
    from mailer.spool.files.condition import Flaw

WAITING = ("queued", "deferred")
LONG = 3600.0  # seconds that mail may wait before somebody should look
SPARE = 256  # descriptors of a daemon besides its connections: the spool, the log, the database
START = "mailer run, or as a service: systemctl start mailer"


class Running(NamedTuple):
    """Whether a daemon runs on the spool, its process (0 is unknown), and for how many seconds it has (0.0 is unknown)."""

    running: bool
    pid: int
    age: float


def running(place: str) -> Running:
    """The daemon of the spool, as it is this moment."""
    there, pid, _ = daemons.look(place)
    return Running(there, pid, _age(pid) if pid else 0.0)


def _age(pid: int) -> float:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            began = int(file.read().rpartition(b")")[2].split()[19]) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError):
        return 0.0
    return time.clock_gettime(time.CLOCK_BOOTTIME) - began


def daemon(place: str, now: Running, elsewhere: Sequence[str]) -> Iterator[Finding]:
    """Whether somebody delivers what is put into this spool."""
    if now.running:
        since = f" since {rfc3339(int(time.time() - now.age))}" if now.age else ""
        yield Finding("daemon", place, PASS, f"runs as process {now.pid or 'of another container'}{since}")
        return
    counts = [len(SpoolDirectory(place).ids(state)) for state in WAITING]
    waits = f"no daemon runs on it, and {sum(counts)} messages wait there" if any(counts) else "no daemon runs on it: mail would wait there"
    if elsewhere:
        text = f"{waits}; one runs on {', '.join(elsewhere[: daemons.NAMED])}"
        remedy = f'let all mean one spool: spool = "{elsewhere[0]}" below [mailer], or start one here'
        yield Finding("daemon", place, FAIL if any(counts) else WARN, text, remedy)
    else:
        yield Finding("daemon", place, FAIL if any(counts) else WARN, waits, START)


def hearing(place: str, now: Running, config: Config, flaws: Callable[[], Sequence[Flaw]]) -> Iterator[Finding]:
    """The doorbell, by which mail leaves at once, and the socket of other users."""
    stale = [each.path for each in flaws() if each.kind == "socket"]
    if stale:
        text = f"{' and '.join(os.path.basename(path) for path in stale)} of a daemon that was killed: nobody listens"
        yield Finding("doorbell", place, WARN, text, f"the next daemon replaces it; {REPAIR} removes it")
    elif not now.running:
        yield Finding("doorbell", place, PASS, "there is none, as there is no daemon")
    elif not doorbell.answers(place):
        text = "the daemon holds its lock and does not hear: new mail waits until it looks by itself"
        yield Finding("doorbell", f"{place}/doorbell", FAIL, text, "restart the daemon; its log says why it has no doorbell")
    elif config.intake.enabled and not os.path.exists(f"{place}/{handover.NAME}"):
        text = "the daemon has no socket for other users, whose mail goes to drop/ meanwhile"
        yield Finding("doorbell", f"{place}/{handover.NAME}", WARN, text, "restart the daemon; its log says why")
    else:
        yield Finding("doorbell", place, PASS, "somebody listens")


def up_to_date(place: str, now: Running, config: Config) -> Iterator[Finding]:
    """Whether the daemon runs with the configuration and the program that are there."""
    if not now.running:
        return
    last = traces.reloaded(SpoolDirectory(place))
    if last and last.problem:
        text = f"refused the last reload and goes on with an older one: {last.problem}"
        yield Finding("reload", config.path, FAIL, text, "mend the configuration (mailer config check), then: mailer reload")
    read = min(now.age, (traces.now() - last.began) / 1e9) if last else now.age
    if not read:
        return
    if config.path and _changed(config.path, read):
        text = f"was changed at {rfc3339(int(os.stat(config.path).st_mtime))}, after the daemon read it"
        yield Finding("reload", config.path, WARN, text, "mailer reload")
    package = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    if _changed(f"{package}/__init__.py", now.age):
        text = "was installed after the daemon started, which runs with an older one"
        yield Finding("reload", package, WARN, text, "restart the daemon: systemctl restart mailer, or mailer stop and mailer run")
    elif not (last and last.problem):
        yield Finding("reload", config.path or "the defaults", PASS, "the daemon has it")


def _changed(path: str, seconds: float) -> bool:
    """Whether the file has changed within the last so many seconds, a second of doubt apart."""
    try:
        return time.time() - os.stat(path).st_mtime < seconds - 1.0
    except OSError:
        return False


def descriptors(now: Running, config: Config) -> Iterator[Finding]:
    """Whether the daemon may open as many connections as it is to."""
    wanted = config.delivery.max_connections + SPARE
    try:
        with open(f"/proc/{now.pid}/limits", encoding="ascii") as file:
            words = next(line for line in file if line.startswith("Max open files")).split()
    except (OSError, StopIteration):
        return
    soft, most = words[3], config.delivery.max_connections
    if soft.isdigit() and int(soft) < wanted:
        text = f"the daemon may open {soft} files, and {most} connections (delivery.max_connections) need {wanted}"
        remedy = f"LimitNOFILE={wanted} in its unit, or ulimit -n {wanted}; then restart it"
        yield Finding("limits", f"process {now.pid}", WARN, text, remedy)
    else:
        yield Finding("limits", f"process {now.pid}", PASS, f"the daemon may open {soft} files, and needs {wanted} at most")


def queue(place: str, now: float) -> Iterator[Finding]:
    """What waits, and for how long."""
    with sqlite.view(SpoolDirectory(place)) as view:
        summary = view.summary(0)
        waiting = {state: summary.counts.get(state, 0) for state in (*WAITING, "held")}
        told = ", ".join(f"{many} {state}" for state, many in waiting.items() if many) or "nothing waits"
        first = min((summary.oldest[state] for state in WAITING if state in summary.oldest), default=now)
        oldest = min((id for state in WAITING for id in SpoolDirectory(place).ids(state)[:1]), default="")
        if now - first <= LONG or not oldest:
            yield Finding("queue", place, PASS, told)
            return
        record = view.message(oldest)
        why = next((each.why for each in record.recipients if each.why), "") if record else ""
    text = f"{told}; the oldest since {rfc3339(int(first))}" + (f": {why}" if why else "")
    yield Finding("queue", place, WARN, text, f"mailer explain {oldest}")


def alarms(place: str, now: Running) -> Iterator[Finding]:
    """The alarms that are open: what the daemon has met and nobody has mended yet."""
    with sqlite.view(SpoolDirectory(place)) as view:
        found = view.alarms()
    for each in found:
        who = "" if now.running else ", as the last daemon said"
        subject = f"{each.kind} {each.key}".strip()
        text = f"{each.text} (since {rfc3339(int(each.since))}, {each.times} times{who})"
        yield Finding("alarm", subject, FAIL if each.severity == "critical" else WARN, text, each.remedy or "mailer status says more")
    if not found:
        yield Finding("alarm", place, PASS, "none is open")
