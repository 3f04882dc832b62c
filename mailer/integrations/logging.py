"""A handler of `logging` that sends records by mail, by way of the queue; a storm of equal ones becomes one mail that counts them.

::

    logging.getLogger().addHandler(MailHandler("ops@example.com", level=logging.ERROR))

Equal are records of one logger, level and place in the source with one text before its arguments are filled in. The first waits for
`window` seconds for others like it, and all go as one mail; each further mail about the same waits twice as long as the one before, up to
`LONGEST`, until there was none for that long. What waits when the program ends goes then.

Nothing of this is raised into the program: a record that cannot be formatted, and a mail that cannot be queued, are told on standard
error, as `logging` does it (``logging.raiseExceptions``). A mail that could not be queued is tried again with the next window.
"""

from __future__ import annotations

import logging
import os
import threading
import time
import weakref
from typing import TYPE_CHECKING

from mailer.mail.dates import rfc3339

if TYPE_CHECKING:
    from collections.abc import Sequence

    Key = tuple[str, int, str, int, str]

LONGEST = 3600.0  # seconds between two mails about the same, at most
MOST = 200  # different records that wait; all beyond are counted together
ROOM = 65536  # characters of a record
OTHERS: Key = ("", 0, "", 0, "")


class _Fold:
    """Equal records: the first of them, as a text, and how many there are since the last mail."""

    def __init__(self, record: logging.LogRecord, text: str, due: float, window: float) -> None:
        self.record = record
        self.text = text
        self.count = 1
        self.first = self.last = record.created
        self.due = due  # time.monotonic
        self.window = window


class MailHandler(logging.Handler):
    """Mails records to `to`; see the module.

    `sender` is the author, without one whoever the configuration says; `subject` stands before what is said. `config` and `spool` are as
    for `mailer.queue`. It may be used from all threads, and after a fork.
    """

    def __init__(
        self,
        to: str | Sequence[str],
        *,
        sender: str = "",
        subject: str = "",
        window: float = 30.0,
        level: int | str = logging.ERROR,
        config: str | None = None,
        spool: str | None = None,
    ) -> None:
        super().__init__(level)
        self.to = [to] if isinstance(to, str) else [*to]
        self.sender = sender
        self.subject = subject
        self.window = window
        self._config = config
        self._spool = spool
        self._folds: dict[Key, _Fold] = {}
        self._news = threading.Condition(threading.RLock())  # what is logged while a record is formatted comes in here, too
        self._thread: tuple[int, threading.Thread] | None = None
        self._closed = False
        itself = weakref.ref(self)  # what is registered stays for ever

        def forked() -> None:
            if handler := itself():
                handler._forked()

        os.register_at_fork(after_in_child=forked)

    def emit(self, record: logging.LogRecord) -> None:
        """Count the record, or begin to wait for others like it."""
        if self._thread and threading.current_thread() is self._thread[1]:
            return  # what is logged while we send would send more
        try:
            self._take(record)
        except Exception:
            self.handleError(record)

    def flush(self) -> None:
        """Queue what waits, now."""
        self._send(float("inf"))

    def close(self) -> None:
        """Queue what waits, and end."""
        with self._news:
            self._closed = True
            self._news.notify_all()
        self.flush()
        super().close()

    def _take(self, record: logging.LogRecord) -> None:
        key: Key = (record.name, record.levelno, record.pathname, record.lineno, str(record.msg)[:1000])
        with self._news:
            known = self._folds.get(key)
            if known is None and len(self._folds) >= MOST:
                key = OTHERS
                known = self._folds.get(key)
            if known is not None:
                if not known.count:
                    known.record, known.text, known.first = record, self._text(record), record.created
                    known.due = max(known.due, time.monotonic())
                known.count += 1
                known.last = record.created
            else:
                self._folds[key] = _Fold(record, self._text(record), time.monotonic() + self.window, self.window)
            self._watch()
            self._news.notify_all()

    def _text(self, record: logging.LogRecord) -> str:
        text = _sendable(self.format(record))
        return text if len(text) <= ROOM else f"{text[:ROOM]}\n[… {len(text) - ROOM} characters more]"

    def _watch(self) -> None:
        """Have a thread that sends what is due; this process's own."""
        if self._closed or (self._thread and self._thread[0] == os.getpid() and self._thread[1].is_alive()):
            return
        thread = threading.Thread(target=self._run, name="mailer-logging", daemon=True)
        self._thread = os.getpid(), thread
        thread.start()

    def _run(self) -> None:
        while True:
            with self._news:
                waiting = [fold.due for fold in self._folds.values()]
                if self._closed:
                    return
                self._news.wait(max(min(waiting) - time.monotonic(), 0.0) if waiting else None)
            self._send(time.monotonic())

    def _send(self, now: float) -> None:
        """Queue a mail for each fold that is due; one that nothing was added to since its last mail is forgotten."""
        with self._news:
            due = [(key, fold) for key, fold in self._folds.items() if fold.due <= now]
            ready = []
            for key, fold in due:
                if not fold.count:
                    del self._folds[key]
                    continue
                ready.append((fold, fold.record, fold.text, fold.count, fold.first, fold.last))
                fold.count = 0
                fold.window = min(fold.window * 2, LONGEST)
                fold.due = time.monotonic() + fold.window
        for fold, record, text, count, first, last in ready:
            try:
                self._queue(record, text, count, first, last)
            except Exception:
                with self._news:
                    if not fold.count:
                        fold.record, fold.text, fold.first, fold.last = record, text, first, max(last, fold.last)
                    fold.count += count
                self.handleError(record)

    def _queue(self, record: logging.LogRecord, text: str, count: int, first: float, last: float) -> None:
        from mailer.compose import Composition
        from mailer.mail.text import one_line
        from mailer.postbox import queue

        line = one_line(text.partition("\n")[0])[:150]
        times = f" ({count} times)" if count > 1 else ""
        origin = f"{record.name}, {record.pathname}:{record.lineno}, process {record.process}, thread {record.threadName}"
        between = f"{count} times, from {rfc3339(first)} to {rfc3339(last)}; the first:\n\n" if count > 1 else ""
        mail = Composition(
            from_=self.sender,
            to=self.to,
            subject=" ".join(filter(None, (self.subject, one_line(f"{record.levelname} {record.name}:"), line))) + times,
            text=f"{between}{text}\n\n{_sendable(origin)}\n",
            headers={"Auto-Submitted": "auto-generated"},  # RFC 3834 §5
        )
        queue(mail, config=self._config, spool=self._spool)

    def _forked(self) -> None:
        """In a child: what waits is the parent's to send, and so is its lock."""
        self._news = threading.Condition(threading.RLock())
        self._folds = {}
        self._thread = None


def _sendable(text: str) -> str:
    """`text` where octets of a file's name that are no UTF-8 are written as ``\\udcff``, and a NUL as U+FFFD: a mail has neither."""
    return text.encode("utf-8", "backslashreplace").decode().replace("\0", "\ufffd")
