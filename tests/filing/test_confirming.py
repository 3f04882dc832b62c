"""An address elsewhere is asked before mail goes there, and nobody can have us ask the whole world."""

from __future__ import annotations

import pytest

from mailer.filing.carry import SendingTerms
from mailer.filing.confirming import MOST, SETTING, ask
from mailer.mail.problem import Problem

from .letterbox import Letterbox

DAY = 86400.0


def test_who_asks_too_many_waits(letterbox: Letterbox) -> None:
    """Ten a day, whether they were taken out again or not; those who have confirmed are not asked."""
    with letterbox.premises.ann() as box:

        def asked(address: str) -> float:
            return ask(
                box, address, "copy", SendingTerms(letterbox.door.settings, letterbox.premises.now), lambda symbols: symbols[0]
            ).asked

        box.scripts.add_forward("friend@example.org", "copy", letterbox.premises.now, confirmed=True)
        for nth in range(MOST):
            asked(f"spy{nth}@example.org")
            box.scripts.delete_forward(f"spy{nth}@example.org")
            if nth < MOST - 1:
                asked("friend@example.org")
        with pytest.raises(Problem, match=r"10 addresses were asked today .*; ask the next one in 24 h"):
            asked("one@example.org")
        assert len(box.scripts.instructions().forwards) == 1
        letterbox.premises.now += DAY + 1
        assert asked("one@example.org") == letterbox.premises.now


@pytest.mark.parametrize("text", ["x", "{}", "[[]]", '["a"]'])
def test_what_cannot_be_read_is_nothing(letterbox: Letterbox, text: str) -> None:
    """Somebody is asked all the same."""
    with letterbox.premises.ann() as box:
        box.keep_setting(SETTING, text)
        ask(box, "one@example.org", "copy", SendingTerms(letterbox.door.settings, letterbox.premises.now), lambda symbols: symbols[0])
        assert [each.address for each in box.scripts.instructions().forwards] == ["one@example.org"]
