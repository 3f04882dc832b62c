"""``mailer send``: a message on standard input, or composed from options, into the spool.

Started thousands of times a day, so this file and all that it needs for a whole message on standard input
import nothing costly; composing and waiting import theirs when they are asked for.
"""

from __future__ import annotations

import os
import sys
import time

from mailer.config.quick import submission
from mailer.io.signals import deaf, refusing
from mailer.mail.envelope import dump_json, is_request_id, queue_priority
from mailer.mail.problem import Problem
from mailer.submit import Submission, submit

from . import OK, complain, mute, read_input
from .options import JSON, Option, Subcommand, usage

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mailer.config.sections import SubmissionSettings
    from mailer.submit import Prepared

    from .later import Ended
    from .options import Given

COMPOSING = (
    "--from", "--to", "--cc", "--bcc", "--reply-to", "--subject", "--text", "--text-file", "--html", "--html-file", "--attach", "--inline",
    "--link", "--header", "--in-reply-to", "--references", "--list-unsubscribe", "--from-json",
)  # fmt: skip
"""Options that make a message. With one of them standard input is no message, but the text of one, or nothing."""

ALONE = (*COMPOSING, "--priority", "--request-id", "--wait", "--fcc", "--dry-run")
"""The options that are for one message; ``--list-unsubscribe auto`` is for many as well."""


def run(given: Given) -> int:
    """Queue one message and print its ID."""
    settings = submission(given.text("--config"), given.text("--spool"))
    if given.flag("--strict"):
        settings = settings.but(strict=True)
    if given.flag("--batch"):
        for name in ALONE:
            if given.flag(name) and given.texts(name) != ["auto"]:
                raise usage(f"{name} is for one message, and does not go with --batch", "send")
        from .batch import run as send_all

        code = send_all(given, settings, _asked(given) or None)
        _warn(given, settings.spool)
        return code
    waiting = _seconds(given)
    options = _options(given)
    with refusing("the message was read"):
        request = _request(given, settings)
    request.options = {**(request.options or {}), **(options or {})} or None
    if given.flag("--dry-run"):
        from .dryrun import show

        return show(given, request, settings)
    with deaf():
        done = submit(request, settings, time.time())
    if waiting is None or not given.flag("--json"):
        _print(given, done)
    if done.changes:
        _tell(given, done)
    if given.flag("--fcc") and not done.repeat:
        _copy(given, done)
    if not done.heard:
        _warn(given, settings.spool)
    return OK if waiting is None else _wait(given, settings.spool, done, waiting)


def _warn(given: Given, spool: str) -> None:
    """Say where a daemon runs instead. A script that names its spool or configuration means it; a person may not."""
    if given.flag("--quiet"):
        return
    if (given.flag("--spool") or given.flag("--config") or os.environ.get("MAILER_CONFIG")) and not (sys.stderr and sys.stderr.isatty()):
        return
    from mailer.spool.files.daemons import note_elsewhere

    if text := note_elsewhere(spool):
        complain(f"warning: {text}", OK)


def _wait(given: Given, spool: str, done: Prepared, seconds: float) -> int:
    """Wait for the outcome; with ``--json`` it is printed then. Raises `Problem` for every other than that all have it."""
    from .later import ending, wait

    chatty = (
        not given.flag("--quiet")
        and not given.flag("--json")
        and (given.flag("--verbose") or (sys.stderr is not None and sys.stderr.isatty()))
    )
    ended = None
    try:
        ended = wait(spool, done, seconds, told=given.flag("--json") or chatty)
    finally:
        if given.flag("--json"):  # also if it was interrupted: the ID is needed
            _print(given, done, ended)
    if ended.problem:
        raise ended.problem
    if chatty:
        complain(ending(done.envelope.id, ended), OK)
    return OK


def _seconds(given: Given) -> float | None:
    if not given.flag("--wait"):
        return None
    from .later import seconds_of

    return seconds_of(given.text("--wait"))


def _options(given: Given) -> dict[str, object] | None:
    """What is asked for beyond delivery; that a copy can be kept is seen to as well, before anything is queued."""
    if given.flag("--fcc") and not given.flag("--dry-run"):
        from mailer.operate.fcc import prepare

        prepare(given.path("--fcc"))
    return _asked(given) or None


