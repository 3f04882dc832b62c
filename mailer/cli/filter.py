"""``mailer filter``: what would become of a message that comes from there, and how the filters do."""

from __future__ import annotations

import asyncio
import sys
from ipaddress import ip_address
from typing import TYPE_CHECKING

from mailer.mail.address import AddressError, parse
from mailer.operate import filtering

from . import OK, TRY_AGAIN, UNAVAILABLE, show
from .options import JSON, Option, Subcommand, usage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mailer.operate.filtering import FilterState, Trial

    from .options import Given

CODES = {"accept": OK, "mark": OK, "hold": OK, "refuse": UNAVAILABLE, "tempfail": TRY_AGAIN}
STYLES = {"accept": "good", "mark": "wait", "hold": "busy", "refuse": "bad", "tempfail": "wait"}
WORDS = {
    "accept": "it would be taken",
    "mark": "it would be taken, and marked as spam",
    "hold": "it would be taken, and held until somebody releases it",
    "refuse": "it would be refused",
    "tempfail": "it would be put off",
}
TROUBLE = frozenset({"refuse", "tempfail", "failed", "fail", "listed", "mark", "hold"})
LARGEST = 100_000_000  # octets of a message that is read


def test(given: Given) -> int:
    """Try a message; tells by the exit code what would become of it."""
    from mailer.config import load

    mail = _mail(given)
    trial = asyncio.run(filtering.tried(load(given.text("--config"), given.text("--spool")), mail))
    if given.flag("--json"):
        show.json_line(trial.as_json())
    elif not given.flag("--quiet"):
        show.show(_blocks(trial))
        if given.flag("--verbose"):
            for line in trial.fields.split("\r\n")[:-1]:
                show.say(line)
    return CODES[trial.verdict]


def listing(given: Given) -> int:
    """Ask each filter how it does; tells by the exit code whether all answer."""
    from mailer.config import load

    found = asyncio.run(filtering.states(load(given.text("--config"), given.text("--spool"))))
    if given.flag("--json"):
        for each in found:
            show.json_line(each.as_json())
    elif not given.flag("--quiet"):
        show.show([_table(found) if found else show.Line(["There is no [[filter]] in the configuration."])])
    return UNAVAILABLE if any(each.trouble for each in found) else OK


def _mail(given: Given) -> filtering.TrialMail:
    """What is asked about. Raises `Problem` (usage)."""
    ip, hello = given.text("--ip") or "", given.text("--helo") or ""
    try:
        ip = str(ip_address(ip)) if ip else ""
    except ValueError:
        raise usage(f"--ip takes an address such as 192.0.2.1, not {ip!r}", given.command.name) from None
    recipients = [_address(given, "--to", text) for text in given.texts("--to")]
    if not recipients:
        raise usage("it needs --to ADDRESS, whom the message is for", given.command.name)
    sender = given.text("--from") or ""
    sender = "" if sender in ("", "<>") else _address(given, "--from", sender)
    content = sys.stdin.buffer.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise usage(f"the message has more than {LARGEST} bytes", given.command.name)
    return filtering.TrialMail(ip, hello, sender, recipients, content, "TLSv1.3" if given.flag("--tls") else "")


def _address(given: Given, option: str, text: str) -> str:
    try:
        return str(parse(text.removeprefix("<").removesuffix(">")))
    except AddressError as error:
        raise usage(f"{option}: {error}", given.command.name) from None


def _blocks(trial: Trial) -> Iterator[show.Block]:
    reply = f": {trial.reply}" if trial.reply else ""
    yield show.Line([show.Cell(f"{trial.verdict}: {WORDS[trial.verdict]}{reply}", STYLES[trial.verdict])])
    yield show.Line([show.Cell(f"the sum of all scores is {trial.score:.1f}", "quiet")])
    yield show.BLANK
    columns = [show.Column("STEP"), show.Column("RESULT"), show.Column("SCORE", right=True), show.Column("WHY")]
    rows: list[list[show.Value]] = [
        [each.step, show.Cell(each.result, "bad" if each.result in TROUBLE else ""), f"{each.score:g}" if each.score else "", each.reason]
        for each in trial.steps
    ]
    yield show.Table(columns, rows)


