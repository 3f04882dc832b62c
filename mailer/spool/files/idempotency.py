"""Request ids: the same request is put once, however often it is made.

``keys/K`` (K is the SHA-256 of the request id) says which ID a request got and what the request was. It
is created by `link`, which exactly one of many processes can do, after ``tmp/ID`` is whole on disk and
before it is renamed:

===================================  =========================================================
step                                 what a crash right after it leaves
===================================  =========================================================
write ``tmp/ID``, fsync              garbage in ``tmp/``
link the key to ``keys/K``, fsync    a claim; whoever makes the request again finishes the rename
rename ``tmp/ID`` to ``queued/``     the message
===================================  =========================================================

So a key that exists names a message that is in the spool, or was and is done with, or still waits in
``tmp/`` for anybody to finish its rename. The sweeper removes a key before the claim's file in ``tmp/``.

Of many at a time each step is made for all before the next, so that they share the waits: see `Claims`.

Whoever works on a request holds the lock on its key, from before the key has its name until the message is put or
everything is taken back. Another that makes the same request waits for that, so that nobody says "queued" of a
message which the first, because its disk fails, is about to take back. The kernel releases the lock of who dies.
"""

from __future__ import annotations

import fcntl
import os
from hashlib import sha256

from mailer.io import durable
from mailer.mail.problem import Conflict, Problem
from mailer.spool import is_id

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Self

    from mailer.mail.principal import Principal


def path_of(root: str, request_id: str, who: Principal | None = None) -> str:
    """Where the key of `request_id` is; `who` made it, where that is not the spool's owner.

    Each principal has keys of his own: nobody finds out, or gets in the way of, what another one asked for.
    """
    scope = "" if who is None else f"{who.key}\0"  # no request id has a NUL
    return f"{root}/keys/{sha256((scope + request_id).encode()).hexdigest()}"


def publish_once(root: str, id: str, request_id: str, digest: str, who: Principal | None = None) -> str:
    """Publish ``tmp/ID`` unless `request_id` was before; returns the ID that the request has. `who` is as for `path_of`.

    Raises `Conflict` if the request was another one then, `OSError` otherwise.
    """
    key = path_of(root, request_id, who)
    while True:
        mine = _claim(root, id, key, digest)
        lock = _join(key) if mine is None else mine
        if lock is None:
            continue  # whoever had the key has taken it back
        try:
            if mine is not None:
                _finish(root, id, key)
                return id
            owner, known = read(key)
            if known != digest:
                raise Conflict(f"request id {request_id!r} was used for another message ({owner}); nothing was queued")
            _finish(root, owner, key)
            if owner != id:  # else it is adopted again, after a crash
                os.unlink(f"{root}/tmp/{id}")
            return owner
        finally:
            durable.let_go(lock)


def begin_claim(root: str, id: str, digest: str) -> int:
    """Write the claim of ``tmp/ID`` where nobody reads it; its descriptor, which is still to be synced. Raises `OSError`."""
    fd = os.open(f"{root}/tmp/{id}.key", durable.NEW, durable.PRIVATE)
    try:
        durable.write_all(fd, f"{id} {digest}\n".encode())
    except BaseException:
        durable.let_go(fd)
        os.unlink(f"{root}/tmp/{id}.key")
        raise
    return fd


