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
from mailer.mail.failure import IO_ERROR, NO_SUCH, OK, TRY_AGAIN, UNAVAILABLE, USAGE, Failure
from mailer.submit import Request, check_size, submit

from . import mute
from .options import JSON, Command, Option, usage
from .signals import deaf, refusing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mailer.config.quick import SubmissionSettings
    from mailer.submit import Submitted

    from .options import Given

COMPOSING = ("--from", "--to", "--cc", "--bcc", "--reply-to", "--subject", "--text", "--text-file", "--header")
POLL = 0.02  # seconds between looks at the spool while waiting


def run(given: Given) -> int:
    """Queue one message and print its ID."""
    settings = submission(given.text("--config"), given.text("--spool"))
    waiting = _seconds(given)
    with refusing("the message was read"):
        request = (_composed if _composing(given) else _piped)(given, settings)
    with deaf():
        done = submit(request, settings, time.time())
    _print(given, done)
    return OK if waiting is None else _wait(settings.spool, done, waiting)


def _composing(given: Given) -> bool:
    return any(given.flag(name) for name in COMPOSING)


def _piped(given: Given, settings: SubmissionSettings) -> Request:
    """A whole message on standard input."""
    return Request(
        read_input(settings, quiet=given.flag("--quiet")),
        sender=given.text("--sender"),
        recipients=given.operands,
        from_header=given.flag("--from-header"),
        request_id=_request_id(given),
    )


def read_input(settings: SubmissionSettings, *, quiet: bool = False) -> bytes:
    """All of standard input, as `read_all` does; a person at a terminal is told that we wait. Raises `Failure` (65, 74)."""
    if sys.stdin is None:
        raise Failure("cannot read the message: standard input is closed; nothing was queued", IO_ERROR)
    if sys.stdin.isatty() and not quiet:
        sys.stderr.write("mailer: reading the message from the terminal; end it with Ctrl-D\n")
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


def _composed(given: Given, settings: SubmissionSettings) -> Request:
    """A message made of options; standard input is read only where an option says so."""
    from mailer.compose import compose

    if given.flag("--from-header"):
        raise usage("-t takes the recipients from a message on standard input; it does not go with --to", "send")
    data = compose(
        sender=given.text("--from") or "",
        to=[*given.texts("--to"), *given.operands],
        cc=given.texts("--cc"),
        reply_to=given.texts("--reply-to"),
        subject=given.text("--subject") or "",
        text=_text(given, settings),
        headers=[_header(text) for text in given.texts("--header")],
    )
    return Request(data, sender=given.text("--sender"), bcc=given.texts("--bcc"), from_header=True, request_id=_request_id(given))


def _text(given: Given, settings: SubmissionSettings) -> str:
    text, path = given.text("--text"), given.text("--text-file")
    if text is not None and path is not None:
        raise usage("--text and --text-file do not go together", "send")
    if path is None:
        return text or ""
    try:
        if path == "-":
            return read_input(settings, quiet=given.flag("--quiet")).decode()
        with open(path, "rb") as file:
            return read_all(file.fileno(), settings).decode()
    except OSError as error:
        raise Failure(f"cannot read {path}: {error.strerror}", NO_SUCH) from None
    except UnicodeDecodeError as error:
        raise Failure(f"{path} is no UTF-8 text (byte {error.start})", 65) from None


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon:
        raise usage(f"--header takes 'NAME: VALUE', not {text!r}", "send")
    return name, value.strip()


def _request_id(given: Given) -> str:
    request_id = given.text("--request-id")
    if request_id is not None and not (0 < len(request_id) <= 255 and request_id.isprintable()):
        raise Failure("--request-id takes 1 to 255 printable characters", USAGE)
    return request_id or ""


def _seconds(given: Given) -> float | None:
    """How long to wait for the outcome; None: not at all, infinite without a number."""
    text = given.text("--wait")
    if text is None:
        return None
    if not text:
        return float("inf")
    try:
        seconds = float(text.removesuffix("s"))
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < float("inf"):
        raise usage(f"--wait takes a number of seconds, not {text!r}", "send")
    return seconds


