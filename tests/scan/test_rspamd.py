"""What Rspamd answers becomes one of our words; no field of the request can be bent by a stranger, and garbage is one kind of error."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.mail.arrival import Arrival
from mailer.scan.opinion import ScanError
from mailer.scan.rspamd import MOST, RspamdEar, read, request

ARRIVAL = Arrival("mx", "192.0.2.1", "mx.there.example", "ESMTPS", "TLSv1.3", "mx.there.example", "", 0.0)


def body(action: str = "no action", **more: object) -> bytes:
    return json.dumps({"action": action, "score": 1.5, "required_score": 15.0, **more}).encode()


def answer(data: bytes, status: str = "200 OK") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(data)}\r\nContent-Type: application/json\r\n\r\n".encode() + data


def heard(data: bytes, step: int = 0) -> bytes:
    ear = RspamdEar()
    for at in range(0, len(data), step or len(data) or 1):
        ear.hear(data[at : at + (step or len(data))])
    if not ear.whole:
        ear.hear(b"")
    return ear.body


def test_a_request_tells_who_brings_it_and_nothing_can_be_added_to_it() -> None:
    """EHLO, addresses and the user are strangers' words."""
    bent = Arrival("mx", "192.0.2.1", "x\r\nIP: 127.0.0.1", "ESMTP", "", "", 'a"b\r\n\r\n', 0.0)
    head, _, rest = request(4, bent, "a\r\nUser: root@b.example", ["c@d.example", "e@f.example\r\n"], "localhost").partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    assert lines[0] == b"POST /checkv2 HTTP/1.1"
    assert [line for line in lines if line.startswith((b"IP:", b"User:"))] == [b"IP: 192.0.2.1", b'User: a"b']
    assert b"Helo: xIP: 127.0.0.1" in lines
    assert lines[-2:] == [b"Rcpt: c@d.example", b"Rcpt: e@f.example"]
    assert rest == b""
    assert b"Content-Length: 4" in lines


@pytest.mark.parametrize(
    ("action", "act"),
    [
        ("no action", "pass"), ("add header", "mark"), ("rewrite subject", "mark"), ("reject", "refuse"), ("greylist", "tempfail"),
        ("soft reject", "tempfail"), ("quarantine", "hold"), ("a word of tomorrow", "pass"),
    ],
)  # fmt: skip
def test_actions_become_words_of_ours(action: str, act: str) -> None:
    """A soft reject is never a refusal for good."""
    found = read(body(action))
    assert (found.act, found.score) == (act, 1.5)
    assert (found.reply is not None) == (act in ("refuse", "tempfail"))
    if found.reply:
        assert found.reply.code == (550 if act == "refuse" else 451)


def test_its_own_words_are_said_and_are_clean() -> None:
    found = read(body("reject", messages={"smtp_message": "Gtube\r\npattern"}, symbols={"GTUBE": {"score": 0}, "A\x1bB": {}}))
    assert str(found.reply) == "550 5.7.1 Gtube??pattern"
    assert found.tests == ("A?B", "GTUBE")
    assert read(body(), weight=2.0).score == 3.0


def test_what_it_skips_is_not_looked_at() -> None:
    assert read(body(is_skipped=True)).unscanned
    decided = read(body("reject", is_skipped=True))
    assert (decided.act, decided.unscanned) == ("refuse", "")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"{}",
        b"null",
        b'{"action": 1}',
        b"{" * 100_000,
        body(score="high"),
        body(score=float("nan")),
        body(score=1e300),
        b"\xff",
        b'{"action":',
    ],
)
def test_what_is_no_verdict_is_an_error(data: bytes) -> None:
    with pytest.raises(ScanError):
        read(data)


NAMES = st.sampled_from(["action", "score", "symbols", "messages", "smtp_message", "x"])
LEAVES = st.none() | st.booleans() | st.floats() | st.text(max_size=5)
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4), max_leaves=8)


@given(VALUES)
def test_any_json_is_a_verdict_or_an_error(value: object) -> None:
    try:
        read(json.dumps(value).encode())
    except ScanError:
        pass


@pytest.mark.parametrize("step", [0, 1, 7])
def test_an_answer_is_heard_in_pieces(step: int) -> None:
    """With a length, in chunks, or up to the end of the connection."""
    data = body()
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(data), data)
    for each in (answer(data), b"HTTP/1.1 100 Continue\r\n\r\n" + answer(data), chunked, b"HTTP/1.0 200 OK\r\n\r\n" + data):
        assert heard(each, step) == data


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{",
        b"SSH-2.0-x\r\n",
        answer(b"busy", "503 Busy"),
        answer(b"x" * (MOST + 1)),
        b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 50_000,
    ],
    ids=["nothing", "torn", "no HTTP", "an error", "long", "a long header"],
)
def test_what_is_no_answer_of_http_is_an_error(data: bytes) -> None:
    with pytest.raises(ScanError):
        heard(data)


@given(st.binary(max_size=200))
def test_garbage_is_one_kind_of_error(data: bytes) -> None:
    try:
        heard(data)
    except ScanError:
        pass
