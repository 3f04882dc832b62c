"""The manual pages that are made from the program itself: one a command, the overview, the list of standards.

``python -m mailer.manual --write man`` writes them; a test compares the files with what is printed here, and
fails for a command without a page. What is said of a command is said once, in its `Subcommand`. The pages of
sections 5 and 7 are written by hand, but for `mailer-standards(7)` and `mailer-config(5)`, and so is
`mailer-sendmail(1)`, whose options are not ours to declare.
"""

from __future__ import annotations

import sys
from collections import Counter
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from mailer.cli import TABLE, load
from mailer.cli.options import COMMON

from . import standards

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mailer.cli.options import Option, Subcommand

DAEMONS = frozenset({"run"})
BY_HAND = frozenset({"sendmail"})
OTHERS = ("mailer (1)", "mailer-config (5)", "mailer-spool (5)", "mailer-delivery (7)")

OVERVIEW = """\
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
    return {"mailer.1": overview, **commands, "mailer-standards.7": standards_page}


def file_of(name: str) -> str:
    """The file of a command's page."""
    return f"mailer-{name}.{8 if name in DAEMONS else 1}"


def overview() -> str:
    """`mailer(1)`."""
    parts = [_title("MAILER", 1), _name("mailer", "take mail, deliver it, and say what became of it")]
    parts.append('.SH SYNOPSIS\n.B mailer\n.I COMMAND\n[\\fIOPTION\\fR...]\n.br\n.B "mailer \\-\\-help | \\-\\-version"\n')
    parts.append(OVERVIEW + ".SH COMMANDS\n")
    parts += [f".TP\n.B {_roff('mailer ' + name)}\n{_sentence(summary)}\n" for name, summary in TABLE.items()]
    parts.append(".SH OPTIONS\nEvery command takes these:\n" + "".join(map(_option, COMMON)))
    parts.append(ENVIRONMENT + ".SH EXIT STATUS\n")
    parts += [f".TP\n.B {code}\n{_roff(meaning)}\n" for code, meaning in EXIT_STATUS.items()]
    pages = [f"mailer-{name} ({8 if name in DAEMONS else 1})" for name in TABLE]
    guides = ("mailer-providers (7)", "mailer-deliverability (7)", "mailer-standards (7)")
    return "".join(parts) + _see_also([*pages, *OTHERS[1:], *guides])


def command_page(name: str) -> str:
    """The page of command `name`, with all that it does where a second word chooses."""
    module = load(name)
    page = f"mailer-{name}"
    head = _title(page.upper(), 8 if name in DAEMONS else 1) + _name(page, TABLE[name])
    body = _one(module.COMMAND) if hasattr(module, "COMMAND") else _several(list(module.COMMANDS.values()))
    return head + body + _see_also(OTHERS)


def _one(command: Subcommand) -> str:
    parts = [".SH SYNOPSIS\n", _synopsis(command), ".SH DESCRIPTION\n", _paragraphs(command.about or _capital(command.summary))]
    return "".join((*parts, ".SH OPTIONS\n", *map(_option, command.options), _examples([command]), *_sections(command.epilog)))


def _several(commands: list[Subcommand]) -> str:
    """What commands share is said once, at the end."""
    times = Counter(option for command in commands for option in command.options)
    shared = [option for option, count in times.items() if count > 1 and option not in COMMON]
    parts = [".SH SYNOPSIS\n", ".br\n".join(map(_synopsis, commands)), ".SH COMMANDS\n"]
    for command in commands:
        parts.append(f".SS {_roff('mailer ' + command.name)}\n")
        parts.append(_paragraphs(f"{_capital(command.summary)}.\n\n{command.about}"))
        parts.append(_takes([option for option in command.options if option in shared]))
        parts += [_option(option) for option in command.options if option not in (*shared, *COMMON)]
    parts += [".SH OPTIONS OF SEVERAL COMMANDS\n", *map(_option, (*shared, *COMMON))]
    parts.append(_examples(commands))
    for epilog in dict.fromkeys(command.epilog for command in commands):
        parts += _sections(epilog)
    return "".join(parts)


def _takes(options: list[Option]) -> str:
    names = ", ".join(f"\\fB{_roff(option.key)}\\fR" for option in options)
    return f".PP\nTakes {names}; see below.\n" if names else ""


