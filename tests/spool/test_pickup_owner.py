"""Whose a file in drop/ is, what its owner can say of it, and what happens to an ID that is taken."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from mailer.mail.envelope import Recipient
from mailer.mail.principal import unix
from mailer.spool import put_at
from mailer.spool.files.pickup import adopt
from mailer.spool.files.store import SpoolDirectory
from tests.fakes.mail import BODY, id_at, put, spool_file
from tests.fakes.users import NOBODY
from tests.spool.others import ID, LATER, TERMS, envelope, leave

# Whose it is


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_that_was_not_made_in_drop_is_nobodys(spool: SpoolDirectory, drop: Path) -> None:
    """Another user's file that somebody moved here: what is made here has the directory's group."""
    os.chown(drop, -1, 4242)
    drop.chmod(0o3733)
    made, moved = leave(drop, envelope(id=LATER)), Path(spool.root, ID)
    moved.write_bytes(spool_file(envelope(id=ID)))
    for path in (drop / made, moved):
        os.chown(path, NOBODY, -1)
    moved.rename(drop / ID)
    done = adopt(spool, TERMS)
    assert done.ids == [made]
    assert [(uid, reason) for _, uid, reason, _ in done.refused] == [(NOBODY, "it was not made in drop/, so nobody knows who put it there")]


def test_a_file_of_one_who_writes_the_spool_himself_was_put_there_by_somebody_else(spool: SpoolDirectory, drop: Path) -> None:
    """Root's, say, which a user moved: it does not count as root's mail, and is kept for inspection."""
    leave(drop, envelope(id=ID))
    done = adopt(spool, TERMS._replace(writers={os.geteuid()}))
    assert [(name, "somebody else put it here" in reason) for name, _, reason, _ in done.refused] == [(ID, True)]
    assert spool.find(ID) is None


@pytest.mark.parametrize(
    "chosen",
    ["0" * 25 + "1", "7" + "Z" * 25, id_at(time.time() + 86400), id_at(time.time() - 86400)],
    ids=["the first", "the last", "tomorrow", "yesterday"],
)
def test_an_id_that_says_another_time_is_replaced(spool: SpoolDirectory, drop: Path, chosen: str) -> None:
    """Nobody goes before the mail of others, or stays when theirs is forgotten; the mail is taken, once."""
    leave(drop, envelope(id=chosen))
    since = os.stat(drop / chosen).st_ctime
    unlink, os.unlink = os.unlink, crash
    try:
        with pytest.raises(KeyboardInterrupt):
            adopt(spool, TERMS)
    finally:
        os.unlink = unlink
    (id,) = adopt(spool, TERMS).ids
    assert abs(put_at(id) - since) < 0.002
    assert (spool.ids("queued"), os.listdir(drop)) == ([id], [])


def crash(_path: str) -> None:
    raise KeyboardInterrupt


def test_what_nobody_reads_is_not_kept(spool: SpoolDirectory, drop: Path) -> None:
    """Members that no program of ours knows, and a subject beyond what is shown: they would be held for as long as the mail waits."""
    body = b"From: me@example.com\r\nSubject: " + b"s" * 900 + b"\r\n " + b"s" * 900 + b"\r\nMessage-ID: <" + b"m" * 980 + b">\r\n\r\n"
    letter = envelope(
        submitter={"uid": 1, "ip": "192.0.2.1", "x": "y"},
        options={"ret": "HDRS", "x": "y", "recipients": {"you@example.net": {"notify": "NEVER", "x": "y"}, "x@example.net": {}}},
    )
    letter.parent = "x" * 500
    leave(drop, letter, body)
    (id,) = adopt(spool, TERMS).ids
    kept = spool.read(id).envelope
    assert (len(kept.subject), len(kept.message_id), kept.parent) == (500, 982, "")
    assert kept.submitter == {"ip": "192.0.2.1", **unix(os.geteuid()).as_submitter()}
    assert kept.options == {"ret": "HDRS", "recipients": {"you@example.net": {"notify": "NEVER"}}}


def test_subject_and_message_id_are_those_of_the_header(spool: SpoolDirectory, drop: Path) -> None:
    """Whoever writes the file himself shows an operator nothing that the message does not have."""
    body = b"From: me@example.com\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nMessage-ID: <1@example.com>\r\n\r\nhello\r\n"
    for letter, content, shown in (
        (envelope(subject="Your bill", message_id="<of@somebody.else>"), body, ("Grüße", "<1@example.com>")),
        (envelope(subject="Your bill", message_id="<of@somebody.else>"), b"From: me@example.com\r\n\r\nhello\r\n", ("", "")),
    ):
        leave(drop, letter, content)
        (id,) = adopt(spool, TERMS).ids
        kept = spool.read(id).envelope
        assert (kept.subject, kept.message_id) == shown


def test_a_user_says_no_more_of_who_gets_nothing_than_submission_does(spool: SpoolDirectory, drop: Path) -> None:
    """The causes that submission has; one that would blame a host, or raise an alarm, makes it no message."""
    outcome = {"verdict": "fail", "code": 550, "enhanced": "5.3.5", "text": "nobody", "cause": "alias"}
    for cause, taken in (("alias", 1), ("login_refused", 0)):
        letter = envelope()
        letter.recipients.append(Recipient("root", "to", {**outcome, "cause": cause}))
        leave(drop, letter)
        assert len(adopt(spool, TERMS).ids) == taken


# An ID that is taken


def test_an_id_that_another_message_has_is_refused(spool: SpoolDirectory, drop: Path) -> None:
    """Nobody replaces, and nobody withdraws, somebody else's mail."""
    id = put(spool, "a@example.com", at=time.time())
    leave(drop, envelope("b@example.com", id=id))
    done = adopt(spool, TERMS)
    assert [reason for _, _, reason, _ in done.refused] == ["its ID belongs to another message"]
    assert spool.read(id).envelope.recipients[0].address == "a@example.com"


