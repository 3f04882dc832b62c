"""``mailer srs``: the senders with which mail is passed on, there and back, and the secrets that sign them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from mailer.config.file import load
from mailer.mail.address import MAX_ADDRESS, AddressError, parse
from mailer.mail.dates import rfc3339
from mailer.operate.srs import looked_up_sender, rotated_srs, srs_status

from . import OK, show
from .options import JSON, Option, Subcommand, usage

if TYPE_CHECKING:
    from mailer.operate.srs import SrsSecrets

    from .options import Given


def run(given: Given) -> int:
    """Say what secrets there are, replace the present one, or say what stands for an address, or for whom it stands."""
    config, now = load(given.text("--config"), given.text("--spool")), time.time()
    match given.operands:
        case []:
            return _secrets(given, srs_status(config), rotated=False)
        case ["rotate"]:
            return _secrets(given, rotated_srs(config, now, force=given.flag("--force")), rotated=True)
        case [address]:
            found = looked_up_sender(config, _address(address), given.text("--domain") or "", now)
        case _:
            raise usage("it takes one ADDRESS, rotate, or nothing", "srs")
    if given.flag("--json"):
        show.json_line(found.as_json())
    else:
        show.say(found.sender if found.back else found.rewritten)
    return OK


def _address(text: str) -> str:
    try:
        return parse(text, longest=MAX_ADDRESS).path
    except AddressError as error:
        raise usage(str(error), "srs") from None


def _secrets(given: Given, found: SrsSecrets, *, rotated: bool) -> int:
    if given.flag("--json"):
        show.json_line(found.as_json())
    elif not found.many:
        print(f"There is no secret yet: {found.file} is made by a daemon with [[domain]], or when it is needed first.")
    else:
        print(f"{rfc3339(found.made)}  signs; {found.many} {'are' if found.many > 1 else 'is'} known ({found.file})")
        if rotated:
            print("What left with the one before still comes back. `mailer reload` lets a daemon that runs sign with the new one.")
    return OK


COMMAND = Subcommand(
    "srs",
    run,
    summary="the senders with which mail is passed on, there and back",
    operands="[ADDRESS | rotate]",
    about=(
        "Mail of strangers that an address of ours passes on elsewhere leaves with a sender of our domain that stands for its own (SRS). "
        "With an ADDRESS of that form it says for whom it stands, with any other one what would stand for it. Without an operand it shows "
        "since when there is which secret; rotate puts a new one in front of it. The one before is kept, for reports come for three "
        "weeks, and goes with the next rotate after that, or with --force."
    ),
    options=(
        Option("--domain", metavar="DOMAIN", help="the domain of the sender that stands for ADDRESS"),
        Option("--force", help="replace it although the one before is still needed"),
        JSON,
    ),
    examples=("mailer srs ann@example.net", "mailer srs SRS0=4yW7=JT=example.net=ann@example.com", "mailer srs rotate && mailer reload"),
    epilog="exit codes: 0 · 64 usage · 67 nobody stands behind that address · 75 the secret before is still needed · 78 configuration",
)
