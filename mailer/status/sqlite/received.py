"""What came by the doors, in the tables: written within a transaction of `writer`, and read by `reader`.

A refusal that says what one before it said is one more in its row; `mailer.status.received` says which do. There is room for
`mailer.status.received.MOST` rows of each table, and the oldest go.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailer.events import TakenIn
from mailer.mail.ip_network import neighbourhood

from ..incoming import of
from ..received import EACH, MOST, ReceivedRecord
from .rows import clean, micros
from .values import id_of, moment_of, number_of, text_of

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from ..incoming import Incoming

TRIM = 1000
"""After how many events it is looked whether there are too many rows: so many there may be beyond the bound."""

PUT_ARRIVAL = "INSERT INTO arrivals VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (email_id) DO NOTHING"

_SAME = """
    WHERE hour = :hour AND network = :network AND reason = :reason AND from_address = :sender AND recipient_address = :recipient
    AND user = :user AND crowd = :crowd
"""
KNOWN = "SELECT 1 FROM refusals" + _SAME  # noqa: S608 - constants all
ADD_REFUSAL = (
    "UPDATE refusals SET times = times + 1, last_time = :at, door = :door, client_ip = :ip, client_name = :name, hello = :hello, "  # noqa: S608 - constants all
    "protocol = :protocol, tls = :tls, phase = :phase, reply = :reply, why = :why, proxy = :proxy" + _SAME + " AND last_time < :at"
)
LIKE_IT = "SELECT count(*) FROM refusals WHERE hour = :hour AND network = :network AND reason = :reason AND crowd = 0"
PUT_REFUSAL = """
INSERT INTO refusals VALUES (:hour, :network, :reason, :sender, :recipient, :user, :crowd, :at, :at, 1, :door, :ip, :name, :hello,
    :protocol, :tls, :phase, :reply, :why, :proxy)
"""
TRIM_ARRIVALS = "DELETE FROM arrivals WHERE time < (SELECT time FROM arrivals ORDER BY time DESC LIMIT 1 OFFSET ?)"
TRIM_REFUSALS = "DELETE FROM refusals WHERE last_time < (SELECT last_time FROM refusals ORDER BY last_time DESC LIMIT 1 OFFSET ?)"
FORGET = ("DELETE FROM arrivals WHERE time < ?", "DELETE FROM refusals WHERE last_time < ?")

_ARRIVAL = (
    "SELECT email_id, time, door, client_ip, client_name, hello, protocol, tls, user, from_address, recipients, size, verdict, why, proxy "
    "FROM arrivals "
)
ARRIVAL = _ARRIVAL + "WHERE email_id = ?"
ARRIVALS = _ARRIVAL + "WHERE time >= ? ORDER BY time DESC"
REFUSALS = """
SELECT network, reason, from_address, recipient_address, user, crowd, first_time, last_time, times, door, client_ip, client_name, hello,
    protocol, tls, phase, reply, why, proxy FROM refusals WHERE last_time >= ? ORDER BY last_time DESC
"""


def put(db: sqlite3.Connection, event: Incoming) -> None:
    """Write down what came. Raises `sqlite3.Error`."""
    record = of(event)
    if isinstance(event, TakenIn):
        db.execute(PUT_ARRIVAL, _arrival(record))
    else:
        _put_refusal(db, record)


def trim(db: sqlite3.Connection) -> None:
    """Delete the oldest rows beyond the bound. Raises `sqlite3.Error`."""
    db.execute(TRIM_ARRIVALS, (MOST - 1,))
    db.execute(TRIM_REFUSALS, (MOST - 1,))


def forget(db: sqlite3.Connection, before: float) -> None:
    """Delete what came before then (seconds since the epoch), and did not come again. Raises `sqlite3.Error`."""
    for statement in FORGET:
        db.execute(statement, (micros(before),))


def _put_refusal(db: sqlite3.Connection, record: ReceivedRecord) -> None:
    """Count it where one says the same, else put it; of very many, as one of the crowd."""
    for each in (record, record.in_crowd):
        bound = _refusal(each)
        if db.execute(ADD_REFUSAL, bound).rowcount or db.execute(KNOWN, bound).fetchone():
            return
        if each.crowd or db.execute(LIKE_IT, bound).fetchone()[0] < EACH:
            db.execute(PUT_REFUSAL, bound)
            return


def _arrival(record: ReceivedRecord) -> tuple[object, ...]:
    words = record.door, record.ip, clean(record.name), clean(record.hello), record.protocol, record.tls, clean(record.user)
    people = clean("\n".join(record.recipients))  # no address has a line end, RFC 5321 §4.1.2
    found = record.size, record.verdict, clean(record.why), record.proxy
    return (record.id, micros(record.at), *words, clean(record.sender), people, *found)


def _refusal(record: ReceivedRecord) -> dict[str, object]:
    hour, network, *texts, crowd = record.fold
    reason, sender, recipient, user = map(clean, map(str, texts))
    return {
        "hour": hour, "network": network, "reason": reason, "sender": sender, "recipient": recipient, "user": user, "crowd": int(crowd),
        "at": micros(record.at), "door": record.door, "ip": record.ip, "name": clean(record.name), "hello": clean(record.hello),
        "protocol": record.protocol, "tls": record.tls, "phase": record.phase, "reply": clean(record.reply), "why": clean(record.why),
        "proxy": record.proxy,
    }  # fmt: skip


def arrival(row: Sequence[object]) -> ReceivedRecord:
    """A row of `ARRIVALS`. Raises `BadRow`."""
    id, time, door, ip, *words, people, size, verdict, why, proxy = row
    name, hello, protocol, tls, user, sender = map(text_of, words)
    at = moment_of(time)
    named = text_of(people).split("\n") if people else []
    client = text_of(door), text_of(ip), neighbourhood(text_of(ip)), name, hello, protocol, tls
    made = ReceivedRecord(at, at, 1, *client, user, sender, named, "", text_of(verdict), id_of(id), number_of(size))
    return made._replace(why=text_of(why), proxy=text_of(proxy))


def refusal(row: Sequence[object]) -> ReceivedRecord:
    """A row of `REFUSALS`. Raises `BadRow`."""
    network, reason, sender, recipient, user, crowd, first, last, times, *words = row
    door, ip, name, hello, protocol, tls, phase, reply, why, proxy = map(text_of, words)
    people = [text_of(recipient)] if recipient else []
    client = door, ip, text_of(network), name, hello, protocol, tls, text_of(user)
    made = ReceivedRecord(moment_of(last), moment_of(first), number_of(times), *client, text_of(sender), people, text_of(reason), "refuse")
    return made._replace(phase=phase, reply=reply, why=why, crowd=bool(number_of(crowd)), proxy=proxy)
