"""``mailer config``: make a configuration file, check it, show what is in force, change one setting; and be sendmail for others."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from contextlib import contextmanager
from pathlib import Path
from threading import Timer
from typing import TYPE_CHECKING

from mailer.config import file, manual, model, values
from mailer.config.values import find
from mailer.mail.problem import Problem
from mailer.mail.text import safe
from mailer.operate.config import create, install_programs, missing, remove_programs, warnings

from . import BAD_CONFIG, OK, complain
from .options import JSON, Option, Subcommand, usage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mailer.config import Config

    from .options import Given

WAITS = 3.0  # seconds until a person is told what is waited for


def init(given: Given) -> int:
    """Write the example file to the place that is named, or to that where it will be found."""
    if len(given.operands) > 1:
        raise usage("there can be only one PATH", "config init")
    path = values.given(given.operands[0]) if given.operands else given.path("--config") or values.new_file()
    create(path, manual.example())
    _say(given, f"wrote {path}; nothing is set in it yet: edit it, or use `mailer config set KEY VALUE`")
    return OK


def check(given: Given) -> int:
    """Print all that is wrong, or that nothing is; warnings do not count."""
    if len(given.operands) > 1:
        raise usage("there can be only one FILE", "config check")
    path, data = find(given.operands[0] if given.operands else given.text("--config"))
    config, problems = file.examine(path, data)
    if config:
        if not given.flag("--quiet"):
            for warning in asyncio.run(warnings(config)):
                complain(f"warning: {file.at(path or 'defaults', warning)}", OK)
        with _told_to_wait(config, quiet=given.flag("--quiet")):
            found = missing(path, config)
        problems = found.mistakes
        if found.seen_by:
            _say(given, f"looked at as {found.seen_by}, whom the spool {config.spool} belongs to, and so the daemon runs as")
        if found.unmade:
            _say(given, f"looked at as root: there is no spool {config.spool} yet, and the daemon runs as the user whom it will belong to")
        if found.owner and not given.flag("--quiet"):
            complain(f"warning: secrets and files are those of {found.owner}, whom the daemon runs as, and were not read: ask as root", OK)
    for problem in problems:
        complain(file.at(path, problem), BAD_CONFIG)
    if problems:
        return BAD_CONFIG
    if config and config.sandbox.holds:
        _say(given, f"SANDBOX: {config.sandbox.words}")
    _say(given, f"{path} is right" if path else "there is no configuration file; the defaults hold")
    return OK


@contextmanager
def _told_to_wait(config: Config, *, quiet: bool) -> Iterator[None]:
    """Meanwhile a person hears what is waited for, where that takes long: a command that prints a password may hang, or ask elsewhere."""
    names = ", ".join(str(relay.secret) for relay in config.relays.values() if relay.secret and relay.secret.kind == "command")
    telling = Timer(WAITS, lambda: complain(f"waiting for {names} …", OK))
    if names and not quiet:
        telling.start()
    try:
        yield
    finally:
        telling.cancel()


def show(given: Given) -> int:
    """Print every setting that is in force, and where its value comes from."""
    config = file.load(given.text("--config"), given.text("--spool"))
    if given.flag("--json"):
        for row in model.as_rows(config):
            print(json.dumps(row))
        return OK
    for line in _toml(config) if given.flag("--toml") else model.as_lines(config):
        print(safe(line))
    return OK


def _toml(config: Config) -> list[str]:
    import tomli_w

    return tomli_w.dumps(model.as_document(config)).splitlines()


def _keys(given: Given) -> list[str]:
    """What can be set, where a KEY comes next."""
    config = file.load(given.text("--config"), given.text("--spool"))
    return [] if len(given.operands) % 2 else [row["key"] for row in model.as_rows(config)]


def change(given: Given) -> int:
    """Change settings in the file, all of them or none."""
    words = given.operands
    if not words or len(words) % 2:
        raise usage("config set takes a KEY and a VALUE, or several such pairs", "config set")
    path, data = find(given.text("--config"))
    if not path:
        raise Problem("there is no configuration file yet; `mailer config init` writes one, and `mailer setup` one that works", "usage")
    from mailer.config import edit

    text = edit.changed(path, data, list(zip(words[::2], words[1::2], strict=True)))
    edit.save(path, text)
    _say(given, f"changed {path}; a running daemon takes it on with `mailer reload`")
    return OK


def install_sendmail(given: Given) -> int:
    """Make the programs that others start, or remove them; say of each what was done."""
    prefix = given.path("--prefix")
    if not prefix:
        raise Problem("config install-sendmail needs --prefix: /usr, where programs look for sendmail, or /usr/local", "usage")
    root = Path(os.path.abspath(prefix))
    for line in remove_programs(root) if given.flag("--remove") else install_programs(root, sys.executable, sys.path):
        _say(given, line)
    return OK


def _say(given: Given, line: str) -> None:
    if not given.flag("--quiet"):
        print(safe(line))


COMMANDS = {
    "init": Subcommand(
        "config init",
        init,
        summary="write a configuration file to start from",
        about="Every setting is in it with its explanation, commented out. A file that exists is not touched.",
        operands="[PATH]",
        examples=("mailer config init", "mailer config init /etc/mailer/config.toml"),
    ),
    "check": Subcommand(
        "config check",
        check,
        summary="find all mistakes in the configuration",
        about="Also tries to read the passwords that it refers to, so commands for them run, and asks the DNS whether reports about mail "
        "that fails would find their way. Exits 0 if mail could be sent with it, else 78. Warnings are about what is allowed and seldom "
        "meant.\n\n"
        "Files (secrets, keys, the log, the spool itself) are looked at with the eyes of the user whom the spool belongs to: the daemon "
        "runs as he; so ask as root or as that user. Others are told of mistakes in the file only.",
        operands="[FILE]",
        examples=("mailer config check", "mailer config check ./config.toml"),
    ),
    "show": Subcommand(
        "config show",
        show,
        summary="print every setting in force and where it comes from",
        about="What it prints is itself a configuration. Passwords are never read, and of a password command only the program is shown.",
        options=(Option("--toml", help="print it as TOML and nothing else: no sources, and nothing that is not set"), JSON),
        examples=("mailer config show", "mailer config show --json | jq -r 'select(.key == \"mailer.spool\").value'"),
    ),
    "set": Subcommand(
        "config set",
        change,
        summary="change settings in the configuration file",
        about="KEY is section.name, such as mailer.hostname or relay.out.host. Nothing else in the file changes. "
        "If the new file would be wrong, the old one stays; so settings that need each other are given together.",
        operands="KEY VALUE [KEY VALUE…]",
        words=_keys,
        examples=(
            "mailer config set mailer.hostname mail.example.com",
            "mailer config set relay.out.host smtp.example.com relay.out.port 587",
        ),
    ),
    "install-sendmail": Subcommand(
        "config install-sendmail",
        install_sendmail,
        summary="make sendmail, mailq and newaliases for other programs",
        about="Below DIR it makes sbin/sendmail, a script that starts mailer as mailer-sendmail(1), and the links lib/sendmail, bin/mailq "
        "and bin/newaliases to it. Cron, at, PHP and others look for sendmail in /usr/sbin; `--prefix /usr` is for a machine that has no "
        "other. A file that is not of mailer is never replaced: then nothing is changed, and the exit code is 73. The script names the "
        "Python and the place of mailer from now; after either has moved, run the command again.",
        examples=("mailer config install-sendmail --prefix /usr/local",),
        options=(
            Option("--prefix", metavar="DIR", help="where to make them, such as /usr or /usr/local"),
            Option("--remove", help="remove what the command made"),
        ),
    ),
}
