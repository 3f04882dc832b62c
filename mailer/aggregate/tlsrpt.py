"""The JSON of a TLS report: RFC 8460 §4.4.

Used by `finding`. What a report cannot do without is the time; a policy needs a domain and its two sums. Failures of which the details
say nothing are kept as ``unspecified``, so that the sums are those of the report.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from mailer.mail.dates import parse_rfc3339

from .summary import MOST_COUNT, BadReport, TlsReport, TlsResult, add, domain_of, host_of, time_range, told

if TYPE_CHECKING:
    from collections.abc import Iterable

LONGEST = 1 << 20
"""Octets, unpacked: the whole document is in memory at once. Real ones have a few KB."""

MOST_VALUES = 50_000
"""Members and elements, about ten for each failure. While they are made no other thread has its turn, and each takes many octets."""

SUCCESS = "success"
UNSPECIFIED = "unspecified"
POLICIES = frozenset({"tlsa", "sts", "no-policy-found"})  # RFC 8460 §4.4
FAILURES = frozenset({
    "starttls-not-supported", "certificate-host-mismatch", "certificate-expired", "certificate-not-trusted", "validation-failure",
    "tlsa-invalid", "dnssec-invalid", "dane-required", "sts-policy-fetch-error", "sts-policy-invalid", "sts-webpki-invalid",
})  # fmt: skip
"""RFC 8460 §4.3."""


def read(pieces: Iterable[bytes]) -> TlsReport:
    """The report in the JSON document that comes in `pieces`. Raises `BadReport`."""
    document = bytearray()
    for piece in pieces:
        document += piece
        if len(document) > LONGEST:
            raise BadReport(f"it is longer than {LONGEST} bytes, which no TLS report needs")
    if sum(map(document.count, (b",", b"[", b"{"))) > MOST_VALUES:
        raise BadReport(f"it has more than {MOST_VALUES} values, which no TLS report needs")
    try:
        found = json.loads(document)
    except (ValueError, RecursionError) as error:
        raise BadReport(f"it is no JSON document: {told(str(error))}") from None
    if not isinstance(found, dict) or not isinstance(found.get("policies"), list):
        raise BadReport("it is JSON, and no TLS report: it has no list of policies")
    return _report(found)


def is_root(start: bytes) -> bool:
    """Whether a document may be one of these, by how it begins: an object that names one of the members of a report."""
    text = start.lstrip(b"\xef\xbb\xbf \t\r\n")
    return text.startswith(b"{") and any(name in text for name in (b'"organization-name"', b'"date-range"', b'"policies"', b'"report-id"'))


def _report(found: dict[str, Any]) -> TlsReport:
    times = _object(found, "date-range")
    begin, end = time_range(_time(times.get("start-datetime")), _time(times.get("end-datetime")))
    counts: dict[TlsResult, int] = {}
    bad = sum([_policy(counts, each) for each in found["policies"]])
    contact = _text(found, "contact-info", 254)
    reporter = _text(found, "organization-name", 100) or domain_of(contact)
    return TlsReport(reporter, _text(found, "report-id"), begin, end, counts, bad, contact)


def _policy(counts: dict[TlsResult, int], each: object) -> int:
    """Add what it says to `counts`; returns how much of it could not be used."""
    if not isinstance(each, dict):
        return 1
    policy, summary = _object(each, "policy"), _object(each, "summary")
    domain = domain_of(_text(policy, "policy-domain", 300))
    successes, failures = _count(summary.get("total-successful-session-count")), _count(summary.get("total-failure-session-count"))
    if not domain or successes is None or failures is None:
        return 1
    kind = _text(policy, "policy-type")
    kind = kind if kind in POLICIES else ""
    bad = 0
    details = each.get("failure-details")
    for detail in details if isinstance(details, list) else ():
        count = _count(detail.get("failed-session-count")) if isinstance(detail, dict) else None
        if count is None:
            bad += 1
            continue
        word = _text(detail, "result-type")
        what = TlsResult(domain, kind, word if word in FAILURES else UNSPECIFIED, _host(detail), _reason(detail, word))
        _add(counts, what, count)
        failures -= count
    _add(counts, TlsResult(domain, kind, SUCCESS), successes)
    _add(counts, TlsResult(domain, kind, UNSPECIFIED), max(failures, 0))
    return bad


def _add(counts: dict[TlsResult, int], what: TlsResult, count: int) -> None:
    if count:
        add(counts, what, TlsResult("", what.policy, what.result), count)


def _host(detail: dict[str, Any]) -> str:
    """The host of ours: by name, else by address."""
    return domain_of(_text(detail, "receiving-mx-hostname", 300)) or host_of(_text(detail, "receiving-ip"))


def _reason(detail: dict[str, Any], word: str) -> str:
    known = "" if word in FAILURES else word
    return told(": ".join(filter(None, (known, _text(detail, "failure-reason-code")))))


def _object(found: dict[str, Any], name: str) -> dict[str, Any]:
    value = found.get(name)
    return value if isinstance(value, dict) else {}


def _text(found: dict[str, Any], name: str, limit: int = 200) -> str:
    value = found.get(name)
    return told(value, limit) if isinstance(value, str) else ""


def _count(value: object) -> int | None:
    """A count of sessions; numbers are written as text, too."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 12:
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST_COUNT else None


def _time(value: object) -> int | None:
    """RFC 3339, in seconds since the epoch; without an offset it is UTC."""
    if not isinstance(value, str) or len(value) > 40:
        return None
    for text in (value, value + "Z"):
        try:
            return int(parse_rfc3339(text.strip().replace(" ", "T")))
        except ValueError:
            continue
    return None
