"""The kinds of alarms: how bad each is, when it is over, and what mends it where whoever met it says nothing better.

Some have an end that somebody sees: a relay answers again, the disk has room. Of the others nobody can say that they are over, only that
they were not met again: these end by themselves, after a time that has more than one chance to meet them in it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from mailer.mail.alarm import AlarmKind, Severity

QUIET = 3600.0  # seconds without it, after which a thing counts as over whose end nobody sees
LONG = 6 * 3600.0  # the same for what only mail meets, which is tried again every few hours
DAILY = 2 * 86400.0  # the same for what is looked after once a day


class KindOfAlarm(NamedTuple):
    """A kind of alarm. `quiet` is after how many seconds without being met it is over; 0.0: not before somebody says so.

    What is `own` was wrong with the process that met it, and is over when that process is.
    """

    severity: Severity
    quiet: float
    remedy: str = ""
    own: bool = False


KINDS: dict[AlarmKind, KindOfAlarm] = {
    "aliases": KindOfAlarm("critical", QUIET, "domain.aliases_file, and the aliases in it"),
    "blocklist": KindOfAlarm("critical", DAILY, "mailer check shows which list, and its page says how to be taken off"),
    "bounces": KindOfAlarm("warning", QUIET),
    "broker": KindOfAlarm("critical", 0.0, "the broker of amqp.url_file"),
    "bug": KindOfAlarm("warning", QUIET, "mailer explain --bundle collects what a report of it needs", own=True),
    "certificate": KindOfAlarm("critical", LONG),
    "clock": KindOfAlarm("warning", QUIET, "an NTP client keeps the clock right: timedatectl"),
    "config": KindOfAlarm("warning", 0.0, "mailer config check"),
    "damaged": KindOfAlarm("warning", DAILY, "mailer queue show ID, then mailer queue release or remove"),
    "descriptors": KindOfAlarm("warning", QUIET, "LimitNOFILE of the unit, or ulimit -n"),
    "destination": KindOfAlarm("notice", 0.0),
    "disk": KindOfAlarm("critical", 0.0, "room on the disk of the spool, or a smaller submission.min_free_space"),
    "dkim": KindOfAlarm("warning", LONG, "dkim.key_file: mailer dkim check"),
    "dns": KindOfAlarm("critical", LONG, "dns.nameservers, or /etc/resolv.conf"),
    "door": KindOfAlarm("critical", 0.0),
    "doorbell": KindOfAlarm("warning", QUIET),
    "drop": KindOfAlarm("warning", QUIET),
    "expiry": KindOfAlarm("warning", DAILY, "a new certificate"),
    "filter": KindOfAlarm("critical", LONG, "mailer filter list shows which answer; a filter that is started again is asked at once"),
    "intake": KindOfAlarm("critical", QUIET),
    "invariant": KindOfAlarm("warning", QUIET, "nothing: what was found is expected anew. It is a bug, or somebody's hand in the spool"),
    "journal": KindOfAlarm("critical", QUIET, "room on the disk of the spool, and the rights of its directory journal"),
    "later": KindOfAlarm("warning", DAILY, "the later version of the program"),
    "login": KindOfAlarm("critical", DAILY),
    "mailbox": KindOfAlarm("critical", DAILY, "report_source; mailer bounces ingest --source NAME looks into it now"),
    "mailboxes": KindOfAlarm("critical", LONG, "mailboxes.path: mailer doctor shows what is wrong there"),
    "memory": KindOfAlarm("critical", QUIET, "more memory, or a smaller delivery.active_limit"),
    "metrics": KindOfAlarm("warning", QUIET, "metrics.listen"),
    "offline": KindOfAlarm("critical", LONG, "the network of this machine"),
    "old": KindOfAlarm("warning", 0.0, "mailer status shows why mail waits"),
    "pauses": KindOfAlarm("warning", QUIET, "mailer queue pauses"),
    "record": KindOfAlarm("warning", DAILY, "mailer check shows what the DNS should have"),
    "refused": KindOfAlarm("critical", LONG),
    "rejected": KindOfAlarm("critical", 0.0, "mailer bounces --since 1h --by reason shows why, and --by domain where"),
    "replay": KindOfAlarm("notice", QUIET, "a message that many hosts bring; `mailer received` shows who brought it"),
    "report": KindOfAlarm("warning", QUIET),
    "reports": KindOfAlarm("warning", QUIET),
    "sandbox": KindOfAlarm("warning", DAILY, "mailer queue list --state held; then mailer queue release or cancel"),
    "sender": KindOfAlarm("critical", QUIET),
    "spool": KindOfAlarm("critical", QUIET),
    "status": KindOfAlarm("warning", QUIET),
    "stuck": KindOfAlarm("warning", QUIET),
    "suppression": KindOfAlarm("critical", 0.0, "suppress.sqlite3 beside the spool: mailer suppress list says what is wrong with it"),
    "traces": KindOfAlarm("notice", 0.0, "trace.endpoint, and the collector there"),
    "unanswered": KindOfAlarm("notice", LONG, "mailer status --state failed lists them, and mailer explain ID says why"),
    "unheard": KindOfAlarm("warning", QUIET, "whoever asks for replies has to have the queue that reply_to names until they come"),
    "warmup": KindOfAlarm("warning", QUIET),
    "webhook": KindOfAlarm("warning", 0.0, "mailer hooks list says how it does, mailer hooks test NAME what it answers"),
}

SEVERITIES: tuple[Severity, ...] = ("notice", "warning", "critical")
"""From the mildest to the worst."""


def worst(severities: list[Severity]) -> Severity | None:
    """The worst of `severities`; None of none."""
    return max(severities, key=SEVERITIES.index, default=None)
