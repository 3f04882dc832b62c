"""``mailer api``: keys of the HTTP API, and its OpenAPI document."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from mailer.accounts.api import SCOPES
from mailer.io.extras import installing
from mailer.mail.problem import Problem

from . import OK, show
from .options import JSON, Option, Subcommand, usage

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mailer.accounts.api import ApiKey
    from mailer.accounts.files import FileApiKeys
    from mailer.config.kinds import Rate
    from mailer.operate.api_keys import NewKey

    from .options import Given

KEEP = "1d"


def add(given: Given) -> int:
    """Make a key, and show it."""
    from mailer.operate import api_keys

    scopes = [scope.strip() for text in given.texts("--scope") for scope in text.split(",")]
    terms = api_keys.KeyTerms(
        scopes or api_keys.KeyTerms().scopes,
        given.texts("--sender") or ("*",),
        given.texts("--network"),
        given.text("--stream") or "",
        _rate(given),
        time.time() + _seconds(given, "--expires", "") if given.flag("--expires") else 0.0,
    )
    keys, name = _keys(given), _name(given)
    made = asyncio.run(api_keys.add(keys, name, terms, time.time()))
    return _tell(given, made, f"the key {name} is for {', '.join(terms.scopes)}; it is kept nowhere, so put it where its program reads it")


def rotate(given: Given) -> int:
    """Give a key another secret, and show it."""
    from mailer.operate import api_keys

    keys, name = _keys(given), _name(given)
    keep = _seconds(given, "--keep", KEEP)
    made = asyncio.run(api_keys.rotate(keys, name, time.time() + keep if keep else 0.0))
    how = f"holds for {show.span(keep)} more" if keep else "opens nothing any more"
    return _tell(given, made, f"the secret before {how}")


def listing(given: Given) -> int:
    """Show the keys, without their secrets."""
    from mailer.operate import api_keys

    if given.operands:
        raise usage("it takes no names", given.command.name)
    now = time.time()
    found = asyncio.run(_keys(given).all())
    if given.flag("--json"):
        for key in found:
            show.json_line(api_keys.as_json(key, now))
    elif not found:
        show.note("there are no keys; `mailer api key add NAME --scope send,status` makes one")
    elif not given.flag("--quiet"):
        columns = [show.Column("NAME"), show.Column("FOR"), show.Column("SENDERS"), show.Column("STATE"), show.Column("EXPIRES")]
        show.show([show.Table(columns, [[*_row(key, now)] for key in found])])
    return OK


def _row(key: ApiKey, now: float) -> Iterable[show.Value]:
    yield key.name
    yield ",".join(scope for scope in SCOPES if scope in key.scopes)
    yield " ".join(key.senders) or "nobody"
    if key.disabled:
        yield show.Cell("disabled", "bad")
    elif not key.holds(now):
        yield show.Cell("expired", "bad")
    else:
        yield show.Cell("rotating", "wait") if key.previous_until > now else show.Cell("usable", "good")
    yield show.moment(key.expires, now) if key.expires else "never"


def disable(given: Given) -> int:
    """Let a key open nothing from now on."""
    return _switch(given, disabled=True)


def enable(given: Given) -> int:
    """Let a key open again what it did."""
    return _switch(given, disabled=False)


def _switch(given: Given, *, disabled: bool) -> int:
    from mailer.operate import api_keys

    key = asyncio.run(api_keys.switch(_keys(given), _name(given), disabled=disabled))
    if given.flag("--json"):
        show.json_line(api_keys.as_json(key, time.time()))
    elif not given.flag("--quiet"):
        show.say(f"the key {key.name} is {'disabled: it opens nothing from now on' if disabled else 'enabled'}")
    return OK


def remove(given: Given) -> int:
    """Forget a key."""
    from mailer.operate import api_keys

    name = _name(given)
    asyncio.run(api_keys.remove(_keys(given), name))
    if given.flag("--json"):
        show.json_line({"name": name, "removed": True})
    elif not given.flag("--quiet"):
        show.say(f"the key {name} is gone; a new one of that name would see the mail of this one")
    return OK


def openapi(_given: Given) -> int:
    """Print the OpenAPI document."""
    try:
        from mailer.web.openapi import document
        from mailer.web.table import TABLE
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("starlette", "uvicorn", "h11"):
            raise
        raise Problem(f"mailer api openapi needs the extra web: {installing('web')}", "unavailable") from None
    show.document(document(TABLE))
    return OK


def _tell(given: Given, made: NewKey, note: str) -> int:
    if given.flag("--json"):
        show.json_line(made.as_json())
        return OK
    show.say(made.key)
    if not given.flag("--quiet"):
        show.note(note)
    return OK


def _keys(given: Given) -> FileApiKeys:
    from mailer.config import load
    from mailer.operate.api_keys import keys_of

    return keys_of(load(given.text("--config"), given.text("--spool")))


def _name(given: Given) -> str:
    if len(given.operands) != 1:
        raise usage("it needs one NAME", given.command.name)
    return given.operands[0]


def _rate(given: Given) -> Rate | None:
    from mailer.config.kinds import RATE

    text = given.text("--rate")
    try:
        return RATE.read(text) if text else None
    except ValueError as error:
        raise usage(f"--rate: {error}", given.command.name) from None


def _seconds(given: Given, name: str, default: str) -> float:
    from mailer.config.values import duration

    try:
        return duration(given.text(name) or default)
    except ValueError as error:
        raise usage(f"{name}: {error}", given.command.name) from None


def _names(given: Given) -> list[str]:
    return [key.name for key in asyncio.run(_keys(given).all())]


FILE = (
    "Keys are kept in api-keys.toml beside the configuration, mode 0600, of the user whom the daemon runs as; of each secret only its "
    "SHA-256. What is done to a key holds within a second."
)
CODES = "exit codes: 0 · 64 usage · 67 there is no such key · 73, 74 the file cannot be written · 77 permission · 78 configuration"

COMMANDS = {
    "key add": Subcommand(
        "api key add",
        add,
        summary="make a key, which is shown once",
        about="Prints the key, which a program sends as Authorization: Bearer KEY. It is not kept, and cannot be shown again. What it may "
        "do is what its scopes say: send hands mail in; status asks what became of it; manage cancels and replays it; events reads what "
        "happens to it; suppress is for the list of those who are not to be mailed. A key sees the mail that came by it, and no other; "
        "with operator its events, and the page, are of everybody's mail.\n\n" + FILE,
        operands="NAME",
        options=(
            Option(
                "--scope", metavar="LIST", help="what it is for, with commas between; send,status by default", repeat=True, words=SCOPES
            ),
            Option("--sender", metavar="PATTERN", help="an address that it may send as, * for any text; all by default", repeat=True),
            Option("--network", metavar="NETWORK", help="where it may come from, as 192.0.2.0/24; from everywhere by default", repeat=True),
            Option("--stream", metavar="NAME", help="what kind of mail it sends: events and suppressions can be chosen by that"),
            Option("--rate", metavar="RATE", help="the most requests in a time, as 600/min"),
            Option("--expires", metavar="DURATION", help="for how long it holds, as 90d; for ever by default"),
            JSON,
        ),
        examples=("mailer api key add shop --scope send,status", "mailer api key add news --sender '*@news.example.com' --stream news"),
        epilog=CODES,
    ),
    "key list": Subcommand(
        "api key list",
        listing,
        summary="the keys, and what they may do",
        about="Lists what is known of the keys; their secrets are not.",
        options=(JSON,),
        examples=("mailer api key list",),
        epilog=CODES,
    ),
    "key disable": Subcommand(
        "api key disable",
        disable,
        summary="let a key open nothing from now on",
        about="Its mail stays as it is, and so does all else about it.",
        operands="NAME",
        words=_names,
        options=(JSON,),
        examples=("mailer api key disable shop",),
        epilog=CODES,
    ),
    "key enable": Subcommand(
        "api key enable",
        enable,
        summary="let a disabled key open what it did",
        about="The key that its program has is good again.",
        operands="NAME",
        words=_names,
        options=(JSON,),
        examples=("mailer api key enable shop",),
        epilog=CODES,
    ),
    "key rotate": Subcommand(
        "api key rotate",
        rotate,
        summary="give a key another secret, which is shown once",
        about="The one before holds for a while, so that programs can be given the new one, one after the other. Rotate twice, and the "
        "first one is gone.",
        operands="NAME",
        words=_names,
        options=(
            Option("--keep", metavar="DURATION", help=f"for how long the one before holds; {KEEP} by default, 0s for not at all"),
            JSON,
        ),
        examples=("mailer api key rotate shop", "mailer api key rotate shop --keep 0s"),
        epilog=CODES,
    ),
    "key remove": Subcommand(
        "api key remove",
        remove,
        summary="forget a key",
        about="Its mail stays, and nobody sees it by the API; a key that is made later under that name does.",
        operands="NAME",
        words=_names,
        options=(JSON,),
        examples=("mailer api key remove shop",),
        epilog=CODES,
    ),
    "openapi": Subcommand(
        "api openapi",
        openapi,
        summary="the OpenAPI document of the HTTP API",
        about="Prints what GET /openapi.json answers: every endpoint, what it takes and what it gives, in OpenAPI 3.1. It is the same "
        "whatever is configured. mailer-api(7) is the guide to it (`mailer help api.7`).\n\n"
        "POST /send_email, /send_emails and /send_raw hand mail in: what is answered with 202 is on the disk. A request id, as the member "
        "request_id or the field Idempotency-Key, makes a request once: repeated, it has the same answer, with repeat: true; another "
        "message under it is refused with 409. GET /status/ID, /status?recipient_email=ADDRESS and /explain/ID tell what became of it, "
        "POST /messages/ID/cancel and /replay act on it; ID is that of the message, its request id, or its Message-ID. What is wrong with "
        "a request is 400 with the member that is meant, 401 without a valid key, 403 where the key is not for it, 404 for what is not the "
        "key's own, 413 and 415 for what is no body; 429 and 503 say in Retry-After when to come again.",
        examples=("mailer api openapi > openapi.json",),
        epilog="exit codes: 0 · 69 the extra web is not installed",
    ),
}
