"""What is asked of the place where reports are kept: the interface, and the values that cross it.

Each source takes (`Reports.take`), and nothing else. Whoever acts upon reports asks for those that wait, loads them, does what follows
from them, and settles each: ``done``, or ``unmatched`` where nothing of ours was found that it is about. All methods are for several
reports at once. There is neither a path nor a descriptor in it: implementations are `mailer.reports.files` and `mailer.reports.memory`.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, TypeAlias

from mailer.spool import encode

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Self

ReportState: TypeAlias = Literal["new", "done", "unmatched"]

STATES: tuple[ReportState, ...] = ("new", "done", "unmatched")
"""New: it waits to be acted upon. Done: it was. Unmatched: nothing of ours was found that it is about, so it changed nothing."""

MAX_REPORT = 10_000_000
"""Octets of a report, where no setting says otherwise. Reports return a header, or at most a message."""

LONGEST_FACT = 1000  # characters of one fact, which a stranger may have said


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of how a report came, besides its octets. ``""`` is what nobody said.

    `source` is ``stdin``, the name of a ``[[report_source]]``, or ``listen`` and the door's place; `recipient` the address that it came
    to, where a token may stand; `mail_from` its reverse-path; `peer` the host or user who brought it; `tls` the version of TLS; `at`
    when it came, in seconds since the epoch.
    """

    source: str
    recipient: str = ""
    mail_from: str = ""
    peer: str = ""
    tls: str = ""
    at: float = 0.0

    def __post_init__(self) -> None:
        """No fact is longer than `LONGEST_FACT`."""
        for name in ("source", "recipient", "mail_from", "peer", "tls"):
            if len(text := getattr(self, name)) > LONGEST_FACT:
                object.__setattr__(self, name, text[:LONGEST_FACT])

    def as_line(self) -> bytes:
        """As the file of a report has them: one JSON object, and a newline."""
        said = {name: value for name, value in asdict(self).items() if value}
        return json.dumps({"source": self.source, **said}, separators=(",", ":")).encode() + b"\n"

    @classmethod
    def read(cls, line: bytes) -> Self:
        """The facts that `line` says; members that are unknown do not count. Raises `ValueError`."""
        try:
            found = json.loads(line)
        except RecursionError:
            raise ValueError("nested too deeply") from None
        if not isinstance(found, dict) or not isinstance(found.get("source"), str):
            raise ValueError("no facts of a report")
        given: dict[str, Any] = {name: found[name] for name in (each.name for each in fields(cls)) if name in found}
        at = given.pop("at", 0.0)
        if not all(isinstance(value, str) for value in given.values()) or type(at) not in (int, float):
            raise ValueError("no facts of a report")
        return cls(**given, at=float(at))


class LoadedReport(NamedTuple):
    """A report that is kept: its ID, how it came, and its octets."""

    id: str
    facts: Facts
    content: bytes


class SettledReport(NamedTuple):
    """What became of a report: ``done`` or ``unmatched``, with a `note` (a JSON object) for whoever asks later."""

    id: str
    state: ReportState
    note: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class ReportRow:
    """A report in a list: where it is, how it came, its size in octets, and the last `note`; ``{}`` if there is none yet."""

    id: str
    state: ReportState
    facts: Facts
    size: int
    note: Mapping[str, Any] = field(default_factory=dict)


class Reports(Protocol):
    """The place of reports. Methods raise `OSError` where the disk, or whatever keeps them, has trouble."""

    async def take(self, content: bytes, facts: Facts) -> str:
        """Keep a report, durably; returns its ID (`report_id`). The same octets again are the same report, also when it is settled."""

    async def take_all(self, came: Sequence[tuple[bytes, Facts]]) -> Sequence[str]:
        """As `take`, of several reports, which share the waits for the disk. Where it raises, none is known to be kept."""

    async def waiting(self, limit: int, after: str = "") -> Sequence[str]:
        """At most `limit` IDs of reports that nobody has settled, in the order of IDs, from behind `after` on."""

    async def load(self, ids: Sequence[str]) -> Sequence[LoadedReport]:
        """The reports with these IDs, in any state; those that are gone, or damaged, are left out."""

    async def settle(self, settled: Sequence[SettledReport]) -> None:
        """Write down what became of reports, and move them there. One that is gone is passed over; settling twice is harmless."""

    async def bookmark(self, source: str) -> Mapping[str, Any]:
        """What was remembered for the source of this name; nothing at first, and where it cannot be read."""

    async def remember(self, source: str, mark: Mapping[str, Any]) -> None:
        """Remember `mark`, a JSON object, for the source of this name."""

    async def sweep(self, now: float, retention: float) -> int:
        """Delete what came more than `retention` seconds before `now` and is settled; returns how many. What is new never goes."""


MARK_SYMBOLS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")
"""What the name of a source is made of, for it is that of a file."""


def report_id(content: bytes) -> str:
    """The ID of the report with these octets: 128 bits of their SHA-256, in the 26 symbols that every ID has."""
    return encode(int.from_bytes(sha256(content).digest()[:16], "big"), 26)
