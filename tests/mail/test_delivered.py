"""Return-Path and Delivered-To: as they are written, and that a message is known which has been at an address before."""

from __future__ import annotations

import pytest

from mailer.mail.delivered import delivered_to, reached, return_path

BODY = b"From: me@example.com\r\nSubject: Delivered-To: bob@example.com\r\n\r\nDelivered-To: bob@example.com\r\n"


def test_the_fields_are_as_others_read_them() -> None:
    """One line each; the null sender has its brackets."""
    assert return_path("ann@example.org") + return_path("") == b"Return-Path: <ann@example.org>\r\nReturn-Path: <>\r\n"
    assert delivered_to("bob@example.com") == b"Delivered-To: bob@example.com\r\n"


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
    for content in (field + BODY, b"Received: x\r\n" + field + BODY):
        assert reached(content, ["ann@example.com", "bob@example.com"]) == {"bob@example.com"}


@pytest.mark.parametrize("content", [BODY, b"X-Delivered-To: bob@example.com\r\n" + BODY, b"Delivered-To: bob\r\n" + BODY, b""])
def test_what_only_looks_like_it_is_none(content: bytes) -> None:
    """Another field, a body that speaks of it, another address."""
    assert reached(content, ["bob@example.com"]) == set()
