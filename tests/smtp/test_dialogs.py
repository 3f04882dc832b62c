"""Every dialog of tests/dialogs against the state machine alone."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fakes.chance import examples
from tests.fakes.dialog import Dialog, all_dialogs
from tests.fakes.machine import Cut, Machine, byte_by_byte, whole

DIALOGS = {dialog.name: dialog for dialog in all_dialogs()}


def agrees(results: list[str], dialog: Dialog) -> None:
    """Each result begins as the file says."""
    assert len(results) == len(dialog.results), results
    for result, wanted in zip(results, dialog.results, strict=True):
        assert result.startswith(wanted), results


@pytest.mark.parametrize("cut", [whole, byte_by_byte])
@pytest.mark.parametrize("name", DIALOGS)
def test_the_machine_alone(name: str, cut: Cut) -> None:
    """The machine says what the dialog says, and finds what it finds, in whatever pieces replies come."""
    agrees(Machine(DIALOGS[name], cut).run(), DIALOGS[name])


@settings(max_examples=examples(60), deadline=None)
@given(name=st.sampled_from(sorted(DIALOGS)), sizes=st.lists(st.integers(1, 40), min_size=1, max_size=8))
def test_any_pieces(name: str, sizes: list[int]) -> None:
    """It makes no difference where the network cuts."""

    def cut(data: bytes) -> list[bytes]:
        pieces, at = [], 0
        while at < len(data):
            size = sizes[len(pieces) % len(sizes)]
            pieces.append(data[at : at + size])
            at += size
        return pieces

    agrees(Machine(DIALOGS[name], cut).run(), DIALOGS[name])
