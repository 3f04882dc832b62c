"""What every test may rely on: the markers `peer`, `slow` and `quick`, and the fixtures `world` and `zone`.

``@pytest.mark.peer("postfix", "strace")`` names programs that are not Python packages and that the test needs;
``root=True`` says that they must be started as root. `.ci/run` installs them, some into a directory of the clone
(`tests.peers.install`). Where one is missing, the test is skipped with its reason, except with ``CI=true``: a gate
that quietly tests less is no gate.

``pytest -m quick -n auto`` is the part of the suite that one runs all day. `quick` is given here, by kind: to each test that starts
neither our program as a process of its own (in a `world`, in a `home`) nor a foreign one (`peer`), that stands in none of the
`LARGE` rooms, and that is not `slow`: what runs a daemon by other means, or takes very many of something, or measures, says that of
itself. Of a test with many values a room's quick part has `SAMPLE`, spread evenly over them; what is at the top of tests/ and looks at the
whole house is never a sample. In such a run a property is tried with fewer examples, and directories of tests are in memory where there
is room: the disk is waited for in the whole run.
"""

from __future__ import annotations

import functools
import gc
import os
import re
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import coverage
import hypothesis
import pytest

from mailer.io import machine
from mailer.mailbox import box
from tests.fakes.nameplate import Nameplate
from tests.fakes.processes import PLACES
from tests.journey.world import World
from tests.peers.install import FETCHED
from tests.turns import Turns

TESTS = Path(__file__).parent

box.PROVING = True  # a mailbox whose counts are not what is there fails whichever test has closed it

LARGE = frozenset({"benchmarks", "browser", "callers", "crash", "journey", "long", "older", "packaging", "peers", "simulation"})
"""Rooms whose tests run daemons, die at every system call, or talk to foreign programs."""

PROGRAMS = frozenset({"world", "home"})
"""Fixtures in which our program runs as a process."""

MEMORY, ROOM = "/dev/shm", 1 << 30
"""A file system that Linux has in memory, and how many octets have to be free there: the quick part takes a third."""

WHOLLY = re.compile(r"^pytestmark = .*\bpytest\.mark\.(?:slow|peer)\b", re.MULTILINE)
"""What a file says of which each test is none of the quick run."""

COUNTER = coverage.Coverage.current()
"""What counts the lines of this process, where `COVERAGE_PROCESS_START` says so. Then each file is read, for what it imports is reached."""

SAMPLE = 3
"""Of so many of its values a test is quick: what a test costs beside its own work is 5 ms of the processor, whatever it does."""

LONGEST = 100
"""How much of a text there is in the name of a test that is given it."""

# How long one example takes depends on what else the machine does; pytest-timeout ends what hangs.
# Examples that failed are kept in the clone, where it may be written to. A gate tries the same ones each time: what it refuses is what has
# changed. Others are found by whoever runs the tests.
KEPT: dict[str, Any] = {"derandomize": True} if os.environ.get("CI") == "true" else {}
if KEPT or not os.access(Path(__file__).parents[1], os.W_OK):
    KEPT["database"] = None
hypothesis.settings.register_profile("mailer", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow], **KEPT)
hypothesis.settings.register_profile("quick", hypothesis.settings.get_profile("mailer"), max_examples=5, stateful_step_count=20)
hypothesis.settings.load_profile("mailer")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Where to write what failed, so that `.ci/run` can look at it once more."""
    parser.addoption("--failed-to", metavar="FILE", help="write the name of each test that failed into FILE, for `pytest @FILE`")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """The names of the tests that failed, as pytest takes them: without the group that xdist adds. In CI, what was skipped, and why."""
    if os.environ.get("CI") == "true":
        skips = [report.longrepr for report in terminalreporter.stats.get("skipped", ())]
        for reason, many in Counter(skip[2] if isinstance(skip, tuple) else str(skip) for skip in skips).items():
            terminalreporter.write_line(f"{many} skipped: {reason.removeprefix('Skipped: ')}", yellow=True)
    if path := config.getoption("--failed-to"):
        names = {ungrouped(report.nodeid): None for kind in ("failed", "error") for report in terminalreporter.stats.get(kind, ())}
        Path(path).write_text("".join(f"{name}\n" for name in names))


def ungrouped(name: str) -> str:
    """The name of a test without the ``@group`` at its end."""
    at = name.rfind("@")
    return name[:at] if at > name.rfind("]") else name


def pytest_configure(config: pytest.Config) -> None:
    """Ctrl-C means what it means to a person's programs, though the tests are started with nohup(1) or behind a ``&``.

    What is ignored stays ignored in each program that is started, and who is told to stop would not.
    """
    if config.getoption("markexpr") == "quick":
        if not config.getoption("--hypothesis-profile"):
            hypothesis.settings.load_profile("quick")
        if os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > ROOM:
            os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", MEMORY)
    if "PYTEST_XDIST_WORKER" in os.environ:  # whose own lines are measured, if any are, and not those of the programs that it starts
        os.environ.pop("COVERAGE_PROCESS_START", None)
    for name in [name for name in os.environ if name.startswith(("MAILER_", "XDG_")) or name.lower().endswith("_proxy")]:
        del os.environ[name]  # nor has what is configured on this machine, or for who started them, a part in the tests
    os.environ["MAILER_CONFIG"] = os.devnull
    os.umask(0o022)  # the users and servers of the tests read what the tests write
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Turns | None:
    """Who runs what, among several processes."""
    if config.getoption("dist") != "loadgroup":
        return None
    return Turns(config, log, by_file=config.getoption("markexpr") == "quick", long=lambda file: not _some_quick(config.rootpath / file))


def pytest_make_parametrize_id(val: object) -> str | None:
    """A long text is a value of a test, but no name: that goes from process to process with each word about the test, and to programs."""
    if not isinstance(val, (str, bytes)) or len(val) <= LONGEST:
        return None
    return f"{val[:LONGEST]!a}, {len(val)} long"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A host of one's own; whatever was started in it is stopped at the end."""
    made = World(tmp_path)
    try:
        yield made
    finally:
        made.close()


