"""``mailer user``: the users whose mail lives here, and who may hand in mail."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from mailer.mail.problem import Problem
from mailer.mail.text import human_size

from . import OK, show, user_look, user_settings
from .options import JSON, Option, Subcommand, usage
from .user_asked import CODES, address_of, asked, boxes_of, config_of, names

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mailer.accounts.users.api import User
    from mailer.operate.users import UserPassword, UserTerms

    from .options import Given
    from .user_asked import Books

PURPOSES = ("submission", "imap", "pop3", "web")
LONGEST = 1024  # octets of a password


def add(given: Given) -> int:
    """Make a user, and show the password that he was given."""
    from mailer.operate import users as operate

    address, config, password = address_of(given), config_of(given), _password(given)
    terms = _terms(given)
    scram = config.accounts.keeps_keys
    made = asked(config, lambda books: operate.add(books.users, address, terms, time.time(), password=password, scram=scram), make=True)
    code = _tell(given, made, f"the user {made.address} is there; the password is kept nowhere, and cannot be shown again")
    if config.domains and made.address.rpartition("@")[2].lower() not in {section.name for section in config.domains}:
        show.note(f"no [[domain]] is called {made.address.rpartition('@')[2]}: he can send, and gets no mail here")
    if not (given.flag("--json") or given.flag("--quiet")):
        user_settings.hint(config, made.address)
    return code


def _terms(given: Given) -> UserTerms:
    from mailer.operate.users import UserTerms

    quota = _octets(given, given.text("--quota") or "0", "--quota")
    return UserTerms(quota, given.texts("--send-as"), given.number("--quota-messages", 0))


def passwd(given: Given) -> int:
    """Give a user another password."""
    from mailer.operate import users as operate

    address, config, password = address_of(given), config_of(given), _password(given)
    scram = config.accounts.keeps_keys
    made = asked(config, lambda books: operate.change_password(*books, address, time.time(), password=password, scram=scram))
    return _tell(given, made, f"the password of {made.address} is another one; those of his programs are as they were")


def app_password(given: Given) -> int:
    """Make a password for one program, or forget it."""
    from mailer.operate import users as operate

    if len(given.operands) != 2:
        raise usage("it needs an ADDRESS and a NAME for the program", given.command.name)
    address, name = given.operands
    if given.flag("--remove"):
        user = asked(config_of(given), lambda books: operate.remove_app_password(*books, address, name, time.time()))
        return _changed(given, user, f"the app password {name} of {user.address} is gone")
    purposes = [purpose.strip() for text in given.texts("--for") for purpose in text.split(",")]
    now = time.time()
    expires = now + _seconds(given, "--expires") if given.flag("--expires") else 0.0
    made = asked(config_of(given), lambda books: operate.add_app_password(*books, address, name, purposes, now, expires=expires))
    return _tell(given, made, f"{name} logs in as {made.address} with it; it is kept nowhere, and cannot be shown again")


def listing(given: Given) -> int:
    """Show the users, without what proves them."""
    from mailer.operate import users as operate

    if given.operands:
        raise usage("it takes no addresses", given.command.name)

    async def all_of(books: Books) -> list[User]:
        return [user async for user in operate.everybody(books.users)]

    found = asked(config_of(given), all_of)
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
    yield _quota(user, "-")
    yield show.moment(user.created, now) if user.created else "-"


def quota(given: Given) -> int:
    """Say how large a mailbox may be."""
    from mailer.operate import users as operate

    if len(given.operands) not in (2, 3):
        raise usage("it needs an ADDRESS and a SIZE, 0 for no limit, and may have a number of MESSAGES", given.command.name)
    address, octets = given.operands[0], _octets(given, given.operands[1], "SIZE")
    messages = _count(given, given.operands[2]) if len(given.operands) == 3 else None
    user = asked(config_of(given), lambda books: operate.set_quota(books.users, address, octets, messages))
    return _changed(given, user, f"the mailbox of {user.address} may have {_quota(user, 'any size')}")


def _quota(user: User, none: str) -> str:
    said = [human_size(user.quota)] if user.quota else []
    said += [f"{user.quota_messages:,} messages"] if user.quota_messages else []
    return ", ".join(said) or none


def send_as(given: Given) -> int:
    """Say as whom else a user may send."""
    from mailer.operate import users as operate

    if not given.operands:
        raise usage("it needs an ADDRESS, and the patterns of those as whom that user may send", given.command.name)
    address, *patterns = given.operands
    user = asked(config_of(given), lambda books: operate.set_senders(books.users, address, patterns))
    return _changed(given, user, f"{user.address} may send as {', '.join(user.sends_as) or 'nobody else'}")


def disable(given: Given) -> int:
    """Let a user neither log in nor send from now on."""
    return _switch(given, disabled=True)


def enable(given: Given) -> int:
    """Let a user log in and send again."""
    return _switch(given, disabled=False)


def _switch(given: Given, *, disabled: bool) -> int:
    from mailer.operate import users as operate

    address = address_of(given)
    user = asked(config_of(given), lambda books: operate.switch(*books, address, time.time(), disabled=disabled))
    return _changed(given, user, f"{user.address} {'neither logs in nor sends from now on' if disabled else 'can log in again'}")


def remove(given: Given) -> int:
    """Forget a user; his mailbox is kept for a while."""
    from mailer.operate import user_leaving

    address, config = address_of(given), config_of(given)
    with boxes_of(config) as boxes:
        gone = asked(config, lambda books: user_leaving.remove(*books, boxes, address, time.time()))
    if given.flag("--json"):
        show.json_line(gone.as_json())
    elif not given.flag("--quiet"):
        show.say(f"the user {gone.address} is gone")
        if gone.until:
            show.note(f"his mailbox is kept until {show.exact(gone.until, time.time())}: mailer user restore {gone.address}")
    return OK


def restore(given: Given) -> int:
    """Make somebody a user again, with his mailbox, and show the password that he was given."""
    from mailer.operate import user_leaving

    address, config, password, terms = address_of(given), config_of(given), _password(given), _terms(given)
    scram, now = config.accounts.keeps_keys, time.time()
    with boxes_of(config) as boxes:
        if boxes is None:
            raise Problem("there are no mailboxes here: mailboxes.path names none", "bad-config")
        made = asked(config, lambda books: user_leaving.restore(books.users, boxes, address, terms, now, password=password, scram=scram))
    return _tell(given, made, f"{made.address} is a user again, with the mailbox that was his; the password is another one, and shown once")


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


def _count(given: Given, text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 16):
        raise usage(f"MESSAGES is a number, 0 for no limit, and not {text!r}", given.command.name)
    return int(text)


def _seconds(given: Given, name: str) -> float:
    from mailer.config.values import duration

    try:
        return duration(given.text(name))
    except ValueError as error:
        raise usage(f"{name}: {error}", given.command.name) from None


def _octets(given: Given, text: str, what: str) -> int:
    from mailer.config.values import size

    try:
        return 0 if text == "0" else size(text)
    except ValueError as error:
        raise usage(f"{what}: {error}", given.command.name) from None


FILE = (
    "Users are kept in accounts.sqlite3 in the spool, or where accounts.path says: of each password only what proves it. Who is switched "
    "off or removed, or whose password is another one, is logged out wherever he is logged in, within a second."
)
STDIN = Option("--password-stdin", help="take the password from the first line of standard input, or ask for it at a terminal")

TERMS = (
    Option("--quota", metavar="SIZE", help="how large his mailbox may be, as 5GB; without a limit by default"),
    Option("--quota-messages", metavar="COUNT", help="how many messages it may have; without a limit by default"),
    Option("--send-as", metavar="PATTERN", help="an address that he may send as, too; * for any text", repeat=True),
)

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
            *TERMS,
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
    **user_look.COMMANDS,
    **user_settings.COMMANDS,
    "passwd": Subcommand(
        "user passwd",
        passwd,
        summary="give a user another password, which is shown once",
        about="The one before opens nothing any more, and who is logged in with it is logged out. Passwords of his programs stay: "
        "mailer user app-password --remove takes one away.",
        operands="ADDRESS",
        words=names,
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
        words=names,
        options=(
            Option("--for", metavar="LIST", help="what it opens, with commas between; all by default", repeat=True, words=PURPOSES),
            Option("--expires", metavar="AGE", help="how long it is good: 90d; by default until it is taken away"),
            Option("--remove", help="take it away, and log out who is logged in with it"),
            JSON,
        ),
        examples=(
            "mailer user app-password ann@example.com phone --for imap,submission --expires 90d",
            "mailer user app-password ann@example.com phone --remove",
        ),
        epilog=CODES,
    ),
    "quota": Subcommand(
        "user quota",
        quota,
        summary="say how large the mailbox of a user may be",
        about="SIZE is as 5GB, and 0 for no limit; MESSAGES is how many messages it may have, and stays as it is where it is not said. The "
        "user gets a letter when his mailbox has used up 80 and 95 percent of either.",
        operands="ADDRESS SIZE [MESSAGES]",
        words=names,
        options=(JSON,),
        examples=("mailer user quota ann@example.com 5GB", "mailer user quota ann@example.com 5GB 100000"),
        epilog=CODES,
    ),
    "send-as": Subcommand(
        "user send-as",
        send_as,
        summary="say as whom else a user may send",
        about="The patterns take the place of those before; without one he sends as himself only. An alias that leads to him needs none.",
        operands="ADDRESS [PATTERN...]",
        words=names,
        options=(JSON,),
        examples=("mailer user send-as bob@example.com '*@shop.example.com' sales@example.com",),
        epilog=CODES,
    ),
    "disable": Subcommand(
        "user disable",
        disable,
        summary="let a user neither log in nor send",
        about="Mail for him is taken as before, and his queued mail stays; who is logged in as him is logged out.",
        operands="ADDRESS",
        words=names,
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
        words=names,
        options=(JSON,),
        examples=("mailer user enable ann@example.com",),
        epilog=CODES,
    ),
    "remove": Subcommand(
        "user remove",
        remove,
        summary="forget a user; his mailbox is kept for a while",
        about="Mail for him is refused from then on, unless an alias or a catch-all takes it, and he is logged out. His mailbox is kept "
        "for mailboxes.removed_kept and then removed. Whoever gets the address meanwhile begins with an empty mailbox, and never sees it.",
        operands="ADDRESS",
        words=names,
        options=(JSON,),
        examples=("mailer user remove ann@example.com",),
        epilog=CODES,
    ),
    "restore": Subcommand(
        "user restore",
        restore,
        summary="make somebody a user again, with the mailbox that he had",
        about="As mailer user add, but with the mailbox that was removed last under this address, and not with a new one. What he was "
        "allowed before is not known any more.",
        operands="ADDRESS",
        options=(STDIN, *TERMS, JSON),
        examples=("mailer user restore ann@example.com",),
        epilog=CODES,
    ),
}
