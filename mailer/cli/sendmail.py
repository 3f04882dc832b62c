"""The sendmail(8) face: what cron, at, mail, git and every other program on a Unix machine call.

Also what the program is when it is started as ``sendmail``, ``mailq`` or ``newaliases``. It reads the options of
sendmail as Postfix does: harmless ones that mean nothing here are taken and ignored, since programs pass
them blindly.

Its caller is often a web application that puts a stranger's text on the command line. So nothing that can
be reached from here writes a file of the caller's choice, reads a configuration of the caller's choice or
runs a command: ``-X``, ``-C``, ``-O`` and ``-o…`` are read and dropped, and the options of ``mailer send`` do not
exist here.
"""

from __future__ import annotations

import os
import time

from mailer.config.quick import submission
from mailer.mail.failure import OK, UNAVAILABLE, USAGE, Failure
from mailer.submit import Request, submit

from .options import Command
from .send import read_input
from .signals import deaf, refusing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

WITH_VALUE = frozenset("BCDFfhLNOpRrVX")
"""Options whose value follows, in the same word or in the next."""

JOINED = frozenset("Abdoq")
"""Options whose value, if any, stands in the same word."""

FLAGS = frozenset("GIimnstUvx")
"""Options without a value. ``-s`` is for mailers of old that said it; like most here it changes nothing."""


def run(arguments: list[str]) -> int:
    """Do what sendmail would do with `arguments`. Raises `Failure`."""
    options, recipients = _read(arguments)
    modes = [value for letter, value in options if letter == "b"]
    mode = modes[-1] if modes else "m"
    if any(letter == "I" for letter, _ in options) or mode == "i":
        return OK  # newaliases: the aliases are read when they are used, there is no database to build
    if mode == "p":
        return _list()
    if any(letter == "q" for letter, _ in options):
        return _flush()
    if mode != "m":
        raise Failure(f"sendmail -b{mode} is not offered here", USAGE if len(mode) != 1 else UNAVAILABLE)
    return _send(options, recipients)


def _read(arguments: list[str]) -> tuple[list[tuple[str, str]], list[str]]:
    """(letter, value) of each option, and the recipients. After ``--``, or after the first recipient, all are recipients."""
    options: list[tuple[str, str]] = []
    rest = iter(arguments)
    for word in rest:
        if word == "--":
            return options, list(rest)
        if not word.startswith("-") or word == "-":
            return options, [word, *(other for other in rest if other != "--")]
        options += _word(word, rest)
    return options, []


def _word(word: str, rest: Iterator[str]) -> Iterator[tuple[str, str]]:
    for at, letter in enumerate(word[1:], 1):
        value = word[at + 1 :]
        if letter in JOINED:
            yield letter, value
            return
        if letter in WITH_VALUE:
            yield letter, value or next(rest, "")
            return
        if letter not in FLAGS:
            raise Failure(f"unknown option -{letter} of sendmail", USAGE)
        yield letter, ""


def _send(options: list[tuple[str, str]], recipients: list[str]) -> int:
    settings = submission()
    given = dict(options)  # of doubled options the last one counts
    dots = "i" not in given and not any(letter == "o" and value in ("i", "I") for letter, value in options)
    with refusing("the message was read"):
        data = read_input(settings, quiet=True)
        request = Request(
            until_dot(data) if dots else data,
            sender=given.get("f", given.get("r")),
            recipients=recipients,
            from_header="t" in given,
            full_name=given.get("F", os.environ.get("NAME", "")),
        )
    with deaf():
        submit(request, settings, time.time())
    return OK


def until_dot(data: bytes) -> bytes:
    """What stands before a line that is a lone dot, which ends the message where ``-i`` is not given."""
    if data.startswith((b".\n", b".\r\n")):
        return b""
    ends = [at for at in (data.find(b"\n.\n"), data.find(b"\n.\r\n")) if at >= 0]
    if ends:
        return data[: min(ends) + 1]
    return data[:-1] if data.endswith(b"\n.") else data


def _list() -> int:
    """``mailq``."""
    from .options import read
    from .queue import COMMANDS

    listing = COMMANDS["list"]
    return listing.run(read(listing, []))


def _flush() -> int:
    """``sendmail -q``: everything that is deferred is due now."""
    from .options import read
    from .queue import COMMANDS

    retry = COMMANDS["retry"]
    return retry.run(read(retry, ["--all", "--quiet"]))


COMMAND = Command(
    "sendmail",
    run,  # type: ignore[arg-type]  # its options are read here, not by `options`
    summary="the sendmail(8) interface that other programs expect",
    operands="[RECIPIENT…]",
)
