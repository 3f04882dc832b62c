"""The handlers: what a user may hand in, see and take back; and that nobody hears of anybody else's."""

from __future__ import annotations

import json
import os
import threading
import time
from asyncio import run
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mailer.events import Seen, Settled
from mailer.intake.client import RemoteView
from mailer.intake.handlers import ATTEMPTS, PEOPLE, Handlers
from mailer.mail.envelope import Envelope
from mailer.mail.principal import Principal, unix
from mailer.mail.problem import Problem
from mailer.spool.api import at_once
from mailer.spool.files.admit import IntakeTerms
from mailer.spool.files.store import SpoolDirectory
from mailer.status.api import EVERYTHING
from mailer.status.sqlite import NAME
from mailer.status.sqlite.writer import SqliteRecorder
from tests.fakes.chance import examples
from tests.fakes.mail import BODY, id_at, outcome, put, spool_file
from tests.fakes.mail import envelope as envelope_at

from .test_socket import running

ANNA, BOB = 70_001, 70_002
ID = id_at(time.time())


class Counter:
    """Handlers with their spool and status, and what it told."""

    def __init__(self, path: Path) -> None:
        self.spool = SpoolDirectory(str(path / "spool"))
        self.spool.prepare()
        self.status = SqliteRecorder(f"{self.spool.root}/{NAME}")
        self.changed: list[str] = []
        self.handlers = Handlers(self.spool, IntakeTerms(10_000, 10, used=self.used, taken=self.status.adopted), self.changed.append)

    def used(self, id: str, who: Principal) -> str:
        known, owner = self.status.submitter(id)
        return ("mine" if owner == who else "taken") if known else ""

    def says(self, uid: int, question: bytes) -> bytes:
        """The whole answer."""
        return b"".join(self.handlers.answer(unix(uid), question))

    def ask(self, uid: int, line: str, data: bytes = b"") -> tuple[str, list[dict[str, Any]]]:
        """The first line of the answer, and the objects that follow."""
        head, _, rest = self.says(uid, line.encode() + b"\n" + data).partition(b"\n")
        return head.decode(), [json.loads(one) for one in rest.splitlines()]

    def put(self, uid: int, letter: Envelope, digest: str = "", body: bytes = BODY) -> str:
        """Hand a message over, with its Message-ID in its header; the first line of the answer."""
        if letter.message_id:
            body = f"Message-ID: {letter.message_id}\r\n".encode() + body
        claim = b'\n{"digest":"%s"}' % sha256(digest.encode()).hexdigest().encode() if digest else b""
        return self.ask(uid, f"put {letter.id}", spool_file(letter, body) + claim)[0]

    def deliver(self, id: str) -> None:
        """The daemon has brought it to all."""
        claim = self.spool.claim(id)
        with claim:
            claim.entry.history.add([outcome(0, at=time.time())])
            run(self.status.write([Seen(time.time(), claim.entry), Settled(time.time(), claim.entry, "sent", 0.0)]))
            self.spool.drop(claim)


@pytest.fixture
def counter(tmp_path: Path) -> Iterator[Counter]:
    made = Counter(tmp_path)
    yield made
    run(made.status.close())


def letter(*recipients: str, **more: Any) -> Envelope:
    return envelope_at(*recipients, **{"at": time.time() - 1} | more)


# Handing in


def test_a_message_is_in_the_spool_when_the_answer_comes(counter: Counter) -> None:
    """Under its ID, with the user whom the kernel named, and the daemon is told of it."""
    sent = letter(submitter={"uid": 0})
    assert counter.put(ANNA, sent) == f"ok {sent.id}"
    entry = counter.spool.read(sent.id)
    assert (entry.state, entry.envelope.submitter, counter.spool.content(sent.id)) == ("queued", unix(ANNA).as_submitter(), BODY)
    assert counter.changed == [sent.id]
    assert os.listdir(f"{counter.spool.root}/tmp") == []


