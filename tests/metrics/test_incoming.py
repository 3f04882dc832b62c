"""What is counted of the doors."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

from mailer.events import LoggedIn, LoginFailed, TakenIn, TurnedAway
from mailer.filtering.api import Verdict
from mailer.mail.arrival import DOORS, Arrival
from mailer.mail.refusal_reason import REASONS
from mailer.metrics.counts import Counts
from mailer.metrics.incoming import VERDICTS
from mailer.metrics.incoming_families import incoming_families
from tests.fakes.mail import NOW

MX = Arrival("mx", "192.0.2.7", "there.example")
USER = Arrival("submission", "192.0.2.8", user="ann@example.com")
TAKEN = TakenIn(NOW, MX, "01KAHGWV7J5ZQ0C9XK3M2T8B4R", "a@b.example", ["c@example.com"], 1000, seconds=0.2)
REFUSED = TurnedAway(NOW, MX, "rcpt", "550 5.1.1 no", "unknown")


def samples(counts: Counts) -> dict[str, float]:
    """What is not 0: ``name/label`` and the value."""
    found = (sample for family in incoming_families(counts.incoming) for sample in family.samples)
    return {"/".join((each.name, *each.labels.values())): each.value for each in found if each.value}


def test_what_comes_is_counted_by_door_and_what_was_said_of_it() -> None:
    """So the share of unwanted mail, and of refusals, is a division."""
    counts = Counts()
    events = [TAKEN, TAKEN, replace(TAKEN, verdict="mark", seconds=7.0, mended=True), replace(TAKEN, arrival=USER), REFUSED]
    for event in events:
        counts.told(event)
    found = samples(counts)
    assert {name: value for name, value in found.items() if "bucket" not in name} == {
        "mailer_received_messages_total/mx/accept": 2,
        "mailer_received_messages_total/mx/mark": 1,
        "mailer_received_messages_total/submission/accept": 1,
        "mailer_received_bytes_total/mx": 3000,
        "mailer_received_bytes_total/submission": 1000,
        "mailer_received_mended_total/mx": 1,
        "mailer_refusals_total/mx/unknown": 1,
        "mailer_receive_duration_seconds_count/mx": 3,
        "mailer_receive_duration_seconds_sum/mx": 7.4,
        "mailer_receive_duration_seconds_count/submission": 1,
        "mailer_receive_duration_seconds_sum/submission": 0.2,
    }
    buckets = [found.get(f"mailer_receive_duration_seconds_bucket/mx/{bound}") for bound in ("0.1", "0.25", "5.0", "10.0", "+Inf")]
    assert buckets == [None, 2, 2, 3, 3]


def test_logins_are_counted_by_how_they_ended() -> None:
    counts = Counts()
    for event in (LoggedIn(NOW, USER, "PLAIN"), *[LoginFailed(NOW, USER, "eve", "PLAIN", "wrong")] * 2):
        counts.told(event)
    assert samples(counts) == {"mailer_logins_total/success": 1, "mailer_logins_total/failure": 2}


def test_no_stranger_makes_a_figure() -> None:
    """A reason that has no word counts among the others; a door or a verdict that there is not, for nothing."""
    counts = Counts()
    before = sum(len(family.samples) for family in incoming_families(counts.incoming))
    for nth in range(100):
        counts.told(replace(REFUSED, reason=f"text {nth}"))
        counts.told(replace(REFUSED, arrival=Arrival(f"door {nth}", "")))
        counts.told(replace(TAKEN, verdict=f"verdict {nth}"))
    assert samples(counts) == {"mailer_refusals_total/mx/other": 100}
    assert sum(len(family.samples) for family in incoming_families(counts.incoming)) == before


def test_all_that_can_be_counted_is_there_from_the_beginning() -> None:
    """A counter that appears with its first 1 has not grown."""
    names = {"/".join(each.labels.values()) for family in incoming_families(Counts().incoming) for each in family.samples}
    assert names >= {f"{door}/{reason}" for door in DOORS for reason in (*REASONS, "other")}
    assert {*VERDICTS, "refuse", "tempfail"} == {*get_args(Verdict)}
