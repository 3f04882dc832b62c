"""IMAP for an hour: octets and commands by chance, at the machine and at the door, whose memory stays where it was."""

from __future__ import annotations

import gc
import random
import resource
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.imap.soup import SOUP, command, sentence
from tests.imap.talk import Talk, logged_in, selected
from tests.imap.test_fuzz import settled
from tests.imapd.test_fuzz import sent

HOUR = 3600.0


def held() -> int:
    """Kilobytes of the process at its largest."""
    gc.collect()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


@pytest.mark.timeout(3600)
@settings(max_examples=50_000, deadline=None)
@given(SOUP, st.sampled_from([Talk, logged_in, selected]), st.integers(0, 2**32))
def test_many_octets_are_the_same_in_whatever_pieces_they_come(octets: bytes, made: type[Talk], seed: int) -> None:
    """Cut at places by chance."""
    dice = random.Random(seed)
    places = sorted(dice.randrange(len(octets) + 1) for _ in range(8))
    pieces = [octets[start:end] for start, end in zip([0, *places], [*places, len(octets)], strict=True)]
    talk = made()
    assert talk.say(*pieces) + settled(talk, b"") == settled(made(), octets)


@pytest.mark.timeout(3600)
def test_an_hour_of_commands_takes_no_memory() -> None:
    """One machine after the other, and messages among what they are told."""
    dice, end, first = random.Random(1), time.monotonic() + HOUR / 2, 0
    number = 0
    while time.monotonic() < end:
        talk = selected()
        for _ in range(2000):
            number += 1
            talk.say((command if dice.random() < 0.5 else sentence)(dice, number))
            talk.asked.clear()
        first = first or held()
    assert held() < first * 1.2


@pytest.mark.timeout(3600)
def test_an_hour_at_the_door_meets_no_mistake_of_ours() -> None:
    """Whatever is said, and whatever comes meanwhile."""
    end, seed, first = time.monotonic() + HOUR / 2, 100, 0
    while time.monotonic() < end:
        sent(seed, 2000)
        seed += 1
        first = first or held()
    assert held() < first * 1.5