def _print(given: Given, done: Submitted) -> None:
    """Say what was queued. It is queued whether or not that can be said: only the message decides the exit code."""
    try:
        if given.flag("--json"):
            print(dump_json(as_json(done)), flush=True)
        elif not given.flag("--quiet"):
            print(done.envelope.id, flush=True)
    except OSError as error:
        sys.stderr.write(f"mailer: {done.envelope.id} is queued; standard output takes nothing ({error.strerror})\n")
        mute(1)


def as_json(done: Submitted) -> dict[str, object]:
    """What was queued in the form that ``mailer status --json`` gives it."""
    envelope = done.envelope
    return {
        "id": envelope.id,
        "message_id": envelope.message_id or None,
        "request_id": envelope.request_id or None,
        "status": "queued",
        "from": envelope.sender,
        "subject": envelope.subject or None,
        "size": done.size,
        "priority": envelope.priority,
        "queued_at": envelope.created,
        "last_attempt_at": None,
        "next_attempt_at": None,
        "sent_at": None,
        "attempts": 0,
        "recipients": [
            {
                "address": recipient.address,
                "type": recipient.type,
                "status": "queued",
                "code": None,
                "enhanced_code": None,
                "reply": None,
                "host": None,
                "updated_at": envelope.created,
            }
            for recipient in envelope.recipients
        ],
    }


def _wait(spool: str, done: Submitted, seconds: float) -> int:
    """Watch the message's file: it is gone when all have it, and elsewhere when something went wrong."""
    id = done.envelope.id
    if not done.heard and seconds == float("inf"):
        raise Failure(f"{id} is queued, but no daemon runs on {spool} to deliver it (`mailer run` starts one)", TRY_AGAIN)
    end = time.monotonic() + seconds
    while True:
        if os.path.exists(f"{spool}/failed/{id}"):
            raise Failure(f"{id} failed; `mailer status {id}` says why", UNAVAILABLE)
        if os.path.exists(f"{spool}/deferred/{id}"):
            raise Failure(f"{id} was put off for now; `mailer status {id}` says why", TRY_AGAIN)
        if not os.path.exists(f"{spool}/queued/{id}") and not _moved(spool, id):
            return OK
        if time.monotonic() >= end:
            raise Failure(f"{id} is still queued after {seconds:g} seconds", TRY_AGAIN)
        time.sleep(POLL)


def _moved(spool: str, id: str) -> bool:
    """Whether it is somewhere after all: it may have been renamed between two looks."""
    return any(os.path.exists(f"{spool}/{state}/{id}") for state in ("deferred", "failed", "held", "queued"))


COMMAND = Command(
    "send",
    run,
    summary="take a message from standard input, or compose one, and queue it",
    about=(
        "Reads a whole RFC 5322 message from standard input and queues it for the RECIPIENTs, or for those of its own "
        "To, Cc and Bcc fields with -t. With --to, --subject and --text it composes a message instead and reads nothing.\n\n"
        "When it exits with 0, the message is on disk and survives a power failure, whether or not a daemon runs. It "
        "prints the message's ID; `mailer status ID` says what became of it."
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
        Option("--text", metavar="TEXT", help="compose: the text"),
        Option("--text-file", metavar="FILE", help="compose: a UTF-8 file with the text; - for standard input"),
        Option("--header", metavar="'NAME: VALUE'", help="compose: one more header field", repeat=True),
        Option("--request-id", metavar="KEY", help="queue at most once: the same KEY and message give the same ID again, "
               "another message is refused (65)"),
        Option("--wait", metavar="SECONDS", optional=True, help="wait for the outcome: 0 sent, 75 deferred or still queued, 69 failed"),
        JSON,
    ),
    epilog="""\
examples:
  printf 'Subject: hello\\n\\nIt works.\\n' | mailer send you@example.com
  mailer send --to you@example.com --subject hello --text 'It works.'
  mailer send -t --request-id backup-2026-11-21 < report.eml

exit codes: 0 queued · 64 usage · 65 bad message or address · 73, 74 spool error · 75 try again (disk full,
interrupted) · 77 no permission · 78 configuration""",
)  # fmt: skip
