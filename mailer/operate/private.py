"""A secret in a file that only the daemon's user can read: made anew or replaced in one step, so that a reader sees one or the other."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from mailer.io.durable import forget, sync_directory, write_new
from mailer.mail.problem import Problem, from_os

if TYPE_CHECKING:
    from collections.abc import Callable

    from mailer.config.secret import FileOwner


def check_place(path: str) -> None:
    """Find out early whether a file can be put at `path`: its directory is made, and has to let us. Raises `Problem`."""
    directory = os.path.dirname(os.path.realpath(path))
    try:
        os.makedirs(directory, mode=0o755, exist_ok=True)
    except OSError as error:
        raise from_os("cannot keep the secret", path, error) from None
    if not os.access(directory, os.W_OK):
        raise Problem(f"cannot keep the secret {path}: {directory} lets only others write (`ls -ld` shows whom)", "no-permission")


def prepared(path: str, secret: str, owner: FileOwner) -> Callable[[], None]:
    """Write the file beside `path`; what is returned puts it there. Raises `Problem`, and so does that."""
    target = os.path.realpath(path)
    scratch = scratch_of(path)
    check_place(path)
    try:
        forget(scratch)  # of a process of the same number, which died
        write_new(scratch, [secret.encode() + b"\n"])
        owner.give(scratch)
    except OSError as error:
        raise from_os("cannot keep the secret", path, error) from None

    def put() -> None:
        try:
            os.rename(scratch, target)
            sync_directory(os.path.dirname(target))
        except OSError as error:
            raise from_os("cannot keep the secret", path, error) from None

    return put


def keep(path: str, secret: str, owner: FileOwner) -> None:
    """Put `secret` into the file at `path`, mode 0600, for `owner`; a symbolic link stays one. Raises `Problem`."""
    put = prepared(path, secret, owner)
    try:
        put()
    finally:
        forget(scratch_of(path))


def scratch_of(path: str) -> str:
    """Where the file is written before it takes its place."""
    return f"{os.path.realpath(path)}.{os.getpid()}.new"
