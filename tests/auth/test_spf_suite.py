"""SPF against the test suite that those who wrote the standard have made (tests/data/README.md)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from mailer.auth.records import DnsQuestion, DnsRecords
from mailer.auth.spf import evaluate
from mailer.net.records import askable
from tests.auth.answers import World, found

SUITE = Path(__file__).parents[1] / "data" / "rfc7208-tests.yml"
SCENARIOS = [*yaml.load_all(SUITE.read_text(encoding="utf-8"), yaml.CSafeLoader)]
CASES = [pytest.param(one["zonedata"], test, id=name) for one in SCENARIOS for name, test in one["tests"].items()]


class Zone(World):
    """The zone data of a scenario, with the marks that the suite has: ``TIMEOUT``, ``NONE``, and records of type SPF that are TXT, too."""

    def __init__(self, data: dict[str, list[Any]]) -> None:
        super().__init__({})
        self.silent: set[str] = set()
        for name, records in data.items():
            for record in records:
                self._add(name.lower().rstrip("."), record)
        for (name, type), texts in [*self.known.items()]:
            if type == "SPF":
                self.known.setdefault((name, "TXT"), texts)

    def _add(self, name: str, record: Any) -> None:
        if isinstance(record, str):
            self.silent.add(name)
            return
        ((type, value),) = record.items()
        texts = self.known.setdefault((name, type), [])
        if value != "NONE":
            texts.append(written(type, value))

    def answer(self, question: DnsQuestion) -> DnsRecords:
        """Through aliases, and only for names that can be in the DNS."""
        name = askable(question.name)
        for _ in range(10):
            if not (alias := self.known.get((name, "CNAME"))):
                break
            name = alias[0]
        texts = self.known.get((name, question.type))
        if not texts and name in self.silent:
            return DnsRecords(name, trouble="no answer")
        return DnsRecords(name, tuple(texts or ()), "" if texts else "nodata")


def written(type: str, value: Any) -> str:
    """A record of the suite as `DnsRecords` has it."""
    if type == "MX":
        return f"{value[0]} {value[1].lower().rstrip('.') or '.'}"
    if type in ("TXT", "SPF"):
        text = "".join(value)
        return text.encode("latin-1", "replace").decode("utf-8", "replace")
    return str(value).lower().rstrip(".")


@pytest.mark.parametrize(("data", "test"), CASES)
def test_a_case_of_the_suite(data: dict[str, list[Any]], test: dict[str, Any]) -> None:
    """The result is the one that the standard asks for, or one of those that it allows."""
    wanted = test["result"]
    got = found(evaluate(str(test["host"]), test.get("mailfrom") or "", test["helo"]), Zone(data))
    assert got.result in (wanted if isinstance(wanted, list) else [wanted]), test.get("description")
