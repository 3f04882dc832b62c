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
        mine = _claim(root, id, key, f"{id} {digest}\n")
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


def _claim(root: str, id: str, key: str, text: str) -> int | None:
    """Make the key, locked; None if there is one."""
    temporary = f"{root}/tmp/{id}.key"
    fd = os.open(temporary, durable.NEW, durable.PRIVATE)
    try:
        durable.write_all(fd, text.encode())
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
