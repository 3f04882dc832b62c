"""Our interpreter beside Pigeonhole: scripts for all that can be said or said wrongly, one message, the same actions."""

from __future__ import annotations

import pytest

from mailer.sieve import EXTENSIONS
from mailer.sieve.forms import COMMANDS, TESTS

from .cases import ALL, asked, recorded, scripts
from .letters import story
from .otherwise import OTHERWISE
from .pigeonhole import needs_pigeonhole


def bare(script: str) -> str:
    return script.removeprefix(ALL)


@pytest.mark.parametrize("script", [script for script in recorded() if bare(script) not in OTHERWISE], ids=bare)
def test_a_script_does_what_it_does_there(script: str) -> None:
    """The same folders, flags, addresses and answers; the same line where it is wrong."""
    assert story(script) == recorded()[script]


@pytest.mark.parametrize("script", OTHERWISE)
def test_what_is_otherwise_is_said(script: str) -> None:
    """A difference is one that we want, has its reason, and is one."""
    reason, ours = OTHERWISE[script]
    there = recorded()[script if script in recorded() else ALL + script]
    assert reason
    assert story(script if script in recorded() else ALL + script) == ours != there


@needs_pigeonhole
def test_what_is_recorded_is_so() -> None:
    """The program that is installed says what the file says that it does."""
    assert asked() == recorded()


def test_every_word_has_a_case() -> None:
    """No command, test, tag or extension is without a script that has it."""
    text = "\n".join(scripts()).lower()
    words = {word for table in (COMMANDS, TESTS) for name, form in table.items() for word in (name, *form.tags)}
    assert {word for word in words if word not in text} == set()
    assert {name for name in EXTENSIONS if f'"{name}"' not in text} == set()
