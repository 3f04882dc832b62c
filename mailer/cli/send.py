"""``mailer send``: a message on standard input, or composed from options, into the spool.

Started thousands of times a day, so this file and all that it needs for a whole message on standard input
import nothing costly; composing and waiting import theirs when they are asked for.
"""

from __future__ import annotations

import os
import sys
import time

from mailer.config.quick import submission
from mailer.mail.envelope import dump_json
from mailer.mail.failure import IO_ERROR, OK, USAGE, Failure
from mailer.submit import Request, check_size, submit

from . import complain, mute
from .options import JSON, Command, Option
from .signals import deaf, refusing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mailer.config.quick import SubmissionSettings
    from mailer.mail.envelope import Recipient
    from mailer.mail.message import Change
    from mailer.submit import Submitted

    from .options import Given
    from .waiting import Ended

COMPOSING = (
    "--from", "--to", "--cc", "--bcc", "--reply-to", "--subject", "--text", "--text-file", "--html", "--html-file", "--attach", "--inline",
    "--link", "--header", "--in-reply-to", "--references", "--list-unsubscribe", "--from-json",
)  # fmt: skip
"""Options that make a message. With one of them standard input is no message, but the text of one, or nothing."""


def run(given: Given) -> int:
    """Queue one message and print its ID."""
    settings = submission(given.text("--config"), given.text("--spool"))
    if given.flag("--strict"):
        settings.strict = True
    if given.flag("--batch"):
        from .batch import run as send_all

        code = send_all(given, settings)
        _warn(given, settings.spool)
        return code
    waiting = _seconds(given)
    options = _options(given)
    with refusing("the message was read"):
        request = _request(given, settings)
    request.options = options
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
    """Say where a daemon runs instead, unless somebody said which spool or which configuration is meant."""
    if any(map(given.flag, ("--quiet", "--spool", "--config"))) or os.environ.get("MAILER_CONFIG"):
        return
    from .elsewhere import note

    if text := note(spool):
        complain(f"warning: {text}", OK)


def _wait(given: Given, spool: str, done: Submitted, seconds: float) -> int:
    """Wait for the outcome; with ``--json`` it is printed then. Raises `Failure` for every other than that all have it."""
    from .waiting import wait

    ended = None
    try:
        ended = wait(spool, done, seconds, told=given.flag("--json"))
    finally:
        if given.flag("--json"):  # also if it was interrupted: the ID is needed
            _print(given, done, ended)
    if ended.failure:
        raise ended.failure
    return OK


def _seconds(given: Given) -> float | None:
    if not given.flag("--wait"):
        return None
    from .waiting import seconds_of

    return seconds_of(given.text("--wait"))


def _options(given: Given) -> dict[str, object] | None:
    """What is asked for beyond delivery; that a copy can be kept is seen to as well, before anything is queued."""
    if given.flag("--fcc") and not given.flag("--dry-run"):
        from .fcc import prepare

        prepare(given.path("--fcc"))
    if not any(given.flag(name) for name in ("--at", "--delay", "--dsn")):
        return None
    from .later import asked

    return asked(given, time.time())


def _copy(given: Given, done: Submitted) -> None:
    from .fcc import keep

    try:
        keep(given.path("--fcc"), done.envelope, done.content)
    except OSError as error:
        sys.stderr.write(f"mailer: {done.envelope.id} is queued, but no copy could be kept: {error.filename}: {error.strerror}\n")


def _request(given: Given, settings: SubmissionSettings) -> Request:
    """A message that the options compose, or a whole one on standard input."""
    if any(map(given.flag, COMPOSING)):
        from .composed import composed

        return composed(given, settings)
    return Request(
        read_input(settings, quiet=given.flag("--quiet")),
        sender=given.text("--sender"),
        recipients=given.operands,
        from_header=given.flag("--from-header"),
        request_id=request_id(given.text("--request-id")),
        priority=queue_priority(given.text("--priority")),
    )


def queue_priority(word: str | None) -> str:
    """Which of the three of the queue a priority stands for; what is none, submission refuses."""
    return {"": "normal", "highest": "high", "lowest": "low"}.get(word or "", word or "")


def read_input(settings: SubmissionSettings, *, what: str = "message", quiet: bool = False) -> bytes:
    """All of standard input, as `read_all` does; a person at a terminal is told for what we wait. Raises `Failure` (65, 74)."""
    if sys.stdin is None:
        raise Failure("cannot read the message: standard input is closed; nothing was queued", IO_ERROR)
    if sys.stdin.isatty() and not quiet:
        sys.stderr.write(f"mailer: reading the {what} from the terminal; end it with Ctrl-D\n")
    return read_all(sys.stdin.fileno(), settings)


def read_all(fd: int, settings: SubmissionSettings) -> bytes:
    """All of `fd`, but no more than a message may have. Raises `Failure` (65, 74)."""
    parts: list[bytes] = []
    size = 0
    while True:
        try:
            part = os.read(fd, 1 << 20)
        except OSError as error:
            raise Failure(f"cannot read the message: {error.strerror}; nothing was queued", IO_ERROR) from None
        if not part:
            return b"".join(parts)
        size += len(part)
        check_size(size, settings)
        parts.append(part)


def request_id(text: str | None) -> str:
    """`text` if it can be a request id, nothing if there is none. Raises `Failure` (64)."""
    if text is not None and not (0 < len(text) <= 255 and text.isprintable()):
        raise Failure("--request-id takes 1 to 255 printable characters", USAGE)
    return text or ""


