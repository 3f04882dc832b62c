"""Whatever is said to the machine of POP3, in whatever pieces, it says the same, and keeps nothing."""

from __future__ import annotations

import gc
import random
import tracemalloc

import pytest

from mailer.pop3.server import PopServer, PopSettings, PopState

from .soup import anything, in_order
from .talk import Household, pumped

SETTINGS = PopSettings(clear=True, starttls=True, mechanisms=("PLAIN", "LOGIN"))
MESSAGES = [("a", b"a: b\r\n\r\n.c\r\n"), ("b", b"x" * 1000 + b"\n.\n"), ("c", b"")]


def heard(said: bytes, places: list[int]) -> tuple[bytes, list[list[int]], PopState]:
    """What is said to these octets, cut at `places`, what is removed, and how it ends."""
    machine, household = PopServer(SETTINGS), Household(MESSAGES, piece=7)
    out = pumped(machine, household)
    for start, end in zip([0, *places], [*places, len(said)], strict=True):
        machine.feed(said[start:end])
        out += pumped(machine, household)
        if machine.state is PopState.HANDSHAKE:
            break  # what comes along is thrown away: that depends on how it is cut
    assert machine.waiting < 20_000
    return out, household.removed, machine.state


def compared(seed: int, many: int) -> None:
    """One session by chance, whole and in pieces."""
    dice = random.Random(seed)
    said = (in_order if dice.random() < 0.7 else anything)(dice, many)
    whole = heard(said, [])
    assert heard(said, sorted(dice.randrange(len(said) + 1) for _ in range(10))) == whole
    for line in whole[0].split(b"\r\n")[:1]:
        assert line.startswith(b"+OK")
    assert whole[0].endswith(b"\r\n")


@pytest.mark.parametrize("seed", range(60))
def test_pieces_make_no_difference(seed: int) -> None:
    """Neither in what is said nor in what is removed."""
    compared(seed, 40)


def test_many_sessions_take_no_memory() -> None:
    """What one has had is gone with it."""
    for seed in range(20):
        compared(seed, 40)
    gc.collect()
    tracemalloc.start()
    try:
        for seed in range(60):
            compared(seed, 40)
        gc.collect()
        assert tracemalloc.get_traced_memory()[0] < 100_000
    finally:
        tracemalloc.stop()
