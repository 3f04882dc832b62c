"""The log: one line for each event, and for each recipient's outcome; a sentence on a terminal, JSON elsewhere.

`Log` makes the lines, those of the doors by `incoming`, of which `folding` makes one where many say the same; `sentence` is how people
read one, and `cut` says how much of a text stands in one. `LogComponent` is the log of the daemon: where it is written, and what becomes
of it at a reload and at the end. `writer` is the thread that writes.

No bodies and no secrets: what is logged is the envelope, the outcome, and the reply it rests on. Text from
outside cannot forge a line or act on a terminal: JSON escapes it, and the human form strips it. A line of that form is read
back without doubt: what has a blank, an equals sign, a quotation mark or a backslash in it stands in quotes, with a backslash before
the last two.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, TextIO

from mailer.events import (
    AlarmBegun,
    AlarmOver,
    Changed,
    Corrupt,
    Daemon,
    DeadLetter,
    DoorNews,
    Event,
    Judged,
    ReportsHeard,
    Requested,
    Seen,
    Settled,
    Tried,
    Unsubscribed,
)
from mailer.io.component import Component
from mailer.mail.dates import rfc3339
from mailer.mail.history import RECIPIENT_STATUS
from mailer.mail.masked import masked, masked_text
from mailer.mail.problem import from_os
from mailer.mail.text import one_line

from .cut import LIMIT, cut
from .folding import SPAN, LogFolding
from .incoming import INCOMING
from .sentence import sentence
from .writer import Writer, open_stream

if TYPE_CHECKING:
    from mailer.config import Config
    from mailer.io.clock import Clock
    from mailer.mail.outcome import Outcome
    from mailer.spool.api import Entry

__all__ = ["COLOURS", "EVENTS", "LEVELS", "LIMIT", "OUTCOMES", "SPAN", "Log", "LogComponent"]

LEVELS: Final = ("debug", "info", "warning", "error")
COLOURS: Final = {"debug": "2", "info": "0", "warning": "33", "error": "31"}
_encode: Final = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode
_BORDER: Final = '},{"at":'  # between two lines in one array: the quotes of what stands within a string have backslashes
_QUOTED: Final = frozenset(' ="\\')
PATIENCE: Final = 2.0  # seconds that a log which nobody reads holds up the end


class Log:
    """A listener that writes to `stream`. `level` is the least important level that is written.

    With `later`, which puts off a call for a moment, all lines of that moment are one write. With `apart`, a thread writes: then
    nothing here waits for the reader of the log.
    """

    def __init__(
        self,
        stream: TextIO,
        *,
        form: str = "auto",
        level: str = "info",
        later: Callable[[Callable[[], None]], object] | None = None,
        apart: bool = False,
    ) -> None:
        self.later = later
        self._writer = Writer(stream, self._lost) if apart else None
        self._lines: list[dict[str, object]] = []
        self._folding = LogFolding()
        self.hushed = False
        self.masks = False
        self._use(stream, form, level)

    def change(self, stream: TextIO, *, form: str, level: str, masks: bool = False) -> None:
        """Write to `stream` from now on, and close the one before unless it is a standard stream. `masks`: of addresses, the domain alone.

        Where both are the same file, the one before goes on, for what waits may wait for ever: one more of it for each reload, with a
        thread and a descriptor, would be too much.
        """
        self.flush()
        self.masks = masks
        before = self._stream
        if self._writer is not None and stream is not before and _same(before, stream):
            stream.close()
            stream = before
        self._use(stream, form, level)
        if before is stream:
            return
        if self._writer is not None:
            self._writer.close(0.0)
            self._writer = Writer(stream, self._lost)
        elif before not in (sys.stderr, sys.stdout):
            before.close()

    def close(self, seconds: float) -> None:
        """Write what has gathered, for so long at most."""
        self.flush()
        if self._writer is not None:
            self._writer.close(seconds)

    def _use(self, stream: TextIO, form: str, level: str) -> None:
        terminal = stream.isatty()
        self._stream = stream
        self.form = ("sentence" if terminal else "json") if form == "auto" else form
        self.colour = terminal and self.form != "json" and not os.environ.get("NO_COLOR")
        self.level = level
        self.folds = level != "debug"
        self.hush(self.hushed)

    def hush(self, on: bool) -> None:
        """Write nothing but errors, or again all that is wanted: a log on a disk that is nearly full must not fill it."""
        self.hushed = on
        self.wanted = frozenset(LEVELS[LEVELS.index("error" if on else self.level) :])

    def told(self, event: Event) -> None:
        """Write the lines of `event`."""
        lines = self._lines
        before = len(lines)
        try:
            if isinstance(event, Tried):
                for outcome in event.outcomes:
                    level = OUTCOMES.get(outcome.verdict, "error")
                    if level in self.wanted and not (level == "warning" and self.folds and self._folding.takes(outcome, event.entry.id)):
                        lines.append({"at": rfc3339(event.at), "level": level, **_outcome(event.entry, outcome)})
            else:
                level, line = EVENTS[type(event)]
                if isinstance(event, AlarmBegun) and event.alarm.severity == "notice":
                    level = "warning"
                if level in self.wanted:
                    lines.append({"at": rfc3339(event.at), "level": level, **line(event)})
        finally:  # also where the second of two lines could not be made
            if len(lines) > before:
                if self.later is None:
                    self.flush()
                elif not before:
                    self.later(self.flush)

    def unfold(self, now: float, *, all: bool = False) -> None:
        """Write how many lines those stood for whose time is over at `now` (seconds since the epoch), or all of them."""
        for line in self._folding.over(now, all=all):
            self._lines.append({**line, "reply": cut(str(line["reply"]))})
        self.flush()

    def flush(self) -> None:
        """Write what has gathered; a log that cannot be written stops no mail."""
        lines, self._lines = self._lines, []
        if not lines:
            return
        text = self._text(lines)
        if self._writer is not None:
            self._writer.put(text, len(lines))
            return
        try:
            self._stream.write(text)
            self._stream.flush()
        except (OSError, ValueError):
            pass

    def _text(self, lines: list[dict[str, object]]) -> str:
        if self.masks:
            lines = [*map(_masked, lines)]
        return (_json(lines) if self.form == "json" else "\n".join(map(self._drawn, lines))) + "\n"

    def _lost(self, count: int, why: str) -> str:
        """The line that says that some are missing."""
        return self._text([{"at": rfc3339(time.time()), "level": "error", "event": "log", "what": "lost", "lines": count, "detail": why}])

    def _drawn(self, line: dict[str, object]) -> str:
        text = _human(line) if self.form == "human" else sentence(line, LIMIT)
        return f"\x1b[{COLOURS[str(line['level'])]}m{text}\x1b[0m" if self.colour else text


class LogComponent(Component):
    """Writes `log`, which is open from the beginning, as what is made after it may have something to tell. Raises `Problem`.

    `last` is the last line, at whatever time that is.
    """

    def __init__(self, config: Config, clock: Clock, last: Daemon | DoorNews | None = None) -> None:
        self.log = Log(sys.stderr, later=asyncio.get_running_loop().call_soon, apart=True)
        self._clock = clock
        self._last = last or Daemon(0.0, "stopped")
        self._use(config, _opened(config))

    @contextmanager
    def reload(self, config: Config) -> Iterator[None]:
        """Open it anew, even where it is the same file, as logrotate(8) expects. One that cannot be opened is refused."""
        stream = _opened(config)
        try:
            yield
        except BaseException:
            if stream is not sys.stderr:
                stream.close()
            raise
        self._use(config, stream)

    async def stop(self, _grace: float) -> None:
        """Write the last line, and what has gathered."""
        self.log.unfold(self._clock.now(), all=True)
        self.log.told(replace(self._last, at=self._clock.now()))
        self.log.close(PATIENCE)

    def hush(self, on: bool) -> None:
        """Write errors alone, or again all, if the log is on the disk of the spool. What goes to standard error is another's to keep."""
        if not on or (self._file and os.stat(self._file).st_dev == os.stat(self._root).st_dev):
            self.log.hush(on)

    def _use(self, config: Config, stream: TextIO) -> None:
        self._file, self._root = config.log.file, config.spool
        self.log.change(stream, form=config.log.format, level=config.log.level, masks=config.log.addresses == "domain")


