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
from threading import Lock
from typing import TYPE_CHECKING, Self

from mailer.io import durable
from mailer.mail.problem import Problem, from_os

from .enqueue import head, put
from .layout import ForeignSpool, check_owner, prepare

if TYPE_CHECKING:
    from concurrent.futures import Future

    from mailer.spool.api import New

THREADS = 8  # more share no more commits, and wait for one another


class Sack:
    """Letters on their way to the disk: `add` all, `begin` to write them, and `close` says what became of each."""

    def __init__(self, post: Post) -> None:
        self.post = post
        self.letters: list[New] = []
        self._writing: list[Future[list[str | Problem]]] = []

    def add(self, letter: New) -> None:
        """Add one more letter."""
        self.letters.append(letter)

    def begin(self) -> None:
        """Let the threads write the letters. None may be added after that."""
        part = max(-(-len(self.letters) // THREADS), 1)
        self._writing = [self.post.write(self.letters[at : at + part]) for at in range(0, len(self.letters), part)]

    def close(self) -> list[str | Problem]:
        """Wait until all are durable; for each its ID, or why it was refused.

        What would meet every letter, such as a full disk, ends the list: that one and those after it are not put. Raises
        `Problem` if what was put is not known to be durable.
        """
        found = [outcome for part in self._writing for outcome in part.result()]
        stops = (at for at, outcome in enumerate(found) if isinstance(outcome, Problem) and not self.post.refuses(outcome))
        end = next(stops, len(found))
        try:
            self._publish([letter for letter, outcome in zip(self.letters[:end], found, strict=False) if isinstance(outcome, str)])
        except OSError as error:  # whether a name is on disk is not known of any of them
            end = 0
            raise from_os("cannot queue the messages", error.filename or self.post.root, error) from None
        finally:
            self._forget(end)
        return found[: end + 1]

    def _publish(self, written: list[New]) -> None:
        root, states = self.post.root, set()
        for letter in filter(self.post.renames, written):
            state = "deferred" if letter.due else "queued"
            os.rename(f"{root}/tmp/{letter.id}", f"{root}/{state}/{letter.id}")
            states.add(state)
        for state in states:
            durable.sync_directory(f"{root}/{state}")

    def abandon(self) -> None:
        """Put none of the letters, as far as that can be."""
        for part in self._writing:
            if not part.cancel():
                part.exception()
        self._forget(0)

    def _forget(self, start: int) -> None:
        for letter in filter(self.post.renames, self.letters[start:]):
            durable.forget(f"{self.post.root}/tmp/{letter.id}")


class Post:
    """The threads that write sacks into the spool at `root`. A context manager."""

    def __init__(self, root: str) -> None:
        self.root = root
        self.own = _writable(root)
        self._pool = ThreadPoolExecutor(THREADS, "sack")
        self._turn = Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def refuses(self, problem: Problem) -> bool:
        """Whether `problem` concerns one letter, and says nothing of the others; so may a lack of rights, where the daemon decides."""
        return problem.kind in ("usage", "bad-message") or (problem.kind == "no-permission" and not self.own)

    def renames(self, letter: New) -> bool:
        """Whether the letter still has to be renamed when its file is written."""
        return self.own and letter.request is None

    def write(self, letters: list[New]) -> Future[list[str | Problem]]:
        """Write the files of `letters` in a thread; for each its ID or why it could not be, once that is done."""
        return self._pool.submit(self._write, letters)

    def _write(self, letters: list[New]) -> list[str | Problem]:
        with self._turn:  # the kernel makes the files of one directory one after the other; who waits for that burns the processor
            begun = [self._begin(letter) if self.renames(letter) else -1 for letter in letters]
        return [self._finish(letter, fd) for letter, fd in zip(letters, begun, strict=True)]

    def _begin(self, letter: New) -> int | Problem:
        parts = (head(letter.envelope, letter.content), letter.envelope, letter.content)
        try:
            return durable.begin_new(f"{self.root}/tmp/{letter.id}", parts, modified=letter.due)
        except OSError as error:
            return self._trouble(error)

    def _finish(self, letter: New, fd: int | Problem) -> str | Problem:
        if isinstance(fd, Problem):
            return fd
        try:
            if fd < 0:
                return put(self.root, *letter)
            durable.finish_new(f"{self.root}/tmp/{letter.id}", fd)
        except Problem as problem:
            return problem
        except OSError as error:
            return self._trouble(error)
        return letter.id

    def _trouble(self, error: OSError) -> Problem:
        return from_os("cannot queue the message", error.filename or self.root, error)


def _writable(root: str) -> bool:
    """Whether the spool is ours; makes it if there is none. Raises `Problem`."""
    try:
        check_owner(root)
        os.stat(f"{root}/tmp")
    except FileNotFoundError:  # there is none, or nothing in it yet
        prepare(root)
    except ForeignSpool:
        return False
    except PermissionError:  # whoever writes a letter says so
        return True
    return os.access(f"{root}/tmp", os.W_OK | os.X_OK) or not os.path.isdir(f"{root}/drop")
