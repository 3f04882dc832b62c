"""Whatever is sent, the machine answers or waits; it breaks at nothing, and takes the same for the same in whatever pieces it comes."""

from __future__ import annotations

import gc
import random
import re
import sys
import tracemalloc
from array import array

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailer.imap.server import ImapServer, ImapSettings, ImapState
from mailer.imap.view import FolderView
from tests.imap.soup import SOUP, command
from tests.imap.talk import CLEAR, Talk, logged_in, selected

LINE = re.compile(rb"(\+ |\* |[!-~]+ (OK|NO|BAD) )")


def settled(talk: Talk, octets: bytes) -> bytes:
    """What is said to them, and to the end of whatever they began."""
    return talk.say(octets) + talk.say(b"\r\n") + talk.say(b"DONE\r\n") + talk.say(b"x" * 70_000, b"\r\n")


@pytest.mark.parametrize("made", [Talk, logged_in, selected])
@settings(max_examples=150, deadline=None)
@given(SOUP, st.integers(0, 2**32))
def test_any_octets_are_answered(made: type[Talk], octets: bytes, seed: int) -> None:
    """All that is said are lines of IMAP; and it is the same however the octets are cut."""
    said = settled(made(), octets)
    assert all(LINE.match(line) for line in said.split(b"\r\n")[:-1]), said
    dice = random.Random(seed)
    places = sorted(dice.randrange(len(octets) + 1) for _ in range(5))
    pieces = [octets[start:end] for start, end in zip([0, *places], [*places, len(octets)], strict=True)]
    talk = made()
    cut = talk.say(*pieces) + settled(talk, b"")
    assert cut == said


@pytest.mark.parametrize("made", [Talk, logged_in, selected])
def test_a_thousand_commands_by_chance(made: type[Talk]) -> None:
    """Each well begun: with its tag and a verb. Memory stays where it was."""
    dice = random.Random(20)
    talk = made()
    tracemalloc.start()
    for number in range(1500):
        if talk.server.state is ImapState.CLOSED:
            talk = made()
        talk.say(command(dice, number))
        talk.asked.clear()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 3_000_000


def test_a_session_that_waits_costs_little() -> None:
    """Each with ten thousand messages in its folder and in IDLE: some kilobytes each."""

    def made() -> ImapServer:
        talk = logged_in()
        talk.say(b"s SELECT INBOX\r\n")
        talk.server.view = FolderView(1, "INBOX", 1, uids, 5)
        talk.say(b"i IDLE\r\n")
        return talk.server

    uids = array("I", [uid for uid in range(1, 10_100) if uid % 100])
    made()
    gc.collect()
    tracemalloc.start()
    kept = [made() for _ in range(15)]
    gc.collect()
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert size / len(kept) < 6_000
    assert sys.getsizeof(kept[0]) < 400


def test_settings_are_shared() -> None:
    """What is told is made once for all sessions."""
    shared = ImapSettings(clear_auth=True)
    assert Talk(shared).server.capabilities is Talk(shared).server.capabilities
    assert CLEAR.told(tls=False, user=True) is CLEAR.told(tls=False, user=True)
