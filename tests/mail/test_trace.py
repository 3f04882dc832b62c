"""Trace fields: what we write on top of strangers' mail, and what of theirs is not theirs to write."""

from __future__ import annotations

from email.parser import BytesParser
from email.policy import default

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.mail.arrival import Arrival
from mailer.mail.message import Message
from mailer.mail.trace import delivered_to, hops, protocol_word, reached, received, return_path, without_forged

ARRIVAL = Arrival("mx", "192.0.2.1", "out.example.org", "ESMTPS", "TLSv1.3", "out.example.org", at=1_800_000_000.0)


def but(**changes: object) -> Arrival:
    members = {name: getattr(ARRIVAL, name) for name in Arrival.__slots__}
    return Arrival(**{**members, **changes})  # type: ignore[arg-type]


def test_the_field_says_who_whom_how_and_when() -> None:
    """In the order of RFC 5321 §4.4."""
    assert received(ARRIVAL, "mx.example.com", "ID", "ann@example.com") == (
        b"Received: from out.example.org (out.example.org [192.0.2.1], TLSv1.3)\r\n"
        b"\tby mx.example.com (mailer) with ESMTPS id ID\r\n"
        b"\tfor <ann@example.com>;\r\n"
        b"\tFri, 15 Jan 2027 08:00:00 +0000\r\n"
    )


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"name": "", "tls": ""}, b"from out.example.org ([192.0.2.1])\r\n"),
        ({"ip": "2001:db8::1", "name": "", "tls": "", "hello": "[IPv6:2001:db8::1]"}, b"from [IPv6:2001:db8::1] ([IPv6:2001:db8::1])\r\n"),
        ({"ip": "", "name": "", "tls": "", "hello": "me"}, b"from me (this machine)\r\n"),
        ({"hello": "", "name": "", "tls": ""}, b"from [192.0.2.1] ([192.0.2.1])\r\n"),
        ({"hello": "a)dkim=pass(b", "tls": "", "name": ""}, b"from [192.0.2.1] ([192.0.2.1], it says a?dkim?pass?b)\r\n"),
        ({"name": "x)\r\nFrom: y (", "tls": ""}, b"from out.example.org ([192.0.2.1])\r\n"),
    ],
)
def test_what_is_said_of_the_client(changes: dict[str, object], words: bytes) -> None:
    """Its own name where it is one; what is none stands in a comment, harmless."""
    assert received(but(**changes), "mx.example.com", "ID").startswith(b"Received: " + words)


@given(st.text(max_size=400), st.text(max_size=400), st.text(max_size=100))
def test_nobody_bends_the_field(hello: str, name: str, recipient: str) -> None:
    """Whatever a client says, or the DNS, or the recipient is, there is one field, with our clauses, and one comment in each."""
    field = received(but(hello=hello, name=name), "mx.example.com", "ID", recipient)
    head = BytesParser(policy=default).parsebytes(field + b"\r\n")
    assert head.keys() == ["Received"]
    lines = field.decode("ascii").split("\r\n")
    assert len(lines) in (4, 5)
    assert max(map(len, lines)) < 998
    assert lines[0].count("(") == lines[0].count(")") == 1
    assert lines[0].endswith(", TLSv1.3)")
    assert lines[1].startswith("\tby mx.example.com (mailer) with ESMTPS id ID")
    assert field.count(b";") == 1


@pytest.mark.parametrize(
    ("spoken", "word"),
    [
        ({"extended": False, "tls": True}, "SMTP"),
        ({"extended": True}, "ESMTP"),
        ({"extended": True, "tls": True}, "ESMTPS"),
        ({"extended": True, "tls": True, "auth": True}, "ESMTPSA"),
        ({"extended": True, "utf8": True, "tls": True}, "UTF8SMTPS"),
        ({"extended": True, "lmtp": True}, "LMTP"),
        ({"extended": True, "lmtp": True, "utf8": True}, "UTF8LMTP"),
    ],
)
def test_protocols_have_their_words(spoken: dict[str, bool], word: str) -> None:
    """Those that IANA lists as mail transmission types."""
    assert protocol_word(**spoken) == word


def test_fields_of_filters_and_of_delivery_are_taken_out() -> None:
    """In any case, folded or not; every other byte stays."""
    kept = b"Received: x\r\nSubject: X-Spam-Flag: YES\r\n\tX-Virus-Status: clean\r\nX-Spammer: no\r\nDKIM-Signature: v=1;\r\n\tb=x\r\n"
    forged = b"X-SPAM-Flag: NO\r\nx-virus-scanned:\r\n\tby us\r\n more\r\nReturn-Path: <boss@example.com>\r\n"
    first, rest = kept[:13], kept[13:]
    assert without_forged(first + forged + rest) == kept
    assert without_forged(kept) == kept
    assert without_forged(forged) == b""


def test_hosts_are_counted() -> None:
    """Each has written one field."""
    assert hops(Message(b"Received: a\r\n\tb\r\nReceived-SPF: pass\r\nRECEIVED : c\r\nSubject: Received: d\r\n", b"")) == 2


def test_a_mailbox_is_told_whose_it_is() -> None:
    """And from whom the message came; nobody, for a report."""
    assert return_path("a@example.org") == b"Return-Path: <a@example.org>\r\n"
    assert delivered_to("b@example.com") == b"Delivered-To: b@example.com\r\n"
    assert return_path("") == b"Return-Path: <>\r\n"


LOOPED = b"From: me@example.com\r\nSubject: Delivered-To: bob@example.com\r\n\r\nDelivered-To: bob@example.com\r\n"


@pytest.mark.parametrize(
    "field",
    [
        b"Delivered-To: bob@example.com\r\n",
        b"DELIVERED-to:BOB@Example.COM\r\n",
        b"Delivered-To:\r\n <bob@example.com>\r\n",
        b'Delivered-To: "bob"@example.com\r\n',
        b"Delivered-To: eve@example.com\r\nDelivered-To: bob@example.com\r\n",
    ],
)
def test_who_had_it_before_is_known(field: bytes) -> None:
    """In whatever form, and wherever it stands in the header; nobody else is."""
    for content in (field + LOOPED, b"Received: x\r\n" + field + LOOPED):
        assert reached(content, ["ann@example.com", "bob@example.com"]) == {"bob@example.com"}


@pytest.mark.parametrize("content", [LOOPED, b"X-Delivered-To: bob@example.com\r\n" + LOOPED, b"Delivered-To: bob\r\n" + LOOPED, b""])
def test_what_only_looks_like_it_is_none(content: bytes) -> None:
    """Another field, a body that speaks of it, another address."""
    assert reached(content, ["bob@example.com"]) == set()
