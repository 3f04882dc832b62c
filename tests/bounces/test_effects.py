"""What a report may change, and what not: anybody can write one, and anything may stand in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from mailer.bounces.effects import Consequences, FeedbackRules, plan
from mailer.bounces.matching import ReportMatch, SentMessage, SentRecipient, match
from mailer.config.sections.suppress import Suppress
from mailer.dsn.reading import read
from mailer.dsn.return_token import mark
from mailer.reports.api import Facts
from tests.bounces.letters import away, dsn, feedback

ID, OTHER_ID = "01JD6Q4Z8K0123456789ABCDEF", "01JD6Q4Z8K0123456789ABCDEG"
REPORT = "0" * 26
AT = "bounces@here.example"
KEY, GONE = bytes(32), bytes([1]) * 32
MESSAGE_ID = "01jd6q4z8kzzzzzzzzzzzzzzzz@here.example"
ALWAYS = FeedbackRules(AT, True, Suppress(automatic="always"))


def sent(*addresses: str, id: str = ID, status: str = "sent", stream: str = "", sender: str = "me@here.example") -> SentMessage:
    people = [SentRecipient(at, address, status) for at, address in enumerate(addresses)]
    return SentMessage(id, f"<{MESSAGE_ID}>", "", sender, people, stream=stream)


class Known:
    """What is known of messages that were sent: these."""

    def __init__(self, *messages: SentMessage) -> None:
        self.messages = messages

    def sent(self, id: str) -> SentMessage | None:
        return next((each for each in self.messages if each.id == id), None)

    def named(self, message_id: str) -> SentMessage | None:
        found = [each for each in self.messages if each.message_id == f"<{message_id}>"]
        return found[0] if len(found) == 1 else None


ONE, TWO = sent("you@example.net"), sent("you@example.net", "ann@example.net")
TOKEN = mark(AT, ID, 0, KEY)


def heard(
    report: bytes, *known: SentMessage, to: str = TOKEN, rules: FeedbackRules = ALWAYS, keys: Sequence[bytes] = (KEY,)
) -> tuple[ReportMatch, Consequences]:
    facts = Facts("stdin", recipient=to, at=1000.0)
    found = read(report)
    matched = match(found, facts, Known(*known), AT, keys)
    return matched, plan(REPORT, found, facts, matched, rules)


def changes(what: Consequences) -> list[tuple[str, str]]:
    """All that it changes: who is suppressed, and what is told of whom."""
    return [("suppressed", each.address) for each in what.suppress] + [(each.type, each.to) for each in what.events]


BOTH = [("suppressed", "you@example.net"), ("bounced", "you@example.net")]


def test_a_token_may_do_everything() -> None:
    """A hard bounce: suppressed, with the message as evidence; told; and its sender gets it."""
    matched, what = heard(dsn(TOKEN), ONE)
    assert matched.trust == "token"
    assert changes(what) == BOTH
    assert what.suppress[0].evidence == ID
    assert what.forward == "me@here.example"
    assert what.state == "done"
    assert [each.makes for each in what.heard] == ["bounced"]


def test_a_forged_report_without_a_token_changes_nothing() -> None:
    """Whoever it names: it is listed as unmatched, and nobody gets it."""
    matched, what = heard(dsn(AT), ONE, to=AT)
    assert (matched.trust, what.state, changes(what), what.forward) == ("none", "unmatched", [], "")


def test_a_token_of_one_message_says_nothing_of_another() -> None:
    """The recipient of another message is not in that envelope."""
    other = sent("bob@example.net", "eve@example.net", id=OTHER_ID)
    _, what = heard(dsn(TOKEN, "bob@example.net"), TWO, other)
    assert changes(what) == []
    assert "not in the envelope" in what.heard[0].effect
    assert what.heard[0].makes is None


def test_a_token_of_one_recipient_says_nothing_of_another() -> None:
    """Who has got a message for himself has no say about those who got it beside him."""
    _, what = heard(dsn(TOKEN, "ann@example.net"), TWO, to=mark(AT, ID, 1, KEY))
    assert [to for _, to in changes(what)] == ["you@example.net"] * 2


@pytest.mark.parametrize(
    ("to", "keys"),
    [
        (TOKEN.replace("-0-", "-0-x"), [KEY]),
        (mark(AT, ID, 0, GONE), [KEY]),
        (mark(AT, OTHER_ID, 0, KEY), [KEY]),
        (TOKEN, []),
    ],
)
def test_a_token_that_is_none_of_ours_changes_nothing(to: str, keys: list[bytes]) -> None:
    """One changed symbol, a key that is retired, a message that is not known any more, another spool: unmatched, with the reason."""
    matched, what = heard(dsn(to), ONE, to=to, keys=keys)
    assert (changes(what), what.state) == ([], "unmatched")
    assert matched.why


def test_a_token_that_comes_again_changes_nothing_more() -> None:
    """Its recipient has bounced already; the list takes the proof of a message once."""
    _, what = heard(dsn(TOKEN), sent("you@example.net", status="bounced"))
    assert changes(what) == [("suppressed", "you@example.net")]
    assert what.suppress[0].evidence == ID
    assert what.state == "done"
    assert what.heard[0].effect == "this recipient has bounced already, and is not mailed any more, unless that was undone"


def test_a_report_that_proves_nothing_does_not_keep_one_that_does_from_the_list() -> None:
    """Who knows a Message-ID writes first that the recipient has bounced, or has complained; the true report has the token."""
    for status in ("bounced", "complained"):
        _, what = heard(dsn(AT, message_id=MESSAGE_ID), sent("you@example.net", status=status), to=AT)
        assert (changes(what), what.heard[0].effect) == ([], "nothing more: this recipient has bounced already")
        _, what = heard(dsn(TOKEN), sent("you@example.net", status=status))
        assert changes(what) == [("suppressed", "you@example.net")]


def test_a_complaint_counts_after_a_bounce_and_not_the_other_way() -> None:
    """Whoever has complained has had the mail."""
    _, what = heard(feedback(AT, "you@example.net", mail_from=TOKEN), sent("you@example.net", status="bounced"), to=AT)
    assert [type for type, _ in changes(what)] == ["suppressed", "complained"]
    _, what = heard(dsn(TOKEN), sent("you@example.net", status="complained"))
    assert [type for type, _ in changes(what)] == ["suppressed"]


@pytest.mark.parametrize("type", ["not-spam", "auth-failure", "fraud", "virus", "other"])
def test_feedback_by_which_nobody_says_no_changes_nothing(type: str) -> None:
    """Who takes a message out of the folder for spam wants it: RFC 6430. It is told, and no more."""
    _, what = heard(feedback(AT, "you@example.net", mail_from=TOKEN, type=type), ONE, to=AT)
    assert changes(what) == []
    assert what.heard[0].effect == "nothing: it is told and no more"


@pytest.mark.parametrize("report", [dsn(AT, message_id=MESSAGE_ID), dsn(AT, envid=ID), dsn(AT, envid=ID.lower())])
def test_a_name_that_only_we_give_sets_the_status_alone(report: bytes) -> None:
    """A Message-ID of ours stands in archives: it tells of its recipient, and suppresses nobody, unless the operator says so."""
    matched, what = heard(report, ONE, to=AT)
    assert matched.trust == "ours"
    assert changes(what) == [("bounced", "you@example.net")]
    trusting = replace_rules(trust="message-id")
    assert changes(heard(report, ONE, to=AT, rules=trusting)[1]) == BOTH


def replace_rules(**changed: str) -> FeedbackRules:
    return FeedbackRules(AT, True, Suppress(automatic="always", **changed))


@pytest.mark.parametrize("about", ["bob@example.net", "you@example.org"])
def test_a_name_of_ours_says_nothing_of_who_is_not_in_the_envelope(about: str) -> None:
    """Also where there was one recipient: he is not the one that is named."""
    for report in (dsn(AT, about, message_id=MESSAGE_ID), feedback(AT, about, message_id=MESSAGE_ID)):
        matched, what = heard(report, ONE, to=AT)
        assert (matched.trust, changes(what)) == ("ours", [])


def test_a_message_id_that_somebody_else_has_made_is_no_name_of_ours() -> None:
    """It may be guessed: nothing is done, and it is listed."""
    foreign = replace(ONE, message_id="<hello@here.example>")
    matched, what = heard(dsn(AT, message_id="hello@here.example"), foreign, to=AT)
    assert (matched.trust, changes(what)) == ("none", [])


def test_a_message_id_of_two_messages_is_none() -> None:
    """Which one came back is not guessed."""
    assert heard(dsn(AT, message_id=MESSAGE_ID), ONE, sent("you@example.net", id=OTHER_ID), to=AT)[0].trust == "none"


@pytest.mark.parametrize(
    ("status", "said"),
    [
        ("5.7.1", "550 5.7.1 blocked using bl.example"),
        ("4.4.7", "450 4.4.7 message expired"),
        ("5.2.2", "552 5.2.2 mailbox full"),
        ("5.3.4", "552 5.3.4 message too large"),
    ],
)
def test_what_is_not_the_address_suppresses_nobody(status: str, said: str) -> None:
    """A blocklist, time, a full mailbox, a size: the mail did not arrive, and the next may."""
    _, what = heard(dsn(TOKEN, status=status, said=said), ONE)
    assert changes(what) == [("bounced", "you@example.net")]


@pytest.mark.parametrize("action", ["delayed", "delivered", "relayed", "expanded"])
def test_mail_that_is_late_or_has_arrived_changes_nothing(action: str) -> None:
    """It is told in the story, and its sender gets it."""
    _, what = heard(dsn(TOKEN, action=action, status="2.0.0" if action != "delayed" else "4.2.0", said="250 2.0.0 on its way"), ONE)
    assert (changes(what), what.state, what.forward) == ([], "done", "me@here.example")


@pytest.mark.parametrize("author", ["you@example.net", "postmaster@example.net", "MAILER-DAEMON@example.net"])
def test_an_automatic_answer_is_no_bounce(author: str) -> None:
    """Whoever writes it, and whatever addresses are in it."""
    _, what = heard(away(TOKEN, author), ONE)
    assert (changes(what), what.forward) == ([], "me@here.example")
    assert what.heard[0].makes is None


@pytest.mark.parametrize("sender", ["", AT, TOKEN, "Bounces+x@HERE.example"])
def test_nobody_gets_a_report_about_the_bounce_address_or_the_null_sender(sender: str) -> None:
    """A report about a report of ours, or about mail of the bounce address itself, goes to nobody: nothing goes round."""
    assert heard(dsn(TOKEN), sent("you@example.net", sender=sender))[1].forward == ""


def test_a_complaint_is_not_passed_on() -> None:
    """It concerns whoever runs this host."""
    assert heard(feedback(AT, mail_from=TOKEN), ONE, to=AT)[1].forward == ""


def test_a_sparse_complaint_is_about_the_only_recipient_or_about_nobody() -> None:
    """With a token alone: of two it is not said which."""
    assert [type for type, _ in changes(heard(feedback(AT, mail_from=TOKEN), ONE, to=AT)[1])] == ["suppressed", "complained"]
    _, what = heard(feedback(AT, mail_from=TOKEN), TWO, to=AT)
    assert changes(what) == []
    assert "does not say which" in what.heard[0].effect


def test_an_address_that_was_passed_on_is_found_by_the_one_that_was_written() -> None:
    """ORCPT is what the sender wrote; and with a token, the only recipient is meant."""
    assert changes(heard(dsn(TOKEN, "box17@inside.example", original="You@Example.net"), TWO)[1]) == BOTH
    assert changes(heard(dsn(TOKEN, "box17@inside.example"), ONE)[1]) == BOTH
    assert changes(heard(dsn(TOKEN, "box17@inside.example"), TWO)[1]) == []


@pytest.mark.parametrize(
    ("automatic", "stream", "scopes"),
    [("streams", "", []), ("streams", "shop", ["shop"]), ("always", "", ["*"]), ("always", "shop", ["shop"]), ("never", "shop", [])],
)
def test_suppression_is_for_the_stream(automatic: str, stream: str, scopes: list[str]) -> None:
    """A machine's own mail to its people suppresses nobody unless that is wanted."""
    rules = FeedbackRules(AT, True, Suppress(automatic=automatic))
    _, what = heard(dsn(TOKEN), sent("you@example.net", stream=stream), rules=rules)
    assert [each.scope for each in what.suppress] == scopes


