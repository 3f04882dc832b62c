"""``mailer explain``: the whole story of a message: every attempt and what was said, what holds it up now, and what would help."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from mailer.mail.failure import NO_SUCH, OK, Failure
from mailer.operate.explain import Diagnosis, diagnose

from . import explain_page, show
from .options import JSON, Command, Option, usage
from .selectors import spool_of, view_of

if TYPE_CHECKING:
    from mailer.config import Config

    from .options import Given


def run(given: Given) -> int:
    """Tell the story of each message that is named; 67 if one is unknown."""
    if not given.operands:
        raise usage("it needs the ID of a message, its Message-ID or its request id", "explain")
    config, trouble = _config(given)
    missing = []
    with view_of(spool_of(given)) as view:
        told = 0
        for name in given.operands:
            found = view.find(name)
            if not found:
                missing.append(name)
            for record in found:
                found_out = diagnose(view, record, config, ask=not given.flag("--no-dns"))
                found_out.story.missing.extend([trouble] if trouble else [])
                if told and not (given.flag("--json") or given.flag("--quiet")):
                    show.show([show.BLANK, show.BLANK])
                _print(given, found_out)
                told += 1
        notes = view.notes
    for text in (*notes, *(f"no message {name!r} is known here" for name in missing)):
        show.note(text)
    return NO_SUCH if missing else OK


def _print(given: Given, what: Diagnosis) -> None:
    if given.flag("--json"):
        show.json_line(what.as_json())
    elif not given.flag("--quiet"):
        show.show(explain_page.page(what, time.time(), whole=given.flag("--verbose")))


def _config(given: Given) -> tuple[Config | None, str]:
    """The configuration; without one, why. A mistake in it is a reason why mail waits, and none to say nothing."""
    from mailer.config import load

    try:
        return load(given.text("--config"), given.text("--spool")), ""
    except Failure as failure:
        return None, f"the configuration cannot be read, so it is not known where mail would go: {failure}"


COMMAND = Command(
    "explain",
    run,
    summary="the whole story of a message: what happened, what blocks it, what to change",
    about=(
        "Tells of each message that is named, by ID, Message-ID or request id: when it was submitted and by whom; each attempt, with the "
        "host, the TLS that was wanted and achieved, how long each step took, what the host said and what that means; of the last "
        "attempts that failed also what was said to and fro, without passwords and without the message. Then, for each recipient who "
        "waits: what it waits for, until when, and what would take that away; and the reports that were sent about it.\n\n"
        "The answer comes from the spool, the status database and the daemon's own account of its destinations. Without a "
        "daemon, or without the database, it says what is left and what is not known. To say where the mail would go now, it asks "
        "the DNS, for three seconds at most.\n\n"
        "Recipients who share an attempt are told of together, and of many only the first are named; --verbose names all of them."
    ),
    operands="ID…",
    options=(Option("--no-dns", help="do not ask the DNS where the mail would go now"), JSON),
    epilog="""\
examples:
  mailer explain 01KAHGWV7J5ZQ0C9XK3M2T8B4R
  mailer explain --json '<20261121.1@example.com>' | jq -r '.recipients[].blocked_by[].what_would_unblock'

What a recipient waits for has one of these names: hold, sending, daemon, disk, schedule, pause, offline, route, login, refused,
breaker, limit, retry, rate, window, connections, queue. mailer-delivery(7) says what each means.

exit codes: 0 · 64 usage · 67 a message that was named is not known · 77 no permission""",
)
