"""What a client wants to hear of in which folder."""

from __future__ import annotations

from collections.abc import Sequence
from time import process_time

import pytest

from mailer.imap.command import EventGroup
from mailer.imapd.watched import WatchedFolders

NEW = ("MESSAGENEW", "MESSAGEEXPUNGE")
E_ACUTE, COMPOSED = "e\u0301", "\u00e9"


def group(which: str, *folders: str, events: Sequence[str] = NEW) -> EventGroup:
    """A group of NOTIFY."""
    return EventGroup(which, folders, events, ())


@pytest.mark.parametrize(
    ("asked", "name", "subscribed", "hears"),
    [
        (group("PERSONAL"), "a", False, True),
        (group("INBOXES"), "a/b", False, True),
        (group("SUBSCRIBED"), "a", False, False),
        (group("SUBSCRIBED"), "a", True, True),
        (group("MAILBOXES", "a", "b"), "b", False, True),
        (group("MAILBOXES", "a", "b"), "b/c", False, False),
        (group("SUBTREE", "a"), "a", False, True),
        (group("SUBTREE", "a"), "a/b/c", False, True),
        (group("SUBTREE", "a"), "ab", False, False),
        (group("SUBTREE", "a/b"), "a", False, False),
        (group("MAILBOXES", E_ACUTE), COMPOSED, False, True),
        (group("SUBTREE", COMPOSED), f"{E_ACUTE}/x", False, True),
    ],
)
def test_a_group_has_the_folders_that_the_standard_says(asked: EventGroup, name: str, subscribed: bool, hears: bool) -> None:
    """RFC 5465 §6."""
    assert WatchedFolders([asked]).events_of(name, subscribed=subscribed) == (set(NEW) if hears else set())


def test_a_folder_has_the_events_of_all_its_groups() -> None:
    """However it comes into them; without any, nothing is watched."""
    watched = WatchedFolders(
        [group("SUBTREE", "a"), group("MAILBOXES", "a/b", events=["MAILBOXNAME"]), group("SUBSCRIBED", events=["SUBSCRIPTIONCHANGE"])]
    )
    assert watched.events_of("a/b", subscribed=True) == {*NEW, "MAILBOXNAME", "SUBSCRIPTIONCHANGE"} == watched.all_events
    assert watched.events_of("a/b", subscribed=False) == {*NEW, "MAILBOXNAME"}
    assert bool(watched)
    assert not WatchedFolders(())


@pytest.mark.parametrize("which", ["MAILBOXES", "SUBTREE"])
def test_thousands_of_folders_are_asked_for_in_no_time_whatever_the_groups_name(which: str) -> None:
    """For everybody else waits meanwhile."""
    watched = WatchedFolders([group(which, *(f"name {nth}.{each}" for each in range(10))) for nth in range(100)])
    since = process_time()
    assert not any(watched.events_of(f"some folder {each}/below/it", subscribed=False) for each in range(5000))
    assert process_time() - since < 0.05
