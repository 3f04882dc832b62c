"""Writing to disk so that it is there after the power fails.

The few steps that every promise of the spool is made of. POSIX promises little here: data is safe
after `fsync` of the file, a name is safe after `fsync` of its directory, and `rename` within one file
system is atomic. What this does not cover: a disk that lies about its cache, and file systems that
are not local.

No step retries or hides an error. A failed `fsync` is final: the kernel may have dropped the pages
and a second call would say "ok" for bytes that never reached the disk.
"""

from __future__ import annotations

from .system import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

PRIVATE = 0o600
NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def write_new(path: str, parts: Iterable[bytes], mode: int = PRIVATE, modified: float = 0.0) -> None:
    """Create `path` as `begin_new` does, and `fsync`; on any error the file is gone again. Raises `OSError`."""
    fd = begin_new(path, parts, mode, modified)
    finish_new(path, fd)


def begin_new(path: str, parts: Iterable[bytes], mode: int = PRIVATE, modified: float = 0.0) -> int:
    """Create `path` (it must not exist) and write `parts`; its descriptor, for `finish_new`. On any error the file is gone again.

    It has `mode` whatever the umask says, and the time `modified` (seconds since the epoch) if one is given. Raises `OSError`.
    """
    fd = os.open(path, NEW, mode)
    try:
        os.fchmod(fd, mode)  # a umask may have taken away our own rights
        for part in parts:
            write_all(fd, part)
        if modified:
            os.utime(fd, (modified, modified))
    except BaseException:
        let_go(fd)
        os.unlink(path)
        raise
    return fd


def hurry(fd: int) -> None:
    """Let the kernel begin to write what is in `fd`, and wait for nothing: of many files, whoever syncs the first then waits for all.

    It promises nothing, and what goes wrong is said by the `fsync` that has to follow. The advice is that for a file which nobody needs in
    memory; it cannot be taken while the file is being written, so that part of it does nothing here.
    """
    try:
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    except (AttributeError, OSError):  # not every system knows it
        pass


def finish_new(path: str, fd: int) -> None:
    """`fsync` and close it; on any error the file is gone. Raises `OSError`."""
    try:
        try:
            os.fsync(fd)
        finally:
            let_go(fd)
    except BaseException:
        os.unlink(path)
        raise


def let_go(fd: int) -> None:
    """Close `fd`, of which nothing is expected any more: what had to be on disk was synced, and whatever close(2) says, it is closed."""
    try:
        os.close(fd)
    except OSError:
        pass


def forget(path: str) -> None:
    """Unlink `path` if it is there."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass


def prompt(path: str, flags: int) -> int:
    """An opener for `open` that waits for nobody, as a named pipe makes who opens it; that is read as an empty file."""
    return os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC)


def write_all(fd: int, data: bytes) -> None:
    """Write all of `data`; a short write (a full disk, a signal) is continued, not ignored."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def sync_file(path: str) -> None:
    """Make what another has written to the file `path` durable. Raises `OSError`."""
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        let_go(fd)


def sync_directory(path: str) -> None:
    """Make the names in directory `path` durable. Raises `OSError`."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        let_go(fd)


def publish(source: str, target: str) -> None:
    """Rename `source` to `target` in another directory and make the new name durable.

    If the directory cannot be synced, the name is taken back, so that an error means "not published".
    Raises `OSError`; `FileNotFoundError` means that `source` was not there.
    """
    os.rename(source, target)
    try:
        sync_directory(target.rpartition("/")[0] or "/")
    except OSError:
        os.unlink(target)
        raise


def put_whole(path: str, parts: Iterable[bytes], beside: str, *, replace: bool) -> None:
    """Have a private file at `path` whose content is `parts`; without `replace`, one that is there already stays.

    It is written at `beside`, which nobody else uses, and renamed or linked to its place: nobody reads half of it, and of two who make it
    at once one does. Raises `OSError`.
    """
    write_new(beside, parts)
    try:
        if replace:
            os.rename(beside, path)
        else:
            os.link(beside, path)
    except FileExistsError:
        pass
    finally:
        forget(beside)
    sync_directory(path.rpartition("/")[0] or ("/" if path.startswith("/") else "."))
