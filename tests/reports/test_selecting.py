"""What is a report, and whom a message was for."""

from __future__ import annotations

import time

import pytest

from mailer.reports.selecting import addressed, is_report
from mailer.reports.sources import batches

from .servers import LETTER, ndr

BOUNCES = "bounces@example.com"
AWAY = b"From: ann@example.net\r\nTo: %s\r\nSubject: Out of office\r\nAuto-Submitted: auto-replied\r\n\r\nI am away.\r\n"


def test_a_bounce_is_a_report_and_a_letter_is_none() -> None:
    """Whatever the bounce address is."""
    assert is_report(ndr(1), BOUNCES)
    assert is_report(ndr(1), "")
    assert not is_report(LETTER, BOUNCES)
    assert not is_report(b"", BOUNCES)


def test_an_answer_of_a_machine_is_one_where_it_came_to_the_bounce_address() -> None:
    """Elsewhere somebody reads it who wrote to ann."""
    assert is_report(AWAY % b"bounces+x@example.com", BOUNCES)
    assert is_report(AWAY % b"Bounces@Example.com", BOUNCES)
    assert not is_report(AWAY % b"me@example.com", BOUNCES)
    assert not is_report(AWAY % b"me@example.com", "")


@pytest.mark.parametrize(
    ("header", "recipient"),
    [
        (b"To: x@y\r\nDelivered-To: me@example.com\r\nX-Original-To: bounces+t@example.com\r\n", "bounces+t@example.com"),
        (b"Delivered-To: mailbox@example.com\r\nTo: Bounces <BOUNCES+T@example.com>, b@c\r\n", "BOUNCES+T@example.com"),
        (b"Delivered-To: mailbox@example.com\r\nTo: bounces@example.com\r\n", "bounces@example.com"),
        (b"Delivered-To: mailbox@example.com\r\nTo: joe@example.com\r\n", "mailbox@example.com"),
        (b"Cc: x\r\n y\r\n <bounces+folded@example.com>\r\n", "bounces+folded@example.com"),
        (b"Subject: bounces+t@example.com\r\n\r\nTo: bounces+t@example.com\r\n", ""),
        (b"not a header", ""),
        (b"", ""),
    ],
)
def test_the_address_with_a_token_is_found_in_the_header(header: bytes, recipient: str) -> None:
    """Wherever a server, or the author, has put it; with CRLF and with LF."""
    assert addressed(header, BOUNCES).recipient == recipient
    assert addressed(header.replace(b"\r\n", b"\n"), BOUNCES).recipient == recipient


def test_the_reverse_path_is_what_delivery_wrote() -> None:
    """An empty one too."""
    assert addressed(b"Return-Path: <>\r\nTo: a@b\r\n", BOUNCES).mail_from == ""
    assert addressed(b"Return-Path: <x@y>\r\nReturn-Path: <forged@z>\r\n", BOUNCES).mail_from == "x@y"


def test_a_header_of_megabytes_costs_little() -> None:
    """Only so much of it is looked at."""
    began = time.process_time()
    addressed(b"To: " + b"a@b," * 2_000_000, BOUNCES)
    addressed(b"To: a@b\r\n" * 1_000_000, BOUNCES)
    assert time.process_time() - began < 2.0


def test_batches_are_small_enough_to_be_held() -> None:
    """At most fifty messages, and eight megabytes unless one alone has more."""
    assert [len(batch) for batch in batches([(str(number), 10) for number in range(120)])] == [50, 50, 20]
    assert batches([("a", 5 << 20), ("b", 5 << 20), ("c", 20 << 20), ("d", 1)]) == [["a"], ["b"], ["c"], ["d"]]
    assert batches([]) == []