def test_what_a_crash_left_in_both_places_is_one_message(spool: SpoolDirectory, drop: Path) -> None:
    """Adopted, but not yet taken out of drop/: the next round finds the same message and only tidies up."""
    letter = envelope(id=ID, submitter=unix(os.geteuid()).as_submitter(), subject="a test")
    leave(drop, letter)
    Path(spool.path("queued", ID)).write_bytes(spool_file(letter))
    done = adopt(spool, TERMS)
    assert (done.ids, done.refused) == ([ID], [])
    assert spool.ids("queued") == [ID]
    assert os.listdir(drop) == []


def test_a_copy_that_a_crash_left_in_tmp_is_made_anew(spool: SpoolDirectory, drop: Path) -> None:
    """What was being written is garbage."""
    Path(spool.root, "tmp", ID).write_bytes(b"half a mess")
    leave(drop, envelope(id=ID))
    assert adopt(spool, TERMS).ids == [ID]
    assert spool.content(ID) == BODY
    assert os.listdir(f"{spool.root}/tmp") == []


def test_a_message_that_leaves_while_its_double_is_looked_at_is_not_taken_twice(
    spool: SpoolDirectory, drop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Found, and delivered before it could be compared: whoever remembers what was delivered is asked."""
    leave(drop, envelope(id=ID))
    later = leave(drop, envelope(id=LATER))
    monkeypatch.setattr(spool, "find", lambda message: "queued" if message == ID else None)
    assert adopt(spool, TERMS._replace(used=lambda message, _uid: "mine" if message == ID else "")).ids == [ID, later]
    assert spool.ids("queued") == [later]
    assert os.listdir(drop) == []


def test_an_id_of_somebody_elses_message_that_was_delivered_is_refused(spool: SpoolDirectory, drop: Path) -> None:
    """Nobody rewrites what is known of it."""
    leave(drop, envelope(id=ID))
    done = adopt(spool, TERMS._replace(used=lambda _id, _uid: "taken"))
    assert [reason for _, _, reason, _ in done.refused] == ["its ID belongs to another message"]


def test_a_request_that_was_made_before_is_taken_out_of_drop(spool: SpoolDirectory, drop: Path) -> None:
    """The second is the first one's double, whatever its own ID; a claim that a crash left is finished."""
    ids = [leave(drop, envelope(request_id="k", at=time.time() - age), tail=b'\n{"digest":"%s"}' % (b"a" * 64)) for age in (20, 10)]
    assert adopt(spool, TERMS).ids == [ids[0]] * 2
    assert (spool.ids("queued"), os.listdir(drop), os.listdir(f"{spool.root}/tmp")) == ([ids[0]], [], [])
    os.rename(spool.path("queued", ids[0]), spool.path("tmp", ids[0]))
    leave(drop, envelope(request_id="k", id=ids[0], at=time.time() - 20), tail=b'\n{"digest":"%s"}' % (b"a" * 64))
    assert adopt(spool, TERMS).ids == [ids[0]]
    assert (spool.ids("queued"), os.listdir(f"{spool.root}/tmp")) == ([ids[0]], [])


def test_a_request_id_that_was_another_request_is_set_aside(spool: SpoolDirectory, drop: Path) -> None:
    """Its sender has gone; whoever reads the log is told."""
    leave(drop, envelope("a@example.com", request_id="k", at=time.time() - 20))
    second = leave(drop, envelope("b@example.com", request_id="k", at=time.time() - 10))
    done = adopt(spool, TERMS)
    assert [(name, "used for another message" in reason) for name, _, reason, _ in done.refused] == [(second, True)]
    assert len(spool.ids("queued")) == 1
    assert os.listdir(f"{spool.root}/tmp") == []
