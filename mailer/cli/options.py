"""The options of a command: declared as data, read from argv, printed as help and as manual pages.

A reader of our own, because any reader of the standard library or of PyPI would cost ``mailer send``
more than all the rest of its start-up (argparse 9 ms, click 34 ms, against 12 ms for a bare
interpreter). It takes what getopt_long(3) takes: ``--name value``, ``--name=value``, ``-n value``, ``-nvalue``,
flags run together, ``--`` before operands that begin with a hyphen, options and operands in any order, and
unambiguous prefixes of long names.
"""

from __future__ import annotations

from mailer.mail.problem import Problem

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence


LARGEST = 2**50
"""A number beyond this is a slip, and some would overflow what counts them."""


class Option:
    """One option. Without `metavar` it is a flag; `optional` means that the value may be left out."""

    __slots__ = ("help", "metavar", "names", "optional", "repeat")

    def __init__(self, *names: str, metavar: str = "", help: str, repeat: bool = False, optional: bool = False) -> None:
        self.names = names
        self.metavar = metavar
        self.help = help
        self.repeat = repeat
        self.optional = optional

    @property
    def key(self) -> str:
        """The name that a command asks `Given` for: the first one declared."""
        return self.names[0]

    @property
    def label(self) -> str:
        """How help writes it: ``-f, --from ADDRESS``, ``--wait[=SECONDS]``."""
        names = ", ".join(sorted(self.names, key=len))
        if not self.metavar:
            return names
        return f"{names}[={self.metavar}]" if self.optional else f"{names} {self.metavar}"


HELP = Option("--help", "-h", help="show this help and exit")
CONFIG = Option("--config", metavar="FILE", help="read FILE instead of the configuration found by default")
SPOOL = Option("--spool", metavar="DIR", help="use the spool in DIR instead of the configured one")
JSON = Option("--json", help="print JSON, one object a line")
QUIET = Option("--quiet", "-q", help="print nothing but errors")
VERBOSE = Option("--verbose", "-v", help="say more; twice says all", repeat=True)
COMMON = (CONFIG, SPOOL, QUIET, VERBOSE, HELP)


class Command:
    """One command of the program: what it takes, what it is for, and the function that does it."""

    __slots__ = ("about", "epilog", "name", "operands", "options", "run", "summary")

    def __init__(
        self,
        name: str,
        run: Callable[[Given], int],
        *,
        summary: str,
        about: str = "",
        operands: str = "",
        options: Sequence[Option] = (),
        epilog: str = "",
    ) -> None:
        self.name = name
        self.run = run
        self.summary = summary
        self.about = about
        self.operands = operands
        self.options = (*options, *COMMON)
        self.epilog = epilog


class Given:
    """What was given on the command line: values by the option's first name, and the operands."""

    __slots__ = ("command", "operands", "values")

    def __init__(self, command: Command, values: dict[str, list[str]], operands: list[str]) -> None:
        self.command = command
        self.values = values
        self.operands = operands

    def flag(self, name: str) -> bool:
        """Whether the option was given at all."""
        return name in self.values

    def count(self, name: str) -> int:
        """How often it was given."""
        return len(self.values.get(name, ()))

    def text(self, name: str, default: str | None = None) -> str | None:
        """The value of the option `name`, the last one if there are several."""
        return self.values[name][-1] if name in self.values else default

    def path(self, name: str) -> str:
        """The value of the option `name` as a path; empty without one.

        ``--spool=~/x`` is no ``~`` for a shell, and must not make a directory of that name.
        """
        from mailer.config.values import given

        return given(self.text(name) or "")

    def texts(self, name: str) -> list[str]:
        """All its values in order."""
        return self.values.get(name, [])

    def number(self, name: str, default: int, least: int = 0, most: int = LARGEST) -> int:
        """The value of the option `name` as a whole number from `least` to `most`. Raises `Problem` (usage)."""
        text = self.text(name)
        if text is None:
            return default
        digits = text.lstrip("0") or "0" if text.isascii() and text.isdigit() else ""
        if not 0 < len(digits) < 20 or not least <= int(digits) <= most:
            limits = f" from {least} to {most}" if most < LARGEST else f" from {least} on" if least else ""
            shown = text if len(text) <= 20 else f"{text[:20]}…"
            raise usage(f"{name} takes a whole number{limits}, not {shown!r}", self.command.name)
        return int(digits)


