"""What an operator does to mail that waits: hold, release, cancel, retry; with a daemon and without."""

from __future__ import annotations

import json

import pytest

from .world import World


@pytest.fixture
def deferred(world: World) -> str:
    """A message to a greylisting sink that was put off for an hour, with the daemon running."""
    sink = world.sink("--greylist=0")
    world.configure(sink, schedule=("1h",))
    world.daemon()
    id = world.send("you@there.example")
    world.becomes(id, "deferred")
    return id


def test_a_held_message_stays_until_it_is_released(world: World) -> None:
    """hold takes it out of delivery, also for a daemon that starts later; release gives it back, at once."""
    sink = world.sink()
    world.configure(sink)
    held, free = world.send("held@there.example"), world.send("free@there.example")
    assert world.mailer("queue", "hold", held).code == 0
    world.daemon()
    world.becomes(free, "sent")
    assert (world.where(held), world.status(held)["status"]) == ("held", "held")
    assert world.mailer("queue", "release", held).code == 0
    world.becomes(held, "sent")
    assert [kept.recipients for kept in sink.kept] == [["free@there.example"], ["held@there.example"]]


def test_a_deferred_message_can_be_held_while_the_daemon_runs(world: World, deferred: str) -> None:
    """The daemon forgets what was held, and delivers it when it is released."""
    assert world.mailer("queue", "hold", deferred).code == 0
    world.becomes(deferred, "held")
    assert world.mailer("queue", "release", deferred).code == 0
    world.becomes(deferred, "sent")


def test_a_deferred_message_can_be_retried_now(world: World, deferred: str) -> None:
    """retry makes the next try now instead of in an hour."""
    assert world.mailer("queue", "retry", deferred).code == 0
    assert world.becomes(deferred, "sent")["attempts"] == 2


def test_a_cancelled_message_is_never_delivered_nor_reported(world: World, deferred: str) -> None:
    """cancel ends it: status says so, no report is written; to cancel it again changes nothing, to release it is an error."""
    assert world.mailer("queue", "cancel", deferred).code == 0
    assert world.becomes(deferred, "cancelled")["recipients"][0]["status"] == "cancelled"
    assert world.in_spool("queued", "deferred", "held") == []
    again = world.mailer("queue", "cancel", deferred)
    assert (again.code, "already" in again.out) == (0, True)
    released = world.mailer("queue", "release", deferred)
    assert (released.code != 0, len(released.err.splitlines())) == (True, 1)


def test_the_queue_lists_what_waits(world: World, deferred: str) -> None:
    """`queue list --json` has the message with its state, `queue show` its headers; an unknown ID is 67."""
    listed = [json.loads(line) for line in world.mailer("queue", "list", "--json").out.splitlines()]
    assert [(one["id"], one["status"]) for one in listed] == [(deferred, "deferred")]
    shown = world.mailer("queue", "show", deferred)
    assert shown.code == 0
    assert "a test" in shown.out
    assert world.mailer("queue", "show", "0" * 26).code == 67


def test_what_was_cancelled_is_not_counted_as_failed(world: World) -> None:
    """In the line that says what a daemon has found."""
    world.configure(world.sink())
    world.send("you@there.example")
    assert world.mailer("queue", "cancel", "--all").code == 0
    assert "failed=0 cancelled=1" in world.once().err
