"""The example file and the manual page of the configuration, printed from the declarations of the sections.

``python -m mailer.config.manual`` prints `config.example.toml`; `mailer.manual` writes `mailer-config(5)` with the other pages. Tests
compare both with the files in the repository.
"""

from __future__ import annotations

import inspect
import sys
from textwrap import fill
from typing import TYPE_CHECKING

from mailer import roff

from .kinds import literal, write
from .model import SECTIONS, TABLES

if TYPE_CHECKING:
    from typing import Any

    from .sections import Section, Setting

WIDTH = 100

OPENING = """\
Settings of mailer. mailer-config(5) says more; `mailer config check` finds mistakes.
What is commented out shows its default, or an example where the default is worked out.
Durations are "90s", "5m", "4h", "2d"; sizes are "500KB", "25MB" (25,000,000 bytes), "25MiB" (26,214,400 bytes).
"""


def example() -> str:
    """`config.example.toml`: every section and setting, commented out, so that it means the same as no file."""
    parts = [_comment(OPENING)]
    for cls in SECTIONS:
        mark = "" if cls.word in TABLES else "#"
        parts.append(f"{mark}{cls.header.replace('NAME', 'out')}\n{_comment(_about(cls))}")
        parts += [_entry(setting) for setting in cls.settings]
    return "\n".join(parts)


def _entry(setting: Setting[Any]) -> str:
    """One setting with its sentence, as a line that only has to lose its ``#``."""
    words = f"\nOne of {', '.join(setting.kind.words)}." if setting.kind.words else ""
    note = f"\nDefault: {setting.shown}." if setting.shown else ""
    return f"{_comment(setting.sentence + words + note)}#{setting.key} = {literal(_sample(setting))}\n"


def _sample(setting: Setting[Any]) -> object:
    """The value that stands for the setting: the example if there is one, else the default as the file writes it."""
    if not setting.example:
        return write(setting.kind, setting.standard())
    if setting.kind.name.startswith("list"):
        return [int(setting.example) if setting.kind.name == "list of number" else setting.example]
    if setting.kind.name == "score":
        return write(setting.kind, float(setting.example))
    if setting.kind.name == "table of scores":
        code, _, score = setting.example.partition(" = ")
        return {code: int(score)}
    if setting.kind.name.startswith("table"):
        return dict([setting.example.split(" = ")])
    if setting.kind.name == "true | false":
        return setting.example == "true"
    return int(setting.example) if setting.kind.name in ("port", "number") else setting.example


def _comment(text: str) -> str:
    return "".join(fill(line, WIDTH, initial_indent="# ", subsequent_indent="# ") + "\n" for line in text.splitlines())


def _about(cls: type[Section]) -> str:
    """The docstring of a section, its paragraphs as one line each."""
    text = inspect.getdoc(cls) or ""
    return "\n".join(" ".join(part.split()) for part in text.split("\n\n"))


PAGE = """\
.SH SYNOPSIS
.nf
.B \\-\\-config \\fIFILE\\fB
.B $MAILER_CONFIG
.B $XDG_CONFIG_HOME/mailer/config.toml
.B /etc/mailer/config.toml
.fi
.SH DESCRIPTION
The first of these files that exists is read; a file that the option or the variable names has to exist.
.B $XDG_CONFIG_HOME
is
.I ~/.config
if it is not set to a whole path, and
.I ~
is
.BR $HOME ,
or the home directory of the user in
.BR passwd (5)
where that is not set to one. Who has neither has to say where the spool is (78 otherwise). Without a file the defaults hold, and they work.
.PP
The file is TOML, version 1.0. Every setting stands in a section. A section, a setting or a value that mailer does not
know is an error that names the file and the line, and then nothing of the file is used: a daemon that is told
to reload keeps what it has. Only
.B mailer send
reads no more than
.B [mailer]
and
.BR [submission] ,
so that mail can be queued while the rest is being mended.
.PP
.B mailer config init
writes a file to start from,
.B mailer config check
finds all mistakes,
.B mailer config show
tells what is in force and why, and
.B mailer config set
changes one setting.
.SS Values
.TP
.B duration
A number and its unit: "90s", "5m", "4h", "2d", "1.5h"; or a whole number of seconds.
.TP
.B size
A number and its unit: "500KB", "25MB" and "1GB" count in thousands, "25MiB" in steps of 1024; or a whole number of bytes.
.TP
.B path
A whole path, from / or ~/ on.
.TP
.B command
A program and its arguments, as one text or as a list. No shell runs it: there are no pipes, variables or patterns.
.TP
.B fraction
A number from 0 to below 1.
.TP
.B rate
A number and a time: "10/s", "100/min", "2000/h", "50000/d".
.TP
.B time
A moment as text: "2026\\-11\\-21T02:15:29Z".
"""

