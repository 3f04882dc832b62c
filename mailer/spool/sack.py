"""The sack: many messages put together, so that they share what makes one message slow, the waits for the disk.

Each message goes the way that `put` describes, and the promise is the same. Only the waits overlap: the files of a sack are
written and synced by several threads at once, which the journal of the file system turns into few commits; then all are
renamed, and ``queued/`` is synced once for all of them.

==============================  ==================================================================
step                            what a crash right after it leaves
==============================  ==================================================================
write and fsync all files       garbage in ``tmp/``; nobody was told anything
rename all                      some of the messages, perhaps; nobody was told anything
fsync ``queued/``               all of them; now it is said
==============================  ==================================================================

A message with a request id has more to wait for, and waits alone, beside others that do. Where messages have to be handed over
each of them is.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple, Self

from mailer import durable
from mailer.mail.failure import BAD_MESSAGE, NO_PERMISSION, USAGE, Failure, from_os

from .layout import ForeignSpool, check_owner, prepare
from .put import forget, head, put

if TYPE_CHECKING:
    from concurrent.futures import Future

THREADS = 12  # more share no more commits, and wait for one another


REFUSED = (USAGE, BAD_MESSAGE, NO_PERMISSION)
"""The codes of what concerns one letter and says nothing of the others."""


class Letter(NamedTuple):
    """One message, as `put` takes it."""

    id: str
    line: bytes
    content: bytes
    request: tuple[str, str] | None = None
    due: float = 0.0


class Sack:
    """Letters on their way to the disk. `close` says what became of each."""

    def __init__(self, post: Post) -> None:
        self.post = post
        self.letters: list[Letter] = []
        self._waiting: list[Future[str]] = []

    def add(self, letter: Letter) -> None:
        """Begin to write it."""
        self.letters.append(letter)
        self._waiting.append(self.post.begin(letter))

    def close(self) -> list[str | Failure]:
        """Wait until all are durable; for each its ID, or why it was refused.

        What would meet every letter, such as a full disk, ends the list: that one and those after it are not put. Raises
        `Failure` if what was put is not known to be durable.
        """
        found = [_outcome(future) for future in self._waiting]
        end = next((at for at, outcome in enumerate(found) if isinstance(outcome, Failure) and outcome.code not in REFUSED), len(found))
        try:
            self._publish(end)
        except OSError as error:  # whether a name is on disk is not known of any of them
            raise from_os("cannot queue the messages", error.filename or self.post.root, error) from None
        finally:
            self._forget(end)
        return found[: end + 1]

    def _publish(self, end: int) -> None:
        root, states = self.post.root, set()
        for letter, future in zip(self.letters[:end], self._waiting, strict=False):
            if self.post.renames(letter) and not future.exception():
                os.rename(f"{root}/tmp/{letter.id}", f"{root}/{_state(letter)}/{letter.id}")
                states.add(_state(letter))
        for state in states:
            durable.sync_directory(f"{root}/{state}")

    def abandon(self) -> None:
        """Put none of them."""
        for future in self._waiting:
            future.cancel() or future.exception()
        self._forget(0)

    def _forget(self, start: int) -> None:
        for letter in self.letters[start:]:
            if self.post.renames(letter):
                forget(f"{self.post.root}/tmp/{letter.id}")


class Post:
    """The threads that write sacks into the spool at `root`. A context manager."""

    def __init__(self, root: str, threads: int = THREADS) -> None:
        self.root = root
        self.own = _writable(root)
        self._pool = ThreadPoolExecutor(threads, "sack")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def renames(self, letter: Letter) -> bool:
        """Whether the letter still has to be renamed when its file is written."""
        return self.own and letter.request is None

    def begin(self, letter: Letter) -> Future[str]:
        """Write the letter in a thread; its ID, once that is done."""
        if self.renames(letter):
            return self._pool.submit(self._write, letter)
        return self._pool.submit(put, self.root, *letter)

    def _write(self, letter: Letter) -> str:
        parts = (head(letter.line, letter.content), letter.line, letter.content)
        try:
            durable.write_new(f"{self.root}/tmp/{letter.id}", parts, modified=letter.due)
        except OSError as error:
            raise from_os("cannot queue the message", error.filename or self.root, error) from None
        return letter.id


def _writable(root: str) -> bool:
    """Whether the spool is ours; makes it if there is none. Raises `Failure`."""
    try:
        check_owner(root)
    except FileNotFoundError:
        prepare(root)
    except ForeignSpool:
        return False
    return os.access(f"{root}/tmp", os.W_OK | os.X_OK)


def _outcome(future: Future[str]) -> str | Failure:
    try:
        return future.result()
    except Failure as failure:
        return failure


def _state(letter: Letter) -> str:
    return "deferred" if letter.due else "queued"