def _asked(given: Given) -> dict[str, object]:
    """The envelope's options for what is asked of delivery; nothing at all if nothing is. Raises `Problem` (usage)."""
    options: dict[str, object] = {}
    if "auto" in given.texts("--list-unsubscribe"):
        options["list_unsubscribe"] = "auto"
    if given.flag("--ignore-suppression"):
        options["ignore_suppression"] = True
    if any(given.flag(name) for name in ("--at", "--delay", "--dsn")):
        from . import later

        options |= later.asked(given, time.time())
    return options


def _copy(given: Given, done: Prepared) -> None:
    from mailer.operate.fcc import keep

    try:
        keep(given.path("--fcc"), done.envelope, done.content)
    except OSError as error:
        sys.stderr.write(f"mailer: {done.envelope.id} is queued, but no copy could be kept: {error.filename}: {error.strerror}\n")


def _request(given: Given, settings: SubmissionSettings) -> Submission:
    """A message that the options compose, or a whole one on standard input. Raises `Problem` (usage, bad-message, no-such, io-error)."""
    if composing := [name for name in given.values if name in COMPOSING and given.texts(name) != ["auto"]]:
        from .composed import composed

        request = composed(given, settings, composing)
    else:
        request = Submission(
            read_input(settings, quiet=given.flag("--quiet")),
            sender=given.text("--sender"),
            recipients=given.operands,
            from_header=given.flag("--from-header"),
        )
    key = given.text("--request-id", request.request_id or None)
    if key is not None and not is_request_id(key):
        raise Problem("--request-id takes 1 to 255 printable characters", "usage")
    request.request_id = key or ""
    request.stream = given.text("--stream") or ""
    request.priority = queue_priority(given.text("--priority") or request.priority)
    return request


def _print(given: Given, done: Prepared, ended: Ended | None = None) -> None:
    """Say what was queued. It is queued whether or not that can be said: only the message decides the exit code."""
    try:
        if given.flag("--json"):
            print(dump_json(ended.as_json(done.as_json()) if ended else done.as_json()), flush=True)
        elif not given.flag("--quiet"):
            print(done.envelope.id, flush=True)
    except OSError as error:
        sys.stderr.write(f"mailer: {done.envelope.id} is queued; standard output takes nothing ({error.strerror})\n")
        mute(1)


def _tell(given: Given, done: Prepared) -> None:
    """What was done to the message, on standard error: all of it with ``-v``; else only what should have been done and could not be.

    Who gets no mail is named in any case.
    """
    for change in done.changes:
        if change.action != "refused" and (given.flag("--verbose") or (change.action == "left" and not given.flag("--quiet"))):
            complain(str(change), OK)
    for line in done.refusals:
        complain(line, OK)


