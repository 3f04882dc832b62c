"""What selectors select: the same for the database and for the spool."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.spool import encode, first_id, put_at
from mailer.status.api import Filter
from mailer.status.record import RecipientRecord, Record
from tests.fakes.mail import NOW

ID = encode(int(NOW * 1000) << 80, 26)  # of that moment exactly: `new_id` never goes back behind another test's


def record(*recipients: str, sender: str = "me@example.com", status: str = "queued", id: str = "") -> Record:
    people = [RecipientRecord(address, "to", status, 0, "", "", "", NOW) for address in recipients or ("you@example.net",)]
    return Record(id or ID, "", "", status, sender, "", 1, "normal", NOW, None, None, None, 0, "", people)


@pytest.mark.parametrize(
    ("wanted", "meant"),
    [
        (Filter(), True),
        (Filter(to="b@y.example"), True),
        (Filter(to="c@y.example"), False),
        (Filter(domain="Y.example"), True),
        (Filter(domain="example"), False),
        (Filter(domain="*.example"), True),
        (Filter(sender="me@example.com"), True),
        (Filter(sender="<>"), False),
        (Filter(states=frozenset({"queued"})), True),
        (Filter(states=frozenset({"sent"})), False),
        (Filter(since=NOW - 1), True),
        (Filter(since=NOW + 1), False),
        (Filter(before=NOW + 1), True),
        (Filter(before=NOW - 1), False),
        (Filter(to="a@x.example", domain="y.example"), True),
    ],
)
def test_a_message_is_meant_if_all_members_are(wanted: Filter, meant: bool) -> None:
    """Each option narrows the list."""
    assert wanted.matches(record("a@x.example", "b@y.example")) is meant


def test_the_null_sender_can_be_asked_for() -> None:
    """Reports have it."""
    assert Filter(sender="<>").matches(record(sender=""))


def test_a_recipient_can_have_a_state_that_its_message_has_not() -> None:
    """A message that was sent is found by its recipient that bounced."""
    sent = record("a@x.example", status="sent")
    sent.recipients[0] = sent.recipients[0]._replace(status="bounced")
    assert Filter(states=frozenset({"bounced"})).matches(sent)
    assert not Filter(states=frozenset({"complained"})).matches(sent)


@given(st.integers(0, 2**47).map(lambda n: n / 1000))
def test_ids_and_times_are_two_forms_of_one_thing(at: float) -> None:
    """The first ID of a moment is of that moment, to the millisecond, and sorts before all others of it."""
    assert put_at(first_id(at)) == pytest.approx(int(at * 1000) / 1000)
    assert first_id(at) < first_id(at + 0.01)


@pytest.mark.parametrize("at", [-1.0, 0.0, 1e30])
def test_a_time_outside_what_ids_tell_is_the_nearest_one(at: float) -> None:
    """``--since`` of long ago is no error."""
    assert len(first_id(at)) == 26
