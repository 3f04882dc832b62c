"""An error that a person caused or can mend: one line that says what, where and what to do, of a kind.

Raised on any floor; each door turns it into its own words by one table: the command line into an exit code (`mailer.cli.EXIT_CODES`), an
SMTP session into a reply, the daemon's socket into a number. Anything else that reaches a door is a bug of ours.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal, TypeAlias

    Kind: TypeAlias = Literal[
        "usage",  # what was asked for makes no sense
        "bad-message",  # the message, or what is in it, is wrong
        "no-such",  # there is no such message, user or file
        "unavailable",  # what is needed is not there, or does not do it
        "bug",
        "cannot-create",
        "io-error",  # of a disk or another device
        "try-again",  # it passes
        "no-permission",
        "bad-config",
    ]


class Problem(Exception):
    """A problem that a person has to know of: `str()` is the line, `kind` says whose trouble it is."""

    def __init__(self, message: str, kind: Kind) -> None:
        super().__init__(message)
        self.kind = kind


class Conflict(Problem):
    """A request id that was used for another message: not the same request, so nothing is queued, and asking again does not help."""

    def __init__(self, message: str) -> None:
        super().__init__(message, "bad-message")


class Forbidden(Problem):
    """What is asked for is not for whoever asks, by a rule of the operator; a missing right of ours on a file is a `Problem` alone."""

    def __init__(self, message: str) -> None:
        super().__init__(message, "no-permission")


def from_os(what: str, path: str, error: OSError) -> Problem:
    """An `OSError` as a `Problem`: full disks, limits and disks that became read-only pass with time, missing rights do not."""
    import errno

    reason = error.strerror or str(error)
    if error.errno in (errno.EACCES, errno.EPERM):
        return Problem(f"{what}: {path}: {reason} (`ls -ld` shows who owns it)", "no-permission")
    if error.errno == errno.EROFS:
        hint = "`dmesg` says whether an error of the disk made it so; under systemd, ReadWritePaths= says where a service may write"
        return Problem(f"{what}: {path}: {reason} ({hint}); try again", "try-again")
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE, errno.ENOMEM):
        return Problem(f"{what}: {path}: {reason}; try again", "try-again")
    if error.errno in (errno.ENOENT, errno.EEXIST, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP):
        return Problem(f"{what}: {path}: {reason}", "cannot-create")
    return Problem(f"{what}: {path}: {reason}", "io-error")
