"""The envelope as one line of JSON."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.mail.envelope import Envelope, Recipient, dump_json
from mailer.mail.envelope_reader import EnvelopeError, from_line

GOOD = {
    "id": "01M7XZE2ZPFN5M9C7PXGDNNSF8",
    "created": "2026-11-21T02:37:14Z",
    "sender": "a@example.com",
    "recipients": [{"address": "b@example.com"}],
}


def read(**changes: object) -> Envelope:
    """The envelope `GOOD` with some members changed; None removes one."""
    document = {name: value for name, value in (GOOD | changes).items() if value is not None}
    return from_line(json.dumps(document).encode())


def test_what_is_written_is_read_again() -> None:
    """Every member survives the line."""
    envelope = Envelope(
        "X" * 26,
        "2026-11-21T00:00:00Z",
        "",
        [Recipient("a@example.com"), Recipient('"q\\"x"@example.com', "bcc"), Recipient("b@example.net", behalf="sales@example.com")],
        message_id="<a@b>",
        subject='äöü \u2028 " \\ \x1b',
        request_id="k",
        priority="high",
        submitter={"uid": 0},
        options={"x": [1, None, True]},
    )
    line = envelope.to_line()
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    again = from_line(line)
    assert again.to_line() == line
    assert again.recipients == envelope.recipients
    assert again.subject == envelope.subject


def test_the_minimum_of_the_contract_is_enough() -> None:
    """id, created, sender and recipients make an envelope; members that nobody knows are ignored."""
    envelope = read(future={"deep": [1, 2]})
    assert envelope.recipients == [Recipient("b@example.com")]
    assert envelope.priority == "normal"


@pytest.mark.parametrize(
    "line",
    [
        b"", b"[]", b"null", b"{", b'{"a":1}', b"\xff\xfe", b"[" * 100_000, b'{"id":' * 50_000,
        b'{"id":"a","id":"b","created":"","sender":"","recipients":[{"address":"x@y"}]}',
        b'{"id":NaN,"created":"","sender":"","recipients":[{"address":"x@y"}]}',
        b'{"id":"a","created":"","sender":"","recipients":[{"address":"x@y"}],"n":' + b"9" * 5000 + b"}",
    ],
)  # fmt: skip
def test_garbage_is_one_kind_of_error(line: bytes) -> None:
    """No JSON, nesting without end, doubled members and numbers without end are refused alike."""
    with pytest.raises(EnvelopeError):
        from_line(line)


@pytest.mark.parametrize(
    "changes",
    [
        {"id": None}, {"id": 5}, {"sender": None}, {"sender": ["a"]}, {"recipients": []}, {"recipients": "a@b"}, {"recipients": None},
        {"recipients": [{"address": ""}]}, {"recipients": ["a@b"]}, {"recipients": [{"address": "a\r\nRCPT TO:<x>@b"}]},
        {"recipients": [{"address": "a@b>x"}]}, {"sender": "a@b\n"}, {"priority": "urgent"}, {"priority": 1}, {"options": []},
        {"subject": "\ud800"}, {"recipients": [{"address": "a@b", "for": 1}]}, {"recipients": [{"address": "a@b", "for": "a\nb"}]},
    ],
)  # fmt: skip
def test_a_tampered_envelope_is_refused(changes: dict[str, object]) -> None:
    """Wrong types, missing members and addresses that would break out of a command are no envelope."""
    with pytest.raises(EnvelopeError):
        read(**changes)


@pytest.mark.parametrize(
    ("sender", "submitter", "foreign", "answerable"),
    [
        ("a@example.com", None, False, True), ("", None, False, False), ("a@example.com", {"via": "submission"}, False, True),
        ("a@example.com", {"via": "mx"}, True, False), ("a@example.com", {"via": "lmtp", "proven": "yes"}, True, False),
        ("a@example.com", {"via": "mx", "proven": True}, True, True), ("", {"via": "mx", "proven": True}, True, False),
    ],
)  # fmt: skip
def test_of_strangers_only_a_proven_sender_is_answered(
    sender: str, submitter: dict[str, object] | None, foreign: bool, answerable: bool
) -> None:
    """Of our own people everybody is who has an address; nobody answers the null sender."""
    envelope = read(sender=sender, submitter=submitter)
    assert (envelope.foreign, envelope.answerable) == (foreign, answerable)


@given(
    st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner))
)
def test_json_is_written_as_everybody_reads_it(value: object) -> None:
    """What `dump_json` writes is JSON for the same value."""
    assert json.loads(dump_json(value)) == value


def test_the_domain_of_a_recipient_is_lower_case() -> None:
    """Routing does not tell upper from lower case."""
    assert Recipient("Me@EXAMPLE.com").domain == "example.com"
    assert Recipient('"a@b"@Example.com').domain == "example.com"