def test_what_is_handed_in_while_a_sandbox_holds_says_so(counter: Counter) -> None:
    """Whatever the user's program knew of it; handed in again when none holds any more, it is the same message."""
    live = counter.handlers.terms
    counter.handlers.terms = live._replace(sandbox="trap")
    sent, told = letter(), letter(options={"sandbox": "redirect"})
    assert counter.put(ANNA, sent) == f"ok {sent.id}"
    assert counter.put(ANNA, told) == f"ok {told.id}"
    counter.handlers.terms = live
    assert counter.put(ANNA, sent) == f"ok {sent.id}"
    assert [(entry.boxed, entry.envelope.options) for entry in map(counter.spool.read, (sent.id, told.id))] == [
        (True, {"sandbox": "trap"})
    ] * 2


def test_a_message_that_is_handed_in_again_is_one(counter: Counter) -> None:
    """Its sender did not hear the answer: the same ID is the same message, also when it has been delivered meanwhile."""
    sent = letter()
    assert [counter.put(ANNA, sent) for _ in range(2)] == [f"ok {sent.id}"] * 2
    assert counter.spool.ids("queued") == [sent.id]
    counter.deliver(sent.id)
    assert counter.put(ANNA, sent) == f"ok {sent.id}"
    assert counter.spool.ids("queued") == []


def test_a_message_is_found_by_the_id_that_its_sender_chose(counter: Counter) -> None:
    """It says another time, so the message has one of ours; nobody else finds it by his."""
    chosen = "0" * 25 + "1"
    answer = counter.put(ANNA, letter(id=chosen))
    id = answer.removeprefix("ok ")
    assert id != chosen
    assert [record["id"] for record in counter.ask(ANNA, f"find {chosen}")[1]] == [id]
    assert counter.ask(BOB, f"find {chosen}")[1] == []


def test_an_id_of_somebody_else_is_not_to_be_had(counter: Counter) -> None:
    """Neither while his message waits, nor afterwards: nobody rewrites another one's history."""
    sent = letter()
    counter.put(ANNA, sent)
    assert counter.put(BOB, letter("x@example.com", id=sent.id)).startswith("no 65 ")
    assert counter.put(BOB, sent).startswith("no 65 ")
    counter.deliver(sent.id)
    assert counter.put(BOB, sent).startswith("no 65 ")
    own = put(counter.spool, at=time.time())
    counter.deliver(own)
    assert counter.put(BOB, letter(id=own)).startswith("no 65 ")


