"""The commands as click commands, made from their declarations: parser, help, errors and completion of the command line.

Nothing is imported before it is asked for: a group knows the names of its commands and what they do, and makes the one that is meant.
What click says of a mistake becomes one line, as everywhere: what it is, and where help is. In three things click reads otherwise than
getopt_long(3), and is brought to it here: unambiguous prefixes of long names, values that may be left out, and values given twice.

A shell asks for completions by the variable ``_MAILER_COMPLETE``, as click's scripts for bash, zsh and fish do.
"""

from __future__ import annotations

import itertools
import os
import sys
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from mailer import __version__
from mailer.mail.problem import Problem

from . import OK, USAGE
from .options import COMMON, HELP, VERBOSE, Given, usage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from .options import Option, Subcommand, Words

COMPLETE = "_MAILER_COMPLETE"
WIDTH = 80
LABEL = 26  # columns for the names of options
ANY: dict[str, Any] = {"ignore_unknown_options": True}  # words are taken as they are
SHOWN = 3  # examples, where not all are asked for
FILES = {"FILE": "file", "PATH": "file", "DIR": "dir", "MAILDIR": "dir"}
"""What a shell completes by itself, by the name of the value or the operands."""


def run(arguments: Sequence[str], table: Mapping[str, str], load: Callable[[str], Any]) -> int:
    """Do what `arguments` ask of the commands of `table`, whose modules `load` imports; returns the exit code.

    Raises `Problem`, one of usage for a mistake in the arguments.
    """
    program = _program(table, load)
    if not arguments and (asked := os.environ.get(COMPLETE)):
        from .completion import shell_complete

        return shell_complete(program, {}, "mailer", COMPLETE, asked)
    return invoke(program, arguments)


def invoke(command: click.Command, arguments: Sequence[str]) -> int:
    """Let `command` read `arguments` and do what they ask for; returns the exit code. Raises `Problem`, of usage for a mistake in them."""
    try:
        with command.make_context(command.name, [*arguments]) as context:
            code: int = command.invoke(context)
            return code
    except click.exceptions.Exit as end:
        return end.exit_code


def _program(table: Mapping[str, str], load: Callable[[str], Any]) -> ClickGroup:
    """The program itself: the group of all commands."""

    def page() -> str:
        lines = "\n".join(f"  {name:<10} {summary}" for name, summary in table.items())
        return f"usage: mailer COMMAND [OPTION…]\n\n{lines}\n\n`mailer COMMAND --help` says more, and `mailer help COMMAND` all."

    def make(name: str) -> click.Command:
        if name == "sendmail":  # known to shells only: it reads its own options, and is answered before
            return click.Command(name, ANY, params=[_operands("")])
        module = load(name)
        return ClickCommand(module.COMMAND) if hasattr(module, "COMMAND") else _group(name, module.COMMANDS)

    def unknown(name: str) -> Problem:
        if name.startswith("--") and name.strip("-"):
            return Problem(f"there is no command {name!r}; options stand behind the command: mailer COMMAND {name}", "usage")
        near = nearest(name, [*table])
        hint = f"did you mean `{near}`?" if near else "`mailer --help` lists the commands"
        return Problem(f"there is no command {name!r}; {hint}", "usage")

    program = ClickGroup("mailer", table, make, page, unknown)
    program.params.append(_answered(("--version", "-V"), lambda _: f"mailer {__version__}"))
    return program


def _group(name: str, commands: Mapping[str, Subcommand]) -> ClickGroup:
    """A command whose next word chooses; of names with two words the first one is a group of its own. The name "" is for no word."""
    inner: dict[str, dict[str, Subcommand]] = {}
    for words, each in commands.items():
        first, _, rest = words.partition(" ")
        if rest:
            inner.setdefault(first, {})[rest] = each
    firsts = dict.fromkeys(words.partition(" ")[0] for words in commands)
    lines = "\n".join(f"  mailer {each.name:<24}{each.summary}" for words, each in commands.items() if words)

    def page() -> str:
        return f"usage: mailer {name} COMMAND [OPTION…]\n\n{lines}\n\n`mailer {name} COMMAND --help` says more."

    def unknown(word: str) -> Problem:
        return Problem(f"`mailer {name}` has no {word!r}; it has {', '.join(filter(None, firsts))}", "usage")

    def make(word: str) -> click.Command:
        if word in inner:
            return _group(f"{name} {word}", inner[word])
        return ClickCommand(commands[word], f"besides:\n{lines}\n" if lines and not word else "")

    summaries = {word: f"{', '.join(inner[word])}" if word in inner else commands[word].summary for word in firsts}
    return ClickGroup(name, summaries, make, page, unknown)


def _say(text: str) -> int:
    print(text)
    return OK


def _answered(names: Sequence[str], answer: Callable[[click.Context], str]) -> click.Option:
    """An option that is a question: it is answered, and nothing is done."""

    def said(context: click.Context, _: click.Parameter, value: bool) -> None:
        if value and not context.resilient_parsing:
            context.exit(_say(answer(context)))

    return click.Option([*names], is_flag=True, is_eager=True, expose_value=False, callback=said)


