"""click as the command line: reads what the small reader reads, says each mistake in one sentence, has help that fits a screen."""

from __future__ import annotations

from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.cli import OFTEN, TABLE, load
from mailer.cli.click_face import ClickCommand, invoke
from mailer.cli.options import COMMON, Given, Option, Subcommand, read
from mailer.mail.problem import Problem

from .test_options import COMMAND, MISTAKES, PLAIN


def commands() -> list[Subcommand]:
    """Every command of the table but sendmail, whose options are another world's."""
    modules = [load(name) for name in TABLE if name != "sendmail"]
    return [command for module in modules for command in getattr(module, "COMMANDS", {"": getattr(module, "COMMAND", None)}).values()]


COMMANDS = [COMMAND, *commands()]
every_command = pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)


def by_click(command: Subcommand, arguments: list[str]) -> Given | None:
    """What click reads; None where it sees a mistake or prints help."""
    heard: list[Given] = []
    own = command.options[: -len(COMMON)]
    listening = Subcommand(command.name, lambda found: heard.append(found) or 0, summary="x", operands=command.operands, options=own)
    try:
        assert invoke(ClickCommand(listening), arguments) == 0
    except Problem as problem:
        assert problem.kind == "usage"  # noqa: PT017 - a mistake, or none
    return heard[0] if heard else None


def as_data(found: Given | None) -> object:
    """What was read; nothing where it is a mistake, as --color=sometimes is."""
    try:
        return found and (found.colour, found.values, found.operands)[1:]
    except Problem:
        return None


@pytest.mark.parametrize(("arguments", "values", "operands"), PLAIN)
def test_click_reads_as_getopt_long_does(arguments: list[str], values: dict[str, list[str]], operands: list[str]) -> None:
    """What the small reader takes, click takes."""
    assert as_data(by_click(COMMAND, arguments)) == (values, operands)


def _cut(name: str, end: int) -> str:
    return name[:end]


def spelled(option: Option) -> st.SearchStrategy[str]:
    """An option as somebody may write it: in full, cut short, with a value behind a = or its letter, or with other letters."""
    ways = []
    for name in option.names:
        values = st.sampled_from(["", "x", "5", "-5", "--", "=", "a=b", "-q", "é", "\udce9"])
        if name.startswith("--"):
            cut = st.one_of(st.just(name), st.integers(2, len(name)).map(partial(_cut, name)))
            ways += [cut, st.builds("{}={}".format, cut, values)]
        else:
            ways += [st.just(name), st.builds("{}{}".format, st.sampled_from([name, f"-v{name[1]}", f"-qv{name[1]}"]), values)]
    return st.one_of(ways)


ODD = st.sampled_from(["", "x", "5", "-", "--", "-5", "=", "--=", "--=x", "-=x", "--zzz", "-Z", "é", "-é", "a@example.com", "\udce9"])


def arguments_of(command: Subcommand) -> st.SearchStrategy[tuple[Subcommand, list[str]]]:
    """Command lines that are nearly right."""
    words = st.lists(st.one_of(ODD, *map(spelled, command.options)), max_size=6)
    return st.tuples(st.just(command), words)


@given(st.sampled_from(COMMANDS).flatmap(arguments_of))
def test_click_and_the_small_reader_read_the_same(line: tuple[Subcommand, list[str]]) -> None:
    """For any arguments of any command: the same values and operands, or both see something else than a plain line."""
    command, arguments = line
    assert as_data(read(command, arguments)) == as_data(by_click(command, arguments))


@pytest.mark.parametrize(("arguments", "problem"), MISTAKES)
def test_a_mistake_names_the_option_and_where_help_is(arguments: list[str], problem: str) -> None:
    """64, one sentence."""
    with pytest.raises(Problem) as caught:
        invoke(ClickCommand(COMMAND), arguments)
    assert caught.value.kind == "usage"
    assert str(caught.value).startswith(problem)
    assert str(caught.value).endswith("(see `mailer try --help`)")


def help_of(command: Subcommand, *more: str) -> str:
    """What ``--help`` prints."""
    face = ClickCommand(command)
    with face.make_context(command.name, ["--help", *more]) as context:
        return context.get_help()


@every_command
def test_help_fits_a_screen_and_begins_with_an_example(command: Subcommand) -> None:
    """80 columns but for an example to copy, a line for each option, and 24 lines where there are few."""
    lines = help_of(command).splitlines()
    own = command.options[: -len(COMMON)]
    assert [line for line in lines if len(line) > 80 and not line.startswith("  ")] == []
    assert lines[0].startswith(f"usage: mailer {command.name} [OPTION…]")
    assert command is COMMAND or lines[2].startswith("  ")
    assert len(lines) <= max(24, len(own) + 18)
    assert len(lines) <= 50
    shown = [line for line in lines if line.startswith(tuple(f"  {option.label}" for option in own))]
    assert len(shown) == len(own)


@every_command
def test_all_of_the_help_is_for_who_asks_for_it(command: Subcommand) -> None:
    """With -v: every option with its whole sentence, all paragraphs, all examples."""
    text = help_of(command, "-v")
    words = "".join(text.split())
    for part in (*command.examples, *(option.label for option in command.options)):
        assert part in text
    for part in (*(option.help for option in command.options), *command.about.split("\n\n")):
        assert "".join(part.split()) in words


@every_command
def test_what_is_declared_is_whole(command: Subcommand) -> None:
    """No option is declared twice, and the options that all have are there; what is said of them is no sentence yet."""
    names = [name for option in command.options for name in option.names]
    assert len(names) == len(set(names))
    assert set(COMMON) <= set(command.options)
    assert [option.key for option in command.options if option.help.endswith(".") or not option.help] == []
    assert [option.key for option in command.options if option.optional and len(option.names) > 1] == []
    assert command.summary
    assert not command.summary.endswith(".")
    assert command is COMMAND or command.examples
    assert all(f"mailer {command.name.partition(' ')[0]}" in example for example in command.examples)
    assert command is COMMAND or f"mailer {command.name}" in command.examples[0]


def test_what_is_started_often_is_there() -> None:
    """The commands whose plain arguments are read without click."""
    assert {command.name for command in COMMANDS} >= OFTEN
