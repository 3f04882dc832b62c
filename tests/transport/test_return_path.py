"""The sender that a message leaves with: whose it is by which way, and that nothing of the attempt is in it."""

from __future__ import annotations

from dataclasses import replace

from mailer.dsn.return_token import Mark, find
from mailer.mail.delivery_options import NOTHING, Request
from mailer.transport.return_path import PLAIN, ReturnPaths
from mailer.transport.route import Route

ID = "01JD6Q4Z8K0123456789ABCDEF"
AT = "bounces@example.com"
KEY = bytes(32)
ROUTE = Route("mx:mx.example.net", (), relay=False)
MARKS, EACH = ReturnPaths(AT, KEY), ReturnPaths(AT, KEY, each=True)


def test_a_message_leaves_with_its_token() -> None:
    """One for all of a transaction, the same at each attempt."""
    sender = MARKS.of("me@example.com", ID, ROUTE, [0, 1])
    assert find(sender, AT, [KEY]) == Mark(ID, 0)
    assert MARKS.of("me@example.com", ID, ROUTE, [1]) == sender
    assert MARKS.most(100, ROUTE) == 100


def test_each_recipient_has_one_of_his_own_where_that_is_wanted() -> None:
    """His transaction has no other recipient."""
    assert find(EACH.of("me@example.com", ID, ROUTE, [4]), AT, [KEY]) == Mark(ID, 5)
    assert EACH.most(100, ROUTE) == 1


def test_the_null_sender_stays_null() -> None:
    """RFC 5321 §4.5.5: nobody answers it."""
    assert MARKS.of("", ID, ROUTE, [0]) == ""
    assert MARKS.of("", ID, replace(ROUTE, author="Shop <shop@example.com>"), [0]) == ""


def test_the_author_that_a_relay_takes_is_the_sender() -> None:
    """A token would be another one."""
    relay = replace(ROUTE, author="Shop <shop@example.com>")
    assert MARKS.of("me@example.com", ID, relay, [0]) == "shop@example.com"
    assert EACH.most(100, relay) == 100


def test_a_relay_may_take_no_token() -> None:
    """relay.NAME.verp, or no address, or no key: the sender is that of the envelope."""
    for returns, route in ((MARKS, replace(ROUTE, verp=False)), (PLAIN, ROUTE), (ReturnPaths(AT), ROUTE)):
        assert returns.of("me@example.com", ID, route, [0]) == "me@example.com"
        assert returns.most(100, route) == 100


def test_reports_are_asked_to_name_the_message() -> None:
    """By our ID, and its recipients, with tokens or without; a sender's own ENVID stays. Without a bounce address nothing is asked."""
    assert ReturnPaths(AT).named(NOTHING, ID).envid == ID
    assert MARKS.named(Request(ret="HDRS"), ID) == Request(ret="HDRS", envid=ID, named=True)
    assert MARKS.named(Request(envid="mine"), ID).envid == "mine"
    assert PLAIN.named(NOTHING, ID) is NOTHING
