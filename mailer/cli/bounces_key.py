"""``mailer bounces key``: the key that signs the tokens mail leaves with, shown by its age, and replaced."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from mailer.config.file import load
from mailer.mail.dates import rfc3339
from mailer.operate.bounce_keys import bounce_keys, rotate_bounce_key

from . import OK, show
from .options import JSON, Option, Subcommand, usage

if TYPE_CHECKING:
    from mailer.operate.bounce_keys import BounceKeys

    from .options import Given


def run(given: Given) -> int:
    """Say since when there are which keys; or replace the present one."""
    config = load(given.text("--config"), given.text("--spool"))
    match given.operands:
        case ["rotate"]:
            found = rotate_bounce_key(config, time.time(), force=given.flag("--force"))
        case []:
            found = bounce_keys(config)
        case _:
            raise usage("it takes rotate, or nothing", "bounces key")
    if given.flag("--json"):
        show.json_line(found.as_json())
    elif not given.flag("--quiet"):
        _show(found, rotated=bool(given.operands))
    return OK


def _show(found: BounceKeys, *, rotated: bool) -> None:
    if not found.made:
        print(f"There is no key yet: {found.file} is made when mail leaves with a token for the first time (bounce.address).")
    for nth, at in enumerate(found.made):
        print(f"{rfc3339(at)}  {'is still known' if nth else 'signs'}")
    if rotated:
        print("Tokens of before are known as long as their key is here. `mailer reload` lets a daemon that runs sign with the new one.")


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
