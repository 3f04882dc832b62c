"""TLS reports, RFC 8460."""

from __future__ import annotations

import json

import pytest

from mailer.aggregate import tlsrpt
from mailer.aggregate.summary import BadReport, TlsReport, TlsResult
from mailer.aggregate.tlsrpt import LONGEST

from . import letters
from .letters import BEGIN, END

EXPIRED: dict[str, object] = {
    "result-type": "certificate-expired", "sending-mta-ip": "2001:db8::1", "receiving-mx-hostname": "MX1.example.com",
    "failed-session-count": 3,
}  # fmt: skip


def read(document: bytes) -> TlsReport:
    return tlsrpt.read([document])


def test_a_report_comes_to_sums() -> None:
    """Successes, each failure by host and reason, and what the details leave out."""
    other: dict[str, object] = {
        "result-type": "odd-one",
        "receiving-ip": "192.0.2.7",
        "failed-session-count": "2",
        "failure-reason-code": "E\x1b[1m 9",
    }
    assert read(letters.tlsrpt(EXPIRED, EXPIRED, other, good=5326, bad=9)) == TlsReport(
        "Receiver", "5065427c", BEGIN, END,
        {
            TlsResult("example.com", "sts", "certificate-expired", "mx1.example.com"): 6,
            TlsResult("example.com", "sts", "unspecified", "192.0.2.7", "odd-one: E\ufffd[1m 9"): 2,
            TlsResult("example.com", "sts", "success"): 5326,
            TlsResult("example.com", "sts", "unspecified"): 1,
        },
        0, "tls@receiver.example",
    )  # fmt: skip


@pytest.mark.parametrize(
    "detail", [{}, "x", {"failed-session-count": -1}, {"failed-session-count": True}, {"failed-session-count": 1e400}, None]
)
def test_a_bad_detail_is_left_out_and_counted(detail: object) -> None:
    """Its sessions are those of the sum."""
    found = read(letters.tlsrpt(detail, good=1, bad=4))  # type: ignore[arg-type]
    assert (found.bad, sum(found.counts.values())) == (1, 5)


@pytest.mark.parametrize("policies", [[1], [{}], [{"policy": [], "summary": 3}], [{"policy": {"policy-domain": "a b"}}]])
def test_a_bad_policy_is_left_out_and_counted(policies: object) -> None:
    """The report stands."""
    assert (read(letters.tlsrpt(policies=policies)).bad, read(letters.tlsrpt(policies=policies)).counts) == (1, {})


@pytest.mark.parametrize(
    ("document", "why"),
    [
        (b"", "no JSON"),
        (b"\xff\xfe\x00", "no JSON"),
        (b"[" * 40_000, "no JSON"),
        (b'{"policies": [' + b"[]," * 40_000, "50000 values"),
        (b"9" * 10_000, "no JSON"),
        (b"[]", "no list of policies"),
        (b'{"policies": 3}', "no list of policies"),
        (letters.tlsrpt(times=3), "from when"),
        (letters.tlsrpt(times={"start-datetime": "yesterday", "end-datetime": "x" * 100_000}), "from when"),
        (b'{"policies": []' + b" " * LONGEST + b"}", "longer"),
    ],
)
def test_what_is_no_report_is_refused(document: bytes, why: str) -> None:
    """With a sentence that says why."""
    with pytest.raises(BadReport, match=why):
        read(document)


def test_times_may_lack_their_offset() -> None:
    """Some reporters write no Z, or a blank for the T."""
    bare = {"start-datetime": "2027-01-16 00:00:00", "end-datetime": "2027-01-16T23:59:59+00:00"}
    assert read(letters.tlsrpt(times=bare)) == read(letters.tlsrpt())


def test_a_byte_order_mark_is_passed_over() -> None:
    """Windows writes one."""
    assert tlsrpt.is_root(b"\xef\xbb\xbf" + letters.tlsrpt())
    assert not tlsrpt.is_root(json.dumps({"a": 1}).encode())
    assert read(b"\xef\xbb\xbf" + letters.tlsrpt()) == read(letters.tlsrpt())


def test_the_zone_of_an_address_is_no_place_for_words() -> None:
    """As in a DMARC report: the failure is counted, and its host is nobody."""
    zoned: dict[str, object] = {"result-type": "certificate-expired", "receiving-ip": "fe80::1%say-this", "failed-session-count": 3}
    assert TlsResult("example.com", "sts", "certificate-expired") in read(letters.tlsrpt(zoned, bad=3)).counts
