"""Errors of the system as problems: what passes with time, and what somebody has to mend."""

from __future__ import annotations

import errno
import os

import pytest

from mailer.cli import EXIT_CODES
from mailer.mail.problem import from_os
from mailer.spool.files.handover import ANSWER_CODES


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("try-again", ("ENOSPC", "EDQUOT", "EMFILE", "ENFILE", "ENOMEM", "EROFS")),
        ("no-permission", ("EACCES", "EPERM")),
        ("cannot-create", ("ENOENT", "EEXIST", "ENOTDIR", "ENAMETOOLONG", "ELOOP")),
        ("io-error", ("EIO", "ESTALE", "EBADF")),
    ],
)
def test_an_error_of_the_system_is_of_a_kind(kind: str, names: tuple[str, ...]) -> None:
    """One line that says what, where and why. A disk that became read-only is mended by somebody else than who sends."""
    for name in names:
        number = getattr(errno, name)
        problem = from_os("cannot queue the message", "/spool/tmp", OSError(number, os.strerror(number)))
        assert problem.kind == kind, name
        assert str(problem).startswith(f"cannot queue the message: /spool/tmp: {os.strerror(number)}")
        assert "\n" not in str(problem)


@pytest.mark.parametrize("table", [EXIT_CODES, ANSWER_CODES], ids=["exit codes", "answers of the daemon"])
def test_each_door_has_a_code_for_each_kind(table: dict[str, int]) -> None:
    """And the codes stay what they are: scripts, and programs of other versions, know them. An SMTP session has one for the rest."""
    assert table == {
        "usage": 64, "bad-message": 65, "no-such": 67, "unavailable": 69, "bug": 70, "cannot-create": 73, "io-error": 74,
        "try-again": 75, "no-permission": 77, "bad-config": 78,
    }  # fmt: skip
