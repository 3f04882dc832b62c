"""The writers: threads that put letters into mailboxes of ours, several mailboxes side by side, one thread at a time for each.

What waits for the same mailbox is put together, so that a thousand messages for one user wait for the disk a few dozen times. Where
that cannot be, for the quota has no room for all of them or one cannot be filed, each is put for itself. Who has much mail gives up his
thread after each such portion, and stands in line again: nobody waits for another's mail. A database that makes a thread wait keeps the
others from nothing.

Used by `local`, and by nothing else.
"""

from __future__ import annotations

import asyncio
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from mailer.io.computing import Computing
from mailer.mail.problem import Problem
from mailer.mailbox.api import Frozen, NoKey
from mailer.metrics.mailboxes import MailboxCounts

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    from mailer.mailbox.api import Mailbox, PutMail, Quota
    from mailer.metrics.mailboxes import Became

    from .filing import Filing, MailboxLetter

THREADS: Final = 8
MOST: Final = 100  # letters that are put together
MOST_OCTETS: Final = 16 << 20  # of them


class MailboxOpener(Protocol):
    """Where mailboxes are opened: `mailer.mailbox.mailboxes.Mailboxes`."""

    def of(self, address: str, *, make: bool = False) -> AbstractContextManager[Mailbox]:
        """The mailbox of `address`, which is made where there is none. Raises `Problem`."""


class Filed(NamedTuple):
    """What became of a letter: where it is, or what kept it from that."""

    puts: Sequence[PutMail] = ()
    error: Exception | None = None


class _Waiting(NamedTuple):
    letter: MailboxLetter
    filed: asyncio.Future[Filed]


class Noticed(Protocol):
    """What sees how full a mailbox is after something was put there: `mailer.mailbox.notices.QuotaNotices`."""

    def after(self, mailbox: Mailbox, quota: Quota, puts: Sequence[PutMail], octets: int) -> int:
        """See it, after so many octets more. Raises what a `Mailbox` raises."""


class Writers:
    """The writers to `boxes`, who ask `filing` where letters go.

    Who `is_gone` when his mailbox is open, for he was removed meanwhile, gets nothing: it may be a new one that has his address only.
    `notices` sees how full a mailbox is then; what keeps it from that is told to `trouble`, and to nobody who has sent something. `counts`
    has what they did.
    """

    def __init__(
        self,
        boxes: MailboxOpener,
        filing: Filing,
        threads: int = THREADS,
        notices: Noticed | None = None,
        trouble: Callable[[Exception], object] = id,
        is_gone: Callable[[str], bool] | None = None,
        counts: MailboxCounts | None = None,
    ) -> None:
        self._boxes = boxes
        self._filing = filing
        self._notices = notices
        self._trouble = trouble
        self._is_gone = is_gone
        self._counts = counts or MailboxCounts()
        self._pool = ThreadPoolExecutor(threads, "mailbox")
        self._lines: dict[str, deque[_Waiting]] = {}
        self._lock = Lock()
        self._computing = Computing()

    def hand_in(self, address: str, letter: MailboxLetter) -> asyncio.Future[Filed]:
        """Have `letter` put into the mailbox of `address`, which is made where there is none."""
        waiting = _Waiting(letter, asyncio.get_running_loop().create_future())
        self._counts.came()
        with self._lock:
            line = self._lines.get(address)
            if line is None:
                self._lines[address] = deque([waiting])
            else:
                line.append(waiting)
        if line is None:
            self._pool.submit(self._work, address)
        return waiting.filed

    def close(self) -> None:
        """Wait for what was handed in, and end the threads."""
        self._pool.shutdown()

    def _work(self, address: str) -> None:
        """Put what waits for one mailbox, a portion of it."""
        portion, began = self._take(address), monotonic()
        with self._computing:
            done = self._put(address, [each.letter for each in portion])
        self._counts.done([*map(_became, done)], monotonic() - began)
        with suppress(RuntimeError):  # nobody waits any more, his loop is closed
            portion[0].filed.get_loop().call_soon_threadsafe(_answer, [each.filed for each in portion], done)
        with self._lock:
            more = bool(self._lines[address])
            if not more:
                del self._lines[address]
        if more:
            self._pool.submit(self._work, address)

    def _take(self, address: str) -> list[_Waiting]:
        portion: list[_Waiting] = []
        octets = 0
        with self._lock:
            line = self._lines[address]
            while line and len(portion) < MOST and octets < MOST_OCTETS:
                portion.append(line.popleft())
                octets += len(portion[-1].letter.content)
        return portion

    def _put(self, address: str, letters: Sequence[MailboxLetter]) -> Sequence[Filed]:
        try:
            with self._boxes.of(address, make=True) as mailbox:
                if self._is_gone is not None and self._is_gone(address):
                    raise Problem(f"{address} was removed this moment", "try-again")
                filed = _filed(mailbox, self._filing, letters)
                if len(filed) != len(letters):
                    raise RuntimeError(f"{len(letters)} letters were filed, and {len(filed)} answers came")
                self._notice(mailbox, letters, filed)
                return filed
        except Exception as error:
            return [Filed(error=error)] * len(letters)

    def _notice(self, mailbox: Mailbox, letters: Sequence[MailboxLetter], filed: Sequence[Filed]) -> None:
        """Have it seen how full the mailbox is now."""
        puts = [put for each in filed for put in each.puts[:1]]
        if self._notices is None or not puts:
            return
        fresh = (letter for letter, each in zip(letters, filed, strict=True) if each.puts and each.puts[0].fresh)
        octets = sum(len(letter.prefix) + len(letter.content) for letter in fresh)
        try:
            self._notices.after(mailbox, letters[-1].quota, puts, octets)
        except Exception as error:
            self._trouble(error)


def _answer(waiting: Sequence[asyncio.Future[Filed]], done: Sequence[Filed]) -> None:
    """Tell those who wait what became of their letters, all of a portion at once: to wake the loop costs more than that."""
    for each, filed in zip(waiting, done, strict=True):
        if not each.done():
            each.set_result(filed)


def _became(filed: Filed) -> Became:
    """What is counted of a letter."""
    if filed.error is not None:
        return "kept_back"
    return "there" if filed.puts and not filed.puts[0].fresh else "put"


def _filed(mailbox: Mailbox, filing: Filing, letters: Sequence[MailboxLetter]) -> Sequence[Filed]:
    """Put them together if that can be, else one after the other."""
    if len(letters) > 1:
        try:
            news = [filing.plain(mailbox, letter) for letter in letters]
            plain = [new for new in news if new is not None]
            if len(plain) == len(news):
                return [Filed([put]) for put in mailbox.put(plain, letters[-1].quota)]
        except (Frozen, NoKey) as problem:
            return [Filed(error=problem)] * len(letters)
        except Exception:  # noqa: S110 - each for itself, one of them has the reason
            pass
    return [_alone(mailbox, filing, letter) for letter in letters]


def _alone(mailbox: Mailbox, filing: Filing, letter: MailboxLetter) -> Filed:
    try:
        return Filed(filing.file(mailbox, letter))
    except Exception as error:
        return Filed(error=error)
