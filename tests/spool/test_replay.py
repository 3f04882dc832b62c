"""Replay: what was given up goes out once more, as a new message that knows where it came from."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from mailer.mail.problem import Problem
from mailer.spool.api import NoSuchMessage, Note
from mailer.spool.files.replay import replay
from mailer.spool.files.store import SpoolDirectory
from mailer.spool.files.sweep import sweep
from tests.fakes.mail import BODY, NOW, outcome, put


def given_up(spool: SpoolDirectory, *verdicts: str, **more: object) -> str:
    """A message with a recipient for each verdict."""
    id = put(spool, *(f"{nth}@example.net" for nth in range(len(verdicts))), subject="a test", **more)
    with spool.claim(id) as claim:
        spool.fail(claim, [outcome(to, verdict) for to, verdict in enumerate(verdicts)])  # type: ignore[arg-type]
    return id


def test_those_who_have_not_got_it_get_it(spool: SpoolDirectory) -> None:
    """A new ID, a new time, the same bytes; the old file stays where it is."""
    old = given_up(spool, "fail", "delivered", "expire", "cancel", options={"notify": "NEVER", "by": 60, "at": "2027-01-01T00:00:00Z"})
    new = replay(spool, old, [], NOW + 100)
    entry = spool.read(new.id, "queued")
    assert [r.address for r in entry.envelope.recipients] == ["0@example.net", "2@example.net", "3@example.net"]
    assert (entry.envelope.parent, entry.envelope.sender, entry.envelope.subject) == (old, "me@example.com", "a test")
    assert entry.arrived == NOW + 100
    assert entry.envelope.options == {"notify": "NEVER"}
    assert spool.content(new.id) == BODY
    assert spool.read(old, "failed").status == "failed"


def test_others_can_get_it_instead(spool: SpoolDirectory) -> None:
    """Also what all have: nothing is left out that was asked for."""
    old = given_up(spool, "delivered")
    with pytest.raises(Problem, match="name others") as caught:
        replay(spool, old, [], NOW)
    assert caught.value.kind == "bad-message"
    assert [r.address for r in replay(spool, old, ["new@example.org"], NOW).recipients] == ["new@example.org"]


def test_mail_of_strangers_goes_to_others_on_behalf_of_whom_it_was_for(spool: SpoolDirectory) -> None:
    """Or it would leave with a sender that knows no host of ours; mail of our own people is on nobody's behalf."""
    old = given_up(spool, "fail", submitter={"via": "mx"})
    assert [one.behalf for one in replay(spool, old, ["new@example.org"], NOW).recipients] == ["0@example.net"]
    own = given_up(spool, "fail")
    assert [one.behalf for one in replay(spool, own, ["new@example.org"], NOW).recipients] == [""]


def test_it_is_replayed_once(spool: SpoolDirectory) -> None:
    """A second time only for who says so; the refusal names what it became."""
    old = given_up(spool, "fail")
    first = replay(spool, old, [], NOW)
    with pytest.raises(Problem, match=first.id):
        replay(spool, old, [], NOW)
    second = replay(spool, old, [], NOW, again=True)
    assert spool.ids("queued") == sorted([first.id, second.id])
    with spool.claim(old, "failed") as claim:
        assert [note.id for note in claim.entry.notes if note.what == "replayed"] == [first.id, second.id]


def test_a_replay_can_be_replayed(spool: SpoolDirectory) -> None:
    """Each names the one before."""
    old = given_up(spool, "fail")
    new = replay(spool, old, [], NOW)
    with spool.claim(new.id) as claim:
        spool.fail(claim, [outcome(0, "fail")])
    assert replay(spool, new.id, [], NOW).parent == new.id


@pytest.mark.parametrize("state", ["queued", "deferred", "held"])
def test_what_was_not_given_up_is_not_replayed(spool: SpoolDirectory, state: str) -> None:
    """It is still to be delivered: two of it would be two mails."""
    id = put(spool)
    if state == "held":
        spool.hold(id)
    elif state == "deferred":
        with spool.claim(id) as claim:
            spool.defer(claim, [outcome(0, "defer", due=NOW + 60)], NOW + 60)
    with pytest.raises(NoSuchMessage):
        replay(spool, id, [], NOW)


def test_a_note_is_no_outcome(spool: SpoolDirectory) -> None:
    """The history of a message with notes is what it was; text of a reply that looks like a note is none."""
    id = put(spool)
    with spool.claim(id) as claim:
        spool.defer(claim, [outcome(0, "defer", text='{"note":"warned"}', due=NOW)], NOW)
        assert spool.read(id).notes == []
        spool.note(claim, [Note("warned", NOW)])
        assert spool.read(id).notes == [Note("warned", NOW)]
        os.write(claim.fd, b'\n{"at":"2026-11-21T02:00:00Z","to":[],"note":"warned","x')  # torn
    entry = spool.read(id)
    assert entry.notes == [Note("warned", NOW)]
    assert len(entry.history.outcomes) == 1
    assert entry.history.pending() == [0]


def test_retention_begins_anew(spool: SpoolDirectory) -> None:
    """Who replayed a message may want to look at it; the sweep takes both in their time."""
    old = given_up(spool, "fail")
    os.utime(spool.path("failed", old), (NOW, NOW))
    replay(spool, old, [], NOW)
    mtime = Path(spool.path("failed", old)).stat().st_mtime
    assert sweep(spool, mtime + 10, 60.0, 60.0) == 0
    assert sweep(spool, mtime + 61, 60.0, 60.0) == 1


@pytest.mark.parametrize(("step", "put_again"), [("fsync", False), ("rename", False), ("fdatasync", True)])
def test_a_step_that_fails_leaves_the_old_message_whole(
    spool: SpoolDirectory, monkeypatch: pytest.MonkeyPatch, step: str, put_again: bool
) -> None:
    """Before the new message is there, nothing has happened; after it, it is there, and at worst the note of it is not."""
    old = given_up(spool, "fail")

    def fails(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as full:
        full.setattr(os, step, fails)
        with pytest.raises((Problem, OSError)):
            replay(spool, old, [], NOW)
    assert spool.find(old) == "failed"
    assert spool.read(old).status == "failed"
    assert len(spool.ids("queued")) == put_again
    assert not list(spool.names("tmp"))
    replay(spool, old, [], NOW, again=put_again)
    assert len(spool.ids("queued")) == 1 + put_again
