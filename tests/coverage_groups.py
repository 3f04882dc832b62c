"""How much of each group of files the tests reached, in lines and in branches, beside the bar of that group.

    mkdir /tmp/measured
    COVERAGE_PROCESS_START=$PWD/pyproject.toml COVERAGE_FILE=/tmp/measured/.coverage python -m pytest -m quick -n auto
    python -m tests.coverage_groups --within /tmp/measured

The data of all processes is put together, and the table printed. Exits with 1 where a group is below its bar, and with 2 where a group
names files that are not there. What is counted is what quick tests reach, also in a run of all tests, as `.ci/run` makes it, and in
the processes of the tests alone: what daemons, crash sweeps and foreign peers reach besides is not counted, and costs nothing.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NamedTuple

import coverage

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "mailer"


class Group(NamedTuple):
    """A group of files, as patterns within the package, with the least share of lines and of branches, in percent."""

    name: str
    lines: float
    branches: float
    files: str

    def has(self, file: str) -> bool:
        """Whether `file`, a path within the package, is one of them."""
        return any(fnmatchcase(file, pattern) for pattern in self.files.split())


GROUPS = (
    Group("core client", 85, 75, "client/* limits/* transport/exchange.py transport/lender.py"),
    Group("transport", 80, 70, "net/* smtp/* transport/*"),
    Group("MIME encoding", 90, 80, "compose/* mail/mime.py mail/entity.py mail/entity.py mail/text.py mail/downgrade.py mail/*repair.py"),
    Group("authentication", 85, 75, "sasl/client.py sasl/scram.py sasl/mechanism.py sasl/exchange.py net/oauth.py"),
    Group(
        "error handling",
        80,
        70,
        "mail/problem.py mail/outcome.py client/errors.py client/translate.py transport/errors.py transport/verdict.py"
        " shaping/replies.py bounces/* dsn/*",
    ),
    Group("overall", 80, 70, "*"),
)
"""The groups and bars of [002] §12.4, which names them for a client: each is the files that do that here."""


class Reached(NamedTuple):
    """How much of some files was reached: lines and branches, each of how many."""

    lines: int
    all_lines: int
    branches: int
    all_branches: int

    @property
    def line_share(self) -> float:
        """In percent; all of nothing is 100."""
        return 100 * self.lines / self.all_lines if self.all_lines else 100.0

    @property
    def branch_share(self) -> float:
        """In percent; all of nothing is 100."""
        return 100 * self.branches / self.all_branches if self.all_branches else 100.0


def missing(groups: Iterable[Group], files: Iterable[str]) -> list[str]:
    """The patterns that fit none of `files`."""
    there = list(files)
    return [pattern for group in groups for pattern in group.files.split() if not any(fnmatchcase(file, pattern) for file in there)]


def reached(group: Group, summaries: Mapping[str, Mapping[str, int]]) -> Reached:
    """Of the files of `group`, by what the JSON report of coverage says of each."""
    mine = [said for file, said in summaries.items() if group.has(file)]
    return Reached(*(sum(said[key] for said in mine) for key in ("covered_lines", "num_statements", "covered_branches", "num_branches")))


def table(groups: Iterable[Group], summaries: Mapping[str, Mapping[str, int]]) -> tuple[str, list[str]]:
    """The table, and the names of the groups that are below their bars."""
    rows = [f"{'group':16} {'lines':>7} {'bar':>5} {'branches':>9} {'bar':>5}"]
    below = []
    for group in groups:
        found = reached(group, summaries)
        enough = found.line_share >= group.lines and found.branch_share >= group.branches
        row = f"{group.name:16} {found.line_share:6.1f}% {group.lines:4.0f}% {found.branch_share:8.1f}% {group.branches:4.0f}%"
        rows.append(row if enough else row + "  below")
        if not enough:
            below.append(group.name)
    return "\n".join(rows), below


def measured(within: Path) -> dict[str, Any]:
    """What coverage says of each file, by its path within the package. Raises `CoverageException` if there is no data in `within`."""
    found = coverage.Coverage(data_file=str(within / ".coverage"), config_file=str(ROOT / "pyproject.toml"))
    found.combine([str(within)], strict=True)
    with tempfile.TemporaryDirectory() as scratch:
        report = Path(scratch, "report.json")
        found.json_report(outfile=str(report))
        files = json.loads(report.read_text())["files"]
    return {str(Path(name).resolve().relative_to(PACKAGE)): said["summary"] for name, said in files.items()}


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--within", type=Path, default=Path(), metavar="DIR", help="where the data is (default: here)")
    summaries = measured(parser.parse_args().within)
    if gone := missing(GROUPS, summaries):
        print(f"no file fits {', '.join(gone)}", file=sys.stderr)
        return 2
    text, below = table(GROUPS, summaries)
    print(text)
    return 1 if below else 0


if __name__ == "__main__":
    sys.exit(main())
