"""The option reader: what getopt_long(3) takes, each mistake in one sentence, and help that fits a terminal."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.cli import TABLE, load
from mailer.cli.options import COMMON, JSON, Command, Given, Option, help_text, read
from mailer.mail.problem import Problem

COMMAND = Command(
    "try",
    lambda _: 0,
    summary="a command for the tests",
    options=(
        Option("--sender", "-f", metavar="ADDRESS", help="one value"),
        Option("--to", metavar="ADDRESS", help="many values", repeat=True),
        Option("--text", metavar="TEXT", help="a prefix of the next"),
        Option("--text-file", metavar="FILE", help="another"),
        Option("--wait", metavar="SECONDS", help="an optional value", optional=True),
        Option("--limit", metavar="N", help="a number"),
        JSON,
    ),
)


def given_(*arguments: str) -> Given:
    return read(COMMAND, arguments)


@pytest.mark.parametrize(
    ("arguments", "values", "operands"),
    [
        ([], {}, []),
        (["a", "b"], {}, ["a", "b"]),
        (["--sender", "x"], {"--sender": ["x"]}, []),
        (["--sender=x"], {"--sender": ["x"]}, []),
        (["--sender="], {"--sender": [""]}, []),
        (["--sender", ""], {"--sender": [""]}, []),
        (["--sender=a=b"], {"--sender": ["a=b"]}, []),
        (["-f", "x"], {"--sender": ["x"]}, []),
        (["-fx"], {"--sender": ["x"]}, []),
        (["-f", "-x"], {"--sender": ["-x"]}, []),
        (["-f", "--"], {"--sender": ["--"]}, []),
        (["-qv"], {"--quiet": [""], "--verbose": [""]}, []),
        (["-vvf", "x"], {"--verbose": ["", ""], "--sender": ["x"]}, []),
        (["-qfx", "y"], {"--quiet": [""], "--sender": ["x"]}, ["y"]),
        (["--to", "a", "x", "--to=b"], {"--to": ["a", "b"]}, ["x"]),
        (["a", "-q", "b"], {"--quiet": [""]}, ["a", "b"]),
        (["-q", "--", "-q", "--to"], {"--quiet": [""]}, ["-q", "--to"]),
        (["--", "--"], {}, ["--"]),
        (["-"], {}, ["-"]),
        (["--wait"], {"--wait": [""]}, []),
        (["--wait", "5"], {"--wait": [""]}, ["5"]),
        (["--wait=5"], {"--wait": ["5"]}, []),
        (["--send", "x"], {"--sender": ["x"]}, []),
        (["--text", "x"], {"--text": ["x"]}, []),
        (["--text-", "x"], {"--text-file": ["x"]}, []),
        (["--verb"], {"--verbose": [""]}, []),
        (["--json", "--json"], {"--json": ["", ""]}, []),
    ],
)
def test_options_are_read_as_getopt_long_reads_them(arguments: list[str], values: dict[str, list[str]], operands: list[str]) -> None:
    """Values after a blank or =, short ones run together, prefixes, -- and operands anywhere."""
    found = given_(*arguments)
    assert (found.values, found.operands) == (values, operands)


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--nonsense"], "unknown option --nonsense"),
        (["-x"], "unknown option -x"),
        (["-qx"], "unknown option -x"),
        (["-é"], "unknown option -é"),
        (["--sender"], "--sender needs ADDRESS"),
        (["-f"], "--sender needs ADDRESS"),
        (["--json=yes"], "--json takes no value"),
        (["--sender", "a", "-f", "b"], "--sender was given twice"),
        (["--wait=1", "--wait"], "--wait was given twice"),
        (["--te", "x"], "--te could be --text or --text-file"),
        (["--=x"], "-- could be"),
    ],
)
def test_a_mistake_names_the_option_and_where_help_is(arguments: list[str], problem: str) -> None:
    """64, one sentence."""
    with pytest.raises(Problem) as caught:
        given_(*arguments)
    assert caught.value.kind == "usage"
    assert str(caught.value).startswith(problem)
    assert str(caught.value).endswith("(see `mailer try --help`)")


def test_what_was_given_is_asked_for_by_the_first_name() -> None:
    """Flags, counts, one value, all values, numbers; what was not given has its default."""
    found = given_("-vv", "--to", "a", "--to", "b", "--limit", "07", "-f", "x")
    assert (found.flag("--verbose"), found.flag("--json"), found.count("--verbose"), found.count("--json")) == (True, False, 2, 0)
    assert (found.text("--to"), found.text("--text"), found.text("--text", "default")) == ("b", None, "default")
    assert (found.texts("--to"), found.texts("--text")) == (["a", "b"], [])
    assert (found.number("--limit", 5), given_().number("--limit", 5)) == (7, 5)


@pytest.mark.parametrize("text", ["", "-1", "1.5", "x", "1e3", "٣", "0x10", " 1", "9" * 18, "9" * 5000])
def test_a_number_is_a_whole_one(text: str) -> None:
    """64, with what was written."""
    with pytest.raises(Problem, match="--limit takes a whole number, not ") as caught:
        given_("--limit", text).number("--limit", 1)
    assert caught.value.kind == "usage"


@pytest.mark.parametrize("text", ["1", "99999", "9" * 5000])
def test_a_number_keeps_its_limits(text: str) -> None:
    """64, with what they are, in one short line; zeros before it do not count."""
    with pytest.raises(Problem, match=r"--limit takes a whole number from 2 to 65535, not '") as caught:
        given_("--limit", text).number("--limit", 9, least=2, most=65535)
    assert len(str(caught.value)) < 120
    assert given_("--limit", f"{'0' * 5000}25").number("--limit", 9, least=2, most=65535) == 25


@given(st.lists(st.sampled_from(["--sender", "-f", "--to=x", "-q", "-vv", "--", "-", "x", "--wait", "--te", "-fx", "--x", "=", "--=", ""])))
def test_any_arguments_are_read_or_refused(arguments: list[str]) -> None:
    """No order of them is a bug; what follows -- is taken as it is."""
    try:
        found = given_(*arguments)
    except Problem as failure:
        assert failure.kind == "usage"  # noqa: PT017 - either way is right
        return
    assert set(found.values) <= {option.key for option in COMMAND.options}
    assert sum(map(len, found.values.values())) + len(found.operands) >= len(arguments) // 2


def test_help_names_all_that_is_declared() -> None:
    """Each option with its values and its sentence; those that every command has at the end."""
    text = help_text(COMMAND)
    assert text.startswith("usage: mailer try [OPTION…]\n\nA command for the tests.\n\noptions:\n  -f, --sender ADDRESS")
    for option in COMMAND.options:
        assert option.label in text
        assert option.help in " ".join(text.split())
    assert "--wait[=SECONDS]" in text
    assert text.index("--json") < text.index("--config") < text.index("--help")


def commands() -> list[Command]:
    """Every command of the table but sendmail, whose options are another world's."""
    found: list[Command] = []
    for name in TABLE:
        if name != "sendmail":
            module = load(name)
            found += module.COMMANDS.values() if hasattr(module, "COMMANDS") else [module.COMMAND]
    return found


@pytest.mark.parametrize("command", commands(), ids=lambda command: command.name)
def test_the_help_of_every_command_fits_a_terminal(command: Command) -> None:
    """80 columns but for an example to copy, no option declared twice, and the options that all have."""
    lines = help_text(command).splitlines()
    assert [line for line in lines if len(line) > 80 and not line.startswith("  mailer ")] == []
    names = [name for option in command.options for name in option.names]
    assert len(names) == len(set(names))
    assert set(COMMON) <= set(command.options)
    assert [option.key for option in command.options if option.help.endswith(".") or not option.help] == []
    assert command.summary
    assert not command.summary.endswith(".")
