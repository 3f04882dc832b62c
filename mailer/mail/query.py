"""What a message of a mailbox is looked for by, as a value: the keys of IMAP's SEARCH (RFC 9051 §6.4.4), whoever asks.

Text is looked for as a substring, without regard to case in any script, in text that was decoded. A tree of any depth is a value here; who
makes one of what a stranger wrote holds the bound.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .flags import Flag, Uids


class Has(NamedTuple):
    """A flag, or a keyword."""

    flag: Flag | None
    keyword: str = ""


class Among(NamedTuple):
    """One of these UIDs."""

    uids: Uids


class Within(NamedTuple):
    """A number from `least` to `most`, either may be None: its size in octets, when it was received, saved (seconds since the epoch), the
    day that its Date field says (days since the epoch), or its MODSEQ."""

    what: Literal["size", "received", "saved", "day", "received-day", "saved-day", "modseq"]
    least: int | float | None = None
    most: int | float | None = None


class Contains(NamedTuple):
    """A text in a part of it: a field of its header (`name` in small letters; an empty text asks whether it is there), all of its text, or
    its body alone. ``attachment`` are the names of files; ``words`` are all words or their beginnings, as a person types them."""

    where: Literal["header", "text", "body", "attachment", "words"]
    text: str
    name: str = ""


class Is(NamedTuple):
    """The message belongs to this conversation, or is this very one."""

    what: Literal["thread", "mail"]
    id: str


class Every(NamedTuple):
    """What all of these queries are true of; everything, where there are none."""

    queries: Sequence[Query]


class Either(NamedTuple):
    """What one of these queries is true of at least."""

    queries: Sequence[Query]


class Not(NamedTuple):
    """Not this."""

    query: Query


Leaf: TypeAlias = "Has | Among | Within | Contains | Is"
"""A query that has no others in it."""

Query: TypeAlias = "Has | Among | Within | Contains | Is | Every | Either | Not"
