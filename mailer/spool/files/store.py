"""The directory of a spool: read, claim, record, move. What `FileSpool` answers with, and what reads a spool without a daemon.

Every step that changes what a directory shows is one method with its crash argument. Whoever changes a
message holds its lock through a `Claim`; reading needs none, since files are only appended to or renamed.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import time
from functools import partial
from math import inf
from typing import TYPE_CHECKING, Final

from mailer.io import durable
from mailer.mail.dates import parse_rfc3339
from mailer.mail.history import History
from mailer.mail.outcome import Outcome, cancelled
from mailer.mail.problem import Problem
from mailer.spool import is_id
from mailer.spool.api import PLAINLY, Busy, CorruptMessage, Due, Entry, NoSuchMessage, Note, still_boxed

from . import doorbell, layout, message_file
from .claim import Claim, FileEntry, Large, read_body, read_part

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mailer.mail.envelope import Envelope
    from mailer.spool.api import Act, How, State

SMALL = 1 << 18  # bytes of a file that is read at once, whatever is wanted of it
_READ: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_CHANGE: Final = os.O_RDWR | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class SpoolDirectory:
    """The spool in directory `root`."""

    def __init__(self, root: str) -> None:
        self.root = os.path.abspath(root)

    def prepare(self) -> None:
        """Make the directories of the spool that are missing. Raises `Problem`."""
        layout.prepare(self.root)

    @property
    def place(self) -> str:
        """Where the spool is, for people."""
        return self.root

    @property
    def shared(self) -> bool:
        """Whether other users of the machine may hand mail in, in ``drop/``."""
        return os.path.isdir(f"{self.root}/drop")

    def beside(self, name: str) -> str:
        """The path of what stands beside the messages, such as a socket or a database."""
        return f"{self.root}/{name}"

    def check_readable(self) -> None:
        """Refuse a user who may not read the spool. Raises `Problem` (no-permission)."""
        for path in (self.root, f"{self.root}/queued"):  # the other directories have the same owner and mode
            if os.path.isdir(path) and not os.access(path, os.R_OK | os.X_OK):
                raise Problem(f"you may not read the spool {self.root}; ask its owner, or run this as that user", "no-permission")

    def path(self, state: str, id: str) -> str:
        """Where message `id` is when it is in `state`."""
        return f"{self.root}/{state}/{id}"

    def ring(self, id: str) -> bool:
        """Tell a running daemon to look at `id`; whether one heard."""
        return doorbell.ring(self.root, id)

    # What is there

    def names(self, state: str) -> Iterator[str]:
        """The names in a directory, in no order; not those that begin with a dot."""
        try:
            with os.scandir(f"{self.root}/{state}") as entries:
                for entry in entries:
                    if not entry.name.startswith("."):
                        yield entry.name
        except FileNotFoundError:
            return

    def ids(self, state: str) -> list[str]:
        """The messages in `state`, oldest first."""
        return sorted(name for name in self.names(state) if is_id(name))

    def dues(self) -> Iterator[tuple[float, str]]:
        """(when it is due, ID) for each deferred message, in no order. Opens no file."""
        for name in self.names("deferred"):
            if is_id(name) and (found := self.dated("deferred", name)) is not None:
                yield found.due, name

    def due(self, id: str) -> float:
        """When the deferred message `id` is due, in seconds since the epoch; 0.0 if there is none."""
        try:
            return os.stat(self.path("deferred", id), follow_symlinks=False).st_mtime
        except FileNotFoundError:
            return 0.0

    def dated(self, state: State, name: str) -> Due | None:
        """The message `name` of `state`, with when it came there; None if it has left."""
        try:
            known = os.stat(self.path(state, name), follow_symlinks=False)
        except FileNotFoundError:
            return None
        return Due(name, state, known.st_mtime if state == "deferred" else 0.0, known.st_ctime)

    def find(self, id: str) -> State | None:
        """The state that message `id` is in, or None; also for what is no ID, which may come from anybody by the doorbell."""
        if not is_id(id):
            return None
        return next((state for state in layout.STATES if os.path.lexists(self.path(state, id))), None)

    def read(self, id: str, state: str | None = None) -> FileEntry:
        """Message `id`, without its content, which is never in memory as a whole. Raises `NoSuchMessage`, `CorruptMessage`, `OSError`."""
        entry = self._load(id, state, _READ, whole=False)
        durable.let_go(entry.fd)
        entry.fd = -1
        return entry

    def content(self, id: str) -> bytes:
        """The message of `id` as RFC 5322 bytes. Raises as `read` does."""
        return self.load(id).content or b""

    def raw(self, id: str, start: int, end: int) -> bytes:
        """A part of the file of message `id`. Raises as `read` does."""
        for _ in range(10):
            if (state := self.find(id)) is None:
                break
            try:
                fd = os.open(self.path(state, id), _READ)
            except FileNotFoundError:
                continue
            try:
                return read_part(fd, start, end)
            finally:
                durable.let_go(fd)
        raise NoSuchMessage(id)

    def _load(self, id: str, state: str | None, flags: int, *, lock: bool = False, whole: bool = True, most: float = inf) -> FileEntry:
        """What its file says, which is open; with its content if it is wanted `whole`. `most` is how many bytes it may have."""
        if not is_id(id):
            raise NoSuchMessage(id)
        if state is not None:
            return self._open(id, state, flags, lock, whole, most)
        for _ in range(10):  # it may be renamed between the look and the open, but not for ever
            if (found := self.find(id)) and (loaded := self._try(id, found, flags, lock, whole)):
                return loaded
        raise NoSuchMessage(id)

    def _try(self, id: str, state: str, flags: int, lock: bool, whole: bool) -> FileEntry | None:
        try:
            return self._open(id, state, flags, lock, whole)
        except NoSuchMessage:
            return None

    def _open(self, id: str, state: str, flags: int, lock: bool, whole: bool, most: float = inf) -> FileEntry:
        try:
            fd = os.open(f"{self.root}/{state}/{id}", flags)
        except FileNotFoundError:
            raise NoSuchMessage(id) from None
        except OSError as error:
            if error.errno in (errno.ELOOP, errno.ENXIO, errno.EISDIR):
                raise CorruptMessage("it is no regular file") from None
            raise
        try:
            return self._parse(fd, id, state, lock, whole, most)
        except BaseException:
            durable.let_go(fd)
            raise

    def _parse(self, fd: int, id: str, state: str, lock: bool, whole: bool, most: float) -> FileEntry:
        if lock:
            _lock(fd, id)
        known = os.fstat(fd)
        if lock:
            self._still_there(id, state, known.st_ino)
        if not stat.S_ISREG(known.st_mode) or known.st_nlink > 1:
            raise CorruptMessage("it is no regular file with one name")
        if known.st_size > most:
            raise Large(id)
        content: bytes | None
        if known.st_size <= SMALL:
            data = _read_all(fd, known.st_size)
            envelope, start, end = message_file.parse(data, id)
            size, length, content, tail = len(data), end - start, data[start:end] if whole else None, data[end:]
        else:
            size, read = known.st_size, partial(read_part, fd)
            if whole:
                envelope, content, end = message_file.whole(read, size, id)
                length = len(content)
            else:
                envelope, start, end = message_file.skim(read, size, id)
                length, content = end - start, None
            tail = read(end, size)
        outcomes, notes, damaged = message_file.parse_records(tail)
        history = History(len(envelope.recipients), outcomes)
        due = known.st_mtime if state == "deferred" else 0.0
        said = id, state, envelope, length, history, due, _arrival(envelope), size, notes
        entry = FileEntry(*said, damaged=damaged)
        entry.fd, entry.inode, entry.content, entry.counted, entry.leased = fd, known.st_ino, content, False, False
        return entry

    def load(self, id: str, state: str | None = None, *, keep: bool = False, most: float = inf) -> FileEntry:
        """Message `id` with its content. Raises as `read` does, and `Large` if its file has more than `most` bytes: nothing is read then.

        With `keep`, its file stays open for `claim_again`, and is the caller's to close.
        """
        flags = _CHANGE if keep else _READ
        entry = self._open(id, state, flags, False, True, most) if state and is_id(id) else self._load(id, state, flags, most=most)
        if not keep:
            durable.let_go(entry.fd)
            entry.fd = -1
        return entry

    # Changing it

    def claim(self, id: str, state: str | None = None) -> Claim:
        """Take message `id` to deliver or to move it. Raises `Busy` and as `read` does."""
        return Claim(self._load(id, state, _CHANGE, lock=True))

    def claim_again(self, entry: FileEntry) -> Claim:
        """Take the message that `load` gave, by its file if that is open.

        Raises as `claim` does, `NoSuchMessage` also if it was moved or written to since: somebody who has it back in its place may have
        delivered a part of it. The claim has `entry` itself, so that what is learned is learned by all who hold it.
        """
        inode = entry.inode
        try:
            if entry.fd < 0:
                entry.fd = self._open_again(entry)
                inode = os.fstat(entry.fd).st_ino
            try:
                _lock(entry.fd, entry.id)
            except Busy:
                self._still_there(entry.id, entry.state, inode)  # else it has left, and is being closed
                raise
            if self._still_there(entry.id, entry.state, inode) != entry.total:
                raise NoSuchMessage(entry.id)
            return Claim(entry)
        except BaseException:
            if entry.fd >= 0:
                durable.let_go(entry.fd)
                entry.fd = -1
            raise

    def body(self, entry: FileEntry, *, fresh: bool = False) -> bytes:
        """The content of what `load` gave, read once more, by its open file unless a `fresh` one is wanted. Raises as `read` does."""
        fd = entry.fd if entry.fd >= 0 and not fresh else self._open_again(entry)
        try:
            return read_body(fd, entry)
        finally:
            if fd != entry.fd:
                durable.let_go(fd)

    def renew(self, claim: Claim) -> None:
        """After an error: make sure that the file of `claim` is where it was, and open it anew if its descriptor went stale.

        Raises `NoSuchMessage` if somebody has removed or moved it by hand, `Busy`, `OSError`, `Problem`.
        """
        self.prepare()  # a directory may be missing
        entry = claim.entry
        try:
            inode = os.fstat(claim.fd).st_ino
        except OSError:
            claim.close()
            entry.fd, entry.leased = self._open_again(entry), True
            _lock(claim.fd, entry.id)
            inode = os.fstat(claim.fd).st_ino
        self._still_there(entry.id, entry.state, inode)

    def _open_again(self, entry: FileEntry) -> int:
        try:
            return os.open(self.path(entry.state, entry.id), _CHANGE)
        except FileNotFoundError:
            raise NoSuchMessage(entry.id) from None

    def _still_there(self, id: str, state: str, inode: int) -> int:
        """Make sure that a file that was locked is where it was opened, since its last owner may have moved it; returns its length."""
        try:
            known = os.stat(f"{self.root}/{state}/{id}", follow_symlinks=False)
        except FileNotFoundError:
            raise NoSuchMessage(id) from None
        if known.st_ino != inode:
            raise NoSuchMessage(id)
        return known.st_size

    def record(self, claim: Claim, outcomes: Sequence[Outcome]) -> None:
        """Write down what was learned, durably, while the attempt goes on.

        A crash before it: that part of the attempt is made again, so at worst a recipient gets the
        message twice. A crash within it: a torn record, which reads as not written.
        """
        self._append(claim, outcomes, sync=True)

    def defer(self, claim: Claim, outcomes: Sequence[Outcome], due: float) -> None:
        """Write down why, and put the message off until `due` (seconds since the epoch).

        Final outcomes among them are on disk before the move. A crash before the rename: still queued, and
        tried again.
        """
        self._append(claim, outcomes, sync=message_file.settled(outcomes))
        os.utime(claim.fd, (due, due))
        self._move(claim, "deferred")
        claim.entry.due = due

    def fail(self, claim: Claim, outcomes: Sequence[Outcome]) -> None:
        """Write down the last outcomes and keep the message in ``failed/``.

        The report to the sender was put before this. A crash before the rename: told again (the report's
        ID is the same, so it is not put twice), then finished.
        """
        self._append(claim, outcomes, sync=True)
        self._move(claim, "failed")

    def note(self, claim: Claim, notes: Sequence[Note]) -> None:
        """Append notes, durably; those that were appended last are not once more."""
        if notes is not claim.noted:
            durable.write_all(claim.fd, b"".join(map(message_file.render_note, notes)))
        os.fdatasync(claim.fd)
        claim.noted = notes

    def drop(self, claim: Claim) -> None:
        """Let a message that every recipient has leave the spool. A crash before: at worst delivered twice."""
        os.unlink(f"{self.root}/{claim.entry.state}/{claim.entry.id}")

    def _append(self, claim: Claim, outcomes: Sequence[Outcome], *, sync: bool) -> None:
        if outcomes and outcomes is not claim.recorded:
            durable.write_all(claim.fd, message_file.render_records(outcomes, claim.entry.history.weight))
        if sync:
            os.fdatasync(claim.fd)
        claim.recorded = outcomes

    def _move(self, claim: Claim, state: str) -> None:
        entry = claim.entry
        if entry.state != state:
            os.rename(self.path(entry.state, entry.id), self.path(state, entry.id))
            entry.state = state

    def set_aside(self, state: str, name: str) -> str:
        """Move what cannot be read to ``corrupt/``, where nothing is ever deleted; returns its path there."""
        safe = "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "_" for c in name)[:100]
        target = self.path("corrupt", safe)
        serial = 0
        while os.path.lexists(target):
            serial += 1
            target = self.path("corrupt", f"{safe}.{serial}")
        os.rename(self.path(state, name), target)
        return target

    # What else is kept

    def remember(self, name: str, value: bytes) -> None:
        """Write a small file beside the messages, whole, and rename it into place. Raises `OSError`."""
        path = f"{self.root}/{name}"
        try:
            os.unlink(f"{path}.new")  # what a crash left
        except FileNotFoundError:
            pass
        durable.write_new(f"{path}.new", [value])
        os.replace(f"{path}.new", path)

    def recall(self, name: str) -> bytes | None:
        """The value that `remember` wrote under `name`; None if it did not. Raises `OSError`."""
        try:
            with open(f"{self.root}/{name}", "rb", opener=durable.prompt) as file:
                return file.read()
        except FileNotFoundError:
            return None

    # The operators' acts. Each is one rename under the message's lock.

    def hold(self, id: str, *, synced: bool = True) -> Entry:
        """Take a waiting message out of delivery. Raises as `claim` does, `Problem` (bad-message) if it is done with.

        The new name is `synced`, unless the caller does it for many: after a power failure the message must not go out that somebody
        was told is held.
        """
        with self._waiting(id, "hold") as claim:
            self._move(claim, "held")
            if synced:
                durable.sync_directory(f"{self.root}/held")
            return claim.entry

    def release(self, id: str, how: How = PLAINLY) -> Entry:
        """Give a held message back to delivery, due now. Raises as `hold` does, `Problem` (bad-message) also if it is deferred.

        One that is held because a record of it is damaged goes to everybody who has no other, and one of a sandbox to whom it names,
        if `how` says so: the note of that is on disk before.
        """
        with self._waiting(id, "release", how) as claim:
            notes = [Note("released", time.time())] if claim.entry.damaged else []
            if claim.entry.boxed and how.boxed == "live":
                notes.append(Note("live", time.time()))
            if notes:
                self.note(claim, notes)
            self._move(claim, "queued")
            return claim.entry

    def retry(self, id: str) -> Entry:
        """Make a deferred message due now, for every recipient that is still pending."""
        with self._waiting(id, "retry") as claim:
            if claim.entry.state == "deferred":
                self._move(claim, "queued")
            return claim.entry

    def cancel(self, id: str, at: float, why: str = "cancelled by an operator") -> Entry:
        """Give up all recipients that are still pending, without a report; the file is kept in ``failed/``."""
        with self._waiting(id, "cancel") as claim:
            outcomes = cancelled(claim.entry.history.pending(), why, at)
            self.fail(claim, outcomes)
            claim.entry.history.add(outcomes)
            return claim.entry

    def check_act(self, entry: Entry, what: Act, how: How = PLAINLY) -> None:
        """Refuse an act that cannot be done with the message of `entry`, as it is now. Raises `Problem` (bad-message)."""
        if (entry.state == "failed") != (what == "replay"):
            raise Problem(f"message {entry.id} is done with ({entry.status})", "bad-message")
        if what == "release" and entry.state == "deferred":  # it would be a retry, which somebody has to mean
            raise Problem(f"message {entry.id} is not held (it is {entry.status}); `mailer queue retry` makes it due now", "bad-message")
        if refused := still_boxed(entry, what, how):
            raise refused

    def _waiting(self, id: str, what: Act, how: How = PLAINLY) -> Claim:
        claim = self.claim(id)
        try:
            self.check_act(claim.entry, what, how)
        except Problem:
            claim.close()
            raise
        return claim


def _lock(fd: int, id: str) -> None:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise Busy(id) from None


def _read_all(fd: int, size: int) -> bytes:
    data = os.read(fd, size + 1)
    if len(data) == size:
        return data
    parts = [data]
    while data:
        data = os.read(fd, 1 << 20)
        parts.append(data)
    return b"".join(parts)


def _arrival(envelope: Envelope) -> float:
    try:
        return parse_rfc3339(envelope.created)
    except ValueError as error:  # without it nobody could say when the message is too old
        raise CorruptMessage(f"the envelope's {error}") from None