COMMAND = Subcommand(
    "send",
    run,
    summary="take a message from standard input, or compose one, and queue it",
    about=(
        "Reads a whole RFC 5322 message from standard input and queues it for the RECIPIENTs, or for those of its own "
        "To, Cc and Bcc fields with -t. With --to, --subject, --text and their like it composes a message instead. Without a text of its "
        "own (--text, --text-file, --html, --html-file) its text is then standard input to the end, as with mail(1), also at a terminal; "
        "--text '' or </dev/null say that there is none, which a script does whose standard input nobody ends.\n\n"
        "When it exits with 0, the message is on disk and survives a power failure, whether or not a daemon runs. It "
        "prints the message's ID; `mailer status ID` says what became of it.\n\n"
        "Names of this machine become who the configuration says they are, and what not every server would take is mended, never cut. "
        "What was changed is told with -v, and by the member changes with --json.\n\n"
        "An address may be a list of them, as in a header. One that is none, or whose alias leads nowhere, keeps nobody else from the "
        "message: it is named on standard error and by --json, and reported to the sender. Refused is what has no recipient "
        "left (65, or 78 where an alias alone is why)."
    ),
    operands="[RECIPIENT…]",
    options=(
        Option("--from-header", "-t", help="take recipients from To, Cc and Bcc, besides those given"),
        Option("--sender", "-f", metavar="ADDRESS", help="envelope sender, to which reports go; '' or '<>' for none"),
        Option("--from", metavar="ADDRESS", help="compose: the From field"),
        Option("--to", metavar="ADDRESS", help="compose: a To recipient", repeat=True),
        Option("--cc", metavar="ADDRESS", help="compose: a Cc recipient", repeat=True),
        Option("--bcc", metavar="ADDRESS", help="compose: a recipient whom the others do not see", repeat=True),
        Option("--reply-to", metavar="ADDRESS", help="compose: where answers go", repeat=True),
        Option("--subject", "-s", metavar="TEXT", help="compose: the subject"),
        Option("--text", metavar="TEXT", help="compose: the text, as it is; '' for none; without it HTML is told in text, too"),
        Option("--text-file", metavar="FILE", help="compose: a file with the text, UTF-8; - for standard input"),
        Option("--html", metavar="HTML", help="compose: the same as HTML"),
        Option("--html-file", metavar="FILE", help="compose: a file with it; - for standard input"),
        Option("--attach", metavar="FILE", help="compose: a file to attach", repeat=True),
        Option("--inline", metavar="CID=FILE", help="compose: a picture that the HTML shows as <img src=\"cid:CID\">", repeat=True),
        Option("--link", metavar="NAME=URL", help="compose: a link in the body, in place of an attachment", repeat=True),
        Option("--header", metavar="'NAME: VALUE'", help="compose: one more header field", repeat=True),
        Option("--in-reply-to", metavar="ID", help="compose: the Message-ID that this answers"),
        Option("--references", metavar="IDS", help="compose: those of the thread, oldest first", repeat=True),
        Option("--list-unsubscribe", metavar="URI", help="compose: how to leave the list, https://… (by one click) or mailto:…; auto, "
               "also with a whole message: a link to our own page, for one recipient and his stream", repeat=True),
        Option("--stream", metavar="NAME", help="the kind of mail that it is, which one can leave; without it, what List-Id names"),
        Option("--ignore-suppression", help="send it also to who is on the suppression list; only the owner of the spool may"),
        Option("--from-json", metavar="FILE", help="compose: all of it from an object of JSON; - for standard input"),
        Option("--priority", metavar="WORD", words=("high", "normal", "low"),
               help="high, normal or low, in the queue and to the reader; composed mail can be highest or "
               "lowest, too"),
        Option("--strict", help="refuse what else is mended (65): lines too long, octets that do not say what they are or say it falsely, "
               "fields twice, an address among others that is none"),
        Option("--dry-run", help="show the envelope, and what would be changed in the message and why; queue nothing"),
        Option("--request-id", metavar="KEY", help="queue at most once: the same KEY and message give the same ID again, "
               "another message is refused (65)"),
        Option("--at", metavar="TIME", help="send it then: 2026-11-22T08:00:00Z; '2026-11-22 08:00' or 08:00 in local time; "
               "a moment that has passed is now"),
        Option("--delay", metavar="DURATION", help="send it after 90s, 5m, 4h or 2d; until then `mailer queue cancel ID` takes it back"),
        Option("--dsn", metavar="WORDS", words=("success", "failure", "delay", "never"),
               help="ask for reports: some of success,failure,delay, or never; and full or headers"),
        Option("--fcc", metavar="MAILDIR", help="keep a copy there, once the message is queued; root does so as its owner"),
        Option("--batch", metavar="PATH", optional=True, help="send many: the messages of an mbox, a Maildir or JSON lines; of standard "
               "input without PATH; a JSON line may say list_unsubscribe and ignore_suppression, too"),
        Option("--request-id-from", metavar="FIELD", help="with --batch: the header field, or the member of a JSON line, that is each "
               "message's request id, so that the same batch can be sent again"),
        Option("--wait", metavar="SECONDS", optional=True, help="wait for the outcome, and say why: 0 sent, 75 deferred or still queued, "
               "69 failed; with --json, what is printed is the outcome; at a terminal, or with -v, that it was sent is said, too"),
        JSON,
    ),
    examples=(
        "printf 'Subject: hello\\n\\nIt works.\\n' | mailer send you@example.com",
        "df -h | mailer send -s 'Disks of today' you@example.com",
        "mailer send --to you@example.com --subject hello --text 'It works.'",
        "mailer send --to you@example.com --subject news --html-file news.html --inline logo=logo.png --attach report.pdf",
        "mailer send --from-json payload.json --dry-run",
        "mailer send -t --request-id backup-2026-11-21 < report.eml",
    ),
    epilog="""\
exit codes: 0 queued · 64 usage · 65 bad message · 67 no such file · 73, 74 spool
error · 75 try again (disk full) · 77 no permission · 78 configuration""",
)  # fmt: skip
