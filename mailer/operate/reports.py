"""Reports that come back, as the doors ask of them: hand one in, whoever you are, and see those that were taken.

A program that a mail server starts for a bounce address (a pipe) has the rights of some user, and rarely those of the spool's owner. Then
the daemon takes the report from it. Where none answers, the report stays with the mail server, which tries again: that is what
"try-again" says to it. There is no other way in, for what lies in ``drop/`` is mail.
"""

from __future__ import annotations

import os
import time
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from mailer.dsn.reading import read
from mailer.mail.dates import rfc3339
from mailer.mail.pattern import fits
from mailer.mail.problem import Problem, from_os
from mailer.reports import files
from mailer.reports.api import STATES, Facts, LoadedReport, ReportRow
from mailer.reports.configured import source_of, taker_of
from mailer.reports.sources import MailboxLooked, SourceTrouble
from mailer.spool import is_id
from mailer.spool.api import Reserve
from mailer.spool.files import doorbell
from mailer.spool.files.handover import PAUSES, Unanswered, ask

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import Any

    from mailer.config import Config
    from mailer.dsn.reported import Report
    from mailer.reports.api import ReportState

LATEST = 253402300800.0  # the first second that RFC 3339 cannot write


class Understood(NamedTuple):
    """How a report is read: what it says, and the ID of the message of ours that it names, where there is exactly one."""

    report: Report
    matched: str

    def as_json(self) -> dict[str, object]:
        """The line of ``mailer bounces ingest --dry-run --json``."""
        report = self.report
        return {
            "kind": report.kind,
            "recipients": [
                {
                    "address": each.address or None,
                    "action": each.action or None,
                    "status": each.status or None,
                    "diagnostic": each.diagnostic or None,
                    "class": each.class_ or None,
                    "hard": each.hard,
                    "fault": each.fault,
                    "original": each.original or None,
                    "final": each.final or None,
                    "remote": each.remote or None,
                }
                for each in report.recipients
            ],
            "unread": report.unread,
            "message_id": report.message_id or None,
            "envid": report.envid or None,
            "sender": report.sender or None,
            "at": rfc3339(report.at) if report.at is not None and 0 <= report.at < LATEST else None,
            "matched": self.matched or None,
        }


def understood(content: bytes, facts: Facts, config: Config, named: Callable[[str], Sequence[str]]) -> Understood:
    """How the report `content` is read, which came as `facts` say, and which message it is about: by its token, its ENVID or Message-ID.

    `named` has the IDs of the messages of a name, an ID among them.
    """
    report = read(content)
    ids = (*_marked(content, facts, report, config), *((report.envid,) if is_id(report.envid.upper()) else ()))
    for name in (*ids, *((report.message_id,) if "@" in report.message_id else ())):
        if len(found := named(name)) == 1:
            return Understood(report, found[0])
    return Understood(report, "")


def _marked(content: bytes, facts: Facts, report: Report, config: Config) -> Iterator[str]:
    """The IDs in the tokens that stand in the report; none where the key that signs them may not be read."""
    from mailer.bounces import keys
    from mailer.dsn.return_token import find
    from mailer.reports.selecting import addressed

    address = config.bounce.address
    try:
        secrets = keys.secrets_of(keys.read(keys.place(config))) if address else ()
    except Problem:
        return
    for path in (facts.recipient, addressed(content, address).recipient, *report.paths):
        if (mark := find(path, address, secrets)) is not None:
            yield mark.id


def ingest(root: str, content: bytes, facts: Facts, keep: Reserve, wait: Callable[[float], None] = time.sleep) -> str:
    """Take a report into the spool at `root`, or let its daemon take it; returns the ID when it is durable. Raises `Problem`."""
    try:
        return _rung(root, files.take(root, content, facts, keep))
    except PermissionError:
        pass
    except OSError as error:
        raise from_os("cannot take the report", error.filename or root, error) from None
    except Problem as problem:
        if problem.kind != "no-permission":
            raise
    try:
        return _handed_over(root, content, facts, wait)
    except Unanswered as refused:
        if os.geteuid() == 0:
            return _as_owner(root, content, facts, keep)
        raise Problem(
            f"no daemon answers for the spool {root}, which belongs to another user; the report was not taken, try again later", "try-again"
        ) from refused