def test_two_at_once_under_one_id_are_one_or_none(counter: Counter) -> None:
    """One file is never written by two."""
    sent = [letter("a@example.com", id=ID), letter("b@example.com", id=ID)]
    answers: list[str] = []
    threads = [threading.Thread(target=lambda at=at: answers.append(counter.put(ANNA, sent[at % 2]))) for at in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {answer[:6] for answer in answers} <= {f"ok {ID}"[:6], "no 75 ", "no 65 "}
    assert counter.spool.read(ID).envelope.recipients[0].address in ("a@example.com", "b@example.com")


def test_what_leaves_later_waits_among_the_deferred(counter: Counter) -> None:
    """With its time as the file's; one that is too far away is refused."""
    sent = letter(options={"at": "2027-01-01T00:00:00Z"})
    assert counter.put(ANNA, sent) == f"ok {sent.id}"
    assert counter.spool.read(sent.id).state == "deferred"
    assert counter.spool.due(sent.id) == 1798761600.0
    assert counter.put(ANNA, letter(options={"at": "2999-01-01T00:00:00Z"})).startswith("no 65 ")


def test_what_the_judge_forbids_is_refused_with_his_words(counter: Counter) -> None:
    """And nothing of it is left."""

    def judge(_envelope: Envelope, _content: bytes, who: Principal) -> None:
        raise Problem(f"not you, {who.uid}", "no-permission")

    counter.handlers.terms = counter.handlers.terms._replace(judge=judge)
    assert counter.put(ANNA, letter()) == f"no 77 not you, {ANNA}"
    assert [counter.spool.ids(state) for state in ("queued", "deferred")] == [[], []]
    assert counter.changed == []


@pytest.mark.parametrize("name", ["", "x", "../queued/{}", "{}x", "{} ", "{}\0", "7" * 27])
def test_a_name_that_is_no_id_is_refused(counter: Counter, name: str) -> None:
    """Nothing of it reaches a path."""
    for refused in (name.format(ID), ID.lower()):
        assert counter.ask(ANNA, f"put {refused}", spool_file(letter(id=ID)))[0].startswith("no 64 ")


@pytest.mark.parametrize(
    "data",
    [b"", b"mailer/1", spool_file(letter(id=ID))[:-1], spool_file(letter(id=ID)).replace(b"body", b"BODY")],
    ids=["nothing", "begun", "cut off", "changed"],
)
def test_what_is_no_message_is_refused(counter: Counter, data: bytes) -> None:
    """Half of one, or one that was changed."""
    assert counter.ask(ANNA, f"put {ID}", data)[0].startswith("no 65 ")


def test_a_disk_that_takes_nothing_says_so(counter: Counter) -> None:
    """Trouble of ours is no verdict on the message."""
    os.rmdir(f"{counter.spool.root}/tmp")
    assert counter.put(ANNA, letter()).startswith("no 73 ")


# Request ids


def test_a_request_that_is_made_again_is_one_message(counter: Counter) -> None:
    """The second has another ID, and is told the first one's; also after it was delivered."""
    first, second, third = (letter(request_id="k") for _ in range(3))
    assert counter.put(ANNA, first, "same") == counter.put(ANNA, second, "same") == f"ok {first.id}"
    counter.deliver(first.id)
    assert counter.put(ANNA, third, "same") == f"ok {first.id}"
    assert counter.spool.ids("queued") == []
    assert os.listdir(f"{counter.spool.root}/tmp") == []


def test_a_request_id_is_its_users_own(counter: Counter) -> None:
    """Two users may use the same one, and neither learns that the other did; so may the owner of the spool."""
    sent = [letter(f"{who}@example.com", request_id="k") for who in "ab"]
    assert counter.put(ANNA, sent[0], "a") == f"ok {sent[0].id}"
    assert counter.put(BOB, sent[1], "b") == f"ok {sent[1].id}"
    own = letter(request_id="k")
    assert counter.put(os.geteuid(), own, "c") == f"ok {own.id}"
    assert len(counter.spool.ids("queued")) == 3


def test_a_request_id_that_was_another_request_is_a_conflict(counter: Counter) -> None:
    """Told without anything of the first one but its ID, which its sender knows."""
    first, second = letter("secret@example.com", request_id="k"), letter(request_id="k")
    counter.put(ANNA, first, "one")
    said = counter.put(ANNA, second, "other")
    assert said.startswith("no 65 ")
    assert "secret" not in said
    assert counter.spool.ids("queued") == [first.id]


def test_a_request_without_a_digest_is_compared_as_it_stands(counter: Counter) -> None:
    """A program of somebody else's need not know how ours computes one."""
    first = letter(request_id="k")
    assert counter.put(ANNA, first) == counter.put(ANNA, letter(request_id="k")) == f"ok {first.id}"
    assert counter.put(ANNA, letter(request_id="k"), body=BODY + b"more\r\n").startswith("no 65 ")


def test_fifty_at_once_with_one_key_are_one_message(counter: Counter) -> None:
    """Whoever comes first, all are told the same."""
    answers: list[str] = []
    threads = [threading.Thread(target=lambda: answers.append(counter.put(ANNA, letter(request_id="k"), "same"))) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (id,) = counter.spool.ids("queued")
    assert answers == [f"ok {id}"] * 50


# Looking


def test_everybody_sees_his_own_and_nothing_else(counter: Counter) -> None:
    """By ID, by Message-ID, by request id, in lists and in counts, waiting or delivered."""
    mine = [letter(f"{at}@example.com", message_id=f"<{at}@x>", request_id=f"k{at}", subject="mine") for at in range(3)]
    for sent in mine:
        counter.put(ANNA, sent)
    theirs = letter(message_id="<theirs@x>", request_id="k1", subject="theirs")
    counter.put(BOB, theirs)
    owners = put(counter.spool, message_id="<owner@x>")
    counter.deliver(mine[0].id)
    for name in (mine[1].id, mine[1].id.lower(), "<1@x>", "1@x", "k1"):
        answer, found = counter.ask(ANNA, f"find {name}")
        assert (answer, [record["id"] for record in found]) == ("ok", [mine[1].id])
    for name in (theirs.id, "<theirs@x>", owners, "<owner@x>", "", "x", "\ud800"):
        assert counter.says(ANNA, f"find {name}".encode("utf-8", "surrogatepass")) == b"ok\n"
    _, listed = counter.ask(ANNA, "list")
    assert [record["id"] for record in listed] == [sent.id for sent in reversed(mine)]
    assert [record["status"] for record in listed] == ["queued", "queued", "sent"]
    _, queued = counter.ask(ANNA, "queue")
    assert [record["id"] for record in queued] == [mine[1].id, mine[2].id]
    _, (summary,) = counter.ask(ANNA, "summary")
    assert (summary["counts"]["queued"], summary["counts"]["sent"]) == (2, 1)


def test_a_filter_narrows_a_list(counter: Counter) -> None:
    """As the command line's options do."""
    for at in range(3):
        counter.put(ANNA, letter(f"{at}@example.com"))
    _, found = counter.ask(ANNA, "list", json.dumps({"to": "1@example.com"}).encode())
    assert [record["recipients"][0]["address"] for record in found] == ["1@example.com"]
    assert len(counter.ask(ANNA, "list", b'{"limit":2}')[1]) == 2
    assert counter.ask(ANNA, "list", b'{"states":["sent"]}') == ("ok", [])
    assert counter.ask(ANNA, "list", b'{"sender":"\\u0000"}') == ("ok", [])


def test_what_failed_is_shown_to_its_sender(counter: Counter) -> None:
    """``mailer bounces`` for a user."""
    sent = letter()
    counter.put(ANNA, sent)
    with counter.spool.claim(sent.id) as claim:
        counter.spool.fail(claim, [outcome(0, "fail", at=time.time())])
    assert counter.ask(BOB, "bounces") == ("ok", [])
    _, (found,) = counter.ask(ANNA, "bounces")
    assert (found["id"], found["recipient"]["status"]) == (sent.id, "failed")


@pytest.mark.parametrize(
    "data", [b"[]", b"1", b"{", b'{"to":1}', b'{"since":"x"}', b'{"since":true}', b'{"limit":"x"}', b'{"states":["x"]}', b'{"states":[[]]}',
             b'{"states":5}', b'{"other":1}', b"[" * 100_000, b"\xff", b'{"since":1e400}', b'{"limit":-1e9}']
)  # fmt: skip
def test_a_filter_that_is_none_is_refused(counter: Counter, data: bytes) -> None:
    """Other members, other types, no JSON, too deep."""
    assert counter.ask(ANNA, "list", data)[0].startswith("no 64 ")


def test_a_user_reads_his_own_message_and_its_story(counter: Counter) -> None:
    """As it lies there, and what was tried; of others' not even that it is there, and not of one that has left."""
    mine, theirs = letter(), letter()
    counter.put(ANNA, mine)
    counter.put(BOB, theirs)
    with counter.spool.claim(mine.id) as claim:
        counter.spool.defer(claim, [outcome(0, "defer", at=time.time())], 2_000_000_000.0)
    answer = counter.says(ANNA, f"read {mine.id}".encode())
    assert answer == b"ok deferred 2000000000.0\n" + Path(counter.spool.path("deferred", mine.id)).read_bytes()
    _, (missing, story) = counter.ask(ANNA, f"story {mine.id}")
    assert (list(missing), story["attempt"]["verdict"]) == (["missing"], "defer")
    for verb in ("read", "story"):
        assert counter.ask(ANNA, f"{verb} {theirs.id}")[0] == counter.ask(ANNA, f"{verb} {ID}")[0].replace(ID, theirs.id)
    counter.deliver(mine.id)
    assert counter.ask(ANNA, f"read {mine.id}")[0].startswith("no 67 ")


def test_a_message_of_many_recipients_comes_in_lines_and_arrives_whole(counter: Counter) -> None:
    """No line, and no piece, is as long as the list of its recipients; the other end puts it together."""
    me = os.geteuid()
    counter.handlers.terms = counter.handlers.terms._replace(max_recipients=300)
    many, one = letter(*(f"{at}@example.net" for at in range(3 * PEOPLE + 1))), letter()
    counter.put(me, many)
    counter.put(me, one)
    _, lines = counter.ask(me, "list")
    assert [len(line["recipients"]) for line in lines] == [1, PEOPLE, PEOPLE, PEOPLE, 1]
    with running(Path(counter.spool.root), answer=counter.handlers.answer):
        view = RemoteView(counter.spool.root)
        for found in (view.messages(EVERYTHING).items[::-1], view.queue(EVERYTHING).items):
            assert [record.id for record in found] == [many.id, one.id]
            assert [[r.address for r in record.recipients] for record in found] == [
                [r.address for r in sent.recipients] for sent in (many, one)
            ]
        assert at_once(view.spool.read(many.id)).envelope.recipients == many.recipients


@pytest.mark.slow
def test_of_very_many_attempts_the_last_are_told_and_that_there_were_more(counter: Counter) -> None:
    """A story has a bound, and says so."""
    sent = letter()
    counter.put(ANNA, sent)
    with counter.spool.claim(sent.id) as claim:
        tried = [outcome(0, "defer", at=1_800_000_000.0 + at) for at in range(ATTEMPTS + 5)]
        counter.spool.defer(claim, tried, 2_000_000_000.0)
    _, ((missing), *story) = counter.ask(ANNA, f"story {sent.id}")
    assert len(story) == ATTEMPTS
    assert any(f"the last {ATTEMPTS} attempts" in why for why in missing["missing"])


# Taking back


def test_everybody_cancels_his_own_and_nothing_else(counter: Counter) -> None:
    """What has not left does not leave; that of others does as if nothing had been said, and they are not given away."""
    mine, theirs = letter(), letter()
    counter.put(ANNA, mine)
    counter.put(BOB, theirs)
    unknown = counter.ask(ANNA, f"cancel {ID}")[0]
    assert unknown.startswith("no 67 ")
    assert counter.ask(ANNA, f"cancel {theirs.id}")[0] == unknown.replace(ID, theirs.id)
    assert counter.ask(ANNA, f"cancel {put(counter.spool)}")[0].startswith("no 67 ")
    assert counter.ask(ANNA, f"cancel {mine.id}")[0] == f"ok {mine.id}"
    assert counter.spool.read(mine.id).status == "cancelled"
    assert counter.spool.read(theirs.id).status == "queued"
    assert counter.changed[-1] == mine.id


def test_what_is_under_way_or_done_with_is_not_cancelled(counter: Counter) -> None:
    """Cancelling and delivering exclude each other."""
    sent = letter()
    counter.put(ANNA, sent)
    with counter.spool.claim(sent.id):
        assert counter.ask(ANNA, f"cancel {sent.id}")[0].startswith("no 75 ")
    counter.deliver(sent.id)
    assert counter.ask(ANNA, f"cancel {sent.id}")[0].startswith("no 67 ")


@pytest.mark.parametrize("verb", ["hold", "release", "retry", "replay", "show", "PUT", "", "find\0"])
def test_there_is_nothing_else_to_ask(counter: Counter, verb: str) -> None:
    """Whoever runs the queue does the rest."""
    sent = letter()
    counter.put(ANNA, sent)
    assert counter.ask(ANNA, f"{verb} {sent.id}")[0].startswith("no 64 ")


@settings(max_examples=examples(200), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.binary(max_size=300)
    | st.builds(
        lambda verb, rest, data: verb + b" " + rest + b"\n" + data,
        st.sampled_from([b"put", b"find", b"list", b"queue", b"bounces", b"summary", b"cancel", b"put " + ID.encode()]),
        st.binary(max_size=40),
        st.binary(max_size=200) | st.just(spool_file(letter(id=ID))),
    )
)
def test_any_question_has_an_answer(counter: Counter, question: bytes) -> None:
    """One that begins with ok or no, on one line where it says no; and nothing of others is in it."""
    counter.put(BOB, letter(subject="secret"))
    answer = counter.says(ANNA, question)
    assert answer.startswith((b"ok", b"no "))
    assert not answer.startswith(b"no ") or b"\n" not in answer
    assert b"secret" not in answer