def usage(problem: str, command: str) -> Problem:
    """A mistake on the command line."""
    return Problem(f"{problem} (see `mailer {command} --help`)", "usage")


def read(command: Command, arguments: Iterable[str]) -> Given:
    """Read `arguments` (without the program's and the command's name). Raises `Problem` (usage)."""
    by_name = {name: option for option in command.options for name in option.names}
    values: dict[str, list[str]] = {}
    operands: list[str] = []
    rest = iter(arguments)
    for argument in rest:
        if argument == "--":
            operands.extend(rest)
        elif argument.startswith("--"):
            name, equals, value = argument.partition("=")
            option = _long(by_name, name, command)
            _take(values, option, value if equals else None, rest, command)
        elif argument.startswith("-") and len(argument) > 1:
            _short(values, by_name, argument[1:], rest, command)
        else:
            operands.append(argument)
    return Given(command, values, operands)


def _long(by_name: dict[str, Option], name: str, command: Command) -> Option:
    if name in by_name:
        return by_name[name]
    near = {option.key: option for known, option in by_name.items() if known.startswith(name)}
    if len(near) == 1:
        return near.popitem()[1]
    if near:
        raise usage(f"{name} could be {' or '.join(sorted(near))}", command.name)
    raise usage(f"unknown option {name}", command.name)


def _short(values: dict[str, list[str]], by_name: dict[str, Option], run: str, rest: Iterable[str], command: Command) -> None:
    """``-v``, ``-qv``, ``-fADDRESS``, ``-f ADDRESS``: flags may run together, the first value ends the run."""
    for at, letter in enumerate(run):
        option = by_name.get("-" + letter)
        if option is None:
            raise usage(f"unknown option -{letter}", command.name)
        if option.metavar:
            _take(values, option, run[at + 1 :] or None, rest, command)
            return
        values.setdefault(option.key, []).append("")


def _take(values: dict[str, list[str]], option: Option, value: str | None, rest: Iterable[str], command: Command) -> None:
    if not option.metavar:
        if value is not None:
            raise usage(f"{option.key} takes no value", command.name)
        value = ""
    elif value is None and option.optional:
        value = ""
    elif value is None:
        value = next(iter(rest), None)
        if value is None:
            raise usage(f"{option.key} needs {option.metavar}", command.name)
    if option.key in values and not option.repeat and option.metavar:
        raise usage(f"{option.key} was given twice", command.name)
    values.setdefault(option.key, []).append(value)


def help_text(command: Command) -> str:
    """What ``--help`` prints, at most 80 columns wide."""
    from textwrap import fill

    parts = [f"usage: mailer {command.name} [OPTION…] {command.operands}".rstrip(), command.summary[0].upper() + command.summary[1:] + "."]
    parts += [fill(paragraph, 80) for paragraph in command.about.split("\n\n") if paragraph]
    lines = []
    for option in command.options:
        text = fill(option.help, 80, initial_indent=" " * 28, subsequent_indent=" " * 28)
        label = "  " + option.label
        lines.append(f"{label:<28}{text[28:]}" if len(label) < 27 else f"{label}\n{text}")
    parts.append("options:\n" + "\n".join(lines))
    blocks = command.epilog.strip("\n").split("\n\n") if command.epilog else []
    parts += [block if "\n  " in block else fill(block, 80) for block in blocks]  # examples stay as they are
    return "\n\n".join(parts)