def _table(found: list[FilterState]) -> show.Table:
    columns = [show.Column(word) for word in ("FILTER", "KIND", "AT", "STATE", "OTHERWISE")]
    rows: list[list[show.Value]] = [
        [each.name, each.kind, each.place, show.Cell(each.trouble or each.well, "bad" if each.trouble else "good"), each.otherwise]
        for each in found
    ]
    return show.Table(columns, rows)


def learn(given: Given) -> int:
    """Tell the filters that learn what a message is; tells by the exit code whether all have heard."""
    from mailer.config import load
    from mailer.operate import learning

    if given.flag("--spam") == given.flag("--ham"):
        raise usage("say what it is: --spam or --ham", given.command.name)
    if len(given.operands) > 1:
        raise usage("it takes one ADDRESS, whom the message is for, or none", given.command.name)
    recipient = _address(given, "ADDRESS", given.operands[0]) if given.operands else ""
    content = _content(given)
    config = load(given.text("--config"), given.text("--spool"))
    found = asyncio.run(learning.taught(config, content, "spam" if given.flag("--spam") else "ham", recipient))
    for each in found:
        if given.flag("--json"):
            show.json_line(each.as_json())
        elif not given.flag("--quiet") or each.trouble:
            show.say(f"{each.name}: {each.trouble or ('it has learned that' if each.new else 'it knew that')}")
    return TRY_AGAIN if any(each.trouble for each in found) else OK


def _content(given: Given) -> bytes:
    """The message on standard input. Raises `Problem` (usage)."""
    content = sys.stdin.buffer.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise usage(f"the message has more than {LARGEST} bytes", given.command.name)
    if not content.strip():
        raise usage("standard input has no message", given.command.name)
    return content


COMMANDS = {
    "test": Subcommand(
        "filter test",
        test,
        summary="what would become of a message that comes from there; takes nothing",
        about="Reads a message from standard input and goes with it the way that a door of the kind mx goes: who calls, whom it is for, "
        "what lists say of the address, what the message proves (SPF, DKIM, DMARC, ARC), and what each filter thinks. Each step is shown "
        "with its result, its score and its reason, and with -v the fields that would be on top. Filters are asked in earnest; nothing is "
        "taken, and nobody is put off for it.",
        options=(
            Option("--ip", metavar="ADDRESS", help="the address that it comes from; without it, a unix socket"),
            Option("--helo", metavar="NAME", help="what the client calls itself in EHLO"),
            Option("--from", "-f", metavar="ADDRESS", help="the reverse-path of its envelope; without it, or with '<>', the null one"),
            Option("--to", "-t", metavar="ADDRESS", help="whom it is for; may be given several times", repeat=True),
            Option("--tls", help="as if it came over TLS"),
            JSON,
        ),
        examples=(
            "mailer filter test --ip 192.0.2.1 --helo mx.example.org --from ann@example.org --to bob@example.com < message.eml",
            "mailer filter test --ip 192.0.2.1 --to bob@example.com --json < message.eml | jq .steps",
        ),
        epilog="exit codes: 0 it would be taken (accept, mark, hold) · 69 refused · 75 put off · 64 usage · 78 configuration",
    ),
    "learn": Subcommand(
        "filter learn",
        learn,
        summary="tell the filters that learn that a message is spam, or that it is none",
        about="Reads a message from standard input and tells each [[filter]] with learn = true what it is, now. What users say by moving "
        "their mail to Junk, or out of it, is told without this. ADDRESS is whom the message is for, where a filter keeps users apart.",
        operands="[ADDRESS]",
        options=(
            Option("--spam", help="it is spam"),
            Option("--ham", help="it is none"),
            JSON,
        ),
        examples=("mailer filter learn --spam < message.eml", "mailer filter learn --ham ann@example.com < message.eml"),
        epilog="exit codes: 0 all have heard · 75 one has not · 64 usage · 78 configuration, as where no filter learns",
    ),
    "list": Subcommand(
        "filter list",
        listing,
        summary="each filter of the configuration, and whether it answers",
        about="Asks every [[filter]] now whether it is there: daemons by their own question for that, a list by its test entries.",
        options=(JSON,),
        examples=("mailer filter list", "mailer filter list --json | jq -r 'select(.trouble) | .name'"),
        epilog="exit codes: 0 all answer · 69 one does not · 78 configuration",
    ),
}
