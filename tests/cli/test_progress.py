"""How far something is: shown to a person, and to nobody else."""

from __future__ import annotations

import io
import sys

import pytest

from mailer.cli.progress import ProgressBar


class Terminal(io.StringIO):
    """A standard error that is a terminal."""

    def isatty(self) -> bool:
        """It is one."""
        return True


def test_a_person_sees_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    """With how much is done and of what; a note takes its place, and at the end it is gone."""
    monkeypatch.setattr(sys, "stderr", said := Terminal())
    bar = ProgressBar()
    bar.tell("INBOX\x1b[2J", 5, 10)
    bar.tell("INBOX", 6, 10)
    bar.note("passed over: a\nb")
    bar.end()
    assert said.getvalue() == "\r[###############               ]  50% 5 INBOX\ufffd[2J\x1b[K\r\x1b[Kmailer: passed over: a b\n\r\x1b[K"


@pytest.mark.parametrize("quiet", [False, True])
def test_nobody_else_does(quiet: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it goes to a file, or nothing is to be said; what is wrong is said all the same."""
    monkeypatch.setattr(sys, "stderr", said := Terminal() if quiet else io.StringIO())
    bar = ProgressBar(quiet=quiet)
    bar.tell("INBOX", 5, -1)
    bar.note("lost")
    bar.end()
    assert said.getvalue() == "mailer: lost\n"
