"""From what was read to a command: the verb finds its grammar, and that takes the arguments. RFC 9051 §9, command."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from . import appending, authing, fetching, listing, metadata, notifying, quotas, searching, selecting, storing
from . import command as said
from .answer import BadCommand
from .authing import alone
from .lexer import Tokens

if TYPE_CHECKING:
    from collections.abc import Callable

    from .command import Command
    from .reader import RawCommand

COMMANDS: Final[dict[str, Callable[[Tokens, bool], Command]]] = {
    "CAPABILITY": alone(said.Capability),
    "NOOP": alone(said.NoOperation),
    "LOGOUT": alone(said.Logout),
    "ID": authing.parse_id,
    "STARTTLS": alone(said.BeginTls),
    "AUTHENTICATE": authing.parse_authenticate,
    "LOGIN": authing.parse_login,
    "ENABLE": authing.parse_enable,
    "NAMESPACE": alone(said.Namespace),
    "IDLE": alone(said.Idle),
    "SELECT": selecting.parse_select,
    "EXAMINE": selecting.parse_examine,
    "CHECK": alone(said.Check),
    "CLOSE": alone(said.Close),
    "UNSELECT": alone(said.Unselect),
    "EXPUNGE": selecting.parse_expunge,
    "COPY": selecting.parse_copy,
    "MOVE": selecting.parse_move,
    "STORE": storing.parse_store,
    "APPEND": appending.parse_append,
    "REPLACE": appending.parse_replace,
    "SEARCH": searching.parse_search,
    "SORT": searching.parse_sort,
    "THREAD": searching.parse_thread,
    "FETCH": fetching.parse_fetch,
    "CREATE": listing.parse_create,
    "DELETE": listing.parse_delete,
    "RENAME": listing.parse_rename,
    "SUBSCRIBE": listing.parse_subscribe,
    "UNSUBSCRIBE": listing.parse_unsubscribe,
    "STATUS": listing.parse_status,
    "LIST": listing.parse_list,
    "LSUB": listing.parse_lsub,
    "GETQUOTA": quotas.parse_getquota,
    "GETQUOTAROOT": quotas.parse_getquotaroot,
    "SETQUOTA": quotas.parse_setquota,
    "GETMETADATA": metadata.parse_getmetadata,
    "SETMETADATA": metadata.parse_setmetadata,
    "NOTIFY": notifying.parse_notify,
}
"""Verb → the grammar of what follows it, which is told whether UID stood before it."""

BY_UID: Final = frozenset({"FETCH", "STORE", "COPY", "MOVE", "SEARCH", "SORT", "THREAD", "EXPUNGE", "REPLACE"})
"""Verbs before which UID may stand. RFC 9051 §6.4.9"""


def verb(tokens: Tokens) -> tuple[str, bool]:
    """The verb of a command of which the tag is taken, in capitals, and whether UID stands before it. Raises `BadCommand`."""
    tokens.space()
    found = tokens.word()
    if found != "UID":
        return found, False
    tokens.space()
    found = tokens.word()
    if found not in BY_UID:
        raise BadCommand(f"there is no UID {found[:30]}")
    return found, True


def opened(raw: RawCommand, *, utf8: bool, charset: bool = True) -> Tokens:
    """What is behind the tag of a command."""
    first, *rest = raw.parts
    return Tokens((first[len(raw.tag) :], *rest), utf8=utf8, charset=charset, binary=raw.binary)
