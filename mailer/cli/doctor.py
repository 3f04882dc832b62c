"""``mailer doctor``: all that mail needs on this machine, each thing with its evidence and its remedy; and what is safe put right."""

from __future__ import annotations

import asyncio
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from . import show
from .check import CODES, STYLES
from .options import JSON, Option, Subcommand, usage

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mailer.check.finding import Finding
    from mailer.operate.doctor.visit import Examined

    from .options import Given

NOTHING = "nothing: there was nothing that could be put right without a decision"


def run(given: Given) -> int:
    """Put right what is safe, if that is asked for; look at everything; print it, and say by the exit code how bad it is."""
    from mailer import __version__
    from mailer.check.finding import worst
    from mailer.operate.doctor import repair
    from mailer.operate.doctor.round import sorted_by_worth
    from mailer.operate.doctor.visit import Examined, visit

    if given.operands:
        raise usage("it takes no operands; what it looks at, --config and --spool say", "doctor")
    show.preload()  # the user whom root becomes may not read the files of the library
    patient = Examined.found(given.text("--config"), given.text("--spool"))
    wanted = given.flag("--repair") and patient.made
    if wanted and patient.foreign:
        show.note(f"--repair is for {patient.foreign}, whom the spool belongs to, and for root; nothing was changed")
    repairing = wanted and not patient.foreign
    done = [*repair.as_root(patient.config)] if repairing else []
    patient, seen_by = patient.become()
    if repairing:
        done += asyncio.run(_repaired(patient))
    if seen_by and not given.flag("--quiet"):
        show.note(f"looked as {seen_by}, whom the spool {patient.config.spool} belongs to, and so the daemon runs as")
    with _waiting():
        findings = asyncio.run(visit(patient, __version__))
    if given.flag("--json"):
        for line in done:
            show.json_line({"repaired": line})
        for finding in findings:
            show.json_line(finding.facts())
    elif not given.flag("--quiet"):
        told = done or ([NOTHING] if repairing else [])
        show.show(_blocks(sorted_by_worth(findings), told, patient.config.spool))
    return CODES[worst(findings)]


@contextmanager
def _waiting() -> Iterator[None]:
    """Tell a person at a terminal that something goes on, in a line that goes away."""
    told = sys.stderr is not None and sys.stderr.isatty()
    if told:
        sys.stderr.write("mailer: looking at this machine …\r")
        sys.stderr.flush()
    try:
        yield
    finally:
        if told:
            sys.stderr.write(" " * 40 + "\r")
            sys.stderr.flush()


async def _repaired(patient: Examined) -> list[str]:
    from mailer.operate.doctor import repair

    return [line async for line in repair.as_owner(patient.config, time.time())]


def _blocks(findings: Sequence[Finding], done: Sequence[str], spool: str) -> Iterator[show.Block]:
    yield show.Line([_verdict(findings)])
    yield show.BLANK
    if done:
        yield show.Fields([("did", line) for line in done])
        yield show.BLANK
    columns = [show.Column("result"), show.Column("check"), show.Column("evidence, and what to do")]
    yield show.Table(columns, [(show.Cell(one.result, STYLES[one.result]), one.check, _told(one, spool)) for one in findings])


def _verdict(findings: Sequence[Finding]) -> show.Cell:
    from mailer.operate.doctor.visit import SET_UP

    counts = {word: sum(finding.result == word for finding in findings) for word in CODES}
    told = f"{counts['fail']} fail, {counts['warn']} warn, {counts['pass']} pass"
    if counts["fail"]:
        return show.Cell(f"Mail does not work as it should: {told}.", "bad")
    if counts["warn"]:
        return show.Cell(f"Mail works, and somebody should look: {told}.", "wait")
    if any(finding.check == SET_UP for finding in findings):
        return show.Cell(f"Nothing has been set up here yet, and nothing stands in its way: {told}.", "good")
    return show.Cell(f"All is well: {told}.", "good")


def _told(finding: Finding, spool: str) -> list[show.Line]:
    """What was seen; below it what to do, and the record to publish. Where the spool is, one line says, and not each."""
    known = finding.subject == spool and finding.check not in ("spool", "daemon")
    subject = f"{finding.subject}: " if finding.subject and not known else ""
    lines = [show.Line([show.Cell(subject, "quiet"), show.localized(finding.evidence, time.time())])]
    if finding.advice:
        lines.append(show.Line([show.Cell("→ ", "quiet"), show.Cell(finding.advice, "strong")]))
    if finding.record and finding.result != "pass":
        lines.append(show.Line([finding.record.zone]))
    return lines


COMMAND = Subcommand(
    "doctor",
    run,
    summary="what is wrong on this machine, with evidence and remedy",
    about=(
        "Looks at all that mail needs here, and says of each thing pass, warn or fail, with what was seen and what to do: the "
        "configuration and its files; the spool, its modes and room; the status database, the suppression list, users, the "
        "journal, notes of request ids; the daemon, its doorbell and limits, whether it has the configuration and the program that are "
        "there; what waits and is paused; name servers; port 25, PTR, EHLO name, clock; DKIM keys and records; relays; doors and their "
        "certificates, filters, the secret of SRS; mailboxes of reports, the key of return tokens, reports that wait; the broker; "
        "the sandbox; sendmail, service, versions.\n\n"
        "No mail is sent. A check that hangs or breaks is a finding, too. What the world thinks of your domains is for `mailer check`, and "
        "what became of one message for `mailer explain`.\n\n"
        "Root looks as the user whom the spool belongs to, for the daemon runs as he. Other users see what is theirs.\n\n"
        "With --repair, what is safe is put right before, and each thing that was done is said: directories that are missing are made; "
        "modes of the spool, and of files with secrets that others can read, are set; root gives the owner of the spool what is "
        "not his; what was begun long ago and never ended is swept; a status database that cannot be used is begun anew from the spool, "
        "and the old one kept; a doorbell that nobody answers is removed. No message is removed or changed, and no setting.\n\n"
        '--json prints an object for each finding, with the members of `mailer check --json`, and before them {"repaired": …} for each '
        "thing that was done. Of a directory of the spool with very many messages, the first 20,000 are looked at."
    ),
    options=(Option("--repair", help="put right what is safe, and say each thing that was done"), JSON),
    examples=(
        "mailer doctor",
        "sudo mailer doctor --repair",
    ),
    epilog=(
        "exit codes: 0 all is well · 1 there are warnings · 2 something fails · 64 usage · 78 no configuration can be read at all. "
        "They are those of `mailer check`, and of monitoring plugins; sysexits(3) begins at 64."
    ),
)
