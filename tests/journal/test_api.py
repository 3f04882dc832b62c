"""The line of an event: written, read back, and read where it is damaged."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.journal.api import TYPES, JournalEvent, from_line
from tests.fakes.mail import NOW

from .lines import MESSAGE, happened

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
TIMES = st.integers(0, 4_000_000_000_000_000).map(lambda micros: micros / 1e6)
EVENTS = st.builds(
    JournalEvent,
    st.just(MESSAGE),
    TIMES,
    st.sampled_from(TYPES),
    *[TEXTS] * 5,
    st.integers(0, 999),
    *[TEXTS] * 5,
    st.integers(0, 10**6),
    TIMES,
)


@given(EVENTS)
def test_a_line_is_read_as_it_was_written(event: JournalEvent) -> None:
    """Whatever a host has said, and one line in any case."""
    line = event.as_line()
    assert line.count(b"\n") == 1
    found = from_line(line)
    assert found is not None
    assert found._replace(at=0.0, next=0.0) == event._replace(at=0.0, next=0.0)
    assert (found.at, found.next) == pytest.approx((event.at, event.next), abs=2e-6)


@given(st.binary(max_size=200))
def test_garbage_is_no_event(data: bytes) -> None:
    """And raises nothing."""
    assert from_line(data) is None


@pytest.mark.parametrize(
    "change",
    [
        {"at": "yesterday"},
        {"at": None},
        {"type": "exploded"},
        {"type": []},
        {"to": 5},
        {"code": "250"},
        {"code": True},
        {"next": 7},
        {"attempt": 1.5},
    ],
    ids=str,
)
def test_what_a_member_must_not_be_makes_no_event(change: dict[str, object]) -> None:
    """A type that a later version has written is passed over, too."""
    assert from_line(json.dumps(happened().as_json() | change).encode()) is None


def test_members_that_are_not_known_are_not_looked_at() -> None:
    """A later version may say more."""
    assert from_line(json.dumps(happened().as_json() | {"weather": "fine"}).encode()) == happened()


def test_deep_nesting_is_no_event() -> None:
    """Whoever may write the file cannot bring a reader down."""
    assert from_line(b'{"id":' + b"[" * 100_000) is None


def test_a_line_has_all_members_and_null_for_what_is_absent() -> None:
    """The names are a contract."""
    assert happened(type="accepted", code=0, reply="").as_json() == {
        "id": "",
        "at": "2027-01-15T08:00:00Z",
        "type": "accepted",
        "message": MESSAGE,
        "request_id": None,
        "key": None,
        "stream": None,
        "to": "r0@example.net",
        "code": None,
        "enhanced": None,
        "reply": None,
        "host": None,
        "tls": None,
        "class": None,
        "attempt": None,
        "next": None,
    }


def test_the_same_event_is_known_again() -> None:
    """A recipient is done with once, taken in once, and put off as often as it is tried."""
    assert happened(type="failed").same == happened(type="delivered", at=NOW + 5).same
    assert happened(type="accepted").same == happened(type="accepted", at=NOW + 5).same
    assert happened(type="deferred").same == happened(type="deferred", id="x").same
    assert happened(type="deferred").same != happened(type="deferred", at=NOW + 5).same
    assert happened(1).same != happened(2).same
    assert len({happened(type=type).same for type in TYPES}) == len(TYPES) - 4


@given(EVENTS)
def test_a_line_is_the_json_of_its_event(event: JournalEvent) -> None:
    """However it is put together."""
    event = event._replace(id=MESSAGE)
    assert json.loads(event.as_line()) == event.as_json()
