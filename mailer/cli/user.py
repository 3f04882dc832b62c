"""``mailer user``: the users whose mail lives here, and who may hand in mail."""

from __future__ import annotations

import asyncio
import sys
import time
from typing import TYPE_CHECKING, Any

from mailer.mail.problem import Problem
from mailer.mail.text import human_size

from . import OK, show
from .options import JSON, Option, Subcommand, usage

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence

    from mailer.accounts.users.api import User
    from mailer.accounts.users.sqlite import SqliteUsers
    from mailer.config import Config
    from mailer.operate.users import UserPassword

    from .options import Given

PURPOSES = ("submission", "imap")
LONGEST = 1024  # octets of a password


def add(given: Given) -> int:
    """Make a user, and show the password that he was given."""
    from mailer.operate import users as operate

    address, config, password = _address(given), _config(given), _password(given)
    terms = operate.UserTerms(_octets(given, given.text("--quota") or "0", "--quota"), given.texts("--send-as"))
    scram = config.accounts.keeps_keys
    made = _asked(config, lambda users: operate.add(users, address, terms, time.time(), password=password, scram=scram), make=True)
    code = _tell(given, made, f"the user {made.address} is there; the password is kept nowhere, and cannot be shown again")
    if config.domains and made.address.rpartition("@")[2].lower() not in {section.name for section in config.domains}:
        show.note(f"no [[domain]] is called {made.address.rpartition('@')[2]}: he can send, and gets no mail here")
    return code


def passwd(given: Given) -> int:
    """Give a user another password."""
    from mailer.operate import users as operate

    address, config, password = _address(given), _config(given), _password(given)
    scram = config.accounts.keeps_keys
    made = _asked(config, lambda users: operate.change_password(users, address, password=password, scram=scram))
    return _tell(given, made, f"the password of {made.address} is another one; those of his programs are as they were")


def app_password(given: Given) -> int:
    """Make a password for one program, or forget it."""
    from mailer.operate import users as operate

    if len(given.operands) != 2:
        raise usage("it needs an ADDRESS and a NAME for the program", given.command.name)
    address, name = given.operands
    if given.flag("--remove"):
        user = _asked(_config(given), lambda users: operate.remove_app_password(users, address, name))
        return _changed(given, user, f"the app password {name} of {user.address} is gone")
    purposes = [purpose.strip() for text in given.texts("--for") for purpose in text.split(",")]
    made = _asked(_config(given), lambda users: operate.add_app_password(users, address, name, purposes, time.time()))
    return _tell(given, made, f"{name} logs in as {made.address} with it; it is kept nowhere, and cannot be shown again")


def listing(given: Given) -> int:
    """Show the users, without what proves them."""
    from mailer.operate import users as operate

    if given.operands:
        raise usage("it takes no addresses", given.command.name)

    async def all_of(users: SqliteUsers) -> list[User]:
        return [user async for user in operate.everybody(users)]

    found = _asked(_config(given), all_of)
    if given.flag("--json"):
        for user in found:
            show.json_line(operate.as_json(user))
    elif not found:
        show.note("there are no users; `mailer user add ann@example.com` makes one")
    elif not given.flag("--quiet"):
        columns = [show.Column(name) for name in ("ADDRESS", "STATE", "APPS", "SENDS AS", "QUOTA", "SINCE")]
        now = time.time()
        show.show([show.Table(columns, [[*_row(user, now)] for user in found])])
    return OK


def _row(user: User, now: float) -> Iterable[show.Value]:
    yield user.address
    yield show.Cell("disabled", "bad") if user.disabled else show.Cell("usable", "good")
    yield " ".join(each.name for each in user.app_passwords) or "-"
    yield " ".join(user.sends_as) or "-"
    yield human_size(user.quota) if user.quota else "-"
    yield show.moment(user.created, now) if user.created else "-"


def quota(given: Given) -> int:
    """Say how large a mailbox may be."""
    from mailer.operate import users as operate

    if len(given.operands) != 2:
        raise usage("it needs an ADDRESS and a SIZE, 0 for no limit", given.command.name)
    address, octets = given.operands[0], _octets(given, given.operands[1], "SIZE")
    user = _asked(_config(given), lambda users: operate.set_quota(users, address, octets))
    return _changed(given, user, f"the mailbox of {user.address} may have {human_size(user.quota) if user.quota else 'any size'}")


