"""Which command may be said when, and what follows from the answer: RFC 9051 §3 as tables, which `ImapServer` walks.

Besides, what is to be known of a command by whoever obeys it: whether its numbers are those of messages, and whether messages that went may
be told while it is answered.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from . import command as said

if TYPE_CHECKING:
    from .command import Command


class ImapState(Enum):
    """The states of a session, as the server sees it."""

    CONNECTED = "the greeting is not decided yet"
    STRANGER = "nobody has logged in"
    AUTHENTICATED = "somebody has logged in"
    SELECTED = "a folder is selected"
    IDLE = "within IDLE"
    EXCHANGE = "within AUTHENTICATE"
    HANDSHAKE = "waiting for `secured`"
    CLOSED = "over; the driver closes"


_ALWAYS = frozenset({"CAPABILITY", "NOOP", "LOGOUT", "ID"})
_AUTHENTICATED = _ALWAYS | {
    "ENABLE", "SELECT", "EXAMINE", "CREATE", "DELETE", "RENAME", "SUBSCRIBE", "UNSUBSCRIBE", "LIST", "LSUB", "NAMESPACE", "STATUS",
    "APPEND", "IDLE", "GETQUOTA", "GETQUOTAROOT", "SETQUOTA", "GETMETADATA", "SETMETADATA", "NOTIFY",
}  # fmt: skip

WHEN: dict[ImapState, frozenset[str]] = {
    ImapState.STRANGER: _ALWAYS | {"STARTTLS", "AUTHENTICATE", "LOGIN"},
    ImapState.AUTHENTICATED: _AUTHENTICATED,
    ImapState.SELECTED: _AUTHENTICATED | {
        "CHECK", "CLOSE", "UNSELECT", "EXPUNGE", "SEARCH", "SORT", "THREAD", "FETCH", "STORE", "COPY", "MOVE", "REPLACE",
    },
}  # fmt: skip
"""Which command in which state. A missing cell is a BAD."""

THEN: dict[tuple[type, str], ImapState] = {
    (said.Select, "OK"): ImapState.SELECTED,
    (said.Select, "NO"): ImapState.AUTHENTICATED,  # RFC 9051 §6.3.2: nothing is selected then
    (said.Select, "BAD"): ImapState.AUTHENTICATED,
    (said.Close, "OK"): ImapState.AUTHENTICATED,
    (said.Unselect, "OK"): ImapState.AUTHENTICATED,
}
"""(command, its answer) → the state that follows. A missing cell leaves it as it is."""

WHY = {
    ImapState.STRANGER: "log in first",
    ImapState.AUTHENTICATED: "select a folder first, and log in only once",
    ImapState.SELECTED: "you have logged in",
}
"""What a BAD adds, so that a person at the other end knows how to go on."""


def ambiguous(command: Command) -> bool:
    """Whether `command` names messages by number, so that it depends on what the client was told before it said so (RFC 9051 §5.5)."""
    if isinstance(command, said.Fetch | said.Store | said.Copy | said.Replace):
        return not command.uid
    search = command.search if isinstance(command, said.Sort | said.Thread) else command
    return isinstance(search, said.Search) and (search.numbered or not search.uid)


def may_tell_expunges(command: Command) -> bool:
    """Whether messages that went may be told while `command` is answered: not where it is by number, but for those that take messages away
    themselves (RFC 9051 §7.5.1); nor where a search by UID has numbers among its keys (RFC 7162 §3.2.10.2)."""
    return isinstance(command, said.Copy | said.Replace) or not ambiguous(command)


def enables_condstore(command: Command) -> bool:
    """Whether a client that says this knows of MODSEQ from now on. RFC 7162 §3.1, CONDSTORE enabling command"""
    match command:
        case said.Enable(names):
            return "CONDSTORE" in names or "QRESYNC" in names
        case said.Select(_, _, condstore, qresync):
            return condstore or qresync is not None
        case said.Status(_, items):
            return "HIGHESTMODSEQ" in items
        case said.Fetch():
            return command.changed_since is not None or any(item.name == "MODSEQ" for item in command.items)
        case said.Store():
            return command.unchanged_since is not None
        case said.Search():
            return command.modseq
        case said.Sort() | said.Thread():
            return command.search.modseq
        case _:
            return False
