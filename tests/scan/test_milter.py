"""The machine of the milter protocol says nothing out of turn, obeys what was agreed upon, and believes no frame unasked."""

from __future__ import annotations

from struct import pack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.scan.milter import MilterAnswer, MilterMachine, MilterState
from mailer.scan.milter_frame import LONGEST, MilterEar
from mailer.scan.opinion import ScanError

from .filter_side import ACCEPT, CONTINUE, STEPS, agreed, frame

ROOM = 1000


def heard(machine: MilterMachine, data: bytes) -> list[MilterAnswer]:
    return [answer for answer in machine.hear(data) if answer is not None]


def opened(hello: bytes = agreed()) -> MilterMachine:
    machine = MilterMachine(ROOM)
    machine.start()
    heard(machine, hello)
    return machine


def at_end(hello: bytes = agreed()) -> MilterMachine:
    """A message is over, and its answer awaited."""
    machine = opened(hello)
    for letter in STEPS:
        machine.say(letter)
        if letter != "E" and machine.waits:
            heard(machine, CONTINUE)
    return machine


def test_a_session_goes_through_its_steps_and_begins_anew() -> None:
    machine = at_end()
    assert heard(machine, ACCEPT) == [MilterAnswer("accept")]
    assert machine.state is MilterState.READY
    machine.say("M")
    assert machine.begun


@pytest.mark.parametrize("letter", "HMRTLNBEA")
def test_nothing_is_said_out_of_turn(letter: str) -> None:
    with pytest.raises(AssertionError, match="out of turn"):
        opened().say(letter)


def test_nothing_is_said_before_an_answer() -> None:
    machine = opened()
    machine.say("C")
    with pytest.raises(AssertionError, match="no answer"):
        machine.say("H")


def test_steps_that_are_not_wanted_are_not_told_and_mute_ones_not_waited_for() -> None:
    """Rspamd agrees to 0xFF080: an answer comes at the end only."""
    machine = opened(agreed(0xFF080))
    for letter in STEPS[:-1]:
        assert machine.say(letter)
        assert not machine.waits
    machine.say("E")
    assert machine.waits
    silent = opened(agreed(0x27F))
    assert [bool(silent.say(letter)) for letter in STEPS] == [False] * 8 + [True]


def test_an_older_filter_is_not_told_of_data() -> None:
    machine = opened(agreed(0, acts=0x3F, version=2))
    for letter in "CHMR":
        machine.say(letter)
        heard(machine, CONTINUE)
    assert machine.say("T") == b""
    assert machine.say("L")


@pytest.mark.parametrize(
    "hello",
    [
        agreed(0, version=7),
        agreed(0, version=1),
        agreed(0x800),
        agreed(0x200000),
        agreed(0, acts=0x200),
        frame("O", b"\0" * 11),
        CONTINUE,
        frame("x"),
    ],
)
def test_what_was_not_offered_cannot_be_agreed_to(hello: bytes) -> None:
    with pytest.raises(ScanError):
        opened(hello)


@pytest.mark.parametrize(
    ("said", "act", "reply"),
    [
        (frame("c"), "continue", None), (frame("a"), "accept", None), (frame("d"), "hold", None),
        (frame("r"), "refuse", "550 5.7.1 the message was refused by a filter"),
        (frame("t"), "tempfail", "451 4.7.1 a filter puts it off, try again later"),
        (frame("4"), "tempfail", "421 4.3.2 a filter ends the session, try again later"),
        (frame("y", b"554 5.6.0 No %% here\0"), "refuse", "554 5.6.0 No % here"),
        (frame("y", b"450 4.2.0 later\0"), "tempfail", "450 4.2.0 later"),
        (frame("y", b"550-5.7.1 one\r\n550 5.7.1 two\0"), "refuse", "550 5.7.1 one two"),
        (frame("y", b"550 just no\0"), "refuse", "550 5.7.1 just no"),
        (frame("y", b"550 4.7.1 odd\0"), "refuse", "550 5.7.1 4.7.1 odd"),
    ],
)  # fmt: skip
def test_answers_have_their_words(said: bytes, act: str, reply: str | None) -> None:
    [answer] = heard(at_end(), said)
    assert (answer.act, str(answer.reply) if answer.reply else None) == (act, reply)


