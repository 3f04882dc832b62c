"""The grammar of commands about folders: CREATE, DELETE, RENAME, SUBSCRIBE, LIST, LSUB, STATUS. RFC 9051 §9, RFC 5258 §6.

With the options of SPECIAL-USE (RFC 6154 §6), LIST-STATUS (RFC 5819 §4) and LIST-METADATA (RFC 9590 §4) in LIST, and the items of STATUS:
those of RFC 9051, CONDSTORE (RFC 7162 §7), APPENDLIMIT (RFC 7889 §5), QUOTA (RFC 9208 §7), OBJECTID (RFC 8474 §7).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

from .answer import BadCommand
from .command import Create, Delete, Listing, Rename, Status, Subscribe
from .metadata import entry_name
from .patterns import WILD

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .lexer import Tokens

T = TypeVar("T")

STATUS_ITEMS: Final = frozenset({
    "MESSAGES", "UIDNEXT", "UIDVALIDITY", "UNSEEN", "DELETED", "SIZE", "RECENT", "HIGHESTMODSEQ", "APPENDLIMIT", "DELETED-STORAGE",
    "MAILBOXID",
})  # fmt: skip
SELECT_OPTIONS: Final = frozenset({"SUBSCRIBED", "REMOTE", "RECURSIVEMATCH", "SPECIAL-USE"})
RETURN_OPTIONS: Final = frozenset({"SUBSCRIBED", "CHILDREN", "SPECIAL-USE"})
MOST_PATTERNS: Final = 1000  # of a LIST
MOST_WILD: Final = 20  # of those, with a wildcard: each of them is compared with each name


def parse_create(tokens: Tokens, uid: bool) -> Create:  # noqa: ARG001
    """CREATE, with the special use that it is for (RFC 6154 §6). ``/`` at the end says that folders will be in it, which all may have."""
    tokens.space()
    name = _unended(tokens.folder())
    uses: Sequence[str] = ()
    if tokens.taken(b" "):
        tokens.expect(b"(")
        tokens.expect(b"USE")
        tokens.space()
        tokens.expect(b"(")
        uses = _listed(tokens, _attribute)
        tokens.expect(b")")
    tokens.end()
    return Create(name, uses)


def parse_delete(tokens: Tokens, uid: bool) -> Delete:  # noqa: ARG001
    """DELETE."""
    tokens.space()
    name = tokens.folder()
    tokens.end()
    return Delete(name)


def parse_rename(tokens: Tokens, uid: bool) -> Rename:  # noqa: ARG001
    """RENAME."""
    tokens.space()
    name = tokens.folder()
    tokens.space()
    to = _unended(tokens.folder())
    tokens.end()
    return Rename(name, to)


def parse_subscribe(tokens: Tokens, uid: bool) -> Subscribe:  # noqa: ARG001
    """SUBSCRIBE."""
    tokens.space()
    name = _unended(tokens.folder())
    tokens.end()
    return Subscribe(name)


def parse_unsubscribe(tokens: Tokens, uid: bool) -> Subscribe:
    """UNSUBSCRIBE."""
    return parse_subscribe(tokens, uid)._replace(on=False)


def parse_status(tokens: Tokens, uid: bool) -> Status:  # noqa: ARG001
    """STATUS."""
    tokens.space()
    name = tokens.folder()
    tokens.space()
    items = status_items(tokens)
    tokens.end()
    return Status(name, items)


def parse_lsub(tokens: Tokens, uid: bool) -> Listing:  # noqa: ARG001
    """LSUB, RFC 3501 §6.3.9."""
    tokens.space()
    reference = tokens.folder()
    tokens.space()
    pattern = tokens.list_pattern()
    tokens.end()
    return Listing(reference, (pattern,), lsub=True)


def parse_list(tokens: Tokens, uid: bool) -> Listing:  # noqa: ARG001
    """LIST, in its basic and its extended form (RFC 9051 §6.3.9). Raises `BadCommand`."""
    tokens.space()
    select: Sequence[str] = ()
    extended = tokens.opened()
    if extended:
        select = _listed(tokens, lambda each: _option(each, SELECT_OPTIONS), may_be_empty=True)
        tokens.space()
    reference = tokens.folder()
    tokens.space()
    if tokens.opened():
        extended, patterns = True, _listed(tokens, lambda each: each.list_pattern())
    else:
        patterns = (tokens.list_pattern(),)
    asked = Listing(reference, _bounded(patterns), frozenset(select), extended=extended)
    if asked.select & {"RECURSIVEMATCH", "SUBSCRIBED", "SPECIAL-USE"} == {"RECURSIVEMATCH"}:
        raise BadCommand("RECURSIVEMATCH needs an option that chooses beside it")  # RFC 9051 §6.3.9.1
    if tokens.taken(b" "):
        asked = _returning(tokens, asked)
    tokens.end()
    return asked


def status_items(tokens: Tokens) -> Sequence[str]:
    """Items of STATUS, in parentheses, each once."""
    tokens.expect(b"(")
    return tuple(dict.fromkeys(_listed(tokens, _status_item)))


def _returning(tokens: Tokens, asked: Listing) -> Listing:
    tokens.expect(b"RETURN")
    tokens.space()
    tokens.expect(b"(")
    returns, status, metadata = set[str](), asked.status, asked.metadata
    while not tokens.closed():
        if returns:
            tokens.space()
        option = tokens.word()
        returns.add(option)
        if option == "STATUS":
            tokens.space()
            status = status_items(tokens)
        elif option == "METADATA":
            tokens.space()
            tokens.expect(b"(")
            metadata = _listed(tokens, entry_name)
        elif option not in RETURN_OPTIONS:
            raise BadCommand(f"LIST has no option {option[:40]} to return")
    return asked._replace(returns=frozenset(returns), status=status, metadata=metadata, extended=True)


def _listed(tokens: Tokens, item: Callable[[Tokens], T], *, may_be_empty: bool = False) -> Sequence[T]:
    """Items with a space between them, up to the end of a list that has begun."""
    found: list[T] = []
    if may_be_empty and tokens.closed():
        return found
    while True:
        found.append(item(tokens))
        if tokens.closed():
            return found
        tokens.space()


def _option(tokens: Tokens, known: frozenset[str]) -> str:
    option = tokens.word()
    if option not in known:
        raise BadCommand(f"LIST has no option {option[:40]} that chooses")  # RFC 9051 §6.3.9: BAD for what is not known
    return option


def _attribute(tokens: Tokens) -> str:
    tokens.expect(b"\\")
    return "\\" + tokens.atom()


def _status_item(tokens: Tokens) -> str:
    item = tokens.word()
    if item not in STATUS_ITEMS:
        raise BadCommand(f"there is no item {item[:40]} of STATUS")
    return item


def _bounded(patterns: Sequence[str]) -> Sequence[str]:
    if len(patterns) > MOST_PATTERNS or sum(bool(WILD & set(each)) for each in patterns) > MOST_WILD:
        raise BadCommand(f"LIST takes {MOST_PATTERNS} patterns at most, and {MOST_WILD} with wildcards; send several")
    return patterns


def _unended(name: str) -> str:
    """A name without the delimiter at its end (RFC 9051 §6.3.4)."""
    return name[:-1] if len(name) > 1 and name.endswith("/") else name
