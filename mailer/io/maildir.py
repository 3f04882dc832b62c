"""Writing to a Maildir: a directory with ``tmp/``, ``new/`` and ``cur/`` and a file a message, which any mail program reads.

A file is written under ``tmp/`` and then renamed, so that no reader sees half of a message. Its name is unique on all machines that share
the directory: the time, the process, a number within it, and the host (https://cr.yp.to/proto/maildir.html).
"""

from __future__ import annotations

import errno
import itertools
import os

from . import durable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

JUNK = ".Junk"
"""The folder of Maildir++ for mail that is not wanted."""

DIRECTORIES = ("tmp", "new", "cur")
_count = itertools.count(1)


def make_maildir(root: str) -> None:
    """Make the directory and the three within it that are not there, for its owner alone. Raises `OSError`."""
    for path in (root, *(f"{root}/{name}" for name in DIRECTORIES)):
        if not os.path.isdir(path):
            os.mkdir(path, 0o700)


def write_message(root: str, parts: Iterable[bytes], at: float, *, seen: bool = False, synced: bool = True) -> str:
    """Write a message that came `at` (seconds since the epoch) to ``new/``, or `seen` to ``cur/``; returns its path. Raises `OSError`.

    It survives a power failure, unless `synced` is off.
    """
    host = os.uname().nodename.replace("/", "\\057").replace(":", "\\072")
    moment = f"{at:.6f}".replace(".", ".M")
    name = f"{moment}P{os.getpid()}Q{next(_count)}.{host}"
    hidden, kept = f"{root}/tmp/{name}", f"{root}/cur/{name}:2,S" if seen else f"{root}/new/{name}"
    if synced:
        durable.write_new(hidden, parts)
        durable.publish(hidden, kept)
        return kept
    try:
        with open(hidden, "xb", buffering=0) as file:
            file.writelines(parts)
        os.rename(hidden, kept)
    except OSError:
        if os.path.lexists(hidden):
            os.unlink(hidden)
        raise
    return kept


def put_once(base: str, root: str, name: str, parts: Sequence[bytes], *, folder: str = "", again: bool = False) -> bool:
    """Have the message `name` in the Maildir `root`, or in a `folder` of it, on the disk; whether it was not there before.

    Directories that are missing below `base` are made, `base` itself is not. With `again` it may be that readers know it already, and it is
    looked for among what they have seen. Raises `OSError`, and then it is not there.
    """
    place = f"{root}/{folder}" if folder else root
    if os.path.lexists(f"{place}/new/{name}") or (again and _is_seen(place, name)):
        return False
    try:
        _put(place, name, parts)
    except FileNotFoundError:
        _make_durable(base, root, folder)
        _put(place, name, parts)
    return True


def size_of(root: str) -> int:
    """How many octets the messages of a Maildir have, those in its folders too; none where there is none, or it cannot be read."""
    octets = 0
    for place in [root, *(each.path for each in _entries(root) if each.name.startswith(".") and each.is_dir(follow_symlinks=False))]:
        for name in ("new", "cur"):
            for each in _entries(f"{place}/{name}"):
                try:
                    octets += each.stat(follow_symlinks=False).st_size
                except OSError:  # a reader has moved it meanwhile
                    continue
    return octets


def _entries(path: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(path) as found:
            return [*found]
    except OSError:
        return []


def _put(place: str, name: str, parts: Sequence[bytes]) -> None:
    hidden = f"{place}/tmp/{name}"
    durable.forget(hidden)  # of an attempt that was cut off
    durable.write_new(hidden, parts)
    try:
        durable.publish(hidden, f"{place}/new/{name}")
    except OSError:
        durable.forget(hidden)
        raise


def _is_seen(place: str, name: str) -> bool:
    """Whether a reader has the message, with whatever flags."""
    try:
        with os.scandir(f"{place}/cur") as found:
            return any(each.name.partition(":")[0] == name for each in found)
    except FileNotFoundError:
        return False


def _make_durable(base: str, root: str, folder: str) -> None:
    """Make what is missing of a Maildir and its `folder`, for its owner alone, each with its name on the disk."""
    if not os.path.isdir(base):
        raise FileNotFoundError(errno.ENOENT, "there is no such directory, and it is not made by mailer", base)
    path = base.rstrip("/")
    for part in root[len(path) :].strip("/").split("/"):
        path = f"{path}/{part}"
        _make_directory(path)
    if folder:
        path = f"{path}/{folder}"
        _make_directory(path)
    for part in DIRECTORIES:
        _make_directory(f"{path}/{part}")
    if folder and not os.path.lexists(f"{path}/maildirfolder"):
        os.close(os.open(f"{path}/maildirfolder", os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, durable.PRIVATE))


def _make_directory(path: str) -> None:
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        return
    durable.sync_directory(path.rpartition("/")[0] or "/")
