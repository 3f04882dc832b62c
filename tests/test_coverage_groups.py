"""The table of what the tests reached: each group has its files, and one that is below a bar is named."""

from __future__ import annotations

from pathlib import Path

import mailer
from tests.coverage_groups import GROUPS, Group, missing, reached, table

SUMMARIES = {
    "smtp/a.py": {"covered_lines": 8, "num_statements": 10, "covered_branches": 1, "num_branches": 4},
    "smtp/b.py": {"covered_lines": 10, "num_statements": 10, "covered_branches": 4, "num_branches": 4},
    "mail/c.py": {"covered_lines": 1, "num_statements": 1, "covered_branches": 0, "num_branches": 0},
}


def test_each_group_has_its_files() -> None:
    """A file that moves takes its place in the table along."""
    package = Path(mailer.__file__).parent
    assert missing(GROUPS, [str(path.relative_to(package)) for path in package.rglob("*.py")]) == []


def test_a_group_is_the_sum_of_its_files() -> None:
    """A large file counts for more than a small one."""
    found = reached(Group("smtp", 0, 0, "smtp/*"), SUMMARIES)
    assert (found.line_share, found.branch_share) == (90.0, 62.5)


def test_a_file_without_branches_lacks_none() -> None:
    """All of nothing is reached."""
    assert reached(Group("mail", 0, 0, "mail/*"), SUMMARIES).branch_share == 100.0


def test_what_is_below_a_bar_is_named() -> None:
    """In lines or in branches; what is just at its bar is not below."""
    groups = (Group("lines", 91, 50, "smtp/*"), Group("branches", 90, 63, "smtp/*"), Group("enough", 90, 62.5, "smtp/*"))
    text, below = table(groups, SUMMARIES)
    assert below == ["lines", "branches"]
    assert [line.endswith("below") for line in text.splitlines()] == [False, True, True, False]


def test_a_pattern_that_fits_nothing_is_told() -> None:
    """Else a group would be measured without the file that has moved away."""
    assert missing([Group("x", 0, 0, "smtp/* smtp/gone.py")], SUMMARIES) == ["smtp/gone.py"]
