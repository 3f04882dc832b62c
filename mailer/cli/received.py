"""``mailer received``: what came by the doors, taken and refused alike."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from mailer.intake.view import view_of
from mailer.mail.refusal_reason import REASONS
from mailer.mail.text import human_size
from mailer.operate import received
from mailer.status.received import ReceivedFilter

from . import OK, show
from .options import JSON, Option, Subcommand, usage
from .selectors import LIMIT, since, spool_of
from .show import Cell, Column, Line, Table

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mailer.status.received import ReceivedRecord

    from .options import Given
    from .show import Piece, Value

SHOWN = 20
REASON_WORDS = (*REASONS, "mark", "hold")
WORDS = {"accept": "taken", "mark": "marked", "hold": "held", "refuse": "refused"}
STYLE_OF = {"accept": "good", "mark": "wait", "hold": "busy", "refuse": "bad"}


def run(given: Given) -> int:
    """Show what came, the newest first."""
    spool, wanted = spool_of(given), wanted_of(given)
    limit = given.number("--limit", SHOWN) or None
    with view_of(spool) as view:
        found = received.listed(view, wanted, limit)
        if given.flag("--json"):
            for each in found:
                show.json_line(each.as_json())
        else:
            records = [*found]
            if not given.flag("--quiet") and (records or not view.notes):
                show.show([_table(records, time.time()) if records else Line([_nothing(wanted)])])
        crowd, notes = received.unnamed(view, wanted), view.notes
    show.note(*notes)
    if crowd:
        show.note(f"{crowd:,} refusals besides are known by network alone, as there were so many: mailer received --refused --ip NETWORK")
    return OK


def wanted_of(given: Given) -> ReceivedFilter:
    """What the options select. Raises `Problem` (usage)."""
    ip = given.text("--ip") or ""
    if given.flag("--ip") and not received.is_network(ip):
        raise usage(f"--ip takes an address or a network, such as 192.0.2.7 or 2001:db8::/32, not {ip!r}", "received")
    if given.flag("--taken") and given.flag("--refused"):
        raise usage("--taken and --refused leave nothing together; give one of them, or none", "received")
    taken = True if given.flag("--taken") else False if given.flag("--refused") else None
    return ReceivedFilter(
        sender=_pattern(given, "--from"),
        to=_pattern(given, "--to"),
        ip=ip,
        reason=given.text("--reason") or "",
        taken=taken,
        since=since(given, time.time()),
    )


def _is_strange(reason: str) -> bool:
    return bool(reason) and "*" not in reason and reason not in REASON_WORDS


def _pattern(given: Given, name: str) -> str:
    text = given.text(name)
    if text == "":
        raise usage(f"{name} takes an address or a part of one, such as bob@ or example.com, and '<>' for the null sender", "received")
    return received.pattern(text or "")


def _nothing(wanted: ReceivedFilter) -> str:
    what = {True: "was taken", False: "was refused", None: "came"}[wanted.taken]
    like = " that is like that" if wanted._replace(taken=None) != ReceivedFilter() else ""
    strange = f" {wanted.reason} is none of the reasons: {', '.join(REASON_WORDS)}." if _is_strange(wanted.reason) else ""
    return f"Nothing {what}{like}, as far as is remembered ([status] received_retention).{strange}"


def _table(records: Sequence[ReceivedRecord], now: float) -> Table:
    if show.terminal():
        columns = [Column("WHAT", cut=True), Column("WHEN", right=True), Column("MESSAGE")]
        return Table(
            columns, [[_word(each), Cell(show.moment(each.at, now), "quiet"), [*_story(each, now)]] for each in records], apart=True
        )
    columns = [Column(word, right=word == "TIMES") for word in ("WHAT", "WHEN", "IP", "USER", "FROM", "TO", "TIMES", "ID", "WHY")]
    return Table(columns, [_plain_row(each, now) for each in records])


def _word(record: ReceivedRecord) -> Cell:
    return Cell(WORDS.get(record.verdict, record.verdict), STYLE_OF.get(record.verdict, ""))


def _plain_row(record: ReceivedRecord, now: float) -> list[Value]:
    people = ",".join([*record.recipients[:5], *([f"+{len(record.recipients) - 5}"] if len(record.recipients) > 5 else [])])
    start = _word(record), show.moment(record.at, now), record.ip or "-", record.user or "-", _sender(record), people or "-"
    return [*start, str(record.times), record.id or "-", _why(record) or "-"]


def _sender(record: ReceivedRecord) -> str:
    if record.crowd or not record.has_sender:
        return "-"
    return record.sender or "<>"


def _why(record: ReceivedRecord) -> str:
    said = ": ".join(filter(None, (record.reason, record.reply)))
    return f"{said} ({record.why})" if said and record.why else said or record.why


def _story(record: ReceivedRecord, now: float) -> Iterable[Line]:
    """From whom to whom, what was said, from where, and what leads on."""
    yield Line(_route(record))
    if why := _why(record):
        yield Line([Cell(why, STYLE_OF.get(record.verdict, ""))])
    client = f"{record.ip or 'a unix socket'}{f' {record.name}' if record.name else ''}"
    secure = f", {record.tls}" if record.tls else ""
    proxy = f" through {record.proxy}" if record.proxy else ""
    yield Line([Cell(f"{client} ({record.door}{proxy}){secure}", "quiet")])
    if record.times > 1:
        yield Line([Cell(f"{record.times:,} times since {show.clock(record.since, now)}{_neighbours(record)}", "quiet")])
    if record.id:
        yield Line([Cell(f"{record.id}  {human_size(record.size)}", "quiet")])


def _neighbours(record: ReceivedRecord) -> str:
    return f", from {record.network}" if record.network != record.ip else ""


def _route(record: ReceivedRecord) -> list[Piece]:
    if record.crowd:
        return [Cell("many senders and recipients", "quiet")]
    people = ", ".join(record.recipients[:2]) + (f" and {len(record.recipients) - 2} more" if len(record.recipients) > 2 else "")
    if not record.has_sender:
        return [record.user or "nobody", Cell(f" at {record.phase}", "quiet")]
    route: list[Piece] = [_sender(record)]
    if people:
        route += [Cell(" → ", "quiet"), people]
    return [*route, Cell(f"  {record.user}", "strong")] if record.user else route


COMMAND = Subcommand(
    "received",
    run,
    summary="what came by the doors: taken and refused alike",
    about=(
        "Shows the messages that were taken at the doors of the kinds mx, submission and lmtp, and what was refused there: whom, why, and "
        "with which words; newest first. So it answers where a message is that somebody has sent: mailer explain ID goes on with one that "
        "was taken.\n\n"
        "Refusals of one network that say the same are one line, which says how often; where there are very many from one network in one "
        "hour, the rest is counted without sender and recipient. What is remembered is bounded ([status] received_retention in "
        "mailer-config(5)); the log has each refusal."
    ),
    options=(
        Option("--from", metavar="ADDRESS", help="only of this envelope sender: bob@example.com, bob@, example.com, '*@*.example', '<>'"),
        Option("--to", metavar="ADDRESS", help="only for this recipient, in the same forms"),
        Option("--ip", metavar="NETWORK", help="only of this client, or network of clients: 192.0.2.7, 192.0.2.0/24, 2001:db8::/32"),
        Option(
            "--reason",
            metavar="WORD",
            words=REASON_WORDS,
            help="only for this reason: unknown, relay, spf, dmarc, login, hold, …; * stands for any text",
        ),
        Option("--since", metavar="WHEN", help="only since then: 2h, 1d, 2026-11-21 or 2026-11-21T02:15:00Z"),
        Option("--taken", help="only what was taken"),
        Option("--refused", help="only what was refused"),
        LIMIT,
        JSON,
    ),
    examples=(
        "mailer received --from bob@ --since 1d",
        "mailer received --refused --to ann@example.com",
        "mailer received --reason login --ip 192.0.2.0/24",
        "mailer received --refused --json --limit 0 | jq -r .reason | sort | uniq -c",
    ),
    epilog="""\
what: taken · marked (as unwanted) · held (for an operator: mailer queue release ID) · refused""",
)
