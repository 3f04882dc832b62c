"""Errors of the system as exit codes: what passes with time, and what somebody has to mend."""

from __future__ import annotations

import errno
import os

import pytest

from mailer.mail.failure import from_os


@pytest.mark.parametrize(
    ("code", "names"),
    [
        (75, ("ENOSPC", "EDQUOT", "EMFILE", "ENFILE", "ENOMEM", "EROFS")),
        (77, ("EACCES", "EPERM")),
        (73, ("ENOENT", "EEXIST", "ENOTDIR", "ENAMETOOLONG", "ELOOP")),
        (74, ("EIO", "ESTALE", "EBADF")),
    ],
)
def test_an_error_of_the_system_has_the_code_of_its_kind(code: int, names: tuple[str, ...]) -> None:
    """One line that says what, where and why. A disk that became read-only is mended by somebody else than who sends."""
    for name in names:
        number = getattr(errno, name)
        failure = from_os("cannot queue the message", "/spool/tmp", OSError(number, os.strerror(number)))
        assert failure.code == code, name
        assert str(failure).startswith(f"cannot queue the message: /spool/tmp: {os.strerror(number)}")
        assert "\n" not in str(failure)
