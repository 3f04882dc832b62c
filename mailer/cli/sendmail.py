"""The sendmail(8) face: what cron, at, mail, git and every other program on a Unix machine call.

Also what the program is when it is started as ``sendmail``, ``mailq`` or ``newaliases``. `sendmail_argv` reads the
options; `sendmail_session` is the conversation of ``-bs``, `sendmail_queue` what lists and flushes.

Its caller is often a web application that puts a stranger's text on the command line. So nothing that can
be reached from here writes a file of the caller's choice, reads a configuration of the caller's choice or
runs a command: ``-X``, ``-C``, ``-O`` and ``-o…`` are read and dropped, and the options of ``mailer send`` do not
exist here. The environment is another matter. Who sets it has started the program and could as well have started any
other, so ``MAILER_CONFIG`` and its kin count as everywhere; except where the program runs with more rights than whoever
started it, for then both are strangers.
"""

from __future__ import annotations

import sys
import time

from mailer.config.quick import submission
from mailer.io.signals import deaf, refusing
from mailer.io.system import os
from mailer.mail.problem import Problem
from mailer.submit import Submission, refuse_larger, submit

from . import OK
from .sendmail_argv import FLUSH, LIST, NOTHING, SESSION, read

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mailer.config.sections import SubmissionSettings

    from .sendmail_argv import Asked

BORROWED = ("MAILER_CONFIG", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "HOME", "NAME")
"""What the environment says that is not believed with borrowed rights."""


HELP = """usage: sendmail [OPTION…] [RECIPIENT…] < MESSAGE

Queues the message on standard input, as sendmail(8) does. With -t, its header names the recipients;
-f ADDRESS is where reports go; -bp lists the queue, -q tries it again, -bs speaks SMTP. All options
are in mailer-sendmail(1)."""


def run(arguments: list[str]) -> int:
    """Do what sendmail would do with `arguments`. Raises `Problem`."""
    if os.getuid() != os.geteuid() or os.getgid() != os.getegid():
        import os as whole

        for name in BORROWED:
            whole.environ.pop(name, None)
    if arguments == ["--help"]:
        print(HELP)
        return OK
    asked = read(arguments)
    for warning in asked.warnings:
        from . import complain

        complain(f"warning: {warning}", OK)
    if asked.mode == NOTHING:
        return OK
    if asked.mode == SESSION:
        from .sendmail_session import converse

        return converse(submission())
    if asked.mode in (LIST, FLUSH):
        from . import sendmail_queue

        return sendmail_queue.flush(asked.flush) if asked.mode == FLUSH else sendmail_queue.listing()
    return _send(asked)


def _send(asked: Asked) -> int:
    settings = submission()
    with refusing("the message was read"):
        request = Submission(
            _message(settings, dots=asked.dots),
            sender=asked.sender,
            recipients=asked.recipients,
            from_header=asked.from_header,
            full_name=os.environ.get("NAME", "") if asked.full_name is None else asked.full_name,
            options=asked.options(),
        )
    with deaf():
        done = submit(request, settings, time.time())
    for line in done.refusals:
        from . import complain

        complain(line, OK)
    if asked.verbose:
        _tell(done.envelope.id)
    if not done.heard:
        _warn(settings.spool)
    return OK


def _warn(spool: str) -> None:
    if os.environ.get("MAILER_CONFIG"):  # who names a configuration there has chosen
        return
    from mailer.spool.files.daemons import note_elsewhere

    if text := note_elsewhere(spool):
        from . import complain

        complain(f"warning: {text}", OK)


def _tell(id: str) -> None:
    """Say what was queued. It is queued whether or not that can be said."""
    try:
        print(f"{id} is queued; `mailer status {id}` says what becomes of it", flush=True)
    except OSError:
        from . import mute

        mute(1)


def _message(settings: SubmissionSettings, *, dots: bool) -> bytes:
    """Standard input to its end, or with `dots` to a line that is a lone dot: who writes one may wait for us before he closes.

    Raises `Problem` (bad-message, io-error).
    """
    if sys.stdin is None:
        raise Problem("cannot read the message: standard input is closed; nothing was queued", "io-error")
    fd = sys.stdin.fileno()
    parts: list[bytes] = []
    size = 0
    held = b"\n"  # the end of what was read: as long as a lone dot may be that began there
    while True:
        try:
            part = os.read(fd, 1 << 20)
        except OSError as error:
            raise Problem(f"cannot read the message: {error.strerror}; nothing was queued", "io-error") from None
        size += len(part)
        refuse_larger(size, settings)
        parts.append(part)
        window = held + part
        dot = _lone_dot(window, at_end=not part) if dots else -1
        if dot >= 0 or not part:
            data = b"".join(parts)
            return data[: len(data) - len(window) + dot + 1] if dot >= 0 else data
        held = window[-3:]


def _lone_dot(window: bytes, *, at_end: bool) -> int:
    """The index of the line end before the first lone dot, or -1. The last line may lack its end."""
    found = [at for at in (window.find(b"\n.\n"), window.find(b"\n.\r\n")) if at >= 0]
    if not found and at_end and window.endswith((b"\n.", b"\n.\r")):
        found = [window.rfind(b"\n.")]
    return min(found, default=-1)


def __getattr__(name: str) -> object:
    """`COMMAND`, which only the manual and the table of commands ask for: sendmail itself declares no options."""
    if name != "COMMAND":
        raise AttributeError(name)
    from .options import Subcommand

    return Subcommand(
        "sendmail",
        lambda given: run(given.operands),  # its options are read here, not by `options`
        summary="the sendmail(8) interface that other programs expect",
        operands="[OPTION…] [RECIPIENT…]",
    )
