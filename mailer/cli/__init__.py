"""The command line: one file a command, behind a table that imports only what was asked for.

`start` is what the script ``mailer`` calls, and `main` all that it does. The module of a command declares it: a `Subcommand` of `options`
called `COMMAND`, or several in `COMMANDS` where a second word chooses ("" where there may be none). From that `click_face` makes click's
commands (parser, help, errors, completion), the small reader of `options` reads what is `OFTEN` started, and `mailer.manual` prints the
manual page. Its function does three things: read what was given, call one function of `operate`, print. What it raises is a `Problem`,
which ends the program with one of the `EXIT_CODES`, those of sysexits(3). All text goes through `show`, the only place that knows how
things look; what several commands show alike is in `pages`, and the options by which they choose messages are in `selectors`.

A new command is a line in `TABLE`, a module of that name with its declaration and an example, and a file in ``tests/cli``; then
``python -m mailer.manual --write man``. ``send`` and ``sendmail`` have several files each, so that a plain message loads little.
"""

from __future__ import annotations

import gc
import sys

from mailer.io.system import os
from mailer.mail.problem import Problem, from_os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, NoReturn

    from mailer.config.sections import SubmissionSettings
    from mailer.mail.problem import Kind

    from .options import Given

OK = 0
USAGE = 64
BAD_MESSAGE = 65
NO_SUCH = 67
UNAVAILABLE = 69
BUG = 70
CANNOT_CREATE = 73
IO_ERROR = 74
TRY_AGAIN = 75
NO_PERMISSION = 77
BAD_CONFIG = 78

EXIT_CODES: dict[Kind, int] = {
    "usage": USAGE,
    "bad-message": BAD_MESSAGE,
    "no-such": NO_SUCH,
    "unavailable": UNAVAILABLE,
    "bug": BUG,
    "cannot-create": CANNOT_CREATE,
    "io-error": IO_ERROR,
    "try-again": TRY_AGAIN,
    "no-permission": NO_PERMISSION,
    "bad-config": BAD_CONFIG,
}
"""The exit code of each kind of `Problem`: what this door makes of it."""

TABLE = {
    "setup": "answer a few questions, and mail leaves this machine",
    "send": "take a message from standard input, or compose one, and queue it",
    "sendmail": "the sendmail(8) interface that other programs expect",
    "run": "the daemon: deliver what is queued",
    "reload": "let the daemon read its configuration again, and say whether it took it",
    "stop": "let the daemon end, and wait until it has",
    "status": "what became of messages",
    "explain": "the whole story of a message: what happened, what blocks it, what to change",
    "received": "what came by the doors: taken and refused alike",
    "filter": "what would become of a message that somebody brings; how the filters do",
    "bounces": "recipients that failed or bounced, and why",
    "suppress": "addresses that are not to be mailed: add, remove, list, why, import, export, undo",
    "queue": "list, show, hold, release, retry, cancel or replay messages; pause a destination",
    "srs": "the senders with which mail is passed on, there and back",
    "route": "how mail for an address would travel; sends nothing",
    "probe": "connect, EHLO, TLS, AUTH, report; sends nothing",
    "check": "whether the world believes mail from here, and what to publish",
    "doctor": "what is wrong on this machine, with evidence and remedy",
    "dkim": "keys, DNS records and verification of DKIM signatures",
    "config": "make, check or show the configuration",
    "user": "the users whose mail lives here: passwords, quota, as whom they send",
    "mailbox": "the mail that is kept here: list, show, verify, import, export, Dovecot beside us",
    "api": "keys of the HTTP API, and its OpenAPI document",
    "oauth": "get a refresh token for a relay, and keep it",
    "events": "what becomes of mail, as it happens: the journal, line by line",
    "hooks": "events posted to programs elsewhere: how each endpoint does, and the process that posts",
    "web": "the process of HTTP: the API for programs, and its page",
    "access": "the process of IMAP and POP3: users read their mail",
    "amqp": "the process of the message queue: mail from RabbitMQ, results back",
    "sink": "an SMTP server for development: keeps what it gets, misbehaves on order",
    "demo": "the whole way on this machine, in a scratch directory",
    "help": "the manual of a command or a topic, on this terminal",
}
"""Each command and what it does, in the order of ``mailer --help``; the module has the command's name."""

ALIASES = {"sendmail": ["sendmail"], "mailq": ["sendmail", "-bp"], "newaliases": ["sendmail", "-bi"]}
"""What the program does when it is started under another name."""


OFTEN = frozenset({"send", "run", "status", "explain", "queue list"})
"""What scripts and monitors start again and again: plain arguments of these are read without click, see `options`."""


