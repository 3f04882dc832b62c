"""The tests of a script, asked of one message. RFC 5228 §5, and those of the extensions

`holds` keeps the tests that it is in on a stack of its own; each other test is a function that says whether it is true.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

from mailer.mail.address import plain_local

from . import flags, meanings
from .grammar import Clause
from .matching import Match, first_match
from .moments import moment, part_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from .state import Run, SievePart

T = TypeVar("T")

COMPOUND: Final = frozenset({"not", "anyof", "allof"})


def holds(state: Run, test: Clause) -> bool:
    """Whether `test` is true; of several those are asked that are needed to know, from the left. Raises `SieveError`."""
    within: list[tuple[Clause, int]] = []  # the tests that it is in, and which of theirs it is
    while True:
        while test.name in COMPOUND:
            within.append((test, 0))
            test = test.tests[0]
        true = _TESTS[test.name](state, test)
        while within:
            outer, nth = within.pop()
            if outer.name == "not":
                true = not true
            elif true == (outer.name == "allof") and nth + 1 < len(outer.tests):
                within.append((outer, nth + 1))
                test = outer.tests[nth + 1]
                break
        else:
            return true


def _matches(state: Run, test: Clause, values: Iterable[str], *, sets: bool = True) -> bool:
    """Whether one of `values` fits a key of the test, its last argument; what :matches finds becomes variables, where it `sets` them."""
    name, relation = test.tags.get("match", (":is", ""))
    match = Match(name, str(relation).lower(), str(test.tags.get("comparator", ("", "i;ascii-casemap"))[1]))
    keys = state.texts(test.values[-1], test.line)
    found = first_match(match, values, keys, state.effort, test.line)
    if found and sets:
        state.variables.matched = found
    return found is not None


def _chosen(test: Clause, found: Sequence[T]) -> Sequence[T]:
    """The fields that :index asks for: all of the first name that is asked for, then those of the next. RFC 5260 §6"""
    if "index" not in test.tags:
        return found
    nth = int(test.tags["index"][1])
    if nth > len(found):
        return ()
    return (found[-nth] if "last" in test.tags else found[nth - 1],)


def _true(_: Run, __: Clause) -> bool:
    return True


def _false(_: Run, __: Clause) -> bool:
    return False


def _exists(state: Run, test: Clause) -> bool:
    return all(state.header.has(name) for name in state.texts(test.values[0], test.line))


def _size(state: Run, test: Clause) -> bool:
    limit = int(test.values[0])
    return state.facts.size > limit if test.tags["relation"][0] == ":over" else state.facts.size < limit


def _header(state: Run, test: Clause) -> bool:
    return _matches(state, test, _header_values(state, test))


def _header_values(state: Run, test: Clause) -> Iterator[str]:
    names = state.texts(test.values[0], test.line)
    yield from _chosen(test, [text for name in names for text in state.header.texts(name)])


def _address(state: Run, test: Clause) -> bool:
    return _matches(state, test, _parts(test, _address_values(state, test)))


def _address_values(state: Run, test: Clause) -> Iterator[str]:
    names = state.texts(test.values[0], test.line)
    for name in names:
        meanings.check_address_field(name, test.line)
    for field in _chosen(test, [field for name in names for field in state.header.addresses(name)]):
        yield from field


def _envelope(state: Run, test: Clause) -> bool:
    return _matches(state, test, _parts(test, _envelope_values(state, test)))


def _envelope_values(state: Run, test: Clause) -> Iterator[str]:
    for name in state.texts(test.values[0], test.line):
        part = meanings.check_envelope_part(name, test.line)
        yield state.facts.sender if part == "from" else state.facts.recipient


def _parts(test: Clause, addresses: Iterable[str]) -> Iterator[str]:
    """The part of each address that is asked for; those are left out that have none, but where addresses are counted.

    RFC 5228 §2.7.4, RFC 5233 §4, RFC 5231 §4.2
    """
    what = ":all" if test.tags.get("match", ("",))[0] == ":count" else test.tags.get("part", (":all",))[0]
    for address in addresses:
        if what == ":all" or not address:
            if what == ":all" or what in (":localpart", ":user"):
                yield address
            continue
        local, at, domain = address.rpartition("@")
        local = plain_local(local if at else address)
        user, plus, detail = local.partition("+")
        if what == ":domain" and at:
            yield domain
        elif what == ":detail" and plus:
            yield detail
        elif what in (":localpart", ":user"):
            yield local if what == ":localpart" else user


def _body(state: Run, test: Clause) -> bool:
    """RFC 5173 §5; it sets no variables (§6)."""
    what, kinds = test.tags.get("of", (":text", ()))
    if what == ":raw":
        values: Iterable[str] = [state.facts.raw()]
    elif what == ":content":
        values = _contents(state, [kind.lower() for kind in state.texts(kinds, test.line)])
    else:
        values = (part.text for part in _leaves(state) if part.kind.startswith("text/"))
    return _matches(state, test, values, sets=False)


def _leaves(state: Run) -> Sequence[SievePart]:
    if state.body is None:
        state.body = list(state.facts.parts())
    return state.body


def _contents(state: Run, kinds: Sequence[str]) -> Iterator[str]:
    """What the parts hold that are of one of `kinds`: a type, or a type and a subtype; an empty one is any."""
    for part in _leaves(state):
        if any(each in ("", part.kind, part.kind.partition("/")[0]) for each in kinds):
            yield part.content


def _date(state: Run, test: Clause) -> bool:
    return _matches(state, test, _date_values(state, test))


def _date_values(state: Run, test: Clause) -> Iterator[str]:
    part = meanings.check_date_part(state.text(test.values[1], test.line), test.line)
    for value in _chosen(test, state.header.raw(state.text(test.values[0], test.line))):
        found = moment(value)
        if found is not None:
            zone = found.zone if test.tags.get("zone", ("",))[0] == ":originalzone" else _zone(state, test, found.seconds)
            yield part_of(found.seconds, zone, part)


def _current_date(state: Run, test: Clause) -> bool:
    part = meanings.check_date_part(state.text(test.values[0], test.line), test.line)
    return _matches(state, test, [part_of(state.facts.now, _zone(state, test, state.facts.now), part)])


def _zone(state: Run, test: Clause, seconds: float) -> int:
    """The minutes that the zone of the test is east of Greenwich; that of this machine, where it says none."""
    name, zone = test.tags.get("zone", ("", ""))
    return meanings.check_zone(state.text(zone, test.line), test.line) if name == ":zone" else state.facts.zone(seconds)


def _string(state: Run, test: Clause) -> bool:
    """RFC 5229 §5; :count counts those that are not empty."""
    texts = state.texts(test.values[0], test.line)
    return _matches(state, test, [text for text in texts if text] if test.tags.get("match", ("",))[0] == ":count" else texts)


def _has_flag(state: Run, test: Clause) -> bool:
    names, given = test.values
    have = state.flags if names is None else flags.flags_of(state.variables.get(str(name)) for name in names)
    test = _with_keys(test, flags.flags_of(state.texts(given, test.line)) if test.tags.get("match", (":is",))[0] == ":is" else given)
    return _matches(state, test, have)


def _with_keys(test: Clause, keys: Sequence[object]) -> Clause:
    made = Clause(test.name, test.line, test.depth)
    made.tags, made.values = test.tags, [tuple(keys)]
    return made


def _mailbox_exists(state: Run, test: Clause) -> bool:
    return all(state.facts.has_folder(name) for name in state.texts(test.values[0], test.line))


def _special_use_exists(state: Run, test: Clause) -> bool:
    """RFC 8579 §3; of one mailbox it is asked in the form ``folder``, blank, use."""
    folder = state.text(test.values[0], test.line) if test.values[0] is not None else ""
    return all(state.facts.has_role(f"{folder} {use}".strip()) for use in state.texts(test.values[1], test.line))


def _environment(state: Run, test: Clause) -> bool:
    name = state.text(test.values[0], test.line).lower()
    value = state.facts.environment.get(name)
    return value is not None and _matches(state, test, [value])


_TESTS: Final[dict[str, Callable[[Run, Clause], bool]]] = {
    "true": _true,
    "false": _false,
    "exists": _exists,
    "size": _size,
    "header": _header,
    "address": _address,
    "envelope": _envelope,
    "body": _body,
    "date": _date,
    "currentdate": _current_date,
    "string": _string,
    "hasflag": _has_flag,
    "mailboxexists": _mailbox_exists,
    "specialuse_exists": _special_use_exists,
    "environment": _environment,
}
