"""Outcomes and histories: what follows from what was written down."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.mail.history import History
from mailer.mail.outcome import Hop, Outcome


def outcome(to: int, verdict: str = "delivered", **more: object) -> Outcome:
    """An outcome of recipient `to`."""
    given: dict[str, object] = {"scope": "recipient", "code": 250, "enhanced": "2.0.0", "text": "ok", "phase": "body"} | more
    return Outcome(to, verdict, **given)  # type: ignore[arg-type]


def test_a_recipient_is_pending_until_a_final_outcome() -> None:
    """Nothing yet, or a deferral, means that it is still to be tried."""
    history = History(3, [outcome(0), outcome(1, "defer", due=50.0)])
    assert history.pending() == [1, 2]
    assert history.pending(now=49.0) == [2]
    assert history.pending(now=50.0) == [1, 2]
    assert not history.done


def test_a_later_outcome_overrides_and_doubles_change_nothing() -> None:
    """Hearing the same news twice leads where hearing it once does."""
    history = History(1, [outcome(0, "defer"), outcome(0), outcome(0)])
    assert history.done
    assert history.status() == "sent"


@pytest.mark.parametrize(
    ("verdicts", "status"),
    [
        ([], "queued"),
        (["defer"], "deferred"),
        (["delivered", "defer"], "deferred"),
        (["delivered", "delivered"], "sent"),
        (["delivered", "fail"], "failed"),
        (["delivered", "expire"], "expired"),
        (["expire", "fail"], "failed"),
        (["cancel", "delivered"], "cancelled"),
    ],
)
def test_the_message_counts_as_its_worst_recipient(verdicts: list[str], status: str) -> None:
    """The status of a message follows from the last verdicts of its recipients."""
    history = History(max(len(verdicts), 1), [outcome(to, verdict) for to, verdict in enumerate(verdicts)])
    assert history.status() == status


@pytest.mark.slow
def test_what_was_tried_without_end_is_not_held_without_end() -> None:
    """The oldest deferrals are forgotten; what became of each recipient, and how often it was tried, is not."""
    history = History(3, [outcome(0), outcome(1, "fail")])
    for due in range(50_000):
        history.add([outcome(2, "defer", due=float(due))])
    assert len(history.outcomes) < 45_000
    assert history.outcomes[:2] == [outcome(0), outcome(1, "fail")]
    assert (history.tries[2], history.due, history.status()) == (50_000, 49_999.0, "deferred")


def test_only_attempts_that_count_make_the_next_wait_longer() -> None:
    """Being offline, or a limit of our own, is no attempt."""
    history = History(1, [outcome(0, "defer"), outcome(0, "defer", counts=False), outcome(0, "defer")])
    assert history.tries == {0: 2}
    assert history.attempts == 2


def test_the_message_is_due_when_its_first_pending_recipient_is() -> None:
    """One file has one time; each recipient keeps its own in its record."""
    assert History(3, [outcome(0, "defer", due=90.0), outcome(1, "defer", due=60.0), outcome(2)]).due == 60.0
    assert History(2, [outcome(0, "defer", due=90.0)]).due == 0.0


def test_an_outcome_for_nobody_is_ignored() -> None:
    """A tampered record cannot name a recipient that the envelope does not have."""
    assert History(1, [outcome(7), outcome(-1)]).pending() == [0]


@given(
    st.builds(
        Outcome,
        to=st.integers(0, 9),
        verdict=st.sampled_from(["delivered", "defer", "fail", "expire", "cancel"]),
        scope=st.sampled_from(["recipient", "message", "host", "destination", "us"]),
        code=st.integers(0, 599),
        enhanced=st.sampled_from(["", "5.1.1"]),
        text=st.text(),
        phase=st.sampled_from(["", "rcpt"]),
        hop=st.builds(Hop, host=st.text(), ip=st.text(), port=st.integers(0, 65535), tls_wanted=st.text(), tls=st.text()),
        at=st.just(0.0),
        seconds=st.integers(0, 10**6).map(lambda n: n / 1000),
        due=st.integers(0, 2 * 10**9).map(float),
        queue_id=st.text(),
        counts=st.booleans(),
        trace=st.none(),
        source=st.text(),
        waited=st.sampled_from([None, 0.0, 86_400.5]),
        moved=st.booleans(),
    )
)
def test_a_record_holds_all_of_an_outcome(outcome: Outcome) -> None:
    """What is written of an outcome reads back as the same outcome."""
    assert Outcome.from_record(outcome.to, 0.0, outcome.to_record()) == outcome


@pytest.mark.parametrize(
    "record",
    [{}, {"verdict": "perhaps"}, {"verdict": "fail", "code": "x"}, {"verdict": "fail", "text": 5}, {"verdict": "fail", "due": 1e300}],
)
def test_a_tampered_record_is_refused(record: dict[str, object]) -> None:
    """Unknown verdicts and wrong types raise ValueError, which the spool reads as not written."""
    with pytest.raises(ValueError, match="record"):
        Outcome.from_record(0, 0.0, record)
