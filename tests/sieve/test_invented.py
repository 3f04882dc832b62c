"""Scripts that nobody wrote: our interpreter does with them what Pigeonhole does, and text that is no script is an error."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mailer import sieve
from mailer.sieve import SieveError

from .invented import letters, scripts
from .letters import LETTER, story
from .pigeonhole import Pigeonhole, needs_pigeonhole


@pytest.fixture(scope="module")
def pigeonhole() -> Iterator[Pigeonhole]:
    with tempfile.TemporaryDirectory() as home:
        yield Pigeonhole(Path(home))


@needs_pigeonhole
@given(scripts, letters)
@settings(max_examples=60)
def test_they_do_the_same(pigeonhole: Pigeonhole, script: str, mail: bytes) -> None:
    """Whatever is asked, of whatever message."""
    assert story(script, mail) == pigeonhole.ask(script, mail)


@given(scripts, letters)
def test_they_do_the_same_each_time(script: str, mail: bytes) -> None:
    """A script and a message decide, and nothing else: what failed fails again."""
    assert story(script, mail) == story(script, mail)


@given(st.binary(max_size=200) | st.text(max_size=200))
@example(b"\xff")
@example("\ud800")
@example("text:")
@example('"\\')
@example("\x0b")
def test_what_is_no_script_is_an_error(source: bytes | str) -> None:
    """Anything is a script, or a `SieveError` of one line."""
    found = story(source if isinstance(source, str) else source.decode("latin-1"))
    assert found
    try:
        sieve.parse(source)
    except SieveError as error:
        found = [("wrong", error.line, str(error))]
    assert all(isinstance(each, str) and each.isprintable() for each in found[0][2:3] if found[0][0] == "wrong")


@given(scripts, st.integers(0, 10_000), st.sampled_from('";{}[](),:\\*/#\n 0a'))
def test_a_script_with_a_fault(script: str, place: int, char: str) -> None:
    """A character put in somewhere makes another script or an error, and nothing else."""
    at = place % len(script)
    story(script[:at] + char + script[at:], LETTER)


@given(scripts, st.integers(0, 10_000))
def test_a_script_that_is_cut_off(script: str, place: int) -> None:
    """A beginning of a script is another script or an error."""
    story(script[: place % len(script)], LETTER)
