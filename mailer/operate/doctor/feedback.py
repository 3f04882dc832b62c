"""What comes back: whether each mailbox of reports lets us in, the key of return tokens can be used, and reports are acted upon.

A mailbox is opened as the daemon opens it, with the login that it has; nothing in it is taken or changed. Used by `visit`.
"""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

from mailer.accounts.srs_secrets import srs_place, srs_secrets
from mailer.bounces import keys
from mailer.check.finding import FAIL, PASS, WARN, Finding
from mailer.mail.dates import rfc3339
from mailer.mail.problem import Problem
from mailer.reports import files
from mailer.reports.configured import source_of
from mailer.reports.sources import SourceTrouble

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mailer.config import Config
    from mailer.config.sections.report_source import ReportSource

    from .serving import Running

PATIENCE = 12.0  # seconds for a mailbox; a check has 15
LONG = 3600.0  # seconds that a report may wait before somebody should look
MANY = 1000  # reports that are counted, the last that came


def preload(config: Config) -> None:
    """Import what speaks with these mailboxes."""
    for section in config.report_sources:
        source_of(section, config)


async def mailbox(config: Config, section: ReportSource) -> list[Finding]:
    """What comes of opening the mailbox of `section`."""
    try:
        async with asyncio.timeout(PATIENCE):
            probed = await source_of(section, config).probe()
    except TimeoutError:
        return [_unopened(section, f"{section.place} does not answer within {PATIENCE:.0f} s", "")]
    except SourceTrouble as trouble:
        return [_unopened(section, str(trouble), _settings(section) if trouble.ours else "")]
    except Problem as problem:  # of the password
        text, _, hint = str(problem).partition("; ")
        return [Finding("mailbox", section.name, FAIL, f"was not asked: {text}", hint or _settings(section))]
    folder = f", {section.folder}" if section.kind == "imap" else ""
    tls = f", {probed.tls or 'without encryption'}" if section.kind != "maildir" else ""
    return [Finding("mailbox", section.name, PASS, f"{section.place}{folder} can be opened; {probed.messages} messages are there{tls}")]


def _unopened(section: ReportSource, text: str, settings: str) -> Finding:
    evidence, _, hint = text.partition("; ")
    again = f"mailer bounces ingest --source {section.name} looks into it"
    remedy = hint or settings or (f"host, port and tls of [[report_source]] {section.name}, or its operator")
    return Finding("mailbox", section.name, FAIL, evidence, f"{remedy}; then: {again}")


def _settings(section: ReportSource) -> str:
    what = (
        "path"
        if section.kind == "maildir"
        else "username, password, tls and folder"
        if section.kind == "imap"
        else "username, password and tls"
    )
    return f"{what} of [[report_source]] {section.name}"


def key(config: Config) -> Iterator[Finding]:
    """Whether the key can be used that tokens in the sender of mail are signed with; nothing where there is no `bounce.address`."""
    if not config.bounce.address:
        return
    path = keys.place(config)
    try:
        known = keys.read(path)
    except Problem as problem:
        text, _, hint = str(problem).partition("; ")
        evidence = f"{text}: mail leaves without a token, and what comes back is not known again"
        yield Finding("bounce key", path, FAIL, evidence, hint or f"as the user of the daemon: ls -l {path}")
        return
    if config.bounce.verp == "off" and not known:
        return
    if known:
        former = ", and the one before is still known" if len(known) > 1 else ""
        yield Finding("bounce key", path, PASS, f"signs since {rfc3339(int(known[0].made))}{former}")
    elif os.access(os.path.dirname(path) or ".", os.W_OK | os.X_OK):
        yield Finding("bounce key", path, PASS, "there is none yet; the first mail that leaves makes it")
    else:
        text = "there is none, and it cannot be made there: mail leaves without a token, and what comes back is not known again"
        yield Finding(
            "bounce key", path, FAIL, text, f"a directory for it that the user of the daemon may write to: {os.path.dirname(path)}"
        )


def srs(config: Config) -> Iterator[Finding]:
    """Whether the secret can be used that signs the senders of mail which is passed on; nothing where nobody passes any on."""
    if not (config.domains and config.forwarding.srs):
        return
    path = srs_place(config)
    try:
        known = srs_secrets(path)
    except Problem as problem:
        text, _, hint = str(problem).partition("; ")
        evidence = f"{text}: mail that is passed on keeps its sender, and many hosts refuse it"
        yield Finding("srs secret", path, FAIL, evidence, hint or f"as the user of the daemon: ls -l {path}")
        return
    many = f"there {'are' if len(known) > 1 else 'is'} {len(known)}" if known else "there is none yet; a daemon makes it when it starts"
    yield Finding("srs secret", path, PASS, many)


def reports(config: Config, state: Running, now: float) -> Iterator[Finding]:
    """Whether what came back is acted upon; nothing where nothing came. Raises `OSError`."""
    rows = [*files.latest(config.spool, ("new",), limit=MANY)]
    if not rows:
        return
    many = f"{len(rows)}{' or more' if len(rows) == MANY else ''} reports wait to be acted upon"
    first = min((row.facts.at for row in rows if row.facts.at), default=now)
    if now - first > LONG:
        text = f"{many}, one of them since {rfc3339(int(first))}"
        remedy = "the log of the daemon says why; mailer bounces reports --state new" if state.running else "mailer run acts upon them"
        yield Finding("reports", config.spool, WARN, text, remedy)
    else:
        yield Finding("reports", config.spool, PASS, many)
