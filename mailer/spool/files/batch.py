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

Request ids are claimed between the first two steps, all of them together (`idempotency.Claims`); one that was made before is looked into by
itself, when the others are done. Where messages have to be handed over each of them is.
"""

from __future__ import annotations

import os
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock
from typing import TYPE_CHECKING, NamedTuple, Self

from mailer.io import durable
from mailer.mail.problem import Forbidden, Problem, from_os

from . import idempotency
from .enqueue import head, put
from .layout import ForeignSpool, check_owner, prepare

if TYPE_CHECKING:
    from mailer.spool.api import New

THREADS = 8  # more share no more commits, and wait for one another
TOGETHER = 65_536  # octets of a letter that is written by one call: three give away the interpreter three times


class WrittenLetter(NamedTuple):
    """What came of the file of one letter: its ID or what was wrong, and the descriptor of its claim, or -1."""

    outcome: str | Problem
    claim: int = -1


class BegunLetter(NamedTuple):
    """A letter, and the descriptors of its file and of its claim, -1 for none, which are still to be synced; or what was wrong."""

    letter: New
    fds: tuple[int, int] | Problem


class Sack:
    """Letters on their way to the disk: `add` all, `begin` to write them, and `close` says what became of each."""

    def __init__(self, post: Post) -> None:
        self.post = post
        self.letters: list[New] = []
        self._writing: list[Future[list[WrittenLetter]]] = []
        self._written: list[WrittenLetter] = []

    def add(self, letter: New) -> None:
        """Add one more letter."""
        self.letters.append(letter)

    def begin(self) -> None:
        """Let the threads write the letters. None may be added after that."""
        part = max(-(-len(self.letters) // self.post.threads), 1)
        self._writing = [self.post.write(self.letters[at : at + part]) for at in range(0, len(self.letters), part)]

    def write(self) -> None:
        """As `begin`, for whoever has nothing else to do: the files are made in this thread, which syncs its part of them, too."""
        begun = self.post.begin(self.letters)
        part = max(-(-len(begun) // self.post.threads), 1)
        self._writing = [self.post.finish(begun[at : at + part]) for at in range(part, len(begun), part)]
        self._writing.insert(0, self.post.finish(begun[:part], here=True))

    def close(self) -> list[str | Problem]:
        """Wait until all are durable; for each its ID, or why it was refused.

        What would meet every letter, such as a full disk, ends the list: that one and those after it are not put. Raises
        `Problem` if what was put is not known to be durable.
        """
        written = [outcome for part in self._writing for outcome in part.result()]
        self._written = [*written]
        stops = (at for at, each in enumerate(written) if isinstance(each.outcome, Problem) and not self.post.refuses(each.outcome))
        end = next(stops, len(written))
        found = [each.outcome for each in written]
        try:
            late = self._publish(end, found)
        except OSError as error:  # whether a name is on disk is not known of any of them
            end = 0
            raise from_os("cannot queue the messages", error.filename or self.post.root, error) from None
        finally:
            self._forget(end)
        for at in late:
            found[at] = self.post.again(self.letters[at])
        stops = (at for at in late if isinstance(outcome := found[at], Problem) and not self.post.refuses(outcome))
        return found[: min(next(stops, end), end) + 1]

    def _publish(self, end: int, found: list[str | Problem]) -> list[int]:
        """Publish what was written, as far as the letter `end`; the places of those whose request was made before."""
        if not self.post.own:  # all was handed over
            return []
        root, states, late, claims = self.post.root, set(), [], idempotency.Claims(self.post.root)
        good = [at for at in range(end) if isinstance(found[at], str)]
        with claims:
            for at in good:
                letter = self.letters[at]
                if letter.request is not None:
                    claim, self._written[at] = self._written[at].claim, WrittenLetter("")
                    if not claims.add(letter.id, idempotency.path_of(root, letter.request[0], letter.who), letter.due, claim):
                        late.append(at)
            claims.publish()
        named: list[str] = []
        try:
            for letter in (self.letters[at] for at in good if self.letters[at].request is None):
                os.rename(f"{root}/tmp/{letter.id}", f"{root}/{letter.state}/{letter.id}")
                named.append(f"{root}/{letter.state}/{letter.id}")
                states.add(letter.state)
            for state in states:
                durable.sync_directory(f"{root}/{state}")
        except OSError:  # an error says that it is not put: as far as nobody has taken it, that is true
            for name in named:
                durable.forget(name)
            raise
        return late

    def abandon(self) -> None:
        """Put none of the letters, as far as that can be."""
        for part in self._writing:
            if not part.cancel() and part.exception() is None:
                self._written += part.result()
        self._forget(0)

    def _forget(self, start: int) -> None:
        """Let go of what was written and is not published, from the letter `start` on, and of all claims that nobody has made."""
        if not self.post.own:
            return
        for each in self._written:
            if each.claim >= 0:
                durable.let_go(each.claim)
        for at, letter in enumerate(self.letters):
            if letter.request is not None:
                durable.forget(f"{self.post.root}/tmp/{letter.id}.key")
            if at >= start:
                durable.forget(f"{self.post.root}/tmp/{letter.id}")


class Post:
    """The threads that write sacks into the spool at `root`. A context manager.

    `threads` write one sack, and so many `sacks` at a time: where sacks are small, and what fills them waits for them, more wait less.
    """

    def __init__(self, root: str, threads: int = THREADS, sacks: int = 1) -> None:
        self.root = root
        self.threads = threads
        self.own = _writable(root)
        self._pool = ThreadPoolExecutor(threads * sacks, "sack")
        self._turn = Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the threads; what they have not begun is not written."""
        self._pool.shutdown(cancel_futures=True)

    def refuses(self, problem: Problem) -> bool:
        """Whether `problem` concerns one letter, and says nothing of the others; so may a lack of rights, where the daemon decides."""
        if problem.kind == "no-permission":
            return isinstance(problem, Forbidden) or not self.own
        return problem.kind in ("usage", "bad-message")

    def write(self, letters: list[New]) -> Future[list[WrittenLetter]]:
        """Write the files of `letters` in a thread; for each its ID or why it could not be, once that is done."""
        return self._pool.submit(self._write, letters)

    def begin(self, letters: list[New]) -> list[BegunLetter]:
        """Make the files of `letters`, which the disk begins to write."""
        with self._turn:  # the kernel makes the files of one directory one after the other; who waits for that burns the processor
            begun = [BegunLetter(letter, self._begin(letter) if self.own else (-1, -1)) for letter in letters]
        for each in begun:
            if not isinstance(each.fds, Problem):
                for fd in each.fds:
                    if fd >= 0:
                        durable.hurry(fd)
        return begun

    def finish(self, begun: list[BegunLetter], *, here: bool = False) -> Future[list[WrittenLetter]]:
        """Sync them in a thread, or `here`; what came of each, once that is done."""
        if not here:
            return self._pool.submit(self._finish_all, begun)
        done: Future[list[WrittenLetter]] = Future()
        done.set_result(self._finish_all(begun))
        return done

    def again(self, letter: New) -> str | Problem:
        """Publish the letter, which is written, and whose request was made before."""
        assert letter.request is not None
        try:
            return idempotency.publish_once(self.root, letter.id, *letter.request, letter.who)
        except Problem as problem:
            return problem
        except OSError as error:
            return self._trouble(error)
        finally:
            durable.forget(f"{self.root}/tmp/{letter.id}")

    def _write(self, letters: list[New]) -> list[WrittenLetter]:
        return self._finish_all(self.begin(letters))

    def _finish_all(self, begun: list[BegunLetter]) -> list[WrittenLetter]:
        return [self._finish(*each) for each in begun]

    def _begin(self, letter: New) -> tuple[int, int] | Problem:
        """The file of the letter and of its claim, if it has one (else -1), still to be synced."""
        parts: tuple[bytes, ...] = (head(letter.envelope, letter.content), letter.envelope, letter.content)
        if len(letter.content) <= TOGETHER:
            parts = (b"".join(parts),)
        try:
            fd = durable.begin_new(f"{self.root}/tmp/{letter.id}", parts, modified=letter.due)
            try:
                return fd, idempotency.begin_claim(self.root, letter.id, letter.request[1]) if letter.request else -1
            except BaseException:
                durable.let_go(fd)
                os.unlink(f"{self.root}/tmp/{letter.id}")
                raise
        except OSError as error:
            return self._trouble(error)

    def _finish(self, letter: New, fds: tuple[int, int] | Problem) -> WrittenLetter:
        if isinstance(fds, Problem):
            return WrittenLetter(fds)
        fd, claim = fds
        try:
            if fd < 0:
                return WrittenLetter(put(self.root, *letter))
            durable.finish_new(f"{self.root}/tmp/{letter.id}", fd)
            if claim >= 0:
                os.fsync(claim)
        except Problem as problem:
            return WrittenLetter(problem)
        except OSError as error:
            return WrittenLetter(self._trouble(error), claim)
        return WrittenLetter(letter.id, claim)

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