@pytest.mark.parametrize(
    "said",
    [
        frame("y", b"299 2.0.0 fine\0"), frame("y", b"550 no end"), frame("y", b"\0"), frame("y", b"550-one\r\n451 two\0"),
        frame("y", b"550-one\0"),
        frame("y", b"55\0"), frame("y", b"550x\0"), frame("y", b"550-x\r\n" * 40 + b"550 x\0"), frame("s"), frame("O", b""), frame("l"),
        frame("h", b"X-A\0no end"), frame("h", b"X-A\0"), frame("i", b"\0\0\0\1X\0"), frame("m", b"\0"), frame("b", b"x" * (ROOM + 1)),
        frame("+", b"no end"), frame("h", b"X\0y\0") * 3000, CONTINUE + CONTINUE, ACCEPT + frame("h", b"X\0y\0"),
    ],
)  # fmt: skip
def test_what_may_not_be_said_is_one_kind_of_error(said: bytes) -> None:
    """A code that refuses nothing, a text without its NUL, two answers, more than there is room for."""
    with pytest.raises(ScanError):
        heard(at_end(), said)


def test_a_new_body_comes_in_pieces_of_some_size() -> None:
    """Empty ones without end would be a message that is never over."""
    with pytest.raises(ScanError, match="room"):
        heard(at_end(), frame("b", b"") * 20_001)


def test_what_is_added_has_bounds_before_it_is_held() -> None:
    """Each of few fields may be long, and all of them together may not."""
    with pytest.raises(ScanError, match="room"):
        heard(at_end(), frame("h", b"X\0" + b"y" * 1_000_000 + b"\0") * 3)


def test_wishes_come_with_the_last_answer_and_only_where_they_were_agreed_upon() -> None:
    machine = at_end(agreed(0, acts=0x01))
    assert heard(machine, frame("h", b"X-A\0b\0") + frame("p") + ACCEPT) == [MilterAnswer("accept")]
    assert [(wish.letter, wish.name, wish.value) for wish in machine.wishes] == [("h", b"X-A", b"b")]
    with pytest.raises(ScanError, match="agreed"):
        heard(at_end(agreed(0, acts=0x01)), frame("b", b"new"))


def test_progress_is_no_answer() -> None:
    machine = at_end()
    assert [*machine.hear(frame("p") * 3)] == [None] * 3
    assert machine.waits


def test_an_end_of_the_connection_is_an_error() -> None:
    with pytest.raises(ScanError, match="hung up"):
        heard(at_end(), b"")


@pytest.mark.parametrize("length", [0, LONGEST + 1, 0xFFFFFFFF])
def test_a_length_that_no_frame_has_is_refused_before_it_is_held(length: int) -> None:
    with pytest.raises(ScanError, match="octets"):
        [*MilterEar().hear(pack(">I", length))]


@given(st.lists(st.binary(min_size=1, max_size=9), max_size=6), st.integers(1, 5))
def test_frames_come_in_pieces_of_any_size(parts: list[bytes], step: int) -> None:
    whole = b"".join(pack(">I", len(part)) + part for part in parts)
    ear = MilterEar()
    found = [each for at in range(0, len(whole), step) for each in ear.hear(whole[at : at + step])]
    assert [each.letter.encode("latin-1") + each.data for each in found] == parts


@given(st.lists(st.binary(max_size=12), max_size=4), st.sampled_from("OCE"))
def test_garbage_is_one_kind_of_error(parts: list[bytes], at: str) -> None:
    machine = at_end() if at == "E" else MilterMachine(ROOM) if at == "O" else opened()
    if at == "O":
        machine.start()
    elif at == "C":
        machine.say("C")
    try:
        heard(machine, b"".join(pack(">I", len(part)) + part for part in parts) or b"\0")
    except ScanError:
        pass


def test_macros_are_named_as_filters_want_them() -> None:
    said = opened().say("C", b"x", {"j": "mx.example", "client_addr": "192.0.2.1"})
    assert said.startswith(frame("D", b"Cj\0mx.example\0{client_addr}\000192.0.2.1\0"))