def send_as(given: Given) -> int:
    """Say as whom else a user may send."""
    from mailer.operate import users as operate

    if not given.operands:
        raise usage("it needs an ADDRESS, and the patterns of those as whom that user may send", given.command.name)
    address, *patterns = given.operands
    user = _asked(_config(given), lambda users: operate.set_senders(users, address, patterns))
    return _changed(given, user, f"{user.address} may send as {', '.join(user.sends_as) or 'nobody else'}")


def disable(given: Given) -> int:
    """Let a user neither log in nor send from now on."""
    return _switch(given, disabled=True)


def enable(given: Given) -> int:
    """Let a user log in and send again."""
    return _switch(given, disabled=False)


def _switch(given: Given, *, disabled: bool) -> int:
    from mailer.operate import users as operate

    address = _address(given)
    user = _asked(_config(given), lambda users: operate.switch(users, address, disabled=disabled))
    return _changed(given, user, f"{user.address} {'neither logs in nor sends from now on' if disabled else 'can log in again'}")


def remove(given: Given) -> int:
    """Forget a user."""
    from mailer.operate import users as operate

    address = _address(given)
    gone = _asked(_config(given), lambda users: operate.remove(users, address))
    if given.flag("--json"):
        show.json_line({"address": gone, "removed": True})
    elif not given.flag("--quiet"):
        show.say(f"the user {gone} is gone; what is in the mailbox stays where it is")
    return OK


def _asked(config: Config, ask: Callable[[SqliteUsers], Awaitable[Any]], *, make: bool = False) -> Any:
    """What `ask` makes of the users."""
    from mailer.operate.users import users_of

    users = users_of(config, make=make)

    async def asked() -> Any:
        try:
            return await ask(users)
        finally:
            await users.close()

    return asyncio.run(asked())


def _tell(given: Given, made: UserPassword, note: str) -> int:
    if given.flag("--json"):
        show.json_line(made.as_json())
        return OK
    if made.password:
        show.say(made.password)
    if not given.flag("--quiet"):
        show.note(note)
    return OK


def _changed(given: Given, user: User, text: str) -> int:
    from mailer.operate.users import as_json

    if given.flag("--json"):
        show.json_line(as_json(user))
    elif not given.flag("--quiet"):
        show.say(text)
    return OK


def _config(given: Given) -> Config:
    from mailer.config import load

    return load(given.text("--config"), given.text("--spool"))


def _address(given: Given) -> str:
    if len(given.operands) != 1:
        raise usage("it needs one ADDRESS", given.command.name)
    return given.operands[0]


def _password(given: Given) -> str:
    """The password that somebody chose: what is typed, or the first line of standard input; empty where one is to be made up."""
    if not given.flag("--password-stdin"):
        return ""
    if sys.stdin is None:
        raise usage("--password-stdin: there is no standard input", given.command.name)
    if sys.stdin.isatty():
        from .ask import secret

        return secret("Password")
    line = sys.stdin.buffer.readline(LONGEST + 3).rstrip(b"\r\n")
    try:
        password = line.decode()
    except UnicodeDecodeError:
        raise Problem("the password is no text in UTF-8", "usage") from None
    if not password:
        raise usage("--password-stdin: standard input has no password in its first line", given.command.name)
    return password


def _octets(given: Given, text: str, what: str) -> int:
    from mailer.config.values import size

    try:
        return 0 if text == "0" else size(text)
    except ValueError as error:
        raise usage(f"{what}: {error}", given.command.name) from None


def _names(given: Given) -> Sequence[str]:
    from mailer.operate import users as operate

    async def names(users: SqliteUsers) -> list[str]:
        return [user.address async for user in operate.everybody(users)]

    found: list[str] = _asked(_config(given), names)
    return found


FILE = (
    "Users are kept in accounts.sqlite3 in the spool, or where accounts.path says: of each password only what proves it. What is done to "
    "a user holds for his next login, and for his next message where he is logged in."
)
CODES = "exit codes: 0 · 64 usage · 67 there is no such user · 74, 75 the database cannot be used now · 77 permission · 78 configuration"
STDIN = Option("--password-stdin", help="take the password from the first line of standard input, or ask for it at a terminal")

