"""``mailer queue show``: one message of the spool as it lies there: envelope, outcomes, header, and if wanted the body."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from mailer.mail.failure import BAD_MESSAGE, NO_SUCH, OK, USAGE, Failure
from mailer.mail.history import RECIPIENT_STATUS
from mailer.mail.message import Message
from mailer.mail.text import safe
from mailer.mail.when import rfc3339
from mailer.spool import NoSuchMessage
from mailer.spool.file import CorruptFile
from mailer.status.record import of_entry

from . import pages, show
from .options import JSON, Command, Option, usage
from .selectors import spool_of, view_of
from .show import BLANK, Cell, Column, Line, Table, moment

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mailer.mail.outcome import Outcome
    from mailer.spool import Entry, Spool

    from .options import Given
    from .show import Block, Value


def run(given: Given) -> int:
    """Show the message. 67 if it is not in the spool."""
    if len(given.operands) != 1:
        raise usage("queue show takes one ID", given.command.name)
    spool = spool_of(given)
    entry, content = _load(spool, given.operands[0])
    if given.flag("--raw"):
        _raw(content)
    elif given.flag("--json"):
        show.json_line(_as_json(entry, content, body=given.flag("--body")))
    elif not given.flag("--quiet"):
        show.show(_page(entry, content, time.time()))
        if given.flag("--body"):
            _print_body(content)
    return OK


def _load(spool: Spool, name: str) -> tuple[Entry, bytes]:
    with view_of(spool) as view:
        found = view.find(name)
        place = view.spool
    if not found:
        raise Failure(f"no message {name!r} is known here", NO_SUCH)
    if len(found) > 1:
        raise Failure(f"{name!r} is the name of {len(found)} messages: {' '.join(record.id for record in found)}", USAGE)
    id = found[0].id
    try:
        return place.read(id), place.content(id)
    except NoSuchMessage:
        raise Failure(f"message {id} has left the spool; `mailer status {id}` says what became of it", NO_SUCH) from None
    except CorruptFile as error:
        raise Failure(f"the file of message {id} is damaged: {error}", BAD_MESSAGE) from None


def _raw(content: bytes) -> None:
    if sys.stdout.isatty():
        raise Failure("--raw prints the bytes as they are, and could make this terminal do things: send it to a file or a pipe", USAGE)
    sys.stdout.flush()
    sys.stdout.buffer.write(content)
    sys.stdout.buffer.flush()


def _page(entry: Entry, content: bytes, now: float) -> Iterator[Block]:
    yield from pages.message(of_entry(entry), now)
    if entry.history.outcomes:
        yield BLANK
        yield _outcomes(entry, now)
    if origin := _origin(entry):
        yield BLANK
        yield Line([Cell(f"Submitted with {origin}", "quiet")])
    yield BLANK
    for name, value in header(content):
        yield Line([Cell(name + ":", "quiet"), " " + value])


def _origin(entry: Entry) -> str:
    told = {**entry.envelope.submitter, **entry.envelope.options}
    return ", ".join(f"{name} {value}" for name, value in told.items())


def _outcomes(entry: Entry, now: float) -> Table:
    columns = [
        Column("WHEN", right=True),
        Column("TRIED"),
        Column("STATUS", cut=True),
        Column("PHASE", cut=True),
        Column("REPLY"),
        Column("HOST"),
    ]
    rows: list[Sequence[Value]] = []
    for outcome in entry.history.outcomes:
        status = RECIPIENT_STATUS[outcome.verdict]
        address = entry.envelope.recipients[outcome.to].address
        reply = Cell(outcome.reply or "-", show.MOODS[status])
        rows.append([Cell(moment(outcome.at, now), "quiet"), address, show.status(status), outcome.phase or "-", reply, _host(outcome)])
    return Table(columns, rows)


def _host(outcome: Outcome) -> str:
    hop = outcome.hop
    where = f"{hop.host or hop.ip}:{hop.port}" if hop.port else hop.host
    return " ".join(part for part in (where, hop.tls) if part) or "-"


def header(content: bytes) -> list[tuple[str, str]]:
    """The fields of the header, each on one line, as text."""
    fields = []
    for _, field in Message.split(content).fields():
        name, _, value = field.decode("utf-8", "replace").partition(":")
        fields.append((name.strip(), value.strip()))
    return fields


def _body(content: bytes) -> str:
    return Message.split(content).rest.removeprefix(b"\r\n").decode("utf-8", "replace")


def _print_body(content: bytes) -> None:
    show.say("")
    for line in _body(content).removesuffix("\r\n").split("\r\n"):
        show.say(safe(line.expandtabs(), len(line) * 8 + 1))


def _as_json(entry: Entry, content: bytes, *, body: bool) -> dict[str, object]:
    document = of_entry(entry).as_json()
    document["submitter"] = dict(entry.envelope.submitter)
    document["options"] = dict(entry.envelope.options)
    document["outcomes"] = [_outcome_json(entry, outcome) for outcome in entry.history.outcomes]
    document["header"] = [list(field) for field in header(content)]
    if body:
        document["body"] = _body(content)
    return document


def _outcome_json(entry: Entry, outcome: Outcome) -> dict[str, object]:
    record = outcome.to_record()
    if outcome.due:
        record["due"] = rfc3339(outcome.due)
    return {"at": rfc3339(outcome.at), "address": entry.envelope.recipients[outcome.to].address, **record}


show_message = Command(
    "queue show",
    run,
    summary="one message of the spool: envelope, outcomes, header",
    about="Shows a message as it lies in the spool. What came from outside is made safe for a terminal, except with --raw.",
    operands="ID",
    options=(
        Option("--body", help="the body too, as text"),
        Option("--raw", help="the message and nothing else, byte for byte; not to a terminal"),
        JSON,
    ),
)
