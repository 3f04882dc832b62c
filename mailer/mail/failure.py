"""An error that a person caused or can mend: one line that says what, where and what to do, and an exit code.

Raised on any floor; only the front turns it into a line on stderr. Anything else that reaches the
front is a bug of ours and exits 70. The codes are those of sysexits(3).
"""

from __future__ import annotations

OK = 0
USAGE = 64
BAD_MESSAGE = 65
NO_SUCH = 67
UNAVAILABLE = 69
BUG = 70
CANNOT_CREATE = 73
IO_ERROR = 74
TRY_AGAIN = 75
NO_PERMISSION = 77
BAD_CONFIG = 78


class Failure(Exception):
    """`str()` is the line; `code` the exit code."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


def from_os(what: str, path: str, error: OSError) -> Failure:
    """An `OSError` as a `Failure`: full disks, limits and disks that became read-only pass with time (75), missing rights do not (77)."""
    import errno

    reason = error.strerror or str(error)
    if error.errno in (errno.EACCES, errno.EPERM):
        return Failure(f"{what}: {path}: {reason} (`ls -ld` shows who owns it)", NO_PERMISSION)
    if error.errno == errno.EROFS:
        hint = "`dmesg` says whether an error of the disk made it so; under systemd, ReadWritePaths= says where a service may write"
        return Failure(f"{what}: {path}: {reason} ({hint}); try again", TRY_AGAIN)
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE, errno.ENOMEM):
        return Failure(f"{what}: {path}: {reason}; try again", TRY_AGAIN)
    if error.errno in (errno.ENOENT, errno.EEXIST, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP):
        return Failure(f"{what}: {path}: {reason}", CANNOT_CREATE)
    return Failure(f"{what}: {path}: {reason}", IO_ERROR)