COMMANDS = {
    "add": Subcommand(
        "user add",
        add,
        summary="make a user, whose password is shown once",
        about="Prints the password that it made, unless one comes by --password-stdin. With it the user logs in at a door of the kind "
        "submission, by his address, and hands in mail to anywhere as himself: as his address, with a +tag, as an alias or a catch-all "
        "that leads to him, and as what --send-as names. Mail for his address is taken where a [[domain]] is his.\n\n" + FILE,
        operands="ADDRESS",
        options=(
            STDIN,
            Option("--quota", metavar="SIZE", help="how large his mailbox may be, as 5GB; without a limit by default"),
            Option("--send-as", metavar="PATTERN", help="an address that he may send as, too; * for any text", repeat=True),
            JSON,
        ),
        examples=("mailer user add ann@example.com", "mailer user add bob@example.com --send-as '*@shop.example.com' --quota 5GB"),
        epilog=CODES,
    ),
    "list": Subcommand(
        "user list",
        listing,
        summary="the users, and what they may do",
        about="Lists what is known of the users; their passwords are not.",
        options=(JSON,),
        examples=("mailer user list",),
        epilog=CODES,
    ),
    "passwd": Subcommand(
        "user passwd",
        passwd,
        summary="give a user another password, which is shown once",
        about="The one before opens nothing any more, and who is logged in with it has to log in again. Passwords of his programs stay: "
        "mailer user app-password --remove takes one away.",
        operands="ADDRESS",
        words=_names,
        options=(STDIN, JSON),
        examples=("mailer user passwd ann@example.com",),
        epilog=CODES,
    ),
    "app-password": Subcommand(
        "user app-password",
        app_password,
        summary="make a password for one program of a user, or take it away",
        about="Prints a password that only that program needs to have: it can be taken away without touching any other. One of the same "
        "name is replaced.",
        operands="ADDRESS NAME",
        words=_names,
        options=(
            Option("--for", metavar="LIST", help="what it opens, with commas between; all by default", repeat=True, words=PURPOSES),
            Option("--remove", help="take it away"),
            JSON,
        ),
        examples=("mailer user app-password ann@example.com phone", "mailer user app-password ann@example.com phone --remove"),
        epilog=CODES,
    ),
    "quota": Subcommand(
        "user quota",
        quota,
        summary="say how large the mailbox of a user may be",
        about="SIZE is as 5GB, and 0 for no limit.",
        operands="ADDRESS SIZE",
        words=_names,
        options=(JSON,),
        examples=("mailer user quota ann@example.com 5GB",),
        epilog=CODES,
    ),
    "send-as": Subcommand(
        "user send-as",
        send_as,
        summary="say as whom else a user may send",
        about="The patterns take the place of those before; without one he sends as himself only. An alias that leads to him needs none.",
        operands="ADDRESS [PATTERN...]",
        words=_names,
        options=(JSON,),
        examples=("mailer user send-as bob@example.com '*@shop.example.com' sales@example.com",),
        epilog=CODES,
    ),
    "disable": Subcommand(
        "user disable",
        disable,
        summary="let a user neither log in nor send",
        about="Mail for him is taken as before, and his queued mail stays; who is logged in as him is refused at his next message.",
        operands="ADDRESS",
        words=_names,
        options=(JSON,),
        examples=("mailer user disable ann@example.com",),
        epilog=CODES,
    ),
    "enable": Subcommand(
        "user enable",
        enable,
        summary="let a disabled user log in again",
        about="His passwords are as they were.",
        operands="ADDRESS",
        words=_names,
        options=(JSON,),
        examples=("mailer user enable ann@example.com",),
        epilog=CODES,
    ),
    "remove": Subcommand(
        "user remove",
        remove,
        summary="forget a user",
        about="Mail for him is refused from then on, unless an alias or a catch-all takes it. His mailbox is not touched.",
        operands="ADDRESS",
        words=_names,
        options=(JSON,),
        examples=("mailer user remove ann@example.com",),
        epilog=CODES,
    ),
}
