"""A table of what is remembered: bounded, and it knows what has changed."""

from __future__ import annotations

from mailer.limits.table import LimitRow, LimitTable


def test_the_row_that_was_not_changed_for_longest_goes() -> None:
    """Where there would be more than there may be; whoever has it is told."""
    table = LimitTable("x", most=3)
    assert [table.put(key, at) for at, key in enumerate("abc")] == [[], [], []]
    assert table.put("a", 3.0) == []
    assert table.put("d", 4.0) == ["b"]
    assert [table.get(key) for key in "abcd"] == [(3.0,), (), (2,), (4.0,)]


def test_what_has_changed_is_told_once() -> None:
    """As it is then; a row that is gone has no numbers. What could not be written down is told again."""
    table = LimitTable("x", most=2)
    table.put("a", 1.0)
    table.put("a", 2.0, 7.0)
    assert table.changes() == [LimitRow("x", "a", (2.0, 7.0))]
    assert table.changes() == []
    table.put("b", 3.0)
    table.put("c", 4.0)
    rows = table.changes()
    assert rows == [LimitRow("x", "b", (3.0,)), LimitRow("x", "c", (4.0,)), LimitRow("x", "a")]
    table.unkept(rows)
    table.put("c", 5.0)
    assert sorted(table.changes()) == [LimitRow("x", "a"), LimitRow("x", "b", (3.0,)), LimitRow("x", "c", (5.0,))]


def test_what_is_over_goes() -> None:
    """From the oldest on, and that is a change."""
    table = LimitTable("x")
    for at, key in enumerate("abcd"):
        table.put(key, at)
    table.changes()
    assert table.expire(2.0) == ["a", "b"]
    assert len(table) == 2
    assert table.changes() == [LimitRow("x", "a"), LimitRow("x", "b")]


def test_what_was_written_down_is_there_again() -> None:
    """And is no change; rows of other tables are none of its own."""
    table = LimitTable("x")
    assert table.restore([LimitRow("x", "a", (1.0, 2.0)), LimitRow("y", "b", (1.0,))]) == ["a"]
    assert (table.get("a"), table.get("b"), table.changes()) == ((1.0, 2.0), (), [])
