"""Which process runs what: each test once, groups and the files of the quick run in one process, and nothing is kept of what is done."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from xdist.remote import Producer

from tests.conftest import LONGEST, SAMPLE, pytest_make_parametrize_id, sample, ungrouped
from tests.turns import Turns

TESTS = [*(f"tests/a.py::test[{number}]" for number in range(30)), "tests/b.py::one", "tests/b.py::two@shared", "tests/c.py::three@shared"]

CONFIG: Any = SimpleNamespace(getvalue=lambda name: ["2*popen"], option=SimpleNamespace(loadscopereorder=True))
"""What a scheduler asks of the configuration of pytest: two processes, and the largest piece of work first."""


class Process:
    """A process that does at once what it is told, and in its turn says so."""

    def __init__(self) -> None:
        self.waiting: list[int] = []
        self.done: list[int] = []
        self.shutting_down = False
        self.gateway = SimpleNamespace(id="gw")

    def send_runtest_some(self, places: list[int]) -> None:
        self.waiting += places

    def shutdown(self) -> None:
        self.shutting_down = True


def played(*, by_file: bool, long: Callable[[str], bool] = lambda _: False) -> tuple[Turns, list[Process]]:
    """Two processes that run `TESTS` in turns to the end."""
    turns, processes = Turns(CONFIG, Producer("turns", enabled=False), by_file=by_file, long=long), [Process(), Process()]
    for process in processes:
        turns.add_node(process)
    for process in processes:
        turns.add_node_collection(process, TESTS)
    turns.schedule()
    while any(process.waiting for process in processes):
        for process in processes:
            if process.waiting:
                process.done.append(process.waiting.pop(0))
                turns.mark_test_complete(process, process.done[-1])
    return turns, processes


@pytest.mark.parametrize("by_file", [False, True])
def test_each_test_has_its_turn_once(by_file: bool) -> None:
    """None is left out and none is run twice; then all are done, and the processes are told so."""
    turns, processes = played(by_file=by_file)
    assert sorted(place for process in processes for place in process.done) == list(range(len(TESTS)))
    assert turns.tests_finished
    assert not turns.has_pending
    assert all(process.shutting_down for process in processes)


@pytest.mark.parametrize("by_file", [False, True])
def test_nothing_is_kept_of_what_is_done(by_file: bool) -> None:
    """What is counted after each test is what is under way."""
    turns, processes = played(by_file=by_file)
    assert [turns.assigned_work[process] for process in processes] == [{}, {}]


@pytest.mark.parametrize("by_file", [False, True])
def test_a_group_is_run_by_one(by_file: bool) -> None:
    """Wherever its tests stand; and what stands beside one of them is not of the group."""
    _, processes = played(by_file=by_file)
    shared = {place for place, name in enumerate(TESTS) if name.endswith("@shared")}
    assert sorted(len(shared.intersection(process.done)) for process in processes) == [0, len(shared)]


def test_a_file_is_run_by_one_in_the_quick_run_only() -> None:
    """In the whole run, the tests of a file go to whoever has time."""
    file = {place for place, name in enumerate(TESTS) if name.startswith("tests/a.py")}
    of_file = [[len(file.intersection(process.done)) for process in played(by_file=by_file)[1]] for by_file in (True, False)]
    assert sorted(of_file[0]) == [0, len(file)]
    assert 0 not in of_file[1]


def test_what_is_long_comes_before_what_is_not() -> None:
    """Behind the first few, which are handed out as they stand."""
    _, processes = played(by_file=False, long=lambda file: file == "tests/b.py")
    (place,) = [place for place, name in enumerate(TESTS) if name == "tests/b.py::one"]
    (turn,) = [process.done.index(place) for process in processes if place in process.done]
    assert turn < 5


def test_what_a_dead_process_had_is_run_by_another() -> None:
    """The test in which it died is named, and who is started in its place has what is not done."""
    turns, (first, second) = Turns(CONFIG, Producer("turns", enabled=False), by_file=True), (Process(), Process())
    for process in (first, second):
        turns.add_node(process)
    for process in (first, second):
        turns.add_node_collection(process, TESTS)
    turns.schedule()
    turns.mark_test_complete(first, first.waiting.pop(0))
    died, rest = first.waiting[0], set(first.waiting)
    assert turns.remove_node(first) == TESTS[died]
    third = Process()
    turns.add_node(third)
    turns.add_node_collection(third, TESTS)
    turns.schedule()
    assert rest == set(third.waiting)


def test_a_sample_is_spread_evenly() -> None:
    """Few are taken all; of many, so many, with the first, in their order."""
    assert sample(list(range(SAMPLE))) == list(range(SAMPLE))
    taken = sample(list(range(10 * SAMPLE)))
    assert taken == list(range(0, 10 * SAMPLE, 10))
    assert sample([]) == []


def test_no_name_of_a_test_is_long(request: pytest.FixtureRequest) -> None:
    """Of a text of megabytes the beginning is in the name, in ASCII, with its length."""
    assert pytest_make_parametrize_id("ü" * LONGEST) is None
    name = pytest_make_parametrize_id("ü" * 3_000_000)
    assert name is not None
    assert name.isascii()
    assert name.endswith(", 3000000 long")
    assert pytest_make_parametrize_id(3) is None
    assert max(len(item.nodeid) for item in request.session.items) < 2000


@pytest.mark.parametrize(
    ("told", "name"),
    [
        ("tests/a.py::one@shared", "tests/a.py::one"),
        ("tests/a.py::one[x@example.com]@shared", "tests/a.py::one[x@example.com]"),
        ("tests/a.py::one[x@example.com]", "tests/a.py::one[x@example.com]"),
        ("tests/a.py::one", "tests/a.py::one"),
        ("tests/a.py", "tests/a.py"),
    ],
)
def test_a_failure_is_named_as_pytest_takes_it(told: str, name: str) -> None:
    """Without the group, so that a gate can run it again."""
    assert ungrouped(told) == name