def standards_page() -> str:
    """`mailer-standards(7)`."""
    found = standards.cited(Path(standards.__file__).parent)
    parts = [_title("MAILER-STANDARDS", 7), _name("mailer-standards", "the standards that mailer keeps to, and where")]
    parts.append(
        ".SH DESCRIPTION\nEach rule of a standard is marked with its section where the source keeps to it. This list is made of "
        "those marks: the sections, and the files below\n.I mailer/\nthat name them.\n.SH STANDARDS\n"
    )
    for number, sections in sorted(found.items()):
        parts.append(f".TP\n.B RFC {number}\n{_roff(standards.TITLES.get(number, '(title unknown)'))}.\n")
        for section, files in standards.in_order(sections):
            parts.append(f".br\n{_roff(section + ' ' if section else '')}({_roff(', '.join(files))})\n")
    return "".join(parts) + _see_also(OTHERS)


def _title(title: str, section: int) -> str:
    kind = {1: "User commands", 7: "Miscellanea", 8: "System administration"}[section]
    return (
        f'.\\" Made by `python -m mailer.manual --write man`; change what it is made of.\n.TH {_roff(title)} {section} "" mailer "{kind}"\n'
    )


def _name(page: str, summary: str) -> str:
    return f".SH NAME\n{_roff(page)} \\- {_roff(summary)}\n"


def _synopsis(command: Subcommand) -> str:
    operands = f" {_roff(command.operands)}" if command.operands else ""
    return f".B mailer {_roff(command.name)}\n[\\fIOPTION\\fR...]{operands}\n"


def _option(option: Option) -> str:
    names = ", ".join(f"\\fB{_roff(name)}\\fR" for name in sorted(option.names, key=len))
    if option.metavar:
        value = f"\\fI{_roff(option.metavar)}\\fR"
        names += f"[={value}]" if option.optional else f" {value}"
    more = " May be given more than once." if option.repeat and option.metavar and "repeated" not in option.help else ""
    return f".TP\n{names}\n{_sentence(option.help)}{more}\n"


def _examples(commands: list[Subcommand]) -> str:
    lines = "\n".join(_roff(example) for command in commands for example in command.examples)
    return f".SH EXAMPLES\n.EX\n{lines}\n.EE\n"


def _sections(epilog: str) -> Iterator[str]:
    """An epilog as sections: ``title:`` and indented lines are an example, ``exit codes: 0 … · 64 …`` becomes a list."""
    for block in filter(None, epilog.strip("\n").split("\n\n")):
        head, _, rest = block.partition("\n")
        title, _, text = block.partition(":")
        if head.endswith(":"):
            title, _, more = head[:-1].partition(", ")
            yield f".SH {_roff(title.upper())}\n"
            yield f"{_roff(_capital(more))}:\n.PP\n" if more else ""
            yield f".EX\n{_lines(rest)}\n.EE\n"
        elif title == "exit codes":
            yield ".SH EXIT STATUS\n"
            yield "".join(_exit_code(item) for item in " ".join(text.split()).split(" · "))
        else:
            yield f".SH {_roff(title.upper())}\n{_sentence(' '.join(text.split()).replace(' · ', ', '))}\n"


def _exit_code(item: str) -> str:
    """``73, 74 spool error`` as an item of a list."""
    codes, words = [], item.split(" ")
    while words and words[0].rstrip(",").isdigit():
        codes.append(words.pop(0))
    return f".TP\n.B {_roff(' '.join(codes))}\n{_sentence(' '.join(words) or 'done')}\n"


def _lines(text: str) -> str:
    """Lines that stand as they are, moved to the left as one."""
    lines = text.split("\n")
    margin = min((len(line) - len(line.lstrip()) for line in lines if line.strip()), default=0)
    return "\n".join(_roff(line[margin:]) for line in lines)


def _paragraphs(text: str) -> str:
    return ".PP\n".join(f"{_roff(_ended(paragraph))}\n" for paragraph in text.strip("\n").split("\n\n") if paragraph)


def _see_also(pages: list[str] | tuple[str, ...]) -> str:
    return ".SH SEE ALSO\n" + ",\n".join(f".BR {_roff(page)}" for page in pages) + "\n"


def _sentence(text: str) -> str:
    return _roff(_ended(_capital(text)))


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _ended(text: str) -> str:
    return text if text.endswith((".", ":")) else text + "."


def _roff(text: str) -> str:
    """Text that roff prints as it is; ```like this``` stands out."""
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("…", "...")
    pieces = text.split("`")
    if len(pieces) % 2:
        text = "".join(f"\\fB{piece}\\fR" if at % 2 else piece for at, piece in enumerate(pieces))
    text = "".join(c if c.isascii() else f"\\[u{ord(c):04X}]" for c in text)
    return "\\&" + text if text.startswith((".", "'")) else text


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