def main(argv: Sequence[str]) -> int:
    """Run the command that `argv` asks for; returns the exit code. Never raises but for our own bugs."""
    program = argv[0].rpartition("/")[2]
    code = _answer([*ALIASES.get(program, ()), *argv[1:]])
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError as error:
        mute(1)
        if code == OK and not isinstance(error, BrokenPipeError):
            return complain(f"cannot write to standard output: {error.strerror}", IO_ERROR)
    return code


def start(argv: Sequence[str]) -> NoReturn:
    """What the scripts call: `main`, and then the end of the process.

    To take an interpreter apart that is thrown away anyway costs a sixth of its start. So where nobody can have asked to be told of
    the end, and nothing can be running beside us (neither `atexit` nor `threading` was ever imported), the process just ends; what
    there was to write, `main` has written.
    """
    code = main(argv)
    if "atexit" in sys.modules or "threading" in sys.modules:
        sys.exit(code)
    os._exit(code)


def _answer(arguments: list[str]) -> int:
    try:
        return _run(arguments)
    except Problem as problem:
        return complain(str(problem), EXIT_CODES[problem.kind])
    except KeyboardInterrupt:
        return complain("interrupted", TRY_AGAIN)
    except BrokenPipeError:  # the reader of our output has left: `mailer status | head`
        return OK
    except OSError as error:  # the machine's trouble, and no bug of ours
        trouble = from_os("cannot go on", error.filename or "input or output", error)
        return complain(str(trouble), EXIT_CODES[trouble.kind])
    except Exception as error:
        return _bug(error)


def _run(arguments: list[str]) -> int:
    if arguments[:1] == ["sendmail"]:  # options of another world, which it reads itself
        code: int = load("sendmail").run(arguments[1:])
        return code
    if arguments[:1] in (["run"], ["web"], ["amqp"], ["access"]) or arguments[:2] == [
        "hooks",
        "run",
    ]:  # whose modules take a while to load: a SIGHUP in that time is none to die of
        load("run").HANGUP.watch()
    if given := _plain(arguments):
        return given.carry_out()
    face = load("click_face")
    read: int = face.run(arguments, TABLE, load)
    return read


def _plain(arguments: list[str]) -> Given | None:
    """What plain arguments of a command that is started often say; None where click has to read them."""
    for words in (1, 2):
        name = " ".join(arguments[:words])
        if name in OFTEN:
            module = load(arguments[0])
            from .options import read

            return read(module.COMMAND if words == 1 else module.COMMANDS[arguments[1]], arguments[words:])
    return None


def load(name: str) -> Any:
    """The module of a command, imported now. (`importlib` would be a second import system to load.)

    What is made meanwhile stays, so nobody looks for garbage in it, now or later: that would cost as much as four modules more.
    """
    module = f"{__name__}.{name}"
    if module not in sys.modules and gc.isenabled():
        gc.disable()
        try:
            __import__(module)
        finally:
            gc.freeze()
            gc.enable()
    __import__(module)
    return sys.modules[module]


def complain(message: str, code: int) -> int:
    """One line on standard error; returns `code`, which still tells where that is closed or full."""
    from mailer.mail.text import one_line

    try:
        sys.stderr.write(f"mailer: {one_line(message)}\n")
    except AttributeError:  # it was closed when we were started
        pass
    except OSError:
        mute(2)
    return code


def mute(fd: int) -> None:
    """Let nothing more come out of `fd`: the interpreter writes what is left over at its end, and would exit with 120."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), fd)


def read_input(settings: SubmissionSettings, *, what: str = "message", quiet: bool = False) -> bytes:
    """All of standard input, but no more than a message may have; a person at a terminal is told what is waited for.

    Raises `Problem` (bad-message, io-error).
    """
    from mailer.submit import read_all

    if sys.stdin is None:
        raise Problem("cannot read the message: standard input is closed; nothing was queued", "io-error")
    if sys.stdin.isatty() and not quiet:
        sys.stderr.write(f"mailer: reading the {what} from the terminal; end it with Ctrl-D\n")
    return read_all(sys.stdin.fileno(), settings)


def _bug(error: Exception) -> int:
    import traceback

    if isinstance(error, MemoryError):
        return complain("there is not enough memory; try again, or allow it more (ulimit -v, MemoryMax= of a service)", TRY_AGAIN)

    where = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{where.filename.rpartition('mailer/')[2]}:{where.lineno}"
    if "-v" in sys.argv or "--verbose" in sys.argv:
        traceback.print_exc()
    return complain(f"a bug in mailer: {type(error).__name__}: {error} ({place}); please report it, with -v for the whole story", BUG)
