"""Which names LIST and LSUB answer with, and what is said of each. RFC 9051 §6.3.9, RFC 5258, RFC 3501 §6.3.9.

Every folder is in one that is there. A name that is subscribed may be none of a folder; so may be the names that it is in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from .patterns import ListPatterns

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from .command import Listing

CRITERIA = ("SUBSCRIBED", "SPECIAL-USE")
"""The options that choose; CHILDINFO names those that a name below one has met."""
USES: Mapping[str, str] = {"archive": "\\Archive", "drafts": "\\Drafts", "junk": "\\Junk", "sent": "\\Sent", "trash": "\\Trash"}
"""The attributes of special uses (RFC 6154 §2), by the roles of folders."""


class KnownName(NamedTuple):
    """A name: `place` is the position of its folder among those that were given, -1 where there is none; `role` is what the folder is for,
    in the words of RFC 8621 §2."""

    name: str
    place: int = -1
    subscribed: bool = False
    role: str = ""


class ListedName(NamedTuple):
    """A name that is answered with, its attributes, what of CHILDINFO is said (RFC 9051 §6.3.9.6), and whether the name itself is one of
    those that were chosen, not only one below it."""

    name: str
    place: int
    attributes: Sequence[str]
    childinfo: Sequence[str] = ()
    met: bool = True


def listed(known: Sequence[KnownName], asked: Listing) -> Iterator[ListedName]:
    """The names that LIST answers with, in the order of `known`, in which each folder comes behind the one that it is in."""
    patterns = ListPatterns(asked.reference + each for each in asked.patterns if each or not asked.extended)
    criteria = [each for each in CRITERIA if each in asked.select]
    parents = {each.name.rpartition("/")[0] for each in known if each.place >= 0}
    shows = "SUBSCRIBED" in asked.select or "SUBSCRIBED" in asked.returns
    inner, outer = _above(known, patterns, criteria) if "RECURSIVEMATCH" in asked.select else (frozenset[str](), frozenset[str]())
    there = {each.name for each in known}
    for each in [*known, *(KnownName(name) for name in sorted(outer - there))]:
        met = _meets(each, criteria)
        if (met or each.name in outer) and patterns.fit(each.name):
            childinfo = criteria if each.name in inner else ()
            yield ListedName(each.name, each.place, _attributes(each, parents, shows=shows), childinfo, met)


def subscribed(known: Sequence[KnownName], asked: Listing) -> Iterator[ListedName]:
    """The names that LSUB answers with: those that are subscribed, and with \\Noselect those above one that a pattern leaves out which ends
    in ``%`` (RFC 3501 §6.3.9)."""
    patterns = ListPatterns(asked.reference + each for each in asked.patterns)
    names = {each.name: each.place for each in known if each.subscribed}
    above: dict[str, int] = {}
    for name, place in names.items():
        if patterns.fit(name):
            yield ListedName(name, place, ())
        elif asked.patterns[0].endswith("%"):
            above.update(dict.fromkeys(_parents(name), -1))
    for name in above:
        if name not in names and patterns.fit(name):
            yield ListedName(name, -1, ("\\Noselect",))


def attributes_of(name: KnownName, *, has_children: bool, shows: bool) -> Sequence[str]:
    """The attributes of a name, with \\Subscribed if that is to be shown (RFC 9051 §7.3.1, RFC 3348)."""
    found = [] if name.place >= 0 else ["\\NonExistent"]
    if shows and name.subscribed:
        found.append("\\Subscribed")
    found.append("\\HasChildren" if has_children else "\\HasNoChildren")
    if name.role in USES:
        found.append(USES[name.role])
    return found


def _attributes(name: KnownName, parents: set[str], *, shows: bool) -> Sequence[str]:
    return attributes_of(name, has_children=name.name in parents, shows=shows)


def _meets(name: KnownName, criteria: Sequence[str]) -> bool:
    """Whether a name is one of those that are chosen."""
    return (
        (name.place >= 0 or "SUBSCRIBED" in criteria)
        and (name.subscribed or "SUBSCRIBED" not in criteria)
        and (name.role in USES or "SPECIAL-USE" not in criteria)
    )


def _above(known: Sequence[KnownName], patterns: ListPatterns, criteria: Sequence[str]) -> tuple[set[str], set[str]]:
    """The names above those that are chosen, and above those of them that the pattern leaves out."""
    inner: set[str] = set()
    outer: set[str] = set()
    for each in known:
        if "/" in each.name and _meets(each, criteria):
            inner.update(_parents(each.name))
            if not patterns.fit(each.name):
                outer.update(_parents(each.name))
    return inner, outer


def _parents(name: str) -> Iterator[str]:
    """The names that a name is in."""
    at = name.find("/")
    while at > 0:
        yield name[:at]
        at = name.find("/", at + 1)
