"""``mailer send --dry-run``: the envelope and the message as they would be queued, and what would be done to it and why."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from mailer.mail.problem import Problem
from mailer.submit import prepare

from . import OK
from . import show as look

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mailer.config.sections import SubmissionSettings
    from mailer.mail.message import Change
    from mailer.submit import Prepared, Submission

    from .options import Given

STYLES = {"relayed": "busy", "left": "bad", "refused": "bad", "mended": "wait", "changed": "busy", "removed": "quiet", "added": "quiet"}


def show(given: Given, request: Submission, settings: SubmissionSettings) -> int:
    """Print what `request` would become, with ``-v`` the message itself, too; nothing is written. Raises `Problem` as submission does."""
    prepared = prepare(request, settings, time.time())
    prepared.changes += _relayed(given, prepared)
    if given.flag("--json"):
        look.json_line(prepared.as_json())
    elif not given.flag("--quiet"):
        look.show(_blocks(prepared))
        if given.flag("--verbose"):
            _print(prepared.content)
    return OK


def _relayed(given: Given, prepared: Prepared) -> Iterator[Change]:
    """What the relays on the way change when it leaves, as far as the configuration can be read: submission does not need it."""
    from mailer.config import load
    from mailer.operate.route import rewritten

    try:
        config = load(given.text("--config"), given.text("--spool"))
    except Problem:
        return iter(())
    return rewritten(config, prepared.envelope, prepared.content)


def _blocks(prepared: Prepared) -> Iterator[look.Block]:
    envelope = prepared.envelope
    rows: list[tuple[str, look.Piece]] = [("sender", look.Cell(envelope.sender or "<>", "strong"))]
    rows += [(f"recipient ({to.type})", look.Cell(to.address, "strong")) for to in envelope.recipients if to.outcome is None]
    rows += [("gets nothing", look.Cell(to.address, "bad")) for to in envelope.recipients if to.outcome is not None]
    if envelope.subject:
        rows.append(("subject", envelope.subject))
    rows.append(("size", f"{len(prepared.content)} bytes"))
    yield look.Fields(rows)
    if prepared.changes:
        columns = [look.Column(heading) for heading in ("", "what", "before", "after", "why")]
        yield look.Table(columns, [_row(change) for change in prepared.changes])
    yield look.Line([look.Cell("nothing was queued: this is a dry run", "quiet")])


def _row(change: Change) -> list[look.Value]:
    action = look.Cell(change.action, STYLES.get(change.action, ""))
    return [action, change.what, change.before or "–", change.after or "–", change.why]


def _print(content: bytes) -> None:
    """The message as it is; on a terminal without what a terminal would act on."""
    if not look.terminal():
        sys.stdout.flush()
        sys.stdout.buffer.write(b"\n" + content)
        return
    print()
    for line in content.decode("utf-8", "replace").split("\r\n"):
        look.say(line)
