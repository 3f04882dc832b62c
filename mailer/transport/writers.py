"""The writers: threads that put letters into mailboxes of ours, those for several mailboxes together, one thread at a time for each.

What waits for the same mailbox is put together, so that a thousand messages for one user wait for the disk a few dozen times. Where
that cannot be, for the quota has no room for all of them or one cannot be filed, each is put for itself. Who has much mail gives up his
place after each such portion, and stands in line again: nobody waits for another's mail.

What waits for several mailboxes is put by one thread as well, and waits for the disk once (`mailer.mailbox.together`): to pass a message
from thread to thread costs more than to put it. Where the disk is slow, waits count for more, and all threads wait side by side, each for
one mailbox. A mailbox where that cannot be, for its owner has rules for the message, another process writes it, or its rows are at a
server, gets a thread of its own, which may wait; it keeps the others from nothing.

Used by `local`, and by nothing else.
"""

from __future__ import annotations

import asyncio
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from threading import Condition, Lock
from time import monotonic
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from mailer.io.computing import Computing
from mailer.io.haste import hurrying
from mailer.mail.problem import Problem
from mailer.mailbox.api import Frozen, NoKey
from mailer.mailbox.together import WantedPut, put_all
from mailer.metrics.mailboxes import MailboxCounts

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractContextManager

    from mailer.mailbox.api import Mailbox, PutMail, Quota
    from mailer.mailbox.box import OwnMailbox
    from mailer.metrics.mailboxes import Became

    from .filing import Filing, MailboxLetter

THREADS: Final = 8
MOST: Final = 100  # letters that are put together into one mailbox
MOST_OCTETS: Final = 16 << 20  # of them
FEW: Final = 32  # letters for several mailboxes
TOGETHER: Final = 2  # threads that put together: while one waits for the disk, the other computes
ENOUGH: Final = 4  # mailboxes for which a second one comes
SLOW: Final = 0.02  # seconds of a wait for the disk, from which on all threads wait for it side by side, each for one mailbox
APART: Final = 100  # portions, until it is seen again how fast the disk is


