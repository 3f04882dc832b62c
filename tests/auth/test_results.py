"""Authentication-Results: what is written is read back as it was meant, by us and by others; what claims to be ours is cut out."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mailer.auth.results import LONGEST, AuthenticationResults, MethodResult, read, strip, write

HOST = "mx.test"


def value(field: bytes) -> str:
    """What stands behind the colon of a field."""
    return field.decode().partition(":")[2].removesuffix("\r\n")


def test_a_field_as_readers_know_it() -> None:
    """Each result has a line of its own; what is plain is written plainly."""
    results = [
        MethodResult("spf", "pass", "", (("smtp.mailfrom", "ann@example.com"),)),
        MethodResult("dkim", "fail", "the body is not the one that was signed", (("header.d", "example.com"), ("header.s", "s1"))),
        MethodResult("iprev", "pass", "", (("policy.iprev", "2001:db8::1"),)),
    ]
    assert write(HOST, results) == (
        b"Authentication-Results: mx.test;\r\n"
        b"\tspf=pass smtp.mailfrom=ann@example.com;\r\n"
        b'\tdkim=fail reason="the body is not the one that was signed"\r\n'
        b"\theader.d=example.com header.s=s1;\r\n"
        b'\tiprev=pass policy.iprev="2001:db8::1"\r\n'
    )


def test_nothing_found_is_said() -> None:
    """A field without a result says so, RFC 8601 §2.2."""
    assert write(HOST, []) == b"Authentication-Results: mx.test; none\r\n"
    assert read(" mx.test; none") == AuthenticationResults(HOST, ())


BENT = [
    "a) dkim=pass (b",
    '"x) dmarc=pass (y"@evil.example',
    "legit.com(.attack.com",
    "x; dkim=pass header.d=legit.com",
    "x\r\n\tdkim=pass",
    'x" dkim=pass "',
    "x\\",
    "legit.com\x00@attack.com",
    "=?utf-8?q?a?=",
    "ä@exämple.com",
]


@given(st.lists(st.tuples(st.text(max_size=400), st.text(max_size=400)), min_size=1, max_size=4))
@example([(text, text) for text in BENT])
def test_what_is_written_is_read_back(values: list[tuple[str, str]]) -> None:
    """Whatever strangers choose for a value, the field has the results that were meant, and no others."""
    meant = [MethodResult("spf", "fail", why, (("smtp.helo", name),)) for why, name in values]
    field = write(HOST, meant, utf8=True)
    assert field.endswith(b"\r\n")
    assert all(line[:1] in (b"\t", b"A") and len(line) <= 998 for line in field.removesuffix(b"\r\n").split(b"\r\n"))
    found = read(value(field))
    assert found is not None
    assert found.host == HOST
    assert [(one.method, one.word) for one in found.results] == [("spf", "fail")] * len(values)
    for (why, name), one in zip(values, found.results, strict=True):
        assert one.reason == plain(why)
        assert one.properties == ((("smtp.helo", plain(name)),) if name else ())


def plain(text: str) -> str:
    """A text as the field can hold it."""
    text = text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."
    return "".join(char if char.isprintable() else "?" for char in text)


def test_a_message_of_ascii_stays_one() -> None:
    """What a stranger says beyond ASCII would make a message need SMTPUTF8 that did not."""
    meant = [MethodResult("dkim", "fail", "ümlaut", (("header.d", "exämple.com"),))]
    assert b'reason="?mlaut" header.d="ex?mple.com"' in write(HOST, meant)
    assert 'reason="ümlaut" header.d="exämple.com"'.encode() in write(HOST, meant, utf8=True)


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=60))
@example(BENT[0])
@example(BENT[1])
@example(BENT[2])
@example(BENT[3])
def test_others_read_what_was_meant(name: str) -> None:
    """A reader that is not ours finds the same; it leaves the backslashes before quotes in."""
    authres = pytest.importorskip("authres")
    text = write(HOST, [MethodResult("spf", "fail", name, (("smtp.helo", name),)), MethodResult("dkim", "none")]).decode()
    found = authres.parse(text.replace("\r\n\t", " ").strip())
    assert found.authserv_id == HOST
    assert [(one.method, one.result) for one in found.results] == [("spf", "fail"), ("dkim", "none")]
    assert re.sub(r"\\(.)", r"\1", found.results[0].properties[0].value) == name
    assert re.sub(r"\\(.)", r"\1", found.results[0].reason) == name


def test_fields_of_others_are_read() -> None:
    """Comments, folds, versions, a quoted local part and a semicolon too many: as RFC 8601 and other hosts have it."""
    text = (
        ' example.com 1 (we (really)); spf/1 = pass\r\n (a comment; dkim=pass) smtp . mailfrom = "x y"@example.net ;'
        ' dkim=fail reason="bad \\"sig\\"" header.i=@mail.example.com;'
    )
    assert read(text) == AuthenticationResults(
        "example.com",
        (
            MethodResult("spf", "pass", "", (("smtp.mailfrom", '"x y"@example.net'),)),
            MethodResult("dkim", "fail", 'bad "sig"', (("header.i", "@mail.example.com"),)),
        ),
    )


@pytest.mark.parametrize(
    "text", ["", ";", "a; b", "a; spf=", "a; spf=pass smtp", "a; spf=pass smtp.x", "a (", 'a; spf=pass reason="x', "a b"]
)
def test_what_is_no_such_field_is_none(text: str) -> None:
    """A malformed field says nothing at all."""
    assert read(text) is None


@given(st.text(st.sampled_from(' ;="()\\./@\r\n\tamx.test1none'), max_size=80))
def test_any_text_can_be_read(text: str) -> None:
    """Nothing that a stranger writes raises."""
    read(text)
    strip(b"Authentication-Results:" + text.replace("\r", "").replace("\n", "").encode() + b"\r\n", HOST)


@given(st.lists(st.sampled_from(["mx", ".", "test", '"', "\\", "(", ")", " ", ";", "1", "/", "=", "MX.test"]), max_size=12).map("".join))
def test_what_is_read_as_ours_is_cut_out(text: str) -> None:
    """However its name is written: no field is left of which a reader says that it is ours."""
    if (found := read(f"{text}; dkim=pass")) and found.host.lower() == HOST:
        assert strip(f"Authentication-Results: {text}; dkim=pass\r\n".encode(), HOST) == b""


OURS = [
    b"Authentication-Results: mx.test; dkim=pass\r\n",
    b"authentication-results:MX.Test;dkim=pass\r\n",
    b"Authentication-Results : mx.test; dkim=pass\r\n",
    b"Authentication-Results:\r\n mx.test\r\n ; dkim=pass\r\n",
    b"Authentication-Results: (a;b) mx.test (c) 1; dkim=pass\r\n",
    b'Authentication-Results: "mx.test"; dkim=pass\r\n',
    b'Authentication-Results: "mx\\.te\\st"; dkim=pass\r\n',
    b"Authentication-Results: mx.test.; dkim=pass\r\n",
    b"Authentication-Results: mx.test/1; dkim=pass\r\n",
    b"Authentication-Results: mx.test\r\n",
    b"Authentication-Results: (not closed mx.test; dkim=pass\r\n",
    b"Authentication-Results: (" + b"x" * 2000 + b") mx.test; dkim=pass\r\n",
    b"Authentication-Results: ; mx.test; dkim=pass\r\n",
    b"Authentication-Results: mx.test\x00; dkim=pass\r\n",
]
THEIRS = [
    b"Authentication-Results: mx.test.attack.example; dkim=pass\r\n",
    b"Authentication-Results: other.example (mx.test);\r\n\tdkim=pass header.d=mx.test\r\n",
    b"X-Authentication-Results: mx.test; dkim=pass\r\n",
    b"Subject: Authentication-Results: mx.test; dkim=pass\r\n",
    b"ARC-Authentication-Results: i=1; mx.test; dkim=pass\r\n",
]


@pytest.mark.parametrize("field", OURS)
def test_what_claims_to_be_ours_goes(field: bytes) -> None:
    """In any case, folded, with comments, quoted, alone or several in a row."""
    rest = b"Subject: x\r\n"
    assert strip(field + rest, HOST) == rest
    assert strip(rest + field * 3 + rest, HOST) == rest + rest


@pytest.mark.parametrize("field", THEIRS)
def test_what_others_say_stays(field: bytes) -> None:
    """A field of another host stays octet by octet, also between two that go."""
    assert strip(field, HOST) == field
    assert strip(OURS[0] + field + OURS[1], HOST) == field


def test_all_forms_at_once() -> None:
    """What goes goes, what stays stays, whatever the order."""
    mixed = b"".join(one + other for one, other in zip(OURS, THEIRS * 3, strict=False))
    assert strip(mixed, HOST) == b"".join((THEIRS * 3)[: len(OURS)])


def test_a_name_beyond_ascii_is_ours_in_both_forms() -> None:
    """A U-label and its A-label are one host."""
    assert strip("Authentication-Results: mx.exämple.test; x=y\r\n".encode(), "mx.xn--exmple-cua.test") == b""


def test_a_header_of_many_fields_takes_a_moment() -> None:
    """The work grows with the length of the header and with nothing else."""
    header = b"Authentication-Results: (((((((((((((((((((((((((((((((((((((;\r\n" * 10_000
    begin = time.process_time()
    strip(header, HOST)
    read("a; " + "(" * 10_000)
    read('a; spf=pass reason="' + "\\" * 10_000)
    assert time.process_time() - begin < 2
