"""The suite itself: it mirrors the rooms, a file of it reads in one sitting, and its quick part is chosen by kind."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import mailer
from tests.conftest import LARGE, TESTS

LONGEST = 500  # lines
ROOMS = {path.parent.name for path in Path(mailer.__file__).parent.glob("*/*.py")}
SHARED = {"data", "dialogs", "fakes"}
"""What has no tests, but what tests share."""


def test_each_room_has_its_tests() -> None:
    """And what else there is beside them is said in conftest.py."""
    here = {path.name for path in TESTS.iterdir() if path.is_dir() and path.name != "__pycache__" and any(path.glob("*.*"))}
    assert here >= ROOMS
    assert here - ROOMS <= LARGE | SHARED


def test_no_file_is_too_long() -> None:
    """Where it would be, it has more nouns than one."""
    lines = {str(path.relative_to(TESTS)): path.read_bytes().count(b"\n") for path in TESTS.rglob("*.py")}
    assert {path: count for path, count in lines.items() if count > LONGEST} == {}


def test_this_is_quick(request: pytest.FixtureRequest) -> None:
    """What needs nothing is marked without a word of its own."""
    assert request.node.get_closest_marker("quick")


@pytest.mark.slow
def test_this_is_not(request: pytest.FixtureRequest) -> None:
    """What says so of itself is not."""
    assert not request.node.get_closest_marker("quick")


@pytest.mark.xdist_group("suite")
def test_a_group_is_one(request: pytest.FixtureRequest) -> None:
    """Tests of one group run in one process, where there are several: the name of a group stands at the end of a test's own then."""
    assert request.node.nodeid.endswith("@suite" if "PYTEST_XDIST_WORKER" in os.environ else "is_one")
