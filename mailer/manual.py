"""The manual pages that are made from the program itself: one a command, the overview, the list of standards.

``python -m mailer.manual --write man`` writes them; a test compares the files with what is printed here, and
fails for a command without a page. What is said of a command is said once, in its `Subcommand`. The pages of
sections 5 and 7 are written by hand, but for `mailer-standards(7)` and `mailer-config(5)`, and so is
`mailer-sendmail(1)`, whose options are not ours to declare. In `mailer-api(7)`, which is written by hand, what lies between two comments
is printed.
"""

from __future__ import annotations

import sys
from collections import Counter
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from mailer.cli import TABLE, load
from mailer.cli.options import COMMON
from mailer.config import manual as configuration

from . import roff, standards

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mailer.cli.options import Option, Subcommand

OPERATORS = frozenset({"doctor", "run"})
BY_HAND = frozenset({"sendmail"})
OTHERS = ("mailer (1)", "mailer-config (5)", "mailer-spool (5)", "mailer-delivery (7)")

SYNOPSIS = """\
.SH SYNOPSIS
.B mailer
.I COMMAND
[\\fIOPTION\\fR...]
.br
.B "mailer \\-\\-help | \\-\\-version"
.SH DESCRIPTION
.B mailer
takes mail from scripts, cron jobs and programs, keeps it safely on disk, delivers it, and says what became of it.
.PP
.B mailer send
puts a message into a directory, the spool, and returns; from then on it survives a power failure. A daemon,
.BR "mailer run" ,
finds out where each recipient's mail goes and delivers it there, tries again what failed for now, and gives up what failed
for good, in which case the sender gets a report.
.B mailer status
tells the state of each message and recipient at any time.
.PP
Started under the name
.BR sendmail ,
.B mailq
or
.BR newaliases ,
the program behaves as these do; see
.BR mailer\\-sendmail (1).
"""

ENVIRONMENT = """\
.SH COMPLETION
A shell completes commands, options, and values that can be known, once it has read what
.B mailer
prints with
.B _MAILER_COMPLETE
set to
.BR bash_source ,
.B zsh_source
or
.BR fish_source .
In
.IR ~/.bashrc ,
.I ~/.zshrc
and
.IR ~/.config/fish/config.fish :
.PP
.EX
eval "$(_MAILER_COMPLETE=bash_source mailer)"
eval "$(_MAILER_COMPLETE=zsh_source mailer)"
env _MAILER_COMPLETE=fish_source mailer | source
.EE
.SH ENVIRONMENT
.TP
.B MAILER_CONFIG
The configuration file, where no
.B \\-\\-config
is given.
.TP
.B XDG_CONFIG_HOME, XDG_STATE_HOME
Where a user's configuration and spool are, in a directory
.IR mailer ;
by default
.I ~/.config
and
.IR ~/.local/state .
A relative path there, or in
.BR HOME ,
does not count.
.TP
.B NO_COLOR
If it is set and not empty, nothing is coloured.
.SH FILES
.TP
.I ~/.config/mailer/config.toml, /etc/mailer/config.toml
The configuration; the first one that exists. See
.BR mailer\\-config (5).
.TP
.I ~/.local/state/mailer, /var/spool/mailer
The spool, of a user and of root. See
.BR mailer\\-spool (5).
"""

STANDARDS = """\
.SH DESCRIPTION
Each rule of a standard is marked with its section where the source keeps to it. This list is made of those marks: the sections, and the \
files below
.I mailer/
that name them.
.SH STANDARDS
"""

EXIT_STATUS = {
    0: "Done.",
    64: "The command line is wrong.",
    65: "The message, or what is in it, is wrong.",
    67: "There is no such message or user.",
    69: "What is needed is not available, or, with --wait, the message failed.",
    70: "A bug in mailer.",
    73: "Something cannot be created.",
    74: "An error of the disk or of another device.",
    75: "Something that passes: try again.",
    77: "No permission.",
    78: "The configuration is wrong.",
}
"""Those of sysexits(3) that the program uses."""


def pages() -> dict[str, Callable[[], str]]:
    """Each generated page by its file name, as what makes its text."""
    commands = {file_of(name): partial(command_page, name) for name in TABLE if name not in BY_HAND}
    return {
        "mailer.1": overview,
        **commands,
        "mailer-config.5": configuration.page,
        "mailer-standards.7": standards_page,
        "mailer-api.7": api_page,
    }


def file_of(name: str) -> str:
    """The file of a command's page."""
    return f"mailer-{name}.{_section(name)}"


def _section(name: str) -> int:
    return 8 if name in OPERATORS else 1


def overview() -> str:
    """`mailer(1)`."""
    parts = [roff.title("mailer", 1, "take mail, deliver it, and say what became of it"), SYNOPSIS, roff.heading("COMMANDS")]
    parts += [roff.item(f".B {roff.text('mailer ' + name)}", roff.sentence(summary)) for name, summary in TABLE.items()]
    parts += [roff.heading("OPTIONS"), "Every command takes these:\n", *map(_option, COMMON), ENVIRONMENT, roff.heading("EXIT STATUS")]
    parts += [roff.item(f".B {code}", roff.text(meaning)) for code, meaning in EXIT_STATUS.items()]
    pages = [f"mailer-{name} ({_section(name)})" for name in TABLE]
    guides = [
        f"mailer-{name}"
        for name in (
            "library (3)",
            "api (7)",
            "troubleshooting (7)",
            "security (7)",
            "tuning (7)",
            "providers (7)",
            "deliverability (7)",
            "feedback (7)",
            "metrics (7)",
            "standards (7)",
        )
    ]
    return "".join((*parts, roff.see_also([*pages, *OTHERS[1:], *guides])))


