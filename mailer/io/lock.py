"""The lock of a process of which there may be one: the kernel releases it when the process dies, whatever way that is."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from mailer.mail.problem import Problem, from_os

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def sole(path: str, taken: str, failed: str = "cannot lock the spool") -> Iterator[None]:
    """Hold the lock at `path`, mode 0600, meanwhile.

    Raises `Problem`: try-again with the words `taken` where another process has it, or what the system says after `failed`.
    """
    lock = FileLock(path, timeout=0, mode=0o600)
    try:
        lock.acquire()
    except Timeout:
        raise Problem(taken, "try-again") from None
    except OSError as error:
        raise from_os(failed, lock.lock_file, error) from None
    try:
        yield
    finally:
        lock.release()