def _opened(config: Config) -> TextIO:
    try:
        return open_stream(config.log.file)
    except OSError as error:
        raise from_os("cannot open the log", config.log.file, error) from None


def _same(one: TextIO, other: TextIO) -> bool:
    try:
        return os.path.samestat(os.fstat(one.fileno()), os.fstat(other.fileno()))
    except (OSError, ValueError):  # one is closed, or no file
        return False


def _json(lines: list[dict[str, object]]) -> str:
    """A line of JSON for each. They are encoded as one array, which costs a third less than one by one."""
    return _encode(lines)[1:-1].replace(_BORDER, '}\n{"at":')


def _masked(line: dict[str, object]) -> dict[str, object]:
    """The line without what of an address names a person, also in what a host has said. The Message-ID is none, and is needed."""
    return {key: value if key == "message_id" or not isinstance(value, str) else _shown(key, value) for key, value in line.items()}


def _shown(key: str, value: str) -> str:
    return masked(value) if key in ("from", "to") and value != "<>" else masked_text(value)


def _human(line: dict[str, object]) -> str:
    words = [f"{key}={_word(value)}" for key, value in line.items() if value not in ("", None) and key not in ("at", "level", "event")]
    return f"{str(line['at'])[11:19]} {line['event']:<10} {' '.join(words)}"


def _word(value: object) -> str:
    text = one_line(str(value), LIMIT)
    if text and _QUOTED.isdisjoint(text):
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _seen(event: Seen) -> dict[str, object]:
    entry = event.entry
    envelope = entry.envelope
    name = envelope.message_id
    return {
        "event": "queued",
        "id": entry.id,
        "message_id": (name if len(name) <= LIMIT else cut(name)) or None,
        "from": envelope.sender or "<>",
        "recipients": len(envelope.recipients),
        "size": entry.size,
    }


