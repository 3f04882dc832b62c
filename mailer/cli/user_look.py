"""``mailer user show``, ``sessions`` and ``logins``: what is known of a user, where he is logged in, and who logged in or tried to."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from mailer.mail.text import human_size

from . import OK, show
from .options import JSON, Option, Subcommand, usage
from .selectors import LIMIT, since
from .show import Cell, Column, Fields, Line, Table
from .user_asked import CODES, address_of, asked, asked_sessions, config_of, names

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mailer.accounts.sessions.api import LoginLine, Use, UserSession
    from mailer.operate.user_sessions import UserStory

    from .options import Given
    from .show import Block, Value

SHOWN = 20
MOST = 1 << 40


def story(given: Given) -> int:
    """Show one user."""
    from mailer.operate import user_sessions

    address, now = address_of(given), time.time()
    found: UserStory = asked(config_of(given), lambda books: user_sessions.story(*books, address, now))
    if given.flag("--json"):
        show.json_line(found.as_json())
    elif not given.flag("--quiet"):
        show.show([*_blocks(found, now)])
    return OK


def _blocks(story: UserStory, now: float) -> Iterable[Block]:
    user = story.user
    yield Fields(
        [
            ("address", user.address),
            ("state", Cell("disabled", "bad") if user.disabled else Cell("usable", "good")),
            ("since", show.moment(user.created, now) if user.created else "-"),
            ("sends as", " ".join((user.address, *user.sends_as))),
            ("quota", human_size(user.quota) if user.quota else "none"),
            ("messages", f"{user.quota_messages:,} at most" if user.quota_messages else "no limit"),
            ("password", _used(story.use_of(""), now) if user.password else "none"),
        ]
    )
    if user.app_passwords:
        columns = [Column(name) for name in ("APP PASSWORD", "FOR", "SINCE", "EXPIRES", "LAST USED")]
        rows: list[list[Value]] = []
        for each in user.app_passwords:
            over = each.expires and each.expires <= now
            expires: Value = Cell("expired", "bad") if over else show.moment(each.expires, now) if each.expires else "never"
            dates = show.moment(each.created, now) if each.created else "-", expires
            rows.append([each.name, " ".join(sorted(each.purposes)), *dates, _used(story.use_of(each.name), now)])
        yield Table(columns, rows)
    if story.sessions:
        yield _sessions(story.sessions, now)
    if story.logins:
        yield _logins(story.logins, now)


def _used(use: Use | None, now: float) -> str:
    return f"{show.moment(use.at, now)} from {use.ip or 'this machine'} ({use.door})" if use else "never used"


def sessions(given: Given) -> int:
    """Show who is logged in, or log him out."""
    from mailer.operate import user_sessions

    if len(given.operands) > 1:
        raise usage("it takes one ADDRESS, or none for everybody", given.command.name)
    address, now, session = "".join(given.operands), time.time(), given.text("--session") or ""
    if given.flag("--end"):
        if not address:
            raise usage("--end needs the ADDRESS of whom to log out", given.command.name)
        ended = asked_sessions(config_of(given), lambda kept: user_sessions.end(kept, address, now, session))
        if given.flag("--json"):
            show.json_line({"address": address, "ended": ended})
        elif not given.flag("--quiet"):
            show.say(f"{address} is logged out" + (f": {ended} sessions end" if ended != 1 else ": one session ends"))
        return OK
    if session:
        raise usage("--session goes with --end", given.command.name)
    found: Sequence[UserSession] = asked_sessions(config_of(given), lambda kept: kept.open(address, now=now))
    if given.flag("--json"):
        for each in found:
            show.json_line(user_sessions.session_json(each))
    elif not found:
        show.note(f"{address or 'nobody'} is{' not' if address else ''} logged in")
    elif not given.flag("--quiet"):
        show.show([_sessions(found, now)])
    return OK


def _sessions(found: Sequence[UserSession], now: float) -> Table:
    columns = [Column(name) for name in ("SESSION", "USER", "DOOR", "PROCESS", "FROM", "PASSWORD", "SINCE")]
    rows: list[list[Value]] = [
        [Cell(each.id, "quiet"), each.user, each.door, each.process, each.ip or "-", each.app or "his own", show.moment(each.since, now)]
        for each in found
    ]
    return Table(columns, rows)


def logins(given: Given) -> int:
    """Show who logged in and who tried to."""
    from mailer.operate import user_sessions

    if len(given.operands) > 1:
        raise usage("it takes one ADDRESS, or none for everybody", given.command.name)
    address, now = "".join(given.operands), time.time()
    first, limit = since(given, now), given.number("--limit", SHOWN) or MOST
    failed = given.flag("--failed")
    found: Sequence[LoginLine] = asked_sessions(
        config_of(given), lambda kept: kept.logins(address, since=first, limit=limit, failed=failed)
    )
    if given.flag("--json"):
        for each in found:
            show.json_line(user_sessions.login_json(each))
    elif not given.flag("--quiet"):
        nothing = f"No login {f'as {address} ' if address else ''}{'has failed' if failed else 'is known'}."
        show.show([_logins(found, now) if found else Line([nothing])])
    return OK


def _logins(found: Sequence[LoginLine], now: float) -> Table:
    columns = [
        Column("LOGIN"),
        Column("WHEN"),
        Column("USER"),
        Column("DOOR"),
        Column("FROM"),
        Column("PASSWORD"),
        Column("TIMES", right=True),
    ]
    columns.append(Column("WHY", cut=True))
    rows: list[list[Value]] = []
    for each in found:
        word = Cell("let in", "good") if each.well else Cell("refused", "bad")
        what = (each.app or "his own") if each.well else "-"
        place = each.user or "-", each.door, each.ip or "-"
        rows.append([word, show.moment(each.last, now), *place, what, str(each.many), each.why or each.mechanism])
    return Table(columns, rows)


KEPT = "Logins are known some seconds later, and for 90 days; those that are alike within an hour are one line."

COMMANDS = {
    "show": Subcommand(
        "user show",
        story,
        summary="one user: passwords and when they were used, where he is logged in, his latest logins",
        about="Shows what may be known of a user; his passwords are not. " + KEPT,
        operands="ADDRESS",
        words=names,
        options=(JSON,),
        examples=("mailer user show ann@example.com",),
        epilog=CODES,
    ),
    "sessions": Subcommand(
        "user sessions",
        sessions,
        summary="who is logged in, at which door; or log somebody out",
        about="Lists the sessions that are open now, of one user or of all; one that is shorter than two seconds may not be there. With "
        "--end they end within a second, and whoever has the password can log in again: mailer user disable keeps him out.",
        operands="[ADDRESS]",
        words=names,
        options=(
            Option("--end", help="log the user out"),
            Option("--session", metavar="ID", help="end only this one of his sessions"),
            JSON,
        ),
        examples=("mailer user sessions", "mailer user sessions ann@example.com --end"),
        epilog=CODES,
    ),
    "logins": Subcommand(
        "user logins",
        logins,
        summary="who logged in, when, from where and with which password, and who was not let in",
        about="Lists logins, the newest first, of one user or of all. " + KEPT,
        operands="[ADDRESS]",
        words=names,
        options=(
            Option("--failed", help="only those that were not let in"),
            Option("--since", metavar="WHEN", help="only those since then: 2h, 1d, 2026-11-21 or 2026-11-21T02:15:00Z"),
            LIMIT,
            JSON,
        ),
        examples=("mailer user logins ann@example.com", "mailer user logins --failed --since 1d"),
        epilog=CODES,
    ),
}
