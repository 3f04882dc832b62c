"""The lock of a process of which there may be one."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailer.io.lock import sole
from mailer.mail.problem import Problem


def holding(path: Path) -> None:
    """Take the lock, and let go of it."""
    with sole(str(path), "there is another", "cannot lock the shop"):
        assert path.stat().st_mode & 0o777 == 0o600


def failing(path: Path) -> None:
    """Take the lock, see that nobody else can, and end by an exception."""
    with sole(str(path), "there is another"):
        with pytest.raises(Problem, match=r"\Athere is another\Z") as refused:
            holding(path)
        assert refused.value.kind == "try-again"
        raise ZeroDivisionError


def test_one_holds_it_at_a_time_and_an_end_of_any_kind_lets_go(tmp_path: Path) -> None:
    """The second is told so, to try again; it is free when the first has ended, by an exception as well."""
    path = tmp_path / "one.lock"
    with pytest.raises(ZeroDivisionError):
        failing(path)
    holding(path)


def test_what_cannot_be_locked_is_named(tmp_path: Path) -> None:
    """With the words of the caller."""
    (tmp_path / "one.lock").mkdir()
    with pytest.raises(Problem, match=r"\Acannot lock the shop: .*/one\.lock"):
        holding(tmp_path / "one.lock")