def _handed_over(root: str, content: bytes, facts: Facts, wait: Callable[[float], None]) -> str:
    """Raises `Unanswered` where nobody takes it."""
    for pause in (*PAUSES, 0.0):
        try:
            return ask(root, "bounce", facts.as_line() + content)[0]
        except Unanswered as trouble:
            if not trouble.busy or not pause:
                raise
            wait(pause)
    raise AssertionError


def _as_owner(root: str, content: bytes, facts: Facts, keep: Reserve) -> str:
    from mailer.spool.files.owner import acting

    try:
        with acting(root):
            return _rung(root, files.take(root, content, facts, keep, owner=True))
    except OSError as error:
        raise from_os("cannot take the report", error.filename or root, error) from None


def _rung(root: str, id: str) -> str:
    """Let the daemon know that a report was taken."""
    doorbell.ring(root, doorbell.REPORTS)
    return id


async def collect(config: Config, name: str, now: Callable[[], float]) -> MailboxLooked:
    """Look into the mailbox `name` of the configuration until there is nothing more; what came of it. Raises `Problem`."""
    section = next((each for each in config.report_sources if each.name.lower() == name.lower()), None)
    if section is None:
        known = ", ".join(each.name for each in config.report_sources) or "none"
        raise Problem(f"there is no [[report_source]] {name[:64]!r}; there is {known}", "usage")
    reports = files.FileReports(config.spool, Reserve(config.submission.min_free_space, config.submission.min_free_inodes))
    source, taker = source_of(section, config), taker_of(section, config, reports, now)
    total = MailboxLooked()
    try:
        while True:
            looked = await source.look(taker)
            total = MailboxLooked(total.taken + looked.taken, total.left + looked.left, total.larger + looked.larger)
            if looked.taken:
                doorbell.ring(config.spool, doorbell.REPORTS)
            if not looked.more:
                return total
    except SourceTrouble as trouble:
        raise Problem(f"{section.name} ({section.place}): {trouble}", "bad-config" if trouble.ours else "unavailable") from None
    except OSError as error:
        raise from_os("cannot keep the reports", error.filename or config.spool, error) from None
    finally:
        reports.close()


class ReportFilter(NamedTuple):
    """What a report must be like; an empty member selects all. `to` and `domain`, which may have ``*``, are of whom it is about.

    What kind a report is, and whom it is about, is known when it was acted upon.
    """

    states: Sequence[ReportState] = STATES
    kind: str = ""
    to: str = ""
    domain: str = ""
    since: float = 0.0

    @property
    def is_of_notes(self) -> bool:
        """Whether it asks for what stands in the note alone."""
        return bool(self.kind or self.to or self.domain)

    def means(self, row: ReportRow) -> bool:
        """Whether it selects the report of this row, whatever the state and time."""
        if self.kind and row.note.get("kind") != self.kind:
            return False
        return not (self.to or self.domain) or any(map(self._about, people(row)))

    def _about(self, person: Mapping[str, Any]) -> bool:
        address = str(person.get("recipient") or "")
        return (not self.to or fits(self.to, address)) and (not self.domain or fits(self.domain, address.rpartition("@")[2]))


def people(row: ReportRow) -> list[dict[str, Any]]:
    """The recipients in the note of a report, each with class and effect; whatever stands there, for a file may be damaged."""
    found = row.note.get("recipients")
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def listed(root: str, wanted: ReportFilter | None = None, limit: int | None = None) -> Iterator[ReportRow]:
    """The reports in the spool at `root` that are `wanted`, those that came or were settled last first. Raises `Problem`."""
    wanted = wanted or ReportFilter()
    try:
        rows = files.latest(root, wanted.states, wanted.since, None if wanted.is_of_notes else limit)
        yield from islice(filter(wanted.means, rows), limit)
    except OSError as error:
        raise from_os("cannot list the reports", error.filename or root, error) from None


def shown(root: str, id: str) -> tuple[ReportRow, LoadedReport]:
    """The report of this ID, or of the only one that begins so. Raises `Problem`: no-such, usage where several do."""
    try:
        found = files.beginning(root, id.upper(), 4) if id else []
    except OSError as error:
        raise from_os("cannot list the reports", error.filename or root, error) from None
    if len(found) > 1:
        raise Problem(f"several reports begin with {id}: {', '.join(row.id for row in found[:3])}", "usage")
    loaded = files.load(root, found[0].id) if found else None
    if loaded is None:
        raise Problem(f"there is no report {id[:40]!r}; `mailer bounces reports` lists them", "no-such")
    return found[0], loaded
