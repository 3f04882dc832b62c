"""Scripts that nobody wrote, many of them, and Pigeonhole."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import Phase, given, settings

from tests.sieve.invented import letters, scripts
from tests.sieve.letters import story
from tests.sieve.pigeonhole import Pigeonhole, needs_pigeonhole


@needs_pigeonhole
def test_many_scripts_do_the_same() -> None:
    """Ten thousand, of ten thousand messages."""
    with tempfile.TemporaryDirectory() as home:
        pigeonhole = Pigeonhole(Path(home))

        @given(scripts, letters)
        @settings(max_examples=10_000, phases=[Phase.generate, Phase.shrink])
        def they_do_the_same(script: str, mail: bytes) -> None:
            assert story(script, mail) == pigeonhole.ask(script, mail)

        they_do_the_same()
