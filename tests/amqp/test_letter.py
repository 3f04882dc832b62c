"""A letter, and what it asks for."""

from __future__ import annotations

import json

import pytest

from mailer.amqp.letter import Letter, QueueTerms, largest, submission
from mailer.config.model import Config
from mailer.config.sections.amqp import AmqpQueue
from mailer.mail.problem import Problem

from .house import letter

SETTINGS = Config(mailer=Config().mailer.but(spool="/nowhere", hostname="m.example.com")).submitting
TERMS = QueueTerms.of("mailer.in", (), SETTINGS)


def of(body: object = None, **more: object) -> Letter:
    """A letter with this payload."""
    octets = body if isinstance(body, bytes) else json.dumps(letter() if body is None else body).encode()
    return Letter(1, len(octets), octets, **more)  # type: ignore[arg-type]


def test_it_is_the_mail_of_its_queue() -> None:
    """By principal and stream; as anybody where no section says otherwise."""
    made = submission(of(), TERMS)
    assert (str(made.submitter), made.stream, made.senders) == ("amqp:mailer.in", "mailer.in", None)
    section = AmqpQueue(name="mailer.in", senders=("*@example.com",), stream="news")
    made = submission(of(), QueueTerms.of("mailer.in", (section,), SETTINGS))
    assert (made.stream, made.senders) == ("news", ("*@example.com",))


@pytest.mark.parametrize(("request_id", "message_id", "expected"), [("r", "m", "r"), (None, "m", "m"), (None, "", ""), ("r", "", "r")])
def test_its_request_id_is_its_own_or_the_brokers(request_id: str | None, message_id: str, expected: str) -> None:
    """Without both it has none, and a crash at the wrong moment can double it."""
    assert submission(of({**letter(), "request_id": request_id}, message_id=message_id), TERMS).request_id == expected


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (of(b"\xff"), "no UTF-8"),
        (of(b'{"to": "a@example.net", "to": "b@example.net"}'), "stands twice"),
        (of(b"[" * 200_000), "nested too deeply"),
        (of([]), "no object"),
        (of({**letter(), "request_id": "a\nb"}), "request_id is no request id"),
        (of({**letter(), "request_id": None}, message_id="\x00"), "message-id is no request id"),
        (of(content_encoding="gzip"), "content-encoding"),
        (of({**letter(), "list_unsubscribe": True}), "list_unsubscribe is"),
        (of({**letter(), "ignore_suppression": "yes"}), "ignore_suppression is true or false"),
        (of({**letter(), "attachments": [{"filename": "x", "data_base64": "AAAA"}] * 51}), "submission.max_attachments"),
        (Letter(1, 1 << 30, None), "submission.max_message_size"),
    ],
)
def test_what_is_wrong_is_said(given: Letter, why: str) -> None:
    """The message is to blame, so it becomes a dead letter."""
    with pytest.raises(Problem, match=why) as caught:
        submission(given, TERMS)
    assert caught.value.kind == "bad-message"


def test_it_asks_for_a_link_and_only_a_queue_that_may_for_mail_to_who_is_suppressed() -> None:
    """As the API has it, where a key needs the scope for that."""
    assert submission(of({**letter(), "list_unsubscribe": "auto"}), TERMS).options == {"list_unsubscribe": "auto"}
    assert not submission(of({**letter(), "ignore_suppression": False}), TERMS).options
    asked = of({**letter(), "ignore_suppression": True})
    with pytest.raises(Problem, match=r"mailer\.in may not say ignore_suppression \(amqp_queue\.ignore_suppression\)"):
        submission(asked, TERMS)
    trusted = QueueTerms.of("mailer.in", (AmqpQueue(name="mailer.in", ignore_suppression=True),), SETTINGS)
    assert submission(asked, trusted).options == {"ignore_suppression": True}


def test_a_body_may_be_as_large_as_base64_makes_a_message() -> None:
    """Four bytes of three, and what stands around them."""
    assert TERMS.largest == largest(SETTINGS) == SETTINGS.max_message_size * 4 // 3 + 1_000_000


def test_a_name_that_is_too_long_is_refused() -> None:
    """As the configuration's mistake."""
    with pytest.raises(Problem) as caught:
        QueueTerms.of("q" * 400, (), SETTINGS)
    assert caught.value.kind == "bad-config"
