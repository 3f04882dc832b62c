"""What is posted of an event."""

from __future__ import annotations

import json

import pytest

from mailer.config.sections.webhook import EVENTS
from mailer.hooks.payload import payload
from mailer.journal.api import TYPES, JournalEvent
from tests.hooks.endpoints import event


def body(event: JournalEvent, format: str = "standard") -> dict[str, object]:
    made = payload(event, format)
    assert made is not None
    found = json.loads(made)
    assert isinstance(found, dict)
    return found


def test_the_event_is_there_whole() -> None:
    """Below its type and its time, as Standard Webhooks has it; data is what `mailer events` prints."""
    found = event(type="failed", code=550, enhanced="5.1.1", reply="550 5.1.1 no such user", stream="shop")._replace(
        id="01JDZ3N4T0000000000000000A"
    )
    assert body(found) == {"type": "failed", "timestamp": "2026-11-30T00:53:20Z", "data": found.as_json()}


@pytest.mark.parametrize("type", TYPES)
@pytest.mark.parametrize("format", ["standard", "listmonk"])
def test_no_event_tells_what_was_written(type: str, format: str) -> None:
    """Neither a subject nor a body nor a header stands in what is posted."""
    made = payload(event(type=type, code=550, reply="no"), format) or b"{}"
    names = {name.lower() for name in [*json.loads(made), *(json.loads(made).get("data") or {})]}
    assert not names & {"subject", "body", "text", "html", "headers", "content", "from", "attachments"}


def test_the_words_of_the_configuration_are_those_of_the_journal() -> None:
    """Whoever asks for an event gets it."""
    assert EVENTS == TYPES


@pytest.mark.parametrize(
    ("type", "enhanced", "kind"),
    [
        ("failed", "5.1.1", "hard"), ("failed", "5.2.1", "hard"), ("bounced", "5.1.10", "hard"),
        ("failed", "5.7.1", "soft"), ("failed", "5.2.2", "soft"), ("failed", "5.1.8", "soft"), ("failed", "", "soft"),
        ("bounced", "4.2.2", "soft"),
        ("expired", "5.1.1", "soft"), ("complained", "", "complaint"),
    ],
)  # fmt: skip
def test_listmonk_is_told_of_bounces(type: str, enhanced: str, kind: str) -> None:
    """Hard is only what is about the mailbox: a reputation block says nothing about a subscriber."""
    found = body(event(7, type=type, enhanced=enhanced, reply="no"), "listmonk")
    assert {name: found[name] for name in ("email", "type", "source")} == {"email": "r7@example.net", "type": kind, "source": "mailer"}
    assert json.loads(str(found["meta"]))["reply"] == "no"


@pytest.mark.parametrize(
    ("class_", "enhanced", "kind"),
    [("unknown-user", "5.0.0", "hard"), ("inactive", "", "hard"), ("full", "5.2.2", "soft"), ("blocked", "5.7.1", "soft")],
)
def test_a_bounce_is_hard_by_what_its_report_means(class_: str, enhanced: str, kind: str) -> None:
    """Whatever code the other host gave for it."""
    assert body(event(7, type="bounced", enhanced=enhanced, class_=class_), "listmonk")["type"] == kind


@pytest.mark.parametrize("type", ["accepted", "delivered", "deferred", "cancelled", "alarm", "suppressed", "unsubscribed"])
def test_listmonk_is_told_of_nothing_else(type: str) -> None:
    """It counts what it gets."""
    assert payload(event(type=type), "listmonk") is None
