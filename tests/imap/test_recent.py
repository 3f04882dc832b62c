"""UIDs that are recent for a session, in runs."""

from __future__ import annotations

from mailer.imap.recent import RecentUids


def test_what_follows_is_one_run() -> None:
    """And what somebody else had in between parts it."""
    recent = RecentUids()
    assert not recent
    for first, end in ((1, 4), (4, 5), (2, 6), (9, 11), (3, 4), (11, 11)):
        recent.add(first, end)
    assert recent.runs() == [(1, 5), (9, 10)]
    assert [uid for uid in range(13) if uid in recent] == [1, 2, 3, 4, 5, 9, 10]
    recent.clear()
    assert (bool(recent), recent.runs(), 1 in recent) == (False, [], False)
