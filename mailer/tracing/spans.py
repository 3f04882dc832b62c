"""The spans of an attempt, made when it is over: [002] §9.1.1.

::

    smtp.send
    ├── smtp.connection.acquire      until there was a session
    ├── smtp.connect                 from the call to the answer to EHLO
    │   └── dns.resolve              where the names were looked up for this attempt
    ├── smtp.tls.upgrade             from STARTTLS to the second EHLO
    │   └── tls.handshake
    ├── smtp.auth
    ├── smtp.transaction
    │   ├── smtp.mail_from
    │   ├── smtp.rcpt_to             for each recipient
    │   └── smtp.data                the command, the message, and the answer to it
    └── smtp.connection.release      the moment in which the session is free again

A session that served other messages before has no steps until MAIL, and each host that was tried in vain has its own. What is said in one
packet has one time: then steps that follow each other begin with the packet before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, cast

from mailer.mail.history import RECIPIENT_STATUS
from mailer.mail.masked import masked

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mailer.mail.outcome import Hop, Outcome
    from mailer.smtp.command import Command
    from mailer.smtp.reply import Reply
    from mailer.spool.api import Entry
    from mailer.transport.transcript import Prologue, Transcript

MOST_RECIPIENTS = 100  # of a transaction, that have spans of their own
JUST_NOW = 1.0  # seconds before an attempt in which names were looked up for it
ASKED = 0.0005  # seconds that a look-up takes, at least, for which somebody was asked

_LAST = frozenset({"CONTENT", "BDAT LAST", "PARTIAL"})
_DATA = frozenset({"DATA", "BDAT", *_LAST})

Value = str | int | float | bool


class Span(NamedTuple):
    """A span from `start` to `end` (seconds since the epoch), with moments of what happened. `error` is empty where all went well."""

    name: str
    start: float
    end: float
    attributes: dict[str, Value]
    children: list[Span]
    events: list[tuple[float, str]]
    error: str = ""


class Traced(NamedTuple):
    """An attempt at `entry`, and what came of it. `ahead` is what the clock was ahead of time.monotonic then, in seconds."""

    entry: Entry
    outcomes: Sequence[Outcome]
    ahead: float


def spans(attempt: Traced) -> list[Span]:
    """The roots: one for each transaction."""
    of: dict[object, list[Outcome]] = {}
    for outcome in attempt.outcomes:
        if outcome.trace is not None or outcome.counts:
            of.setdefault(outcome.hop if outcome.trace is None else id(outcome.trace), []).append(outcome)
    return [_send(attempt, outcomes) for outcomes in of.values()]


def _send(attempt: Traced, outcomes: list[Outcome]) -> Span:
    entry = attempt.entry
    worst = next((outcome for outcome in outcomes if outcome.verdict != "delivered"), outcomes[0])
    delivered = any(outcome.verdict == "delivered" for outcome in outcomes)
    hop = worst.hop
    start = worst.at - worst.seconds
    children: list[Span] = []
    attributes: dict[str, Value] = {
        "mailer.id": entry.id,
        "mailer.outcome": RECIPIENT_STATUS[worst.verdict] if not delivered else "delivered",
        "smtp.from": masked(entry.envelope.sender) or "<>",
        "smtp.recipients.count": len(outcomes),
        "smtp.message_size": entry.size,
        **_where(hop),
    }
    if worst.trace is not None:
        trace = cast("Transcript", worst.trace)  # what the transports of this machine leave
        attributes["smtp.connection.reused"] = trace.reused
        attributes["smtp.has_attachments"] = trace.mixed
        _tls(attributes, trace.prologue, hop)
        for nth, link in enumerate(reversed(trace.chain())):
            children += _Steps(link, attempt.ahead, start if nth == 0 else 0.0, worst).spans()
    error = ""
    if worst.verdict != "delivered":
        error = worst.cause.value if worst.cause is not None else str(worst.code)
        attributes["error.type"] = error
        attributes["smtp.phase"] = worst.phase
        _reply(attributes, worst.code, worst.enhanced)
    start = min([start, *(each.start for child in children for each in (child, *child.children))])
    end = max([worst.at, *(child.end for child in children)])
    return Span("smtp.send", start, end, attributes, children, [], error)


def _where(hop: Hop) -> dict[str, Value]:
    if not hop.host:
        return {}
    found: dict[str, Value] = {
        "smtp.host": hop.host,
        "smtp.port": hop.port,
        "server.address": hop.host,
        "server.port": hop.port,
        "network.transport": "tcp",
    }
    if hop.ip:
        found["network.peer.address"] = hop.ip
    return found


def _tls(attributes: dict[str, Value], prologue: Prologue, hop: Hop) -> None:
    """How a session was encrypted, if it was: ``TLSv1.3 verified`` is version 1.3."""
    version = hop.tls.partition(" ")[0].removeprefix("TLSv")
    if version:
        attributes |= {"tls.protocol.name": "tls", "tls.protocol.version": version, "tls.resumed": prologue.resumed}


def _reply(attributes: dict[str, Value], code: int, enhanced: str) -> None:
    if code:
        attributes["smtp.reply.code"] = code
    if enhanced:
        attributes["smtp.reply.enhanced"] = enhanced


class _Steps:
    """The steps with one host, which become spans."""

    def __init__(self, link: Transcript, ahead: float, start: float, outcome: Outcome) -> None:
        """`start` is when the attempt began, where this is its first session; else 0.0."""
        self.link = link
        self.ahead = ahead
        self.start = start
        self.outcome = outcome
        ended = link.ended
        self.broken: tuple[float, str] | None = None if ended is None else (ended[0] + ahead, ended[1])

    def spans(self) -> Iterator[Span]:
        link, prologue = self.link, self.link.prologue
        ready = (link.began if link.reused else prologue.until) + self.ahead
        if self.broken and not link.heard:
            ready = self.broken[0] if self.broken[1] not in {"mail", "rcpt", "data", "body"} else ready
        begin = self.start or (link.began if link.reused else prologue.began - prologue.connect) + self.ahead
        yield Span("smtp.connection.acquire", min(begin, ready), ready, {"smtp.connection.reused": link.reused}, [], [])
        if not link.reused:
            yield from self._prologue(prologue)
        yield from self._transaction()

    # Until MAIL

    def _prologue(self, prologue: Prologue) -> Iterator[Span]:
        where = _where(prologue.hop)
        before = prologue.began + self.ahead
        connect = Span("smtp.connect", before - prologue.connect, before, where, [*self._resolved()], [])
        upgrade: Span | None = None
        auth: Span | None = None
        if prologue.stands:
            connect.events.append((before, "smtp.connected"))
        for at, command, reply in prologue.said:
            now = at + self.ahead
            verb = command.verb
            if verb in {"AUTH", "RESPONSE"}:
                auth = _longer(auth or Span("smtp.auth", before, now, _method(command), [], []), now, _refusal(reply))
            elif verb in {"STARTTLS", "HANDSHAKE"}:
                upgrade = _longer(upgrade or Span("smtp.tls.upgrade", before, now, {}, [], []), now, _refusal(reply))
                if verb == "HANDSHAKE":
                    attributes: dict[str, Value] = {}
                    _tls(attributes, prologue, prologue.hop)
                    upgrade.children.append(Span("tls.handshake", before, now, attributes, [], []))
            elif upgrade is not None and verb != "CONNECT":  # EHLO once more
                upgrade = _longer(upgrade, now, _refusal(reply))
                upgrade.events.append((now, "smtp.ehlo"))
            else:
                connect = _longer(connect, now, _refusal(reply))
                connect.events.append((now, "smtp.greeting" if verb == "CONNECT" else "smtp.ehlo"))
            before = now
        if self.broken and self.broken[1] in {"connect", "greeting", "ehlo", "starttls", "auth"}:
            connect, upgrade, auth = self._break(connect, upgrade, auth, before)
        yield connect
        if upgrade is not None:
            yield upgrade
        if auth is not None:
            yield auth

    def _break(self, connect: Span, upgrade: Span | None, auth: Span | None, before: float) -> tuple[Span, Span | None, Span | None]:
        """The session came to its end in one of these."""
        assert self.broken is not None
        at, phase = self.broken
        error = self.outcome.cause.value if self.outcome.cause is not None else str(self.outcome.code)
        if phase == "starttls":
            upgrade = _longer(upgrade or Span("smtp.tls.upgrade", before, at, {}, [], []), at, error)
            if not upgrade.children and not (self.outcome.code and not self.outcome.ours):
                upgrade.children.append(Span("tls.handshake", before, at, {"error.type": error}, [], [], error))
        elif phase == "auth":
            auth = _longer(auth or Span("smtp.auth", before, at, {}, [], []), at, error)
        elif upgrade is not None and phase == "ehlo":
            upgrade = _longer(upgrade, at, error)
        else:
            connect = _longer(connect, at, error)
        return connect, upgrade, auth

    def _resolved(self) -> Iterator[Span]:
        """The look-up of the names that led here, if it was made for this attempt."""
        hop = self.link.prologue.hop
        if self.link.resolved is None or hop.host == hop.ip:
            return
        began, took = self.link.resolved
        start = began + self.ahead
        begin = self.start or self.link.prologue.began - self.link.prologue.connect + self.ahead
        if took >= ASKED and start + took >= begin - JUST_NOW:
            yield Span("dns.resolve", start, start + took, {"dns.question.name": hop.host}, [], [])

    # The mail

    def _transaction(self) -> Iterator[Span]:
        link = self.link
        heard = [(at + self.ahead, answered) for at, answered in link.packets() if answered]
        broken = self.broken if self.broken and self.broken[1] in {"mail", "rcpt", "data", "body"} else None
        if not heard and broken is None:
            return
        start = before = link.began + self.ahead
        steps: list[Span] = []
        data: Span | None = None
        recipients = 0
        for at, answered in heard:
            now = max(at, before)
            for command, reply in answered:
                if command.verb in _DATA:
                    data = _longer(data or Span("smtp.data", before, now, {"smtp.message_size": link.size}, [], []), now, _refusal(reply))
                    if command.verb in _LAST:
                        _reply(data.attributes, reply.code, reply.enhanced)
                elif command.verb == "MAIL":
                    steps.append(_step("smtp.mail_from", before, now, command, reply))
                elif command.verb == "RCPT":
                    recipients += 1
                    if recipients <= MOST_RECIPIENTS:
                        steps.append(_step("smtp.rcpt_to", before, now, command, reply))
            before = now
        error = ""
        if broken is not None:
            before = max(broken[0], before)
            error = self.outcome.cause.value if self.outcome.cause is not None else str(self.outcome.code)
            if data is not None or broken[1] in {"data", "body"}:
                data = _longer(data or Span("smtp.data", before, before, {}, [], []), before, error)
        if data is not None:
            steps.append(data)
        attributes: dict[str, Value] = {"smtp.recipients.count": recipients}
        yield Span("smtp.transaction", start, before, attributes, steps, [], error)
        if broken is None:
            yield Span("smtp.connection.release", before, before, {}, [], [])


def _longer(span: Span, end: float, error: str) -> Span:
    """The span, up to a later moment; an error stays."""
    if error:
        span.attributes["error.type"] = error
    return span._replace(end=max(end, span.start), error=error or span.error)


def _refusal(reply: Reply) -> str:
    return str(reply.code) if reply.code >= 400 else ""


def _method(command: Command) -> dict[str, Value]:
    """The mechanism in a line of AUTH. RFC 4954 §4"""
    words = command.line.decode("ascii", "replace").split()
    return {"smtp.auth.method": words[1]} if len(words) > 1 else {}


def _step(name: str, start: float, end: float, command: Command, reply: Reply) -> Span:
    path = command.line.decode("utf-8", "replace").partition("<")[2].rpartition(">")[0] if command.line else ""
    attributes: dict[str, Value] = {"smtp.address": masked(path.partition(">")[0]) or "<>"}
    _reply(attributes, reply.code, reply.enhanced)
    error = _refusal(reply)
    if error:
        attributes["error.type"] = error
    return Span(name, start, end, attributes, [], [], error)