ENDING = """\
.SH PASSWORDS
No password stands in this file. It is in a file of its own, is printed by a command, or is in an environment variable
of the daemon; it is read each time that it is needed. A password file must be readable by its owner only
.RB ( "chmod 600" ),
and belong to the user that runs the daemon or to root. An empty line end is taken off. What a password command
writes to standard error is not shown, for it may hold the password.
.PP
Where a provider wants OAuth, the password is an access token, which is fetched with a refresh token and kept until
shortly before it expires. The file for it is made by the daemon and readable by nobody else.
.SH WHO IS WHO
The rules about names of this machine are applied to header and envelope together, by everything that submits mail, in this order.
A name of this machine is one without a domain, or at a name that means this machine without asking the DNS: the hostname and what
.BR hostname (1)
prints, with and without their domains; localhost in the forms that
.BR hosts (5)
has; and the names that
.BR hosts (5)
gives to an address of this machine. There a name with a domain counts only on the line of 127.0.1.1, or beside the name of the
machine, for others may be there to be blocked.
.IP 1.
A recipient with an alias becomes what the alias says:
.BR aliases ,
then
.BR aliases_file ,
again and again until no alias is left. A name that leads to itself, or has a backslash before it, is not looked up again. A loop,
a command, a file and a list in a file are errors.
.IP 2.
An author of this machine becomes the one that the submitting user has in
.BR authors .
.IP 3.
Whoever has still no domain, or one of this machine that is none to the world (without a dot, or below localdomain, local, lan,
internal or home.arpa), gets
.BR default_domain .
Without that, an author gets the hostname, and a recipient without a domain gets nothing, and the sender a report.
.IP 4.
An author below a domain of
.B masquerade
becomes one of that domain. Recipients do not.
.PP
The
.B author
of a relay replaces all others in what leaves that way, before it is signed.
.B mailer send \\-\\-dry\\-run
shows what would be changed, and by which setting.
.SH EXAMPLES
Everything leaves through a relay with a password, but mail for one domain and what is below it goes to the MX hosts:
.PP
.EX
[mailer]
hostname = "mail.example.com"

[submission]
default_domain = "example.com"

[relay.out]
host = "smtp.example.com"
username = "me"
password_file = "/etc/mailer/out.secret"

[[route]]
match = "example.net"
via = ["mx"]

[[route]]
match = "*.example.net"
via = ["mx"]

[[route]]
match = "*"
via = ["relay:out"]
.EE
"""


def page() -> str:
    """`mailer-config(5)` in roff."""
    parts = [roff.title("mailer-config", 5, "the configuration file of mailer"), PAGE]
    for cls in SECTIONS:
        parts += [roff.heading(f"SECTION {cls.header}"), roff.paragraphs(_about(cls).replace("\n", "\n\n")), *map(item, cls.settings)]
    return "".join((*parts, ENDING, roff.see_also(("mailer (1)", "mailer-spool (5)"))))


def item(setting: Setting[Any]) -> str:
    """A setting in roff: its kind, its sentence, its default."""
    if setting.required:
        default = "It has to be set."
    elif setting.shown:
        default = f"Default: {setting.shown}."
    elif setting.default in (None, "", ()):
        default = "Default: none."
    else:
        default = f"Default: {literal(write(setting.kind, setting.standard()))}."
    kind = roff.italic(setting.kind.name).replace(" ", "\\ ")  # which stay on one line
    return roff.item(f"{roff.bold(setting.key)} ({kind})", roff.text(setting.sentence), roff.text(default))


if __name__ == "__main__":
    sys.stdout.write(example())