@pytest.fixture(autouse=True)
def _no_list_of_hosts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is in the hosts(5) of this machine, here it is nobody's name."""
    monkeypatch.setattr(machine, "HOSTS", os.devnull)


@pytest.fixture
def zone() -> Iterator[Callable[[str], None]]:
    """Sets the zone of this process, as TZ names it, for one test."""

    def be(name: str) -> None:
        patch.setenv("TZ", name)
        time.tzset()

    with pytest.MonkeyPatch.context() as patch:
        yield be
    time.tzset()


@pytest.fixture
def nameplate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Nameplate]:
    """Makes this machine another one: ``nameplate(node, hosts, etc)``, see `Nameplate`."""
    return functools.partial(Nameplate, tmp_path, monkeypatch)


def pytest_collection(session: pytest.Session) -> None:
    """What is collected stays: whoever looked for garbage in it meanwhile would spend a third of the time on that."""
    gc.disable()


def pytest_collection_finish(session: pytest.Session) -> None:
    """Nor is any looked for in it later. Lines are counted from here on in what is quick alone."""
    gc.freeze()
    gc.enable()
    if COUNTER:
        COUNTER.stop()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """The lines that a quick test reaches are counted, if any are: that takes half as long again, and what measures is not quick."""
    counter = COUNTER if item.get_closest_marker("quick") else None
    if counter:
        counter.start()
    try:
        return (yield)
    finally:
        if counter:
            counter.stop()


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """In the quick run, the rooms and the files are not even read that have nothing of it."""
    if config.getoption("markexpr") != "quick":
        return None
    large = collection_path.parent == TESTS and collection_path.name in LARGE
    wholly = not COUNTER and collection_path.suffix == ".py" and not _some_quick(collection_path)
    return True if large or wholly else None


@functools.cache
def _some_quick(path: Path) -> bool:
    """Whether the file `path` may have tests of the quick run."""
    return path.parent.name not in LARGE and not WHOLLY.search(path.read_text())


@functools.cache
def _room(path: Path) -> str:
    return path.relative_to(TESTS).parts[0]


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int | None:
    """In the quick run, one process more than there are processors: some tests wait for a moment."""
    return (os.cpu_count() or 1) + 1 if config.getoption("markexpr") == "quick" else None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is quick, before it is chosen by its mark."""
    quick: dict[tuple[Path, str], list[pytest.Item]] = {}
    for item in items:
        room = _room(item.path)
        started = PROGRAMS.intersection(getattr(item, "fixturenames", ()))
        if not (room in LARGE or started or item.get_closest_marker("peer") or item.get_closest_marker("slow")):
            quick.setdefault((item.path, item.nodeid.partition("[")[0]), []).append(item)
    for (path, _), each in quick.items():
        for item in each if path.parent == TESTS else sample(each):
            item.add_marker("quick")


def sample(items: Sequence[Any]) -> list[Any]:
    """At most `SAMPLE` of `items`, in their order, the first among them and the others as far from each other as can be."""
    count = min(len(items), SAMPLE)
    return [items[at * len(items) // count] for at in range(count)]


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test whose peer is missing, or fail it in CI."""
    for marker in item.iter_markers("peer"):
        reasons = [reason for program in marker.args if (reason := missing(program))]
        if marker.kwargs.get("root") and os.geteuid() != 0:
            reasons.append("it has to be started as root")
        if reasons:
            report = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
            report("; ".join(reasons))


@functools.cache
def missing(program: str) -> str:
    """Why `program` cannot be used here; empty if it can."""
    fetched = FETCHED.get(program)
    path = str(fetched) if fetched and fetched.exists() else shutil.which(program, path=PLACES)
    if path is None:
        return f"{program} is not installed (`.ci/run` installs it)"
    if program == "strace" and subprocess.run([path, "-qq", "-o", os.devnull, "true"], capture_output=True).returncode:
        return "strace may not trace here"
    if program == "unshare" and subprocess.run([path, "-m", "true"], capture_output=True).returncode:
        return "no program may have a view of the file system of its own here (`unshare -m`)"
    return ""
