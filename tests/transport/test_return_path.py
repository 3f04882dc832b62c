"""The sender that a message leaves with: whose it is by which way, and that nothing of the attempt is in it."""

from __future__ import annotations

from dataclasses import replace

from mailer.dsn.return_token import Mark, find
from mailer.mail.delivery_options import NOTHING, Request
from mailer.mail.envelope import Envelope, Recipient
from mailer.srs import day_of, reverse
from mailer.transport.return_path import PLAIN, ReturnPaths, SenderRewriting, by_sender
from mailer.transport.route import Route

ID = "01JD6Q4Z8K0123456789ABCDEF"
AT = "bounces@example.com"
KEY = bytes(32)
ROUTE = Route("mx:mx.example.net", (), relay=False)
PEOPLE = [Recipient(f"p{to}@example.net") for to in range(6)]
OURS = Envelope(ID, "2026-12-01T00:00:00Z", "me@example.com", PEOPLE)
NULL = Envelope(ID, "2026-12-01T00:00:00Z", "", PEOPLE)
MARKS, EACH = ReturnPaths(AT, KEY), ReturnPaths(AT, KEY, each=True)


def test_a_message_leaves_with_its_token() -> None:
    """One for all of a transaction, the same at each attempt."""
    sender = MARKS.of(OURS, ROUTE, [0, 1])
    assert find(sender, AT, [KEY]) == Mark(ID, 0)
    assert MARKS.of(OURS, ROUTE, [1]) == sender
    assert MARKS.most(100, OURS, ROUTE) == 100


def test_each_recipient_has_one_of_his_own_where_that_is_wanted() -> None:
    """His transaction has no other recipient."""
    assert find(EACH.of(OURS, ROUTE, [4]), AT, [KEY]) == Mark(ID, 5)
    assert EACH.most(100, OURS, ROUTE) == 1


def test_the_null_sender_stays_null() -> None:
    """RFC 5321 §4.5.5: nobody answers it."""
    assert MARKS.of(NULL, ROUTE, [0]) == ""
    assert MARKS.of(NULL, replace(ROUTE, author="Shop <shop@example.com>"), [0]) == ""


def test_the_author_that_a_relay_takes_is_the_sender() -> None:
    """A token would be another one."""
    relay = replace(ROUTE, author="Shop <shop@example.com>")
    assert MARKS.of(OURS, relay, [0]) == "shop@example.com"
    assert EACH.most(100, OURS, relay) == 100


def test_a_relay_may_take_no_token() -> None:
    """relay.NAME.verp, or no address, or no key: the sender is that of the envelope."""
    for returns, route in ((MARKS, replace(ROUTE, verp=False)), (PLAIN, ROUTE), (ReturnPaths(AT), ROUTE)):
        assert returns.of(OURS, route, [0]) == "me@example.com"
        assert returns.most(100, OURS, route) == 100


def test_reports_are_asked_to_name_the_message() -> None:
    """By our ID, and its recipients, with tokens or without; a sender's own ENVID stays. Without a bounce address nothing is asked."""
    assert ReturnPaths(AT).named(NOTHING, OURS).envid == ID
    assert MARKS.named(Request(ret="HDRS"), OURS) == Request(ret="HDRS", envid=ID, named=True)
    assert MARKS.named(Request(envid="mine"), OURS).envid == "mine"
    assert PLAIN.named(NOTHING, OURS) is NOTHING


# Mail of strangers

SECRET = b"0123456789abcdef"
DAY = day_of(1796083200.0)  # that of `OURS`
FORWARDS = ReturnPaths(AT, KEY, each=True, rewriting=SenderRewriting(SECRET, "", {"example.com", "example.net"}))


def foreign(sender: str, *recipients: Recipient, created: str = OURS.created) -> Envelope:
    """The envelope of mail that a stranger brought."""
    return Envelope(ID, created, sender, [*recipients], submitter={"via": "mx", "ip": "192.0.2.1"})


def test_what_an_address_of_ours_passes_on_leaves_with_a_sender_of_its_domain() -> None:
    """He stands for the one who wrote, and is the same at each attempt, whichever relay takes it."""
    mail = foreign("ann@example.org", Recipient("a@elsewhere.example", behalf="sales@Example.COM"))
    sender = FORWARDS.of(mail, ROUTE, [0])
    assert sender.endswith("@example.com")
    assert reverse(sender, [SECRET], DAY) == "ann@example.org"
    assert FORWARDS.of(mail, replace(ROUTE, verp=False), [0]) == sender
    named = FORWARDS._replace(rewriting=SenderRewriting(SECRET, "srs.example.com"))
    assert named.of(mail, ROUTE, [0]) == sender.replace("@example.com", "@srs.example.com")


def test_a_sender_of_ours_who_has_none_or_whom_nobody_rewrites_stays() -> None:
    """SPF knows our hosts for our domains; the null sender is nobody's to change (RFC 5321 §4.5.5)."""
    onward = Recipient("a@elsewhere.example", behalf="sales@example.com")
    for sender in ("bob@Example.net", ""):
        assert FORWARDS.of(foreign(sender, onward), ROUTE, [0]) == sender
    assert MARKS.of(foreign("ann@example.org", onward), ROUTE, [0]) == "ann@example.org"


def test_mail_of_strangers_has_no_token_and_is_not_named() -> None:
    """Where it arrives it has the sender that it came with, and nothing of ours follows from what becomes of it."""
    mail = foreign("ann@example.org", Recipient("bob@example.com"), Recipient("eve@example.com"))
    assert FORWARDS.of(mail, ROUTE, [0, 1]) == "ann@example.org"
    assert FORWARDS.most(100, mail, ROUTE) == 100
    assert FORWARDS.named(NOTHING, mail) is NOTHING


def test_the_author_that_a_relay_takes_is_the_sender_of_strangers_mail_too() -> None:
    """It takes no other, not even one of our domain."""
    mail = foreign("ann@example.org", Recipient("a@elsewhere.example", behalf="sales@example.com"))
    assert FORWARDS.of(mail, replace(ROUTE, author="Shop <shop@example.com>"), [0]) == "shop@example.com"


def test_who_leaves_with_different_senders_shares_no_transaction() -> None:
    """Those whom one address passes it on to stay together, in their order; mail of ours is not divided."""
    mail = foreign(
        "ann@example.org",
        Recipient("a@elsewhere.example", behalf="sales@example.com"),
        Recipient("bob@example.com"),
        Recipient("b@elsewhere.example", behalf="info@example.com"),
        Recipient("c@elsewhere.example", behalf="sales@example.com"),
    )
    assert by_sender(mail, [0, 1, 2, 3]) == [[0, 3], [1], [2]]
    assert by_sender(mail, [1]) == [[1]]
    mail.submitter = {"principal": "unix:1000"}
    assert by_sender(mail, [0, 1, 2, 3]) == [[0, 1, 2, 3]]


def test_a_day_that_nobody_can_read_is_the_first_of_all() -> None:
    """The file is another program's, and its mail leaves all the same."""
    mail = foreign("ann@example.org", Recipient("a@elsewhere.example", behalf="sales@example.com"), created="yesterday")
    assert reverse(FORWARDS.of(mail, ROUTE, [0]), [SECRET], 0) == "ann@example.org"
