"""What the daemon says of its destinations, in the database and back."""

from __future__ import annotations

import sqlite3

import pytest

from mailer.events import Standings
from mailer.status.sqlite.reader import Reader
from mailer.status.standing import FOREVER, Standing
from tests.fakes.mail import NOW
from tests.status.office import Office

CALM = Standing("relay:out", 0, 0, 5.0, 20, "closed", 0, 0.0, "", 0.0, "", 0.0, "", 0.0, "", "", 0.0)
BUSY = CALM._replace(
    key="mx:mx1.example.net,mx2.example.net", waiting=7, sessions=2, window=2.5, last_reply="250 ok", last_at=NOW,
    wait="window", wait_detail="2 at work",
)  # fmt: skip
DEAD = CALM._replace(
    breaker="open", failures=3, open_until=NOW + 60, breaker_reason="451 no answer", paused_until=NOW + 5, pause_reason="asked to",
    rate_until=NOW + 1, wait="breaker", wait_detail="x", wait_until=NOW + 60,
)  # fmt: skip


def known(office: Office) -> list[Standing]:
    with Reader(str(office.path)) as reader:
        return [*reader.standings()]


def test_a_standing_comes_back_as_it_was(office: Office) -> None:
    """Each value, and when it was written down."""
    office.write([Standings(NOW, [BUSY, DEAD], first=True)])
    assert known(office) == [BUSY._replace(updated_at=NOW), DEAD._replace(updated_at=NOW)]
    assert [standing.kind for standing in known(office)] == ["mx", "relay"]


def test_a_pause_without_an_end_has_none(office: Office) -> None:
    """It is stored, and no time is made up when it is shown."""
    office.write([Standings(NOW, [DEAD._replace(paused_until=float("inf"))], first=True)])
    (standing,) = known(office)
    assert standing.paused_until == FOREVER
    assert standing.as_json()["pause"] == {"until": None, "reason": "asked to"}


def test_what_has_not_changed_stays_and_what_is_gone_goes(office: Office) -> None:
    """Only what is new is told."""
    office.write([Standings(NOW, [BUSY, DEAD], first=True)])
    office.write([Standings(NOW + 1, [BUSY._replace(sessions=1)], gone=[DEAD.key])])
    assert known(office) == [BUSY._replace(sessions=1, updated_at=NOW + 1)]


def test_a_daemon_that_starts_forgets_what_the_last_one_knew(office: Office) -> None:
    """Nothing of it is in its memory."""
    office.write([Standings(NOW, [BUSY, DEAD], first=True)])
    office.write([Standings(NOW + 1, [], first=True)])
    assert known(office) == []


def test_hostile_text_is_stored_bounded(office: Office) -> None:
    """A reply may have 64 KiB, and half a surrogate pair is no text."""
    office.write([Standings(NOW, [DEAD._replace(last_reply="x" * 70_000, breaker_reason="\ud800")], first=True)])
    (standing,) = known(office)
    assert len(standing.last_reply) == 2000
    assert standing.breaker_reason == "?"


@pytest.mark.parametrize(
    "change",
    [
        "breaker = 'ajar'", "waiting = -1", "waiting = 'many'", "last_at = -5", "open_until = 'soon'", "last_reply = x'00'",
        "updated_at = 999999999999999999", "window = 1e300",
    ],
)  # fmt: skip
def test_a_row_that_somebody_else_wrote_is_left_out(office: Office, change: str) -> None:
    """And counted."""
    office.write([Standings(NOW, [BUSY, DEAD], first=True)])
    db = sqlite3.connect(office.path)
    with db:
        db.execute(f"UPDATE destinations SET {change} WHERE key = 'relay:out'")
    db.close()
    with Reader(str(office.path)) as reader:
        assert [standing.key for standing in reader.standings()] == [BUSY.key]
        assert reader.damaged == 1