def _settled(event: Settled) -> dict[str, object]:
    return {"event": "settled", "id": event.entry.id, "status": event.status, "next": rfc3339(event.due) if event.due else None}


def _changed(event: Changed) -> dict[str, object]:
    return {"event": "changed", "id": event.entry.id, "status": event.status}


def _corrupt(event: Corrupt) -> dict[str, object]:
    return {"event": "corrupt", "id": cut(event.id), "reason": cut(event.reason), "path": event.path}


def _begun(event: AlarmBegun) -> dict[str, object]:
    alarm = event.alarm
    line: dict[str, object] = {"event": "alarm", "what": alarm.kind, "state": "begin", "severity": alarm.severity}
    return line | {"key": cut(alarm.key) or None, "detail": cut(alarm.text), "remedy": cut(alarm.remedy) or None}


def _over(event: AlarmOver) -> dict[str, object]:
    alarm = event.alarm
    line: dict[str, object] = {"event": "alarm", "what": alarm.kind, "state": "end", "severity": alarm.severity}
    lasted = {"seconds": round(max(event.at - alarm.since, 0.0)), "count": alarm.times}
    return line | {"key": cut(alarm.key) or None, "detail": cut(event.detail)} | lasted


def _daemon(event: Daemon) -> dict[str, object]:
    return {"event": "daemon", "what": event.what, "detail": event.detail or None}


def _door(event: DoorNews) -> dict[str, object]:
    return {"event": event.door, "what": event.what, "detail": cut(event.detail) or None}


def _dead_letter(event: DeadLetter) -> dict[str, object]:
    return {"event": "dead-letter", "queue": event.queue, "message_id": cut(event.message_id) or None, "reason": cut(event.reason)}


def _heard(event: ReportsHeard) -> dict[str, object]:
    first = event.reports[0] if event.reports else None
    if first is None:
        return {"event": "report", "kind": "none"}
    return {
        "event": "report",
        "report": first.id,
        "source": cut(first.source),
        "kind": first.kind,
        "trust": first.trust,
        "id": first.message or None,
        "to": cut(first.recipient) or None,
        "recipients": len(event.reports),
        "enhanced_code": first.status or None,
        "class": first.class_ or None,
        "reply": cut(first.diagnostic) or None,
        "effect": cut(first.effect) or None,
    }


def _judged(event: Judged) -> dict[str, object]:
    return {"event": "judged", "verdict": event.verdict, "user": cut(event.address) or None, "owner": event.owner, "mail": event.mail}


def _unsubscribed(event: Unsubscribed) -> dict[str, object]:
    return {"event": "unsubscribed", "id": event.message or None, "to": cut(event.address), "stream": cut(event.stream)}


def _requested(event: Requested) -> dict[str, object]:
    return {
        "event": "request",
        "client": event.client or None,
        "key": event.key or None,
        "method": event.method or None,
        "path": cut(event.path) or None,
        "status": event.status,
        "seconds": round(event.seconds, 4),
        "ref": event.ref or None,
        "reason": cut(event.reason) or None,
    }


EVENTS: Final[Mapping[type[Event], tuple[str, Callable[[Any], dict[str, object]]]]] = {
    Seen: ("info", _seen),
    Settled: ("debug", _settled),
    Changed: ("info", _changed),
    Corrupt: ("error", _corrupt),
    AlarmBegun: ("error", _begun),
    AlarmOver: ("warning", _over),
    Daemon: ("info", _daemon),
    DeadLetter: ("warning", _dead_letter),
    DoorNews: ("info", _door),
    ReportsHeard: ("info", _heard),
    Requested: ("info", _requested),
    Judged: ("info", _judged),
    Unsubscribed: ("info", _unsubscribed),
    **INCOMING,
}
"""Each event's level, and what makes its line. An event without an entry is a bug, and told as one."""

OUTCOMES: Final = {"delivered": "info", "cancel": "info", "defer": "warning"}
"""The level of an outcome by its verdict; the others are errors."""


def _outcome(entry: Entry, outcome: Outcome) -> dict[str, object]:
    hop, text = outcome.hop, outcome.text
    line: dict[str, object] = {
        "event": RECIPIENT_STATUS[outcome.verdict],
        "id": entry.id,
        "to": entry.envelope.recipients[outcome.to].address,
        "host": hop.host or None,
        "ip": hop.ip or None,
        "port": hop.port or None,
        "tls": hop.tls or "none",
        "code": outcome.code or None,
        "enhanced_code": outcome.enhanced or None,
        "phase": outcome.phase or None,
        "reply": text if len(text) <= LIMIT else cut(text),  # nearly always: a call for each line is too much
        "delay": round(max(outcome.at - entry.arrived, 0.0), 3),  # the clock may have been set back
        "seconds": round(outcome.seconds, 3),
        "queue_id": outcome.queue_id or None,
        "next": rfc3339(outcome.due) if outcome.due else None,
    }
    if outcome.cause is not None:
        line |= {"cause": outcome.cause, "by": "mailer" if outcome.ours else "host"}
    if outcome.besides:
        line["besides"] = cut(outcome.besides)
    return line