def _print(given: Given, done: Submitted, ended: Ended | None = None) -> None:
    """Say what was queued. It is queued whether or not that can be said: only the message decides the exit code."""
    try:
        if given.flag("--json"):
            print(dump_json(ended.as_json(as_json(done)) if ended else as_json(done)), flush=True)
        elif not given.flag("--quiet"):
            print(done.envelope.id, flush=True)
    except OSError as error:
        sys.stderr.write(f"mailer: {done.envelope.id} is queued; standard output takes nothing ({error.strerror})\n")
        mute(1)


def _tell(given: Given, done: Submitted) -> None:
    """What was done to the message, on standard error: all of it with ``-v``; else only what should have been done and could not be.

    Who gets no mail is named in any case.
    """
    for change in done.changes:
        if change.action != "refused" and (given.flag("--verbose") or (change.action == "left" and not given.flag("--quiet"))):
            complain(str(change), OK)
    for line in done.refusals:
        complain(line, OK)


def as_json(done: Submitted) -> dict[str, object]:
    """What was queued in the form that ``mailer status --json`` gives it, and what was changed in it beyond completing it."""
    envelope = done.envelope
    changes = [change for change in done.changes if change.action != "added"]
    return {
        "id": envelope.id,
        "message_id": envelope.message_id or None,
        "request_id": envelope.request_id or None,
        "status": "deferred" if envelope.due else "queued",
        "from": envelope.sender,
        "subject": envelope.subject or None,
        "size": done.size,
        "priority": envelope.priority,
        "queued_at": envelope.created,
        "last_attempt_at": None,
        "next_attempt_at": envelope.options.get("at"),
        "sent_at": None,
        "attempts": 0,
        "recipients": [
            {
                "address": recipient.address,
                "type": recipient.type,
                **outcome_of(recipient),
                "updated_at": envelope.created,
            }
            for recipient in envelope.recipients
        ],
        **({"changes": changes_of(changes)} if changes else {}),
    }


def outcome_of(recipient: Recipient) -> dict[str, object]:
    """What is known of a recipient when the message is queued."""
    if (outcome := recipient.outcome) is None:
        status, code, enhanced, text, cause = "queued", None, None, None, None
    else:
        status = "failed" if outcome["verdict"] == "fail" else "sent"
        code, enhanced, text, cause = (outcome[name] for name in ("code", "enhanced", "text", "cause"))
    reply = {"status": status, "code": code, "enhanced_code": enhanced, "reply": text, "host": None}
    return {**reply, "ours": cause is not None, "cause": cause, "besides": None}


def changes_of(changes: list[Change]) -> list[dict[str, str]]:
    """What was done to a message, as JSON has it."""
    return [{name: getattr(change, name) for name in ("action", "what", "before", "after", "why")} for change in changes]


COMMAND = Command(
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
        Option("--list-unsubscribe", metavar="URI", help="compose: how to leave the list, https://… (by one click) or mailto:…",
               repeat=True),
        Option("--from-json", metavar="FILE", help="compose: all of it from an object of JSON; - for standard input"),
        Option("--priority", metavar="WORD", help="high, normal or low, in the queue and to the reader; composed mail can be highest or "
               "lowest, too"),
        Option("--strict", help="refuse what else is mended (65): lines too long, octets that do not say what they are or say it falsely, "
               "fields twice, an address among others that is none"),
        Option("--dry-run", help="show the envelope, and what would be changed in the message and why; queue nothing"),
        Option("--request-id", metavar="KEY", help="queue at most once: the same KEY and message give the same ID again, "
               "another message is refused (65)"),
        Option("--at", metavar="TIME", help="send it then: 2026-11-22T08:00:00Z; '2026-11-22 08:00' or 08:00 in local time; "
               "a moment that has passed is now"),
        Option("--delay", metavar="DURATION", help="send it after 90s, 5m, 4h or 2d; until then `mailer queue cancel ID` takes it back"),
        Option("--dsn", metavar="WORDS", help="ask for reports: some of success,failure,delay, or never; and full or headers"),
        Option("--fcc", metavar="MAILDIR", help="keep a copy there, once the message is queued; root does so as its owner"),
        Option("--batch", metavar="PATH", optional=True, help="send many: the messages of an mbox, a Maildir or JSON lines; of standard "
               "input without PATH"),
        Option("--request-id-from", metavar="FIELD", help="with --batch: the header field, or the member of a JSON line, that is each "
               "message's request id, so that the same batch can be sent again"),
        Option("--wait", metavar="SECONDS", optional=True, help="wait for the outcome, and say why: 0 sent, 75 deferred or still queued, "
               "69 failed; with --json, what is printed is the outcome"),
        JSON,
    ),
    epilog="""\
examples:
  printf 'Subject: hello\\n\\nIt works.\\n' | mailer send you@example.com
  df -h | mailer send -s 'Disks of today' you@example.com
  mailer send --to you@example.com --subject hello --text 'It works.'
  mailer send --to you@example.com --subject news --html-file news.html --inline logo=logo.png --attach report.pdf
  mailer send --from-json payload.json --dry-run
  mailer send -t --request-id backup-2026-11-21 < report.eml

exit codes: 0 queued · 64 usage · 65 bad message or address · 73, 74 spool error · 75 try again (disk full,
interrupted) · 77 no permission · 78 configuration""",
)  # fmt: skip
