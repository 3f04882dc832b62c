"""``mailer mailbox key`` and ``mailer mailbox rekey``: the keys that encrypt mailboxes, a copy of them, and others in their place."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from mailer.mail.text import one_line

from . import EXIT_CODES, IO_ERROR, OK, UNAVAILABLE, show
from .mailbox_opening import addresses, config_of, opened
from .options import JSON, Option, Subcommand, usage
from .progress import ProgressBar

if TYPE_CHECKING:
    from mailer.operate.mailbox_keys import MasterKeyLine, RekeyLine

    from .options import Given


def key(given: Given) -> int:
    """Show the master keys, make the first one, or print all of them."""
    match given.operands:
        case []:
            return _list(given)
        case ["make"]:
            return _make(given)
        case ["export"]:
            return _export(given)
        case ["export", address]:
            return _private(given, address)
        case _:
            raise usage("it takes make, export, export ADDRESS, or nothing", given.command.name)


def rekey(given: Given) -> int:
    """Have mailboxes need another master key; with ``--bodies`` have everything encrypted anew."""
    from mailer.operate import mailbox_keys as operate

    config = config_of(given)
    progress, code = ProgressBar(quiet=given.flag("--quiet")), OK
    with opened(given) as mailboxes:
        if given.flag("--new"):
            number = operate.make_master_key(config, mailboxes, more=True)
            show.note(f"the master key {number} is made; keep a copy elsewhere: mailer mailbox key export")
        try:
            for line in operate.rekeyed(config, mailboxes, given.operands, bodies=given.flag("--bodies"), told=progress.tell):
                progress.end()
                _told(given, line)
                code = code or (EXIT_CODES[line.trouble.kind] if line.trouble else IO_ERROR if line.lost else OK)
        finally:
            progress.end()
    return code


def _told(given: Given, line: RekeyLine) -> None:
    if given.flag("--json"):
        show.json_line(line.as_json())
    elif not line.trouble and not given.flag("--quiet"):
        bodies = f", {line.changed} messages written anew" if given.flag("--bodies") else ""
        show.say(f"{line.address}: {f'key {line.key}' if line.key else 'not encrypted'}{bodies}")
    if line.trouble:
        show.note(f"{one_line(line.address)}: {line.trouble}")
    for id in line.lost:
        show.note(f"{one_line(line.address)}: the message {id} opens with no key that there is; put back a backup of it")


def _list(given: Given) -> int:
    from mailer.operate import mailbox_keys as operate

    with opened(given) as mailboxes:
        found = operate.master_keys(config_of(given), mailboxes)
    if given.flag("--json"):
        for line in found:
            show.json_line(line.as_json())
    elif not found:
        show.note('there is no master key; `mailer mailbox key make` makes one, for encryption = "age"')
    elif not given.flag("--quiet"):
        columns = [show.Column(name, right=name in ("KEY", "MAILBOXES")) for name in ("KEY", "STATE", "MAILBOXES", "COPY", "MADE")]
        show.show([show.Table(columns, [_row(line, time.time()) for line in found])])
    return OK if all(line.there for line in found) else UNAVAILABLE


def _row(line: MasterKeyLine, now: float) -> list[show.Value]:
    copies = {None: show.Cell("-"), True: show.Cell("yes", "good"), False: show.Cell("none", "bad")}
    state = show.Cell("there", "good") if line.there else show.Cell("lost", "bad")
    return [str(line.number), state, str(line.mailboxes), copies[line.exported], show.moment(line.made, now)]


def _make(given: Given) -> int:
    from mailer.operate import mailbox_keys as operate

    with opened(given) as mailboxes:
        number = operate.make_master_key(config_of(given), mailboxes)
    if given.flag("--json"):
        return _list(given)
    if not given.flag("--quiet"):
        show.say(f"The master key {number} is made. Without it nobody ever reads what it encrypts: keep a copy elsewhere.")
        show.say("mailer mailbox key export")
    return OK


def _export(given: Given) -> int:
    """The keys are printed first, so that nothing is noted that was not."""
    from mailer.operate import mailbox_keys as operate

    _refuse_json(given)
    config = config_of(given)
    found = operate.exported_master_keys(config)
    for line in found:
        print(line, flush=True)
    operate.note_export(config, found)
    return OK


def _private(given: Given, address: str) -> int:
    from mailer.operate import mailbox_keys as operate

    _refuse_json(given)
    with opened(given) as mailboxes:
        for line in operate.private_keys(config_of(given), mailboxes, address):
            print(line)
    return OK


def _refuse_json(given: Given) -> None:
    if given.flag("--json"):
        raise usage("export prints keys as they are, not as JSON", given.command.name)


CODES = "exit codes: 0 · 64 usage · 67 there is no such mailbox · 69 a key is lost · 74 a body cannot be opened · 75 try again"

COMMANDS = {
    "key": Subcommand(
        "mailbox key",
        key,
        summary="the master keys of encrypted mailboxes",
        about=(
            "Shows which master keys there are, and how many mailboxes need each (mailboxes.encryption). make makes the first one; export "
            "prints all, to be kept elsewhere: without them nobody ever reads what they encrypt, a backup does not have them, and is "
            "refused while nobody has a copy. With an ADDRESS it prints the private keys of that mailbox, by which `age -d` opens its "
            "messages without mailer. See mailer-mailboxes(7)."
        ),
        operands="[make | export [ADDRESS]]",
        options=(JSON,),
        examples=("mailer mailbox key make", "mailer mailbox key export > /media/safe/mailboxes.keys"),
        epilog=CODES,
    ),
    "rekey": Subcommand(
        "mailbox rekey",
        rekey,
        summary="other keys for mailboxes",
        about=(
            "Has the keys of each ADDRESS, or of all mailboxes, wrapped by the newest master key; --new makes that first. With --bodies "
            "the mailboxes get keys of their own that are as new, and everything is encrypted anew, or for the first time, or decrypted, "
            "as mailboxes.encryption says. Mail comes in and is read meanwhile. Cut off anywhere, it goes on when it is called again."
        ),
        operands="[ADDRESS...]",
        words=addresses,
        options=(
            Option("--new", help="make a new master key first"),
            Option("--bodies", help="new keys for each mailbox as well, and all messages written anew"),
            JSON,
        ),
        examples=("mailer mailbox rekey --new", "mailer mailbox rekey --new --bodies", "mailer mailbox rekey ann@example.com --bodies"),
        epilog=CODES,
    ),
}
