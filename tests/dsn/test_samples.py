"""Reports that came back to others are read: whom they are about, with which code, and whether for good. Nothing else is taken for one."""

from __future__ import annotations

from collections import defaultdict

import pytest

from mailer.dsn.reading import ReportKind, read
from tests.dsn.samples import others, samples

pytestmark = pytest.mark.peer("samples")

FAILED = (ReportKind.BOUNCE, ReportKind.DELAY)


class Right:
    """How many were right of how many that something is known of."""

    def __init__(self) -> None:
        self.right = self.all = 0
        self.wrong: list[str] = []

    def count(self, name: str, *, right: bool) -> None:
        self.all += 1
        self.right += right
        if not right:
            self.wrong.append(name)

    @property
    def share(self) -> float:
        return self.right / self.all if self.all else 1.0

    def __str__(self) -> str:
        return f"{self.right:3}/{self.all:<3}" if self.all else "      -"


def test_most_of_what_came_back_is_read_right(capsys: pytest.CaptureFixture[str]) -> None:
    """Printed by family. The bars: recipient 97 %, status 90 %, hard or soft 95 %."""
    table: dict[str, dict[str, Right]] = defaultdict(lambda: defaultdict(Right))
    for sample in samples():
        report = read(sample.content)
        got = {each.address.lower() for each in report.recipients}
        for family in (sample.family, "all"):
            row = table[family]
            row["kind"].count(sample.name, right=report.kind in FAILED)
            if sample.to is not None:
                row["recipient"].count(sample.name, right=got == sample.to)
            if sample.codes is not None:
                row["status"].count(sample.name, right=bool({each.status for each in report.recipients} & sample.codes))
            if sample.hard is not None:
                row["hard"].count(sample.name, right=any(each.hard for each in report.recipients) == sample.hard)
    with capsys.disabled():
        print(f"\n{'family':16}{'kind':>8}{'recipient':>12}{'status':>10}{'hard':>9}")
        for family, row in sorted(table.items(), key=lambda item: (item[0] == "all", item[0])):
            print(f"{family:16}{row['kind']!s:>8}{row['recipient']!s:>12}{row['status']!s:>10}{row['hard']!s:>9}")
    whole = table["all"]
    assert whole["kind"].all >= 200
    assert whole["kind"].share >= 0.97, whole["kind"].wrong
    assert whole["recipient"].share >= 0.97, whole["recipient"].wrong
    assert whole["status"].share >= 0.90, whole["status"].wrong
    assert whole["hard"].share >= 0.95, whole["hard"].wrong


def test_what_is_no_report_is_taken_for_none() -> None:
    """Answers of machines, challenges, mail with addresses and codes in it."""
    assert {name: read(content).kind for name, content in others() if read(content).kind in FAILED} == {}