def _operands(metavar: str, words: Words = ()) -> click.Argument:
    def offered(context: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
        return _offered(context, metavar.strip("[]…"), words, incomplete)

    return click.Argument(["operands"], nargs=-1, type=click.UNPROCESSED, metavar=metavar, shell_complete=offered)


def _offered(context: click.Context, metavar: str, words: Words, incomplete: str) -> list[CompletionItem[str]]:
    """What a shell can offer for a value; nothing where that cannot be found out."""
    if metavar in FILES:
        return [CompletionItem(incomplete, type=FILES[metavar])]
    command = context.command
    if callable(words):
        try:
            words = [*words(command.given(context.params))] if isinstance(command, ClickCommand) else []
        except Problem:
            return []
    return [CompletionItem(word) for word in words if word.startswith(incomplete)]


class ClickGroup(click.Group):
    """A command whose next word is a command; `make` makes the one of a name, and `unknown` says that there is none."""

    def __init__(
        self,
        name: str,
        summaries: Mapping[str, str],
        make: Callable[[str], click.Command],
        page: Callable[[], str],
        unknown: Callable[[str], Problem],
    ) -> None:
        asked = _answered(HELP.names, click.Context.get_help)
        super().__init__(name, params=[asked], add_help_option=False, no_args_is_help=False)
        self.summaries = summaries
        self.make = make
        self.page = page
        self.unknown = unknown

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's interface
        """The names of the commands, in order."""
        return [*filter(None, self.summaries)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of this name. Raises `Problem` (usage) if there is none."""
        if cmd_name in self.summaries:
            return self.make(cmd_name)
        if ctx.resilient_parsing:
            return None
        raise self.unknown(cmd_name)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Without a word do what is meant then, or say what there is: for nothing was asked for. Raises `Problem` (usage)."""
        if "" in self.summaries and (not args or args[0].startswith("-")) and args[:1] != ["--"]:
            args = ["", *args]
        if not args and not ctx.resilient_parsing:
            print(ctx.get_help(), file=sys.stderr if ctx.parent else sys.stdout)
            ctx.exit(USAGE)
        if args[:1] == ["--"]:
            raise self.unknown("--")
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            raise self.unknown(error.option_name) from None

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's interface
        """Write the help of the group: its commands."""
        formatter.write(self.page())

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem[str]]:
        """The names that begin with `incomplete`, without a look at the commands themselves."""
        found = [CompletionItem(name, help=about) for name, about in self.summaries.items() if name and name.startswith(incomplete)]
        if "" in self.summaries:
            return found + self.make("").shell_complete(ctx, incomplete)
        return found + click.Command.shell_complete(self, ctx, incomplete)


class ClickCommand(click.Command):
    """One command, as it is declared; `besides` stands at the end of its help."""

    def __init__(self, declared: Subcommand, besides: str = "") -> None:
        self.declared = declared
        self.besides = besides
        self.taken = [ClickOption(option, declared.options) for option in declared.options]
        params = [*self.taken, _operands(declared.operands, declared.words)]
        super().__init__(declared.name, context_settings={"terminal_width": WIDTH}, params=params, add_help_option=False)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read `args`. Raises `Problem` (usage)."""
        try:
            return super().parse_args(ctx, [*self._explicit(args)])
        except click.NoSuchOption as error:
            problem = self.unknown(error.option_name)
        except click.BadOptionUsage as error:
            option = next(each.declared for each in self.taken if error.option_name in each.spelled)
            problem = f"{option.key} needs {option.metavar}" if option.metavar else f"{option.key} takes no value"
        raise usage(problem, self.declared.name)

    def _explicit(self, args: list[str]) -> Iterator[str]:
        """`args` with ``=`` behind each option whose value is left out, for click would take what comes next as its value."""
        bare = {name for option in self.taken if option.declared.optional for name in option.spelled}
        valued = {name for option in self.taken if option.declared.metavar for name in option.spelled} - bare
        rest = iter(args)
        for arg in rest:
            yield arg + "=" if arg in bare else arg
            if arg == "--":
                yield from rest
            elif arg in valued or _ends_with_one(arg, valued):
                yield from itertools.islice(rest, 1)  # which is a value, whatever it looks like

    def given(self, params: Mapping[str, object]) -> Given:
        """What was given, as every command takes it."""
        values: dict[str, list[str]] = {}
        for option in self.taken:
            found = params.get(option.name)
            if isinstance(found, int) and found:
                values[option.declared.key] = [""] * found
            elif isinstance(found, tuple) and found:
                values[option.declared.key] = [*found]
        operands = params.get("operands")
        return Given(self.declared, values, [*operands] if isinstance(operands, tuple) else [])

    def invoke(self, ctx: click.Context) -> int:
        """Run the command, or print its help. Raises `Problem` (usage) for what is more than the command takes."""
        given = self.given(ctx.params)
        if given.flag(HELP.key):
            return _say(ctx.get_help())
        if given.operands and not self.declared.operands:
            raise usage(f"{self.declared.name} takes no operands, such as {given.operands[0]!r}", self.declared.name)
        for option in self.declared.options:
            if option.metavar and not option.repeat and given.count(option.key) > 1:
                raise usage(f"{option.key} was given twice", self.declared.name)
        return given.carry_out()

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """What ``--help`` prints: a screen that begins with examples; with ``-v`` all that there is to say."""
        whole = bool(ctx.params.get(VERBOSE.key.strip("-")))
        _write(formatter, self.declared, whole=whole)
        formatter.write(self.besides and f"{self.besides}\n")
        formatter.write("" if whole else f"`mailer {self.declared.name} --help -v` says all.")

    def unknown(self, name: str) -> str:
        """What is said of an option that is not known."""
        spelled = {known: option.declared.key for option in self.taken for known in option.declared.names}
        if near := {key: None for known, key in spelled.items() if known.startswith(name)}:
            return f"{name} could be {' or '.join(sorted(near))}"
        near_name = nearest(name[2:], [known[2:] for known in spelled if known.startswith("--")]) if name.startswith("--") else ""
        return f"unknown option {name}" + (f"; did you mean --{near_name}?" if near_name else "")


class ClickOption(click.Option):
    """One option, as it is declared; `others` are all of its command."""

    name: str

    def __init__(self, declared: Option, others: Sequence[Option]) -> None:
        self.declared = declared
        self.prefixes = [*_prefixes(declared, others)]
        self.spelled = {*declared.names, *self.prefixes}
        names = [*declared.names, declared.key.strip("-").replace("-", "_")]
        if declared.metavar:
            super().__init__(names, metavar=declared.metavar, multiple=True, type=click.UNPROCESSED, help=declared.help)
        else:
            super().__init__(names, count=True, help=declared.help)

    def add_to_parser(self, parser: Any, ctx: click.Context) -> None:
        """Let the parser know the prefixes, too; what is shown and offered are the whole names."""
        names, self.opts = self.opts, [*self.opts, *self.prefixes]
        super().add_to_parser(parser, ctx)
        self.opts = names

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem[str]]:
        """The values of the option that begin with `incomplete`."""
        return _offered(ctx, self.declared.metavar, self.declared.words, incomplete)


def _ends_with_one(arg: str, valued: set[str]) -> bool:
    """Whether `arg` is a run of short options of which the last takes a value, and the others none: ``-qf``."""
    if not arg.startswith("-") or arg.startswith("--"):
        return False
    return [at for at, letter in enumerate(arg) if at and "-" + letter in valued][:1] == [len(arg) - 1]


def _prefixes(option: Option, others: Sequence[Option]) -> Iterator[str]:
    """The beginnings of its long names that are those of no other option, and no names themselves."""
    exact = {name for each in others for name in each.names}
    foreign = [name for each in others if each is not option for name in each.names]
    for name in option.names:
        for end in range(3, len(name)) if name.startswith("--") else ():
            prefix = name[:end]
            if prefix not in exact and not any(each.startswith(prefix) for each in foreign):
                yield prefix


def nearest(name: str, known: Sequence[str]) -> str:
    """The one of `known` that is most like `name`; empty if none is."""
    import difflib

    return next(iter(difflib.get_close_matches(name, known, 1)), "")


def _write(page: click.HelpFormatter, command: Subcommand, *, whole: bool) -> None:
    """The help of a command: `whole`, or so much of it that each option has its line."""
    page.write_usage(f"mailer {command.name}", f"[OPTION…] {command.operands}".rstrip(), prefix="usage: ")
    page.write("\n" + "".join(f"  {line}\n" for line in (command.examples if whole else command.examples[:SHOWN])) + "\n")
    about = command.about if whole else command.about.partition(". ")[0].partition("\n")[0].rstrip(".:") + "."
    page.write_text(f"{command.summary[0].upper()}{command.summary[1:]}. {about}".removesuffix(" ."))
    if own := [option for option in command.options if whole or option not in COMMON]:
        rows = [(option.label, option.help) for option in own]
        with page.section("options"):
            page.write_dl(rows if whole else _in_a_line(rows), col_max=LABEL)
    page.write("\n")
    if not whole:
        page.write(f"everywhere: {', '.join(name for option in COMMON for name in option.names)}\n")
    for block in filter(None, command.epilog.strip("\n").split("\n\n")):
        if whole or block.startswith("exit codes"):
            page.write(block + "\n") if "\n  " in block else page.write_text(block)  # examples and tables stay as they are
            page.write("\n" if whole else "")


def _in_a_line(rows: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """The options with so much of what is said of them that each has a line."""
    from textwrap import shorten

    wide = min(max(len(label) for label, _ in rows), LABEL)
    return [(label, shorten(text.partition("; ")[0], WIDTH - wide - 6, placeholder=" …")) for label, text in rows]
