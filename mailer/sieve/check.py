"""What is checked of a script before it runs: RFC 5228 §2.10, from the tables of `forms`.

A script that passes fails at run time only by what a variable held, or by a limit. Everything is checked in the order in which it was
written, so that an error names the first line that is wrong.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from . import characters, variables
from .errors import SieveError, quoted
from .forms import COMMANDS, COMPARATORS, EXTENSIONS, TESTS
from .grammar import clauses, tree
from .meanings import MEANINGS

if TYPE_CHECKING:
    from .forms import Form, Tag
    from .grammar import Argument, Clause

_OWN_ERROR: Final = {"elsif": "if or elsif", "else": "if or elsif"}


class SieveScript(NamedTuple):
    """A script that may run: its commands, and the extensions that it requires."""

    commands: list[Clause]
    extensions: frozenset[str]


def parse(source: bytes | str) -> SieveScript:
    """The script that `source` is. Raises `SieveError`."""
    commands = tree(source)
    required = _required(commands)
    for clause in clauses([each for each in commands if each.name != "require"]):
        _check(clause, COMMANDS if clause.depth == 0 else TESTS, required)
    _check_order(commands)
    return SieveScript([each for each in commands if each.name != "require"], required)


def _required(commands: list[Clause]) -> frozenset[str]:
    """The extensions that the script may use: those of its first commands. RFC 5228 §3.2"""
    found: set[str] = set()
    at = 0
    while at < len(commands) and commands[at].name == "require":
        _check(commands[at], COMMANDS, frozenset())
        for name in commands[at].values[0]:
            if name not in EXTENSIONS:
                raise SieveError(commands[at].line, f"the extension {quoted(name)} is none of those that there are here")
            found.add(name)
        at += 1
    late = next((each for each in clauses(commands[at:]) if each.name == "require" and not each.depth), None)
    if late is not None:
        raise SieveError(late.line, "require stands before all other commands, and outside of blocks")
    return frozenset(found)


def _check_order(commands: list[Clause]) -> None:
    """An else is behind an if. RFC 5228 §3.1"""
    waiting = [commands]
    while waiting:
        before = ""
        for command in waiting.pop():
            if command.name in _OWN_ERROR and before not in ("if", "elsif"):
                raise SieveError(command.line, f"{command.name} stands only behind the block of {_OWN_ERROR[command.name]}")
            before = command.name
            if command.block:
                waiting.append(command.block)


def _check(clause: Clause, forms: dict[str, Form], required: frozenset[str]) -> None:
    form = forms.get(clause.name)
    what = "command" if forms is COMMANDS else "test"
    if form is None:
        other = TESTS if forms is COMMANDS else COMMANDS
        hint = f"; it is a {'test' if forms is COMMANDS else 'command'}" if clause.name in other else ""
        raise SieveError(clause.line, f"there is no {what} {quoted(clause.name)}{hint}")
    _need(clause, f"the {what} {clause.name}", form.needs, required)
    _check_shape(clause, form)
    _read_arguments(clause, form, required)
    if meaning := MEANINGS.get(clause.name):
        meaning(clause, required)
    _check_match(clause, required)


def _need(clause: Clause, what: str, extension: str, required: frozenset[str]) -> None:
    if extension and extension not in required:
        raise SieveError(clause.line, f'{what} is of an extension: require "{extension}" at the beginning')


def _check_shape(clause: Clause, form: Form) -> None:
    """Whether it has the tests and the block that it is due, and no other."""
    if form.tests == "one" and (clause.listed or len(clause.tests) != 1):
        raise SieveError(clause.line, f"{clause.name} is followed by one test")
    if form.tests == "list" and not clause.listed:
        raise SieveError(clause.line, f"{clause.name} is followed by a list of tests in parentheses")
    if not form.tests and clause.tests:
        raise SieveError(clause.tests[0].line, f"no test follows {clause.name}")
    if clause.depth:
        return
    if form.block and clause.block is None:
        raise SieveError(clause.line, f"a block in braces follows {clause.name}")
    if not form.block and clause.block is not None:
        raise SieveError(clause.line, f"no block follows {clause.name}")


def _read_arguments(clause: Clause, form: Form, required: frozenset[str]) -> None:
    """Fill `tags` and `values`. Tags stand before all other arguments, RFC 5228 §2.6.2."""
    waiting = clause.arguments[::-1]
    while waiting and waiting[-1].kind == "tag":
        argument = waiting.pop()
        tag = form.tags.get(argument.tag)
        if tag is None:
            raise SieveError(argument.line, f"{clause.name} has no tag {argument.tag}")
        _need(clause, f"the tag {argument.tag}", tag.needs, required)
        if tag.group in clause.tags:
            raise SieveError(argument.line, f"{clause.name} has {argument.tag} beside {clause.tags[tag.group][0]}; one of them may stand")
        clause.tags[tag.group] = argument.tag, _behind(clause, argument, tag, waiting, required)
    clause.values = _values(clause, form, waiting[::-1], required)


def _behind(clause: Clause, argument: Argument, tag: Tag, waiting: list[Argument], required: frozenset[str]) -> Any:
    if not tag.takes:
        return True
    if not waiting or not _is(waiting[-1], tag.takes):
        raise SieveError(argument.line, f"a {_NAMES[tag.takes]} follows {argument.tag} of {clause.name}")
    return _value(waiting.pop(), tag.takes, required)


_NAMES: Final = {"string": "string", "list": "string or a list of strings", "number": "number"}


def _values(clause: Clause, form: Form, given: list[Argument], required: frozenset[str]) -> list[Any]:
    takes = form.takes
    if takes and takes[0][0] == "?" and len(given) < len(takes):
        takes, found = takes[1:], [None]
    else:
        found = []
    if len(given) != len(takes):
        raise SieveError(clause.line, f"{clause.name} takes {_count(takes)}, and has {len(given)}")
    for nth, (argument, kind) in enumerate(zip(given, [each.removeprefix("?") for each in takes], strict=True), 1):
        if argument.kind == "tag":
            raise SieveError(argument.line, f"the tag {argument.tag} of {clause.name} stands behind an argument; tags come first")
        if not _is(argument, kind):
            raise SieveError(argument.line, f"argument {nth} of {clause.name} is a {_NAMES[kind]}")
        found.append(_value(argument, kind, required))
    return found


def _count(takes: tuple[str, ...]) -> str:
    return f"{len(takes) or 'no'} argument{'' if len(takes) == 1 else 's'}"


def _is(argument: Argument, kind: str) -> bool:
    return argument.kind == kind or (kind == "list" and argument.kind == "string")


def _value(argument: Argument, kind: str, required: frozenset[str]) -> Any:
    if kind == "number":
        return argument.number
    found = tuple(_string(each, argument.line, required) for each in argument.strings)
    return found if kind == "list" else found[0]


def _string(text: str, line: int, required: frozenset[str]) -> str | variables.Template:
    """A string as it is meant: with encoded characters, and ready for variables, where the script has required them."""
    if "encoded-character" in required:
        text = characters.decoded(text, line)
    return variables.template(text, line) if "variables" in required else text


def _check_match(clause: Clause, required: frozenset[str]) -> None:
    """Whether there is the comparator, and it can do what is asked of it. RFC 5228 §2.7.3"""
    if "comparator" not in clause.tags:
        return
    name = clause.tags["comparator"][1]
    if name not in COMPARATORS:
        raise SieveError(clause.line, f"there is no comparator {quoted(str(name))}; there are {', '.join(COMPARATORS)}")
    match = clause.tags.get("match", (":is",))[0]
    if name == "i;ascii-numeric":
        _need(clause, f"the comparator {name}", f"comparator-{name}", required)
        if match in (":contains", ":matches"):
            raise SieveError(clause.line, f"the comparator {name} cannot be used with {match}")
