"""The steps of submission: each stands for itself, so that another door can choose from them."""

from __future__ import annotations

from email import message_from_bytes
from pathlib import Path

import pytest

from mailer.mail.problem import Problem
from mailer.submit import STEPS, Submission, people, steps
from mailer.submit.steps import Draft, Prepared
from tests.fakes.mail import NOW
from tests.submit.door import Door

LONG = b"x" * 1200
STRANGE = (
    b"Bcc: boss@example.com\r\nReturn-Path: <bounces@example.com>\r\nSubject: a\r\nSubject: b\r\nTo: root\r\n\r\n" + LONG + b"\r\n\xff\r\n"
)
"""What submission would change in each way that it has: a message without Date, From and Message-ID, and much that must not be there."""

WRITING = (steps.single_fields, steps.without_envelope, steps.identify, steps.complete, steps.mend)


def drafted(door: Door, data: bytes, chosen: tuple[object, ...], **more: object) -> Draft:
    """`data` gone through the steps that are `chosen`."""
    draft = Draft(Submission(data, sender="s@example.com", recipients=["a@example.net"], **more), door.settings, NOW)  # type: ignore[arg-type]
    for step in STEPS:
        if step in chosen:
            step(draft)
    return draft


def test_a_list_without_the_steps_that_write_leaves_the_bytes_as_they_are(door: Door) -> None:
    """Mail of strangers gets no Date, no Message-ID and no From, keeps what stands twice and what is too long, and has its envelope."""
    chosen = tuple(step for step in STEPS if step not in WRITING)
    prepared = Prepared(drafted(door, STRANGE, chosen))
    assert prepared.content == STRANGE
    assert prepared.changes == []
    assert (prepared.envelope.sender, [person.address for person in prepared.envelope.recipients]) == ("s@example.com", ["a@example.net"])
    assert Prepared(drafted(door, STRANGE, STEPS)).content != STRANGE


def test_a_list_with_one_writing_step_does_what_that_step_does(tmp_path: Path) -> None:
    """None of them needs another."""
    door, done = Door(tmp_path, default_domain="example.com"), {}
    for step in WRITING:
        draft = drafted(door, STRANGE, (steps.normalise, people.identity, step))
        done[step.__name__] = {(change.action, change.what) for change in draft.changes}
    assert done == {
        "single_fields": {("removed", "Subject")},
        "without_envelope": {("removed", "Bcc"), ("removed", "Return-Path")},
        "identify": {("changed", "To")},
        "complete": {("added", "Date"), ("added", "From"), ("added", "Message-ID")},
        "mend": {("mended", "body")},
    }


@pytest.mark.parametrize("left_out", [*WRITING, people.identity, people.sender, steps.remember, steps.check_options])
def test_any_of_them_can_be_left_out(door: Door, left_out: object) -> None:
    """The others do their part."""
    prepared = Prepared(drafted(door, STRANGE, tuple(step for step in STEPS if step is not left_out), request_id="k"))
    assert message_from_bytes(prepared.content)["To"] == "root"
    assert [person.address for person in prepared.envelope.recipients] == ["a@example.net"]
    assert prepared.envelope.request_id == "k"


def test_what_a_step_refuses_no_other_refuses(tmp_path: Path) -> None:
    """A message that is too large is taken by a list that does not ask for its size."""
    door = Door(tmp_path, max_message_size=100, max_header_size=20)
    limits = (steps.check_size, steps.check_header)
    for step in limits:
        with pytest.raises(Problem, match="is larger than"):
            drafted(door, STRANGE, (steps.normalise, step))
    assert drafted(door, STRANGE, tuple(step for step in STEPS if step not in limits)).envelope.sender == "s@example.com"
