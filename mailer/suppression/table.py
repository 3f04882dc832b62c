"""Lists of other programs: CSV and JSON as large providers export them, read into entries; and ours as CSV.

What a column is called differs from one to the next, and what it says does little. So a column is known by its name, whatever its case
and its hyphens, and a reason by its word. A file without a header has an address first. What bounced for the moment only is nobody to keep
from being mailed, and is counted as left out; a row that has no address is trouble, told with its line.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Mapping
from email.utils import parsedate_to_datetime
from typing import Any, Final, NamedTuple

from mailer.mail.address import AddressError
from mailer.mail.dates import parse_rfc3339, rfc3339
from mailer.mail.text import is_formula, no_formula, one_line

from .address import written
from .api import ALL, REASONS, Reason, SuppressionEntry, bounded, scope_of

COLUMNS: Final = ("address", "scope", "reason", "class", "source", "evidence", "at", "until", "by", "note")
"""Of ours, in their order."""

LONGEST: Final = 1 << 20  # characters of a row
_MEANING: Final = {
    "address": ("address", "email", "emailaddress", "recipient", "recipientemail", "subscriber", "mail", "emailid"),
    "scope": ("scope", "stream", "messagestream", "streamid"),
    "reason": ("reason", "type", "suppressionreason", "bouncetype", "category", "suppressiontype", "blockreason"),
    "at": ("at", "created", "createdat", "lastupdatetime", "lastupdatedat", "date", "time", "timestamp", "added", "addedat", "unsubtime",
           "cleantime", "createdtime", "insertedat", "updated"),
    "until": ("until", "expires", "expiresat", "expiration"),
    "note": ("note", "detail", "details", "description", "error", "comment", "message", "diagnostic"),
    "class": ("class",),
    "source": ("source", "origin"),
    "evidence": ("evidence", "messageid"),
}  # fmt: skip
_COLUMN: Final = {word: meaning for meaning, words in _MEANING.items() for word in words}

_REASONS: Final = {
    Reason.HARD: ("bounce", "bounced", "hard", "hardbounce", "permanent", "invalid", "invalidemail", "cleaned", "bademailaddress"),
    Reason.COMPLAINT: ("complaint", "complained", "spam", "spamcomplaint", "spamreport", "spamreports", "abuse", "spamnotification"),
    Reason.UNSUBSCRIBE: ("unsubscribe", "unsubscribed", "unsub", "unsubscribes", "nontransactional", "unsubscribedviaemail", "optout"),
    Reason.MANUAL: ("manual", "custom", "manualsuppression", "manuallyadded", "adminblocked", "blacklisted", "blocklisted", "rule"),
    Reason.IMPORT: ("import", "imported", "listimport"),
}
_REASON: Final = {word: reason for reason, words in _REASONS.items() for word in words}
_SOFT: Final = frozenset(("soft", "softbounce", "transient", "temporary", "deferred", "blocked", "block"))


class SuppressionRow(NamedTuple):
    """A row of a file, from its `line`: an `entry`, or why there is none: it is `soft`, or the `problem` that it has."""

    line: int
    entry: SuppressionEntry | None = None
    problem: str = ""
    soft: bool = False


def read(lines: Iterable[str], standard: SuppressionEntry) -> Iterator[SuppressionRow]:
    """The rows of a file; what one does not say is as `standard` has it. Raises `ValueError` for what is no list at all."""
    numbered = _numbered(lines)
    first_at, first = next(((at, line) for at, line in numbered if line.strip()), (0, ""))
    start = first.lstrip("\ufeff \t")
    if start.startswith(("{", "[")):
        yield from _of_json(first_at, start, numbered, standard)
    else:
        yield from _of_csv(first_at, start, numbered, standard)


def write_csv(entries: Iterable[SuppressionEntry]) -> Iterator[str]:
    """Lines of CSV, RFC 4180, each with its end; the first one is the header."""
    yield ",".join(COLUMNS) + "\r\n"
    for entry in entries:
        yield ",".join(_cell(str(as_json(entry)[name] or "")) for name in COLUMNS) + "\r\n"


def as_json(entry: SuppressionEntry) -> dict[str, object]:
    """An entry as everybody is told it; what is absent is null."""
    return {
        "address": entry.address,
        "scope": entry.scope,
        "reason": entry.reason.value,
        "class": entry.class_ or None,
        "source": entry.source or None,
        "evidence": entry.evidence or None,
        "at": rfc3339(entry.at),
        "until": None if entry.until is None else rfc3339(entry.until),
        "by": entry.by or None,
        "note": entry.note or None,
    }


def _cell(text: str) -> str:
    """A cell that no spreadsheet takes for a formula: what begins like one gets an apostrophe before it, which `_plain` takes away."""
    text = no_formula(one_line(text))
    return '"' + text.replace('"', '""') + '"' if any(char in text for char in ',"\r\n') else text


def _plain(cell: str) -> str:
    """What stands in a cell, without the apostrophe that kept a spreadsheet from working it out."""
    text = cell.strip()
    return text[1:] if text.startswith("'") and is_formula(text) else text


def _numbered(lines: Iterable[str]) -> Iterator[tuple[int, str]]:
    for at, line in enumerate(lines, 1):
        if len(line) > LONGEST:
            raise ValueError(f"line {at} is longer than {LONGEST} characters")
        yield at, line


def _of_csv(first_at: int, first: str, rest: Iterator[tuple[int, str]], standard: SuppressionEntry) -> Iterator[SuppressionRow]:
    mark = max(",;\t", key=first.count)
    names = [_COLUMN.get(_word(cell), "") for cell in next(csv.reader([first], delimiter=mark), [])]
    at = [first_at]

    def lines() -> Iterator[str]:
        for number, line in rest:
            at[0] = number
            yield line

    if "address" not in names:
        names = ["address", "reason", "at"]
        cells = map(_plain, next(csv.reader([first], delimiter=mark), []))
        yield from _row(first_at, dict(zip(names, cells, strict=False)), standard)
    try:
        for row in csv.reader(lines(), delimiter=mark):
            if any(cell.strip() for cell in row):
                said: dict[str, str] = {}
                for name, cell in zip(names, row, strict=False):
                    if name and cell.strip() and name not in said:
                        said[name] = _plain(cell)
                yield from _row(at[0], said, standard)
    except csv.Error as error:
        raise ValueError(f"line {at[0]} is no CSV: {error}") from None


def _of_json(first_at: int, first: str, rest: Iterator[tuple[int, str]], standard: SuppressionEntry) -> Iterator[SuppressionRow]:
    """A document, or an object a line."""
    try:
        whole = json.loads(first) if first.startswith("{") else None
    except ValueError:
        whole = None
    if isinstance(whole, dict) and not any(isinstance(value, list) for value in whole.values()):
        yield from _row(first_at, _said(whole), standard)
        for at, line in rest:
            if line.strip():
                try:
                    found = json.loads(line)
                except (ValueError, RecursionError):
                    found = None
                if isinstance(found, dict):
                    yield from _row(at, _said(found), standard)
                else:
                    yield SuppressionRow(at, problem="it is no object of JSON")
        return
    text = first + "".join(line for _, line in rest)
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"it begins as JSON and is none: {error}") from None
    many = document if isinstance(document, list) else next((each for each in document.values() if isinstance(each, list)), [])
    for nth, each in enumerate(many, 1):
        said = _said(each) if isinstance(each, dict) else {"address": each} if isinstance(each, str) else {}
        yield from _row(nth, said, standard)


def _said(found: Mapping[str, Any]) -> dict[str, str]:
    said: dict[str, str] = {}
    for name, value in found.items():
        meaning = _COLUMN.get(_word(name), "")
        if meaning and isinstance(value, str | int | float) and not isinstance(value, bool) and meaning not in said:
            said[meaning] = str(value)
    return said


def _row(at: int, said: Mapping[str, str], standard: SuppressionEntry) -> Iterator[SuppressionRow]:
    try:
        reason, note = standard.reason, said.get("note", standard.note)
        if word := said.get("reason", ""):
            if _word(word) in _SOFT:
                yield SuppressionRow(at, soft=True)
                return
            known = REASONS.get(word) or _REASON.get(_word(word))
            reason = known or standard.reason
            note = note if known else f"{word}; {note}".removesuffix("; ")
        entry = standard._replace(
            address=written(said.get("address", "")),
            scope=scope_of(said.get("scope", standard.scope) or ALL),
            reason=reason,
            class_=said.get("class", standard.class_),
            source=said.get("source", standard.source),
            evidence=said.get("evidence", standard.evidence),
            at=_moment(said["at"]) if "at" in said else standard.at,
            until=_moment(said["until"]) if "until" in said else standard.until,
            note=one_line(note),
        )
    except (AddressError, ValueError) as error:
        yield SuppressionRow(at, problem=str(error))
    else:
        yield SuppressionRow(at, bounded(entry))


def _word(text: str) -> str:
    return "".join(char for char in text.lower() if char.isalpha())


def _moment(text: str) -> float:
    """Seconds since the epoch, from such a number, RFC 3339, what databases write, or RFC 5322. Raises `ValueError`."""
    try:
        number = float(text)
    except ValueError:
        pass
    else:
        if not 0 <= number < 1e13:
            raise ValueError(f"{text[:40]!r} is no time")
        return number / 1000 if number > 1e11 else number  # some count milliseconds
    plain = text.strip().removesuffix(" UTC").replace(" ", "T", 1)
    for form in (text.strip(), plain, f"{plain}Z", f"{plain}T00:00:00Z"):
        try:
            return parse_rfc3339(form)
        except ValueError:
            continue
    try:
        return parsedate_to_datetime(text[:60]).timestamp()
    except (ValueError, TypeError, OverflowError):
        raise ValueError(f"{text[:40]!r} is no time") from None
