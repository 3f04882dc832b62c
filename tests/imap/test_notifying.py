"""The grammar of NOTIFY."""

from __future__ import annotations

import pytest

from mailer.imap.answer import BadCommand
from mailer.imap.command import EventGroup, FetchItem, Notify
from mailer.imap.lexer import Tokens
from mailer.imap.notifying import BAD_EVENT, MOST_GROUPS, MOST_NAMES, parse_notify, unknown


def said(text: str) -> Notify:
    return parse_notify(Tokens([f" {text}".encode()]), False)


MESSAGES = ["MESSAGENEW", "MESSAGEEXPUNGE"]
FIELDS = FetchItem("SECTION", text="HEADER.FIELDS", fields=(b"from", b"to"), peek=True)


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("none", Notify(())),
        ("SET (personal NONE)", Notify([EventGroup("PERSONAL", (), ())])),
        ("set status (selected (MessageNew MessageExpunge))", Notify([EventGroup("SELECTED", (), MESSAGES)], status=True)),
        (
            ("SET (selected (MessageNew (uid body.peek[header.fields (from to)]) MessageExpunge))"
            " (subtree Lists (MessageNew MessageExpunge))"),
            Notify([
                EventGroup("SELECTED", (), MESSAGES, (FetchItem("UID", peek=True), FIELDS)),
                EventGroup("SUBTREE", ("Lists",), MESSAGES),
            ]),
        ),
        (
            ('SET (mailboxes (inbox "a b") (MessageNew MessageExpunge FlagChange MailboxName)) (inboxes (SubscriptionChange))'
            " (subscribed NONE)"),
            Notify([
                EventGroup("MAILBOXES", ["INBOX", "a b"], [*MESSAGES, "FLAGCHANGE", "MAILBOXNAME"]),
                EventGroup("INBOXES", (), ["SUBSCRIPTIONCHANGE"]),
                EventGroup("SUBSCRIBED", (), ()),
            ]),
        ),
        (
            "SET (selected-delayed MessageNew (UID) MessageExpunge)",
            Notify([EventGroup("SELECTED-DELAYED", (), MESSAGES, (FetchItem("UID", peek=True),))]),
        ),
    ],
)  # fmt: skip
def test_what_is_asked_for_is_read(text: str, command: Notify) -> None:
    """RFC 5465 §8, and the first example, which has events without parentheses."""
    assert said(text) == command


@pytest.mark.parametrize(
    "text",
    [
        "", "SET", "SET STATUS", "SET ()", "SET (selected)", "SET (selected ())", "SET (colour NONE)", "SET (subtree NONE)", "NONE x",
        "SET (mailboxes () NONE)", "SET (selected NONE) (selected-delayed NONE)", "SET (selected (MessageNew))",
        "SET (selected (MessageExpunge))", "SET (personal (FlagChange))", "SET (personal (MessageNew FlagChange))",
        "SET (selected (MailboxName))", "SET (selected (MessageNew MessageExpunge SubscriptionChange))",
        "SET (personal (MessageNew (UID) MessageExpunge))", "SET (selected (MessageNew () MessageExpunge))",
        "SET (selected (MessageNew (COLOUR) MessageExpunge))", "SET (personal NONE) x", "SET" + " (personal NONE)" * (MOST_GROUPS + 1),
        "SET (mailboxes (" + " ".join(["a"] * (MOST_NAMES + 1)) + ") NONE)", "SET " + "(" * 1000,
    ],
)  # fmt: skip
def test_what_cannot_be_asked_for_is_refused(text: str) -> None:
    """RFC 5465 §5, §6.1, §8."""
    with pytest.raises(BadCommand):
        said(text)


def test_an_event_that_there_is_not_is_known() -> None:
    """RFC 5465 §3.1: it is refused with all that there are, and not as a mistake."""
    found = said("SET (personal (MessageNew MessageExpunge AnnotationChange)) (mailboxes a (MailboxName XColour))")
    assert unknown(found) == ["ANNOTATIONCHANGE", "XCOLOUR"]
    assert unknown(said("SET (personal (ServerMetadataChange MailboxMetadataChange))")) == []
    assert BAD_EVENT.startswith("BADEVENT (MessageNew MessageExpunge FlagChange MailboxName ")