def test_many_strangers_in_a_report_take_no_room() -> None:
    """Who writes one can name thousands: some are kept, the others counted, and the one of ours behind them is found."""
    blocks = b"".join(b"\r\nFinal-Recipient: rfc822; u%d@evil.example\r\nAction: failed\r\nStatus: 5.1.1\r\n" % at for at in range(3000))
    report = dsn(TOKEN, "first@evil.example")
    at = report.index(b"\r\n--b1\r\nContent-Type: text/rfc822-headers")
    ours = b"\r\nFinal-Recipient: rfc822; you@example.net\r\nAction: failed\r\nStatus: 5.1.1\r\n"
    _, what = heard(report[:at] + blocks + ours + report[at:], TWO)
    assert changes(what) == BOTH
    assert len(what.heard) == 21
    assert what.note("")["more_recipients"] == 3001 + 1 - 20


def test_a_recipient_who_stands_twice_in_a_report_bounces_once() -> None:
    """Ten blocks about one address are one change."""
    block = b"\r\nFinal-Recipient: rfc822; you@example.net\r\nAction: failed\r\nStatus: 5.1.1\r\n"
    report = dsn(TOKEN)
    at = report.index(b"\r\n--b1\r\nContent-Type: text/rfc822-headers")
    assert changes(heard(report[:at] + block * 10 + report[at:], ONE)[1]) == BOTH
