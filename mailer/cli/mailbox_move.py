"""``mailer mailbox move``: a mailbox goes to another place, while it is used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import OK, show
from .mailbox_opening import addresses, config_of
from .options import JSON, Option, Subcommand, usage
from .progress import ProgressBar

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .options import Given

PHASES = {"copy": "copying", "chase": "catching up", "freeze": "the last of it", "messages": "copying messages"}


def moving(given: Given) -> int:
    """Move a mailbox, or remove what a move has left behind."""
    from mailer.operate import mailbox_move as operate

    to, left = given.text("--to"), given.text("--forget")
    if len(given.operands) != 1 or (to is None) == (left is None):
        raise usage("it needs an ADDRESS, and --to PLACE or --forget PLACE", given.command.name)
    (address,), config = given.operands, config_of(given)
    if left is not None:
        operate.forget_left(config, address, left)
        show.note(f"nothing of {address} is left in the place {left}")
        return OK
    assert to is not None
    progress, counts = ProgressBar(quiet=given.flag("--quiet")), dict.fromkeys(PHASES, 0)

    def watched(phase: str, many: int) -> None:
        counts[phase] += many
        progress.tell(PHASES[phase], counts[phase], 0)

    try:
        moved = operate.move(config, address, to, watched)
    finally:
        progress.end()
    if given.flag("--json"):
        show.json_line(operate.moved_json(address, moved))
    elif not given.flag("--quiet"):
        show.say(f"{address} is in the place {to} now; nobody could write for {moved.frozen:.1f} s")
        source = operate.place_named(moved.source)
        show.note(f"what it was stays in the place {source} for a week, or until: mailer mailbox move {address} --forget {source}")
    return OK


def places(given: Given) -> Sequence[str]:
    """The names of the places, for a shell to offer."""
    from mailer.operate import mailbox_move as operate

    return operate.places(config_of(given))


COMMANDS = {
    "move": Subcommand(
        "mailbox move",
        moving,
        summary="move a mailbox to another place, while it is used",
        about='PLACE is the name of a [[mailbox_store]], or "home" for the place of [mailboxes]. All is copied while people go on; for the '
        "last of it nobody can write for some seconds, which mail programs and senders sit out. Folders, flags and numbers stay as they "
        "are, so that no mail program fetches anything again.\n\n"
        "Whatever ends it, the mailbox is whole in one of the two places, and the same command goes on. What it was stays behind for a "
        "week, or until --forget.",
        operands="ADDRESS",
        words=addresses,
        options=(
            Option("--to", metavar="PLACE", help="move it there", words=places),
            Option("--forget", metavar="PLACE", help="remove what it has left behind there", words=places),
            JSON,
        ),
        examples=("mailer mailbox move ann@example.com --to archive", "mailer mailbox move ann@example.com --forget home"),
        epilog="exit codes: 0 · 64 usage · 67 there is no such mailbox · 75 it stays where it was; try again · 78 there is no such place",
    ),
}
