"""The small reader of options: what getopt_long(3) takes, and nothing that is a mistake."""

from __future__ import annotations

import pytest

from mailer.cli.options import JSON, Given, Option, Subcommand, read
from mailer.mail.problem import Problem

COMMAND = Subcommand(
    "try",
    lambda _: 0,
    summary="a command for the tests",
    operands="[X…]",
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


PLAIN: list[tuple[list[str], dict[str, list[str]], list[str]]] = [
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
]
"""Arguments, the values by the first names of their options, and the operands."""

MISTAKES = [
    (["--nonsense"], "unknown option --nonsense"),
    (["--jsn"], "unknown option --jsn; did you mean --json?"),
    (["--delay"], "unknown option --delay (see"),  # the dashes alone are no likeness to --help
    (["-x"], "unknown option -x"),
    (["-qx"], "unknown option -x"),
    (["-é"], "unknown option -é"),
    (["--sender"], "--sender needs ADDRESS"),
    (["-f"], "--sender needs ADDRESS"),
    (["--send"], "--sender needs ADDRESS"),
    (["--json=yes"], "--json takes no value"),
    (["--sender", "a", "-f", "b"], "--sender was given twice"),
    (["--wait=1", "--wait"], "--wait was given twice"),
    (["--te", "x"], "--te could be --text or --text-file"),
    (["--=x"], "-- could be"),
]
"""Arguments, and how what is said of them begins."""


def given_(*arguments: str) -> Given:
    found = read(COMMAND, arguments)
    assert found
    return found


@pytest.mark.parametrize(("arguments", "values", "operands"), PLAIN)
def test_options_are_read_as_getopt_long_reads_them(arguments: list[str], values: dict[str, list[str]], operands: list[str]) -> None:
    """Values after a blank or =, short ones run together, prefixes, -- and operands anywhere."""
    found = given_(*arguments)
    assert (found.values, found.operands) == (values, operands)


@pytest.mark.parametrize("arguments", [*(arguments for arguments, _ in MISTAKES), ["--help"], ["x", "-h"]])
def test_what_is_not_plain_is_left_to_click(arguments: list[str]) -> None:
    """Mistakes, help, and operands where there are none: nothing is said of them here."""
    assert read(COMMAND, arguments) is None


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
