"""``mailer bounces key``: the key that signs the tokens mail leaves with, shown by its age, and replaced."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from mailer.bounces import keys
from mailer.config.file import load
from mailer.mail.dates import rfc3339

from . import OK, show
from .options import JSON, Option, Subcommand, usage

if TYPE_CHECKING:
    from .options import Given


def run(given: Given) -> int:
    """Say since when there are which keys; or replace the present one."""
    config = load(given.text("--config"), given.text("--spool"))
    path = keys.place(config)
    match given.operands:
        case ["rotate"]:
            found = keys.rotate(path, time.time(), force=given.flag("--force"))
        case []:
            found = keys.read(path)
        case _:
            raise usage("it takes rotate, or nothing", "bounces key")
    if given.flag("--json"):
        show.json_line({"file": path, "keys": [{"made_at": rfc3339(key.made), "signs": not at} for at, key in enumerate(found)]})
        return OK
    if given.flag("--quiet"):
        return OK
    if not found:
        print(f"There is no key yet: {path} is made when mail leaves with a token for the first time (bounce.address).")
    for at, key in enumerate(found):
        print(f"{rfc3339(key.made)}  {'signs' if not at else 'is still known'}")
    if given.operands:
        print("Tokens of before are known as long as their key is here. `mailer reload` lets a daemon that runs sign with the new one.")
    return OK


COMMANDS = {
    "key": Subcommand(
        "bounces key",
        run,
        summary="the key that signs the tokens mail leaves with",
        operands="[rotate]",
        about=(
            "Mail leaves with a sender that says which message it is, signed with a key of this spool, so that a report about it is known "
            "again (bounce.verp). Without an operand it shows since when there is one; rotate puts a new one in its place. The one before "
            "is kept, for reports come days later, and a third one only takes its place when it is a week old, or with --force."
        ),
        options=(Option("--force", help="replace it although the one before is still needed"), JSON),
        examples=("mailer bounces key", "mailer bounces key rotate && mailer reload"),
    ),
}
