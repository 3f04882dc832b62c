"""``sendmail -bs``: SMTP on standard input and output, for the programs that would rather talk (alpine, some MUAs and backup tools).

The session is that of `mailer.smtp.server`, the machine behind every door, with its laws: only CRLF.CRLF ends a message, and one
with stray line ends is refused whole. Each message goes through `submit` like all mail, and the 250 is written when it is on
disk: whoever reads that may forget the message.

The client is a program of this user, so there is no TLS and no AUTH, and mail may go anywhere. The accept loop of `mailer.net.server`
cannot carry it: there is no socket to listen on and no second client to share places with; two descriptors, which may be files, are read
and written without an event loop, which would take longer to start than a whole session. Limits and deadline are the same.
"""

from __future__ import annotations

import os
import select
import sys
import time
from typing import TYPE_CHECKING

from mailer.io.signals import deaf
from mailer.mail.address import ascii_address
from mailer.mail.problem import Problem
from mailer.mail.text import one_line
from mailer.smtp.reply import Reply
from mailer.smtp.server import Server, ServerSettings, ServerState
from mailer.smtp.server_events import Body, MailFrom, Question, Rcpt
from mailer.submit import Submission, check_recipient, submit

from . import OK, TRY_AGAIN

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mailer.config.sections import SubmissionSettings
    from mailer.mail.problem import Kind

PATIENCE = 300.0  # seconds without a byte, RFC 5321 §4.5.3.2.7
LATE = Reply.own(421, "4.4.2", "nothing was said for too long")

REFUSALS: dict[Kind, tuple[int, str]] = {
    "usage": (554, "5.5.4"),
    "bad-message": (554, "5.6.0"),
    "no-permission": (550, "5.7.1"),
    "bad-config": (451, "4.3.5"),
}
"""What a `Problem` of submission is in SMTP; any other is our trouble, and may pass."""


NO_ADDRESS = (553, "5.1.3")  # what a recipient is answered that nobody can be found for


class PipeSession:
    """One conversation: bytes in, bytes out, and messages into the spool on the way."""

    def __init__(self, settings: SubmissionSettings) -> None:
        service = ServerSettings(
            name=settings.hostname,
            max_size=settings.max_message_size,
            max_recipients=settings.max_recipients,
            offer=("DSN",),  # RFC 3461: what is asked is passed on
        )
        self.machine = Server(service)
        self._settings = settings
        self._mail: Mapping[str, str] = {}
        self._wanted: dict[str, dict[str, str]] = {}  # of each recipient that is asked more for

    def feed(self, data: bytes) -> bytes:
        """Take what was said; returns what is to be answered. Each message that is answered with 250 in it is durable."""
        self.machine.feed(data)
        while (question := self.machine.next()) is not None:
            self.machine.answer(self._decide(question))
        return self.machine.take()

    @property
    def over(self) -> bool:
        """Whether the last word is said."""
        return self.machine.state is ServerState.CLOSED

    @property
    def within_message(self) -> bool:
        """Whether the end of a message is still to come."""
        return self.machine.state is ServerState.BODY

    def _decide(self, question: Question) -> Reply | None:
        if isinstance(question, MailFrom):
            self._mail, self._wanted = question.parameters, {}
        elif isinstance(question, Rcpt):
            try:
                check_recipient(question.address, self._settings)
            except Problem as problem:
                return _refusal(problem, NO_ADDRESS if problem.kind == "bad-message" else None)
            wanted = {name.lower(): question.parameters[name] for name in ("NOTIFY", "ORCPT") if name in question.parameters}
            if wanted:
                self._wanted[ascii_address(question.address)] = wanted
        elif isinstance(question, Body):
            return self._put(question)
        return None

    def _put(self, body: Body) -> Reply:
        request = Submission(body.content, sender=body.sender, recipients=body.recipients, options=self._options(body.recipients))
        try:
            with deaf():
                done = submit(request, self._settings, time.time())
        except Problem as problem:
            return _refusal(problem)
        return Reply.own(250, "2.0.0", f"queued as {done.envelope.id}")

    def _options(self, recipients: tuple[str, ...]) -> dict[str, object] | None:
        """What was asked beside the envelope, as an envelope has it."""
        options: dict[str, object] = {name.lower(): self._mail[name] for name in ("RET", "ENVID") if name in self._mail}
        if self._wanted:
            options["recipients"] = self._wanted
            notify = {self._wanted.get(ascii_address(recipient), {}).get("notify", "") for recipient in recipients}
            if len(notify) == 1 and notify != {""}:  # the same for all, so also for those whom an alias stands for
                options["notify"] = notify.pop()
        return options or None


def _refusal(problem: Problem, codes: tuple[int, str] | None = None) -> Reply:
    code, enhanced = codes or REFUSALS.get(problem.kind, (451, "4.3.0"))
    return Reply.own(code, enhanced, one_line(str(problem), 400).encode("ascii", "replace").decode())


def converse(settings: SubmissionSettings) -> int:
    """Hold a session on standard input and output until QUIT, or the end of input.

    Raises `Problem`: io-error where they are closed, try-again where the input ends within a message.
    """
    if sys.stdin is None or sys.stdout is None:
        raise Problem("an SMTP session needs standard input and output, and one of them is closed", "io-error")
    source, sink = sys.stdin.fileno(), sys.stdout.fileno()
    by_hand = os.isatty(source)
    session = PipeSession(settings)
    _write(sink, session.feed(b""))
    while not session.over:
        if not select.select([source], [], [], PATIENCE)[0]:
            session.machine.hang_up(LATE)
            _write(sink, session.machine.take())
            return TRY_AGAIN
        data = os.read(source, 1 << 16)
        if not data:
            if session.within_message:
                raise Problem("standard input ended within a message, which was not queued", "try-again")
            return OK
        _write(sink, session.feed(data.replace(b"\n", b"\r\n") if by_hand else data))  # a terminal has no CR to give
    return OK


def _write(fd: int, data: bytes) -> None:
    while data:
        data = data[os.write(fd, data) :]
