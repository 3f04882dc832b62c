"""The JSON of a message, and that rows of the database are not trusted."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mailer.mail.outcome import Cause, Hop
from mailer.status.record import of_entry
from mailer.status.sqlite import values
from mailer.status.sqlite.values import BadRow
from tests.fakes.mail import BODY, NOW, outcome
from tests.status.office import Office

EMAIL = ("0" * 26, "<m@x>", None, "me@example.com", "Hello", 42, "normal", "sent", 10**15, 10**15, 10**15, None, 1, None, None)
RECIPIENT = ("you@example.net", "to", "sent", 250, "2.0.0", "Ok", "mx.example.net", 10**15, None, None)


def test_the_json_of_a_message_is_as_promised(office: Office) -> None:
    """Names, types, RFC 3339 times in UTC, and null for what there is not."""
    id = office.put("a@example.net", "b@example.net", request_id="r-1", subject="Hello", message_id="<m@x>")
    hop = Hop("mx.example.net", "192.0.2.1", 25)
    refused = outcome(1, "defer", code=454, enhanced="4.7.5", text="expired", cause=Cause.TLS, besides="192.0.2.2: no connection",
                      at=NOW + 2.5, due=NOW + 60)  # fmt: skip
    office.settle(id, outcome(0, text="Ok", hop=hop, at=NOW + 1), refused)
    record = of_entry(office.entry(id))
    assert json.loads(json.dumps(record.as_json())) == {
        "id": id, "message_id": "<m@x>", "request_id": "r-1", "status": "deferred", "from": "me@example.com", "subject": "Hello",
        "size": len(BODY), "priority": "normal", "queued_at": "2027-01-15T08:00:00Z", "last_attempt_at": "2027-01-15T08:00:02.500000Z",
        "next_attempt_at": "2027-01-15T08:01:00Z", "sent_at": None, "attempts": 1,
        "recipients": [
            {"address": "a@example.net", "type": "to", "status": "sent", "code": 250, "enhanced_code": "2.0.0", "reply": "Ok",
             "host": "mx.example.net", "ours": False, "cause": None, "besides": None, "updated_at": "2027-01-15T08:00:01Z"},
            {"address": "b@example.net", "type": "to", "status": "deferred", "code": 454, "enhanced_code": "4.7.5", "reply": "expired",
             "host": None, "ours": True, "cause": "tls", "besides": "192.0.2.2: no connection",
             "updated_at": "2027-01-15T08:00:02.500000Z"},
        ],
        "stream": None,
    }  # fmt: skip


def test_absent_values_are_null(office: Office) -> None:
    """A message that was never tried."""
    document = of_entry(office.entry(office.put(sender=""))).as_json()
    assert document["from"] == ""
    assert [name for name, value in document.items() if value is None] == [
        "message_id", "request_id", "subject", "last_attempt_at", "next_attempt_at", "sent_at", "stream",
    ]  # fmt: skip
    assert document["recipients"] == [
        {"address": "you@example.net", "type": "to", "status": "queued", "code": None, "enhanced_code": None, "reply": None,
         "host": None, "ours": False, "cause": None, "besides": None, "updated_at": "2027-01-15T08:00:00Z"}
    ]  # fmt: skip


def test_the_reason_of_a_message_that_waits_is_that_of_who_waits(office: Office) -> None:
    """Whoever got nothing for good is no reason why the others still wait."""
    id = office.put("a@example.net", "b@example.net", "c@example.net")
    office.settle(id, outcome(0, "fail"), outcome(1, "defer", text="come back later", due=NOW + 60), outcome(2, "fail"))
    assert of_entry(office.entry(id)).error.endswith("come back later")


@pytest.mark.parametrize("known", [False, True])
def test_spool_and_database_tell_of_a_message_in_the_same_words(office: Office, known: bool) -> None:
    """Whether its row is asked or its file makes no difference to who reads it."""
    id = office.put("a@example.net", "b@example.net", subject="x")
    late = outcome(1, "defer", cause=Cause.TIMEOUT, besides="192.0.2.2: lost", due=NOW + 300)
    office.settle(id, outcome(0, "defer", cause=Cause.NO_MAILBOX, due=NOW + 300, at=NOW - 1), late, known=known)
    office.seen(id)
    with office.view() as view:
        row = view.reader.record(id)
    assert row == of_entry(office.entry(id))
    assert row is not None
    assert [row.error, *(recipient.why for recipient in row.recipients)] == [
        "mailer: 451 4.3.0 a reply", "451 4.3.0 a reply", "mailer: 451 4.3.0 a reply",
    ]  # fmt: skip


def test_a_row_that_the_program_wrote_is_read() -> None:
    """The reverse of writing it."""
    record = values.record(EMAIL, [RECIPIENT])
    assert (record.status, record.sent_at, record.recipients[0].why) == ("sent", 1e9, "250 2.0.0 Ok")


@pytest.mark.parametrize(
    ("column", "value"),
    [
        (0, "../../etc/passwd"), (0, None), (0, 7), (1, 5), (1, b"bytes"), (3, 3.5), (5, -1),
        (5, "many"), (5, None), (6, "urgent"), (7, "delivered"),
        (7, None), (8, -1), (8, 253402300800 * 10**6), (8, "yesterday"), (8, 1.5), (9, 2**62), (12, -3), (12, True),
    ],
)  # fmt: skip
def test_a_row_that_no_version_wrote_is_refused(column: int, value: Any) -> None:
    """Bad words, negative counters, times in the year 10000, other types."""
    row = [*EMAIL]
    row[column] = value
    with pytest.raises(BadRow):
        values.record(row, [RECIPIENT])


@pytest.mark.parametrize(
    ("column", "value"), [(0, 5), (1, "xcc"), (2, "gone"), (3, -1), (3, "250"), (5, b"x"), (7, None), (7, 10**30), (8, 5), (9, 5)]
)
def test_a_recipient_that_no_version_wrote_is_refused(column: int, value: Any) -> None:
    """The same for recipients."""
    row = [*RECIPIENT]
    row[column] = value
    with pytest.raises(BadRow):
        values.record(EMAIL, [row])
