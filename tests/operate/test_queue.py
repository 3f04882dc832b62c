"""Operations on messages, as any door performs them: what each is for, and what came of it, as a value."""

from __future__ import annotations

import math

import pytest

from mailer.mail.problem import Problem
from mailer.operate.queue import CANCEL, HOLD, RELEASE, RETRY, Operation, pause, paused, perform, replaying, resume, stored, targets
from mailer.spool.api import Reserve
from mailer.spool.files.spool import FileSpool
from mailer.status.api import Filter
from mailer.status.record import Record
from tests.fakes.mail import NOW
from tests.status.office import Office


def record(office: Office, id: str) -> Record:
    with office.view() as view:
        found = view.message(id)
    assert found is not None
    return found


@pytest.mark.parametrize("operation", [HOLD, RELEASE, RETRY, CANCEL], ids=lambda operation: operation.verb)
def test_a_selection_is_of_what_the_operation_is_for(operation: Operation) -> None:
    """A state that it is not for selects nothing, which is a mistake; without one, all that it is for is meant, but what must be named."""
    assert operation.selected(Filter()).states == frozenset(operation.states)
    with pytest.raises(ValueError, match=f"{operation.verb} is for messages that are "):
        operation.selected(Filter(states=frozenset({"expired"})))


def test_what_is_named_is_found_once_and_the_rest_is_said(office: Office) -> None:
    """A message by two names, one that is as the operation would leave it, one that is done with, and one that is unknown."""
    waits, held, failed = office.put(), office.held(), office.failed()
    with office.view() as view:
        found, others = targets(view, [waits, waits.lower(), held, failed, "unknown"], HOLD)
    assert [each.id for each in found] == [waits]
    assert [(each.id, each.nothing_to_do, each.problem and each.problem.kind) for each in others] == [
        (held, True, None), (failed, False, "bad-message"), ("unknown", False, "no-such"),
    ]  # fmt: skip
    assert others[1].as_json()["error"] == f"message {failed} is done with (it is failed)"


def test_an_operation_is_performed_or_would_be(office: Office) -> None:
    """And its JSON says which."""
    id = office.put()
    before = record(office, id)
    [would] = perform(FileSpool(office.spool), [before], HOLD, dry_run=True)
    assert would is not None
    assert would.as_json() == {"id": id, "action": "hold", "done": False, "was": "queued", "error": None}
    assert office.spool.find(id) == "queued"
    [did] = perform(FileSpool(office.spool), [before], HOLD)
    assert did is not None
    assert did.as_json() == {"id": id, "action": "hold", "done": True, "was": "queued", "error": None}
    assert office.spool.find(id) == "held"


def test_what_has_left_meanwhile_is_an_error_only_where_it_was_named(office: Office) -> None:
    """A selection passes over it; what is not kept cannot be replayed, however it was chosen."""
    id = office.failed()
    before = record(office, id)
    office.spool_path(id).unlink()
    assert [*perform(FileSpool(office.spool), [before], HOLD, named=False)] == []
    [named] = perform(FileSpool(office.spool), [before], HOLD)
    assert named is not None
    assert named.problem is not None
    assert named.problem.kind == "try-again"
    [again] = perform(FileSpool(office.spool), [before], replaying(FileSpool(office.spool), Reserve(0, 0)), named=False)
    assert again is not None
    assert again.as_json() == {
        "id": id, "action": "replay", "done": False, "was": None, "as": None,
        "error": f"message {id} is not kept any more (bounce.retention)",
    }  # fmt: skip


def test_a_message_is_shown_as_it_lies_there(office: Office) -> None:
    """By one name, which may be no other's."""
    id = office.deferred(message_id="<1@example.com>")
    office.put(message_id="<1@example.com>")
    with office.view() as view:
        found = stored(view, id)
        with pytest.raises(Problem, match="is the name of 2 messages") as caught:
            stored(view, "<1@example.com>")
    assert caught.value.kind == "usage"
    document = found.as_json(body=True)
    assert document["id"] == id
    assert document["body"] == found.body()
    assert [outcome.verdict for outcome in found.entry.history.outcomes] == ["defer"]


def test_a_destination_is_paused_and_goes_on(office: Office) -> None:
    """Whether a daemon heard is part of the answer; a reason is one line."""
    said = pause(FileSpool(office.spool), "example.net", math.inf, "moving", NOW)
    at = "2027-01-15T08:00:00Z"
    assert said.as_json() == {"target": "example.net", "until": None, "reason": "moving", "why": "moving", "at": at, "heard": False}
    assert [each.target for each in paused(FileSpool(office.spool), NOW)] == ["example.net"]
    assert resume(FileSpool(office.spool), "example.net", NOW).as_json()["until"] == "2027-01-15T08:00:00Z"
    assert paused(FileSpool(office.spool), NOW) == []
    with pytest.raises(ValueError, match="one line of text"):
        pause(FileSpool(office.spool), "example.net", math.inf, "two\nlines", NOW)