class MailboxOpener(Protocol):
    """Where mailboxes are opened: `mailer.mailbox.mailboxes.Mailboxes`."""

    def of(self, address: str, *, make: bool = False) -> AbstractContextManager[OwnMailbox]:
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
    has what they did. Without `together`, each mailbox has a thread of its own: where the rows of all are at a server.
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
        *,
        together: bool = True,
    ) -> None:
        self._boxes = boxes
        self._filing = filing
        self._notices = notices
        self._trouble = trouble
        self._is_gone = is_gone
        self._counts = counts or MailboxCounts()
        self._threads = threads
        self._pool = ThreadPoolExecutor(threads, "mailbox")
        self._lines: dict[str, deque[_Waiting]] = {}  # what waits, by the mailbox; that of one which a thread has is here as well
        self._next: deque[str] = deque()  # the mailboxes that no thread has
        self._at_work = 0  # threads that put together
        self._together = together
        self._apart = 0  # portions that are yet put each by a thread of its own, for the disk is slow
        self._lock = Lock()
        self._done = Condition(self._lock)
        self._computing = Computing()

    def hand_in(self, address: str, letter: MailboxLetter) -> asyncio.Future[Filed]:
        """Have `letter` put into the mailbox of `address`, which is made where there is none."""
        waiting = _Waiting(letter, asyncio.get_running_loop().create_future())
        self._counts.came()
        with self._lock:
            line = self._lines.get(address)
            if line is not None:
                line.append(waiting)
                return waiting.filed
            self._lines[address] = deque([waiting])
            self._next.append(address)
            self._call()
        return waiting.filed

    def close(self) -> None:
        """Wait for what was handed in, and end the threads."""
        with self._done:
            self._done.wait_for(lambda: not self._lines)
        self._pool.shutdown()

    def _call(self) -> None:
        """Have a thread come for the next mailboxes, with the lock held: few are enough, for one takes all that there are at its turn."""
        most, enough = (TOGETHER, ENOUGH) if self._together and not self._apart else (self._threads, 1)
        if self._next and (not self._at_work or (self._at_work < most and len(self._next) >= enough)):
            self._at_work += 1
            self._pool.submit(self._work)

    def _work(self) -> None:
        """Put what waits for the next mailboxes, a portion of each."""
        with self._computing:
            began, portions = monotonic(), self._take()
            done = self._put_all(portions) if self._together else {}
            left = [address for address in portions if address not in done]
            with self._lock:
                self._at_work -= 1
                if self._apart:
                    self._apart -= 1
                elif done and monotonic() - began > SLOW * (2 + len(done)):  # two waits for their bodies, and one for the rows of each
                    self._apart = APART
            self._answer(portions, done, began)
            for address in left[1:]:
                self._pool.submit(self._work_alone, address, portions[address])
            for address in left[:1]:
                self._put_alone(address, portions[address])

    def _work_alone(self, address: str, portion: Sequence[_Waiting]) -> None:
        with self._computing:
            self._put_alone(address, portion)

    def _put_alone(self, address: str, portion: Sequence[_Waiting]) -> None:
        """Put a portion for one mailbox, and wait for as long as that takes."""
        began = monotonic()
        self._answer({address: portion}, {address: self._put(address, [each.letter for each in portion])}, began)

    def _answer(self, portions: Mapping[str, Sequence[_Waiting]], done: Mapping[str, Sequence[Filed]], began: float) -> None:
        """Tell those who wait what was done, and let others have these mailboxes."""
        for filed in done.values():
            self._counts.done([*map(_became, filed)], monotonic() - began)
        waiting = [each.filed for address in done for each in portions[address]]
        if waiting:
            with suppress(RuntimeError):  # nobody waits any more, his loop is closed
                waiting[0].get_loop().call_soon_threadsafe(_answer, waiting, [each for filed in done.values() for each in filed])
        with self._lock:
            for address in done:
                if self._lines[address]:
                    self._next.append(address)
                else:
                    del self._lines[address]
            self._call()
            if not self._lines:
                self._done.notify_all()

    def _take(self) -> dict[str, list[_Waiting]]:
        """What waits for the next mailboxes: for the first a portion, and for others as long as all that is not much."""
        portions: dict[str, list[_Waiting]] = {}
        letters = octets = 0
        with self._lock:
            while self._next and (not portions or self._goes_with(letters + len(self._lines[self._next[0]]), octets)):
                address = self._next.popleft()
                line, portion = self._lines[address], portions.setdefault(address, [])
                while line and len(portion) < MOST and octets < MOST_OCTETS:
                    portion.append(line.popleft())
                    octets += len(portion[-1].letter.content)
                letters += len(portion)
        return portions

    def _goes_with(self, letters: int, octets: int) -> bool:
        """Whether another mailbox is put with others, so that it is so many letters."""
        return self._together and not self._apart and letters <= FEW and octets < MOST_OCTETS

    def _put_all(self, portions: Mapping[str, Sequence[_Waiting]]) -> dict[str, Sequence[Filed]]:
        """Put what is for several mailboxes together; what is not in the answer is to be put alone."""
        done: dict[str, Sequence[Filed]] = {}
        try:
            with ExitStack() as stack:
                with hurrying():
                    wanted = self._wanted(stack, portions)
                    puts = put_all([*wanted.values()])
                for nth, (address, each) in enumerate(wanted.items()):
                    if nth in puts:
                        done[address] = [Filed([put]) for put in puts[nth]]
                        self._notice(each.box, [waiting.letter for waiting in portions[address]], done[address])
        except Exception as error:
            self._trouble(error)
        return done

    def _wanted(self, stack: ExitStack, portions: Mapping[str, Sequence[_Waiting]]) -> dict[str, WantedPut]:
        """What can be put together, by the mailbox, which is open until the end of `stack`."""
        wanted = {}
        for address, portion in portions.items():
            try:
                mailbox = self._opened(stack, address)
                news = [new for each in portion if (new := self._filing.plain(mailbox, each.letter)) is not None]
            except Exception:  # noqa: S112 - alone, it has the reason
                continue
            if len(news) == len(portion):
                wanted[address] = WantedPut(mailbox, news, portion[-1].letter.quota)
        return wanted

    def _opened(self, stack: ExitStack, address: str) -> OwnMailbox:
        """The mailbox of `address`, open until the end of `stack`. Raises `Problem`."""
        mailbox = stack.enter_context(self._boxes.of(address, make=True))
        if self._is_gone is not None and self._is_gone(address):
            raise Problem(f"{address} was removed this moment", "try-again")
        return mailbox

    def _put(self, address: str, letters: Sequence[MailboxLetter]) -> Sequence[Filed]:
        try:
            with ExitStack() as stack:
                mailbox = self._opened(stack, address)
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
