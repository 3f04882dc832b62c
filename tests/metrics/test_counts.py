"""The tables of what is counted are those of the source."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import get_args

import pytest

import mailer
from mailer.mail.alarm import AlarmKind
from mailer.mail.history import RECIPIENT_STATUS
from mailer.mail.outcome import Cause, Verdict
from mailer.shaping.blame import kind_of


@pytest.mark.slow
def test_every_alarm_has_its_counter() -> None:
    """The words that the source gives alarms are those that have a counter with 0 from the start."""
    found, anywhere = set(), set()
    for path in Path(mailer.__file__).parent.rglob("*.py"):
        listing = path.name in ("alarm.py", "kinds.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) in ("Alarm", "_alarm", "met"):
                words = [argument.value for argument in node.args[:2] if isinstance(argument, ast.Constant)]
                found |= {word for word in words if isinstance(word, str) and word.isalpha()}
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and not listing:
                anywhere.add(node.value)
    found |= set(map(kind_of, Cause))
    assert found <= set(get_args(AlarmKind)) <= anywhere


def test_every_verdict_has_its_counter() -> None:
    """What an attempt may lead to is what is counted."""
    assert set(RECIPIENT_STATUS) == set(get_args(Verdict))
