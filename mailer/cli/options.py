"""The options of a command: declared as data, from which click's commands and the manual pages are made.

`click_face` is the command line. `read` answers before it, and only for the commands that scripts and monitors start again and again
(`mailer.cli.OFTEN`): click alone costs 28 ms where a bare interpreter costs 11, which is twice what ``mailer send`` costs in all, and
more than ``status``, ``queue list`` and ``explain`` can have. It takes plain arguments only. Help, and every mistake, is left to click;
a property test holds that both read the same.

Both take what getopt_long(3) takes: ``--name value``, ``--name=value``, ``-n value``, ``-nvalue``, flags run together, ``--`` before
operands that begin with a hyphen, options and operands in any order, and unambiguous prefixes of long names.
"""

from __future__ import annotations

from mailer.mail.problem import Problem

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    Words = Sequence[str] | Callable[["Given"], Iterable[str]]


LARGEST = 2**50
"""A number beyond this is a slip, and some would overflow what counts them."""


class Option:
    """One option. Without `metavar` it is a flag; `repeat` allows several values, and `optional` none behind a long name.

    `words` are the values that a shell can offer: a list, or what makes one of what was given so far.
    """

    __slots__ = ("help", "metavar", "names", "optional", "repeat", "words")

    def __init__(self, *names: str, metavar: str = "", help: str, repeat: bool = False, optional: bool = False, words: Words = ()) -> None:
        self.names = names
        self.metavar = metavar
        self.help = help
        self.repeat = repeat
        self.optional = optional
        self.words = words

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
WHEN = ("auto", "always", "never")
COLOR = Option(
    "--color",
    metavar="WHEN",
    help="colour and the layout of a terminal: auto (where there is one), always, never",
    words=WHEN,
)
COMMON = (CONFIG, SPOOL, QUIET, VERBOSE, COLOR, HELP)


class Subcommand:
    """One command of the program: what it takes, what it is for, and the function that does it.

    `about` are paragraphs, `examples` lines to copy, `epilog` more sections of the help; `words` are operands that a shell can offer.
    """

    __slots__ = ("about", "epilog", "examples", "name", "operands", "options", "run", "summary", "words")

    def __init__(
        self,
        name: str,
        run: Callable[[Given], int],
        *,
        summary: str,
        about: str = "",
        operands: str = "",
        options: Sequence[Option] = (),
        examples: Sequence[str] = (),
        epilog: str = "",
        words: Words = (),
    ) -> None:
        self.name = name
        self.run = run
        self.summary = summary
        self.about = about
        self.operands = operands
        self.options = (*options, *COMMON)
        self.examples = examples
        self.epilog = epilog
        self.words = words


class Given:
    """What was given on the command line: values by the option's first name, and the operands."""

    __slots__ = ("command", "operands", "values")

    def __init__(self, command: Subcommand, values: dict[str, list[str]], operands: list[str]) -> None:
        self.command = command
        self.values = values
        self.operands = operands

    def carry_out(self) -> int:
        """Do what was given; returns the exit code. Raises `Problem`."""
        when = self.colour
        if when is None:
            return self.command.run(self)
        from . import show

        with show.colour(when):
            return self.command.run(self)

    @property
    def colour(self) -> str | None:
        """When there is to be colour, if that was said. Raises `Problem` (usage)."""
        when = self.text(COLOR.key)
        if when is not None and when not in WHEN:
            raise usage(f"--color takes auto, always or never, not {when!r}", self.command.name)
        return when

    def flag(self, name: str) -> bool:
        """Whether the option was given at all."""
        return name in self.values

    def count(self, name: str) -> int:
        """How often the option was given."""
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
        """All values of the option, in order."""
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


def read(command: Subcommand, arguments: Iterable[str]) -> Given | None:
    """What plain `arguments` say, those behind the command's name. None: click has to answer, for there is a mistake, or ``--help``."""
    by_name = {name: option for option in command.options for name in option.names}
    values: dict[str, list[str]] = {}
    operands: list[str] = []
    rest = iter(arguments)
    try:
        for argument in rest:
            if argument == "--":
                operands.extend(rest)
            elif argument.startswith("--"):
                name, equals, value = argument.partition("=")
                _take(values, _long(by_name, name), value if equals else None, rest)
            elif argument.startswith("-") and len(argument) > 1:
                _short(values, by_name, argument[1:], rest)
            else:
                operands.append(argument)
    except LookupError:
        return None
    if HELP.key in values or (operands and not command.operands):
        return None
    return Given(command, values, operands)


def _long(by_name: dict[str, Option], name: str) -> Option:
    """The option of this name, or the only one whose name begins so. Raises `LookupError`."""
    if name in by_name:
        return by_name[name]
    near = {option.key: option for known, option in by_name.items() if known.startswith(name)}
    if len(near) != 1:
        raise LookupError
    return near.popitem()[1]


def _short(values: dict[str, list[str]], by_name: dict[str, Option], run: str, rest: Iterator[str]) -> None:
    """``-v``, ``-qv``, ``-fADDRESS``, ``-f ADDRESS``: flags may run together, the first value ends the run. Raises `LookupError`."""
    for at, letter in enumerate(run):
        option = by_name["-" + letter]
        if option.metavar:
            _take(values, option, run[at + 1 :] or None, rest)
            return
        values.setdefault(option.key, []).append("")


def _take(values: dict[str, list[str]], option: Option, value: str | None, rest: Iterator[str]) -> None:
    """Add a value to those of `option`: what came with its name, else what comes next. Raises `LookupError`."""
    wanted = bool(option.metavar)
    if (value is not None and not wanted) or (option.key in values and wanted and not option.repeat):
        raise LookupError
    if value is None:
        value = "" if option.optional or not wanted else next(rest, None)
        if value is None:
            raise LookupError
    values.setdefault(option.key, []).append(value)