def command_page(name: str) -> str:
    """The page of command `name`, with all that it does where a second word chooses."""
    module = load(name)
    body = _one(module.COMMAND) if hasattr(module, "COMMAND") else _several(list(module.COMMANDS.values()))
    return roff.title(f"mailer-{name}", _section(name), TABLE[name]) + "".join(body) + roff.see_also(OTHERS)


def _one(command: Subcommand) -> Iterator[str]:
    yield roff.heading("SYNOPSIS") + _synopsis(command)
    yield roff.heading("DESCRIPTION") + roff.paragraphs(command.about or roff.capital(command.summary))
    yield roff.heading("OPTIONS")
    yield from map(_option, command.options)
    yield _examples([command])
    yield from _sections(command.epilog)


def _several(commands: list[Subcommand]) -> Iterator[str]:
    """What commands share is said once, at the end."""
    times = Counter(option for command in commands for option in command.options)
    shared = [option for option, count in times.items() if count > 1 and option not in COMMON]
    yield roff.heading("SYNOPSIS") + ".br\n".join(map(_synopsis, commands)) + roff.heading("COMMANDS")
    for command in commands:
        yield roff.heading(f"mailer {command.name}", "SS")
        yield roff.paragraphs(f"{roff.capital(command.summary)}.\n\n{command.about}")
        if names := ", ".join(roff.bold(option.key) for option in command.options if option in shared):
            yield f".PP\nTakes {names}; see below.\n"
        yield from (_option(option) for option in command.options if option not in (*shared, *COMMON))
    yield roff.heading("OPTIONS OF SEVERAL COMMANDS")
    yield from map(_option, (*shared, *COMMON))
    yield _examples(commands)
    for epilog in dict.fromkeys(command.epilog for command in commands):
        yield from _sections(epilog)


def standards_page() -> str:
    """`mailer-standards(7)`."""
    found = standards.cited(Path(standards.__file__).parent)
    parts = [roff.title("mailer-standards", 7, "the standards that mailer keeps to, and where"), STANDARDS]
    for number, sections in sorted(found.items()):
        parts.append(roff.item(f".B RFC {number}", f"{roff.text(standards.TITLES.get(number, '(title unknown)'))}."))
        for section, files in standards.in_order(sections):
            parts.append(f".br\n{roff.text(section + ' ' if section else '')}({roff.text(', '.join(files))})\n")
    return "".join(parts) + roff.see_also(OTHERS)


def api_page() -> str:
    """`mailer-api(7)`: what is written by hand, and between its marks what `mailer.web.manual` prints."""
    from mailer.web.manual import BLOCKS

    text = Path(__file__).parents[1].joinpath("man", "mailer-api.7").read_text(encoding="ascii")
    for name, printed in BLOCKS.items():
        begin, end = f'.\\" Made by `python -m mailer.manual --write man`: {name}.\n', f'.\\" End of {name}.\n'
        before, _, rest = text.partition(begin)
        text = f"{before}{begin}{printed()}{end}{rest.partition(end)[2]}"
    return text


def _synopsis(command: Subcommand) -> str:
    operands = f" {roff.text(command.operands)}" if command.operands else ""
    return f".B mailer {roff.text(command.name)}\n[\\fIOPTION\\fR...]{operands}\n"


def _option(option: Option) -> str:
    names = ", ".join(map(roff.bold, sorted(option.names, key=len)))
    if option.metavar:
        value = roff.italic(option.metavar)
        names += f"[={value}]" if option.optional else f" {value}"
    more = " May be given more than once." if option.repeat and option.metavar and "repeated" not in option.help else ""
    return roff.item(names, roff.sentence(option.help) + more)


def _examples(commands: list[Subcommand]) -> str:
    return roff.heading("EXAMPLES") + roff.example(example for command in commands for example in command.examples)


def _sections(epilog: str) -> Iterator[str]:
    """An epilog as sections: ``title:`` and indented lines are an example, ``exit codes: 0 … · 64 …`` becomes a list."""
    for block in filter(None, epilog.strip("\n").split("\n\n")):
        head, *lines = block.split("\n")
        title, _, text = block.partition(":")
        if head.endswith(":"):
            title, _, more = head[:-1].partition(", ")
            yield roff.heading(title.upper())
            yield f"{roff.text(roff.capital(more))}:\n.PP\n" if more else ""
            yield roff.example(lines)
        elif title == "exit codes":
            yield roff.heading("EXIT STATUS")
            yield from map(_exit_code, " ".join(text.split()).split(" · "))
        else:
            yield roff.heading(title.upper()) + roff.sentence(" ".join(text.split()).replace(" · ", ", ")) + "\n"


def _exit_code(item: str) -> str:
    """``73, 74 spool error`` as an item of a list."""
    codes, words = [], item.split(" ")
    while words and words[0].rstrip(",").isdigit():
        codes.append(words.pop(0))
    return roff.item(f".B {roff.text(' '.join(codes))}", roff.sentence(" ".join(words) or "done"))


def main(arguments: list[str]) -> int:
    """Write the pages into a directory, or say how."""
    if len(arguments) != 2 or arguments[0] != "--write":
        sys.stderr.write("usage: python -m mailer.manual --write DIRECTORY\n")
        return 64
    for name, text in pages().items():
        Path(arguments[1], name).write_text(text(), encoding="ascii")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
