"""What the rules find: one line of the report, with its evidence and what to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable


PASS, WARN, FAIL = "pass", "warn", "fail"
ORDER = (PASS, WARN, FAIL)


class ZoneRecord(NamedTuple):
    """A record to publish, or to have published: `value` as forms for it ask for it."""

    name: str
    type: str
    value: str

    @property
    def zone(self) -> str:
        """The record as a zone file has it (RFC 1035 §5.1); a TXT record in strings of at most 255 octets."""
        from mailer.dkim.key import strings

        value = " ".join(map(_quoted, strings(self.value))) if self.type == "TXT" else self.value
        return f"{self.name}. IN {self.type} {value}"


def _quoted(text: str) -> str:
    """A string of a zone file, RFC 1035 §5.1."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


@dataclass(frozen=True, slots=True)
class Finding:
    """One check of one `subject`: a domain, a name, an address.

    `domain` is the sending domain that it concerns, empty for this host. `result` is pass, warn or fail. `advice` says what to do,
    and `record` what to publish, where something is to be done.
    """

    check: str
    subject: str
    result: str
    evidence: str
    advice: str = ""
    record: ZoneRecord | None = None
    domain: str = ""

    def facts(self) -> dict[str, object]:
        """The finding for programs: an object of ``mailer check --json``."""
        record = self.record
        return {
            "domain": self.domain or None,
            "check": self.check,
            "subject": self.subject,
            "result": self.result,
            "evidence": self.evidence,
            "advice": self.advice or None,
            "record": record and {"name": record.name, "type": record.type, "value": record.value, "zone": record.zone},
        }


def worst(findings: Iterable[Finding]) -> str:
    """The worst of the results; pass if there are none."""
    return max((finding.result for finding in findings), key=ORDER.index, default=PASS)


def unknown(check: str, subject: str, trouble: str) -> Finding:
    """What is said of a question that no name server answered: a warning, never an error."""
    return Finding(check, subject, WARN, f"could not be looked up: {trouble}", "try again; if it stays so, the name servers need mending")
