"""Which attempts are traced."""

from __future__ import annotations

import pytest

from mailer.events import Tried
from mailer.mail.outcome import Cause, Outcome
from mailer.tracing.choice import Choice
from tests.fakes.mail import NOW, entry_of, outcome


def tried(*outcomes: Outcome) -> Tried:
    """An attempt with these outcomes."""
    return Tried(NOW, entry_of(*(f"you{number}@example.net" for number in range(len(outcomes)))), outcomes)


@pytest.mark.parametrize(
    ("choice", "event", "wanted"),
    [
        (Choice(0.0), tried(outcome()), False),
        (Choice(0.0), tried(outcome(), outcome(1, "defer")), True),
        (Choice(0.0, failures=False), tried(outcome(0, "fail")), False),
        (Choice(0.0), tried(outcome(seconds=10.0)), True),
        (Choice(0.0, slow=0.0), tried(outcome(seconds=1000.0)), False),
        (Choice(1.0, failures=False), tried(outcome()), True),
        (Choice(1.0), tried(outcome(0, "defer", counts=False, cause=Cause.BREAKER)), False),
    ],
)
def test_what_is_wanted(choice: Choice, event: Tried, wanted: bool) -> None:
    """Failures and slow ones, where that is configured; a sample; never what was put off without an attempt."""
    assert choice.wants(event) is wanted


@pytest.mark.slow
def test_a_sample_is_as_large_as_it_is_to_be() -> None:
    """Of many messages about the share; of one message, all attempts or none."""
    choice = Choice(0.1)
    events = [tried(outcome()) for _ in range(5000)]
    chosen = [event for event in events if choice.wants(event)]
    assert 350 < len(chosen) < 650
    assert all(choice.wants(Tried(NOW + 60, event.entry, [outcome(0, "delivered")])) for event in chosen)
