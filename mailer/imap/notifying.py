"""NOTIFY: which news a client wants to hear of, in which folders. RFC 5465. The grammar of the command, and which events it asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from .answer import BadCommand
from .command import EventGroup, Notify
from .fetching import parse_items

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .command import FetchItem
    from .lexer import Tokens

MESSAGE_EVENTS: Final = {"MESSAGENEW": "MessageNew", "MESSAGEEXPUNGE": "MessageExpunge", "FLAGCHANGE": "FlagChange"}
OTHER_EVENTS: Final = {
    "MAILBOXNAME": "MailboxName",
    "SUBSCRIPTIONCHANGE": "SubscriptionChange",
    "MAILBOXMETADATACHANGE": "MailboxMetadataChange",
    "SERVERMETADATACHANGE": "ServerMetadataChange",
}
EVENTS: Final = MESSAGE_EVENTS | OTHER_EVENTS
"""The events that there are, as they are written."""
BAD_EVENT: Final = f"BADEVENT ({' '.join(EVENTS.values())})"
"""The code for one that there is not, RFC 5465 §3.1."""

SELECTED: Final = frozenset({"SELECTED", "SELECTED-DELAYED"})
NAMED: Final = frozenset({"SUBTREE", "MAILBOXES"})
FILTERS: Final = SELECTED | NAMED | {"INBOXES", "PERSONAL", "SUBSCRIBED"}

_LIST = ord("(")

MOST_GROUPS: Final = 100
MOST_NAMES: Final = 1000  # of folders, in all groups


def parse_notify(tokens: Tokens, uid: bool) -> Notify:  # noqa: ARG001
    """NOTIFY, RFC 5465 §8. Raises `BadCommand`."""
    tokens.space()
    if tokens.taken(b"NONE"):
        tokens.end()
        return Notify(())
    tokens.expect(b"SET")
    tokens.space()
    status = tokens.taken(b"STATUS")
    if status:
        tokens.space()
    groups = [_group(tokens)]
    while tokens.taken(b" "):
        groups.append(_group(tokens))
    tokens.end()
    if sum(each.which in SELECTED for each in groups) > 1:
        raise BadCommand("what is selected is said once, as SELECTED or SELECTED-DELAYED")  # RFC 5465 §6.1
    if len(groups) > MOST_GROUPS or sum(len(each.folders) for each in groups) > MOST_NAMES:
        raise BadCommand(f"NOTIFY has {MOST_GROUPS} groups, and {MOST_NAMES} names in them, at most")
    return Notify(groups, status)


def unknown(asked: Notify) -> Sequence[str]:
    """The events of a command that there are not: it is refused with `BAD_EVENT`."""
    return [event for group in asked.groups for event in group.events if event not in EVENTS]


def _group(tokens: Tokens) -> EventGroup:
    tokens.expect(b"(")
    which = tokens.word()
    if which not in FILTERS:
        raise BadCommand(f"NOTIFY has no folders that are called {which[:40]}")
    folders: Sequence[str] = ()
    if which in NAMED:
        tokens.space()
        folders = _names(tokens)
    tokens.space()
    events: Sequence[str] = ()
    fetch: Sequence[FetchItem] = ()
    if not tokens.taken(b"NONE"):
        events, fetch = _events(tokens)
    tokens.expect(b")")
    return _checked(EventGroup(which, folders, events, fetch))


def _names(tokens: Tokens) -> Sequence[str]:
    if not tokens.opened():
        return (tokens.folder(),)
    found = [tokens.folder()]
    while not tokens.closed():
        tokens.space()
        found.append(tokens.folder())
    return found


def _events(tokens: Tokens) -> tuple[Sequence[str], Sequence[FetchItem]]:
    """Events, in parentheses as the grammar has them, or without as the first example does (RFC 5465 §3.1)."""
    within = tokens.opened()
    events: list[str] = []
    fetch: Sequence[FetchItem] = ()
    while True:
        events.append(tokens.word())
        more = tokens.taken(b" ")
        if more and events[-1] == "MESSAGENEW" and tokens.peek() == _LIST:
            fetch = parse_items(tokens)
            more = tokens.taken(b" ")
        if not more:
            break
    if within:
        tokens.expect(b")")
    return events, fetch


def _checked(group: EventGroup) -> EventGroup:
    """A group whose events go with each other, and with its folders."""
    events = {*group.events} & EVENTS.keys()
    messages = events & MESSAGE_EVENTS.keys()
    if messages and not messages >= {"MESSAGENEW", "MESSAGEEXPUNGE"}:
        raise BadCommand("MessageNew and MessageExpunge go together, and FlagChange with both")  # RFC 5465 §5
    if group.which in SELECTED and events != messages:
        raise BadCommand("of what is selected there are events of messages alone")  # RFC 5465 §6.1
    if group.fetch and group.which not in SELECTED:
        raise BadCommand("messages are fetched in what is selected alone")  # RFC 5465 §8, message-event
    return group