class Claims:
    """The claims of many messages of the spool at `root` that lie in ``tmp/``, synced; with as many waits for the disk as one has.

    A context manager, which holds the locks; left by an exception, it takes back what was not published.

    ===============================  =======================================================================
    step                             what a crash right after it leaves
    ===============================  =======================================================================
    link each key, locked            claims, perhaps; whoever makes such a request again finishes the rename
    fsync ``keys/``                  the claims
    rename each message              messages, perhaps
    fsync ``queued/``                the messages
    ===============================  =======================================================================
    """

    def __init__(self, root: str) -> None:
        self._root = root
        self._made: list[tuple[str, str, float, int]] = []  # ID, key, due, lock

    def add(self, id: str, key: str, due: float, fd: int) -> bool:
        """Link `key` to the claim that `begin_claim` made; False where somebody has made that request before."""
        temporary = f"{self._root}/tmp/{id}.key"
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            os.link(temporary, key)
        except FileExistsError:
            durable.let_go(fd)
            os.unlink(temporary)
            return False
        except BaseException:
            durable.let_go(fd)
            os.unlink(temporary)
            raise
        self._made.append((id, key, due, fd))
        os.unlink(temporary)
        return True

    def publish(self) -> None:
        """Publish all messages. Raises `OSError`; then none is put, as far as nobody has taken it."""
        if self._made:
            durable.sync_directory(f"{self._root}/keys")
        for id, _, due, _ in self._made:
            os.rename(f"{self._root}/tmp/{id}", self._place(id, due))
        for directory in {os.path.dirname(self._place(id, due)) for id, _, due, _ in self._made}:
            durable.sync_directory(directory)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        try:
            if kind is not None:
                self._take_back()
        finally:
            for made in self._made:
                durable.let_go(made[3])

    def _place(self, id: str, due: float) -> str:
        return f"{self._root}/{'deferred' if due else 'queued'}/{id}"

    def _take_back(self) -> None:
        """The key goes before its message: what a crash between the two leaves may be sent twice, and is not taken for sent."""
        for id, key, due, _ in self._made:
            place = self._place(id, due)
            if os.path.exists(place) or os.path.exists(f"{self._root}/tmp/{id}"):  # else the daemon has taken it: it is put
                durable.forget(key)
                durable.forget(place)


def _claim(root: str, id: str, key: str, digest: str) -> int | None:
    """Make the key, locked; None if there is one."""
    temporary = f"{root}/tmp/{id}.key"
    fd = begin_claim(root, id, digest)
    try:
        os.fsync(fd)
        fcntl.flock(fd, fcntl.LOCK_EX)
        os.link(temporary, key)
    except BaseException as error:
        durable.let_go(fd)
        os.unlink(temporary)
        if isinstance(error, FileExistsError):
            return None
        raise
    try:
        os.unlink(temporary)
        durable.sync_directory(f"{root}/keys")
    except OSError:
        os.unlink(key)  # else the request would count as made
        durable.let_go(fd)
        raise
    return fd


def _join(key: str) -> int | None:
    """Lock the key that is there, when whoever works on it has done; None if it is gone then."""
    try:
        fd = os.open(key, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        if os.path.samestat(os.fstat(fd), os.stat(key)):
            return fd
    except FileNotFoundError:
        pass
    except BaseException:
        durable.let_go(fd)
        raise
    durable.let_go(fd)
    return None


def _finish(root: str, id: str, key: str) -> None:
    """Rename ``tmp/ID``, unless that was done before; under the lock of its key."""
    temporary = f"{root}/tmp/{id}"
    try:
        known = os.stat(temporary)
        later = known.st_mtime > known.st_ctime  # whoever wrote it said when it is to leave
        durable.publish(temporary, f"{root}/deferred/{id}" if later else f"{root}/queued/{id}")
    except FileNotFoundError:
        if os.path.exists(temporary):  # the directory is missing, not the file
            os.unlink(key)
            raise
        for state in ("queued", "deferred"):  # it was renamed by a process that may have died before it synced
            durable.sync_directory(f"{root}/{state}")
    except OSError:
        os.unlink(key)
        raise


def read(key: str) -> tuple[str, str]:
    """(ID, digest) of an existing key. Raises `Problem` (bad-message) if somebody wrote something else there."""
    with open(key, "rb", opener=_keyhole) as file:
        words = (file.read(1024) or b"").decode("ascii", "replace").split()
    if len(words) != 2 or not is_id(words[0]):
        raise Problem(f"the key {key} is damaged; remove it if its message was sent", "bad-message")
    return words[0], words[1]


def _keyhole(path: str, flags: int) -> int:
    """A link is no key, wherever it leads: root looks at keys, too."""
    return durable.prompt(path, flags | os.O_NOFOLLOW)
