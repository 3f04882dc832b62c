"""What a program drops into the queue, and hears of it."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path

import pytest

import mailer
from mailer import Email, Problem
from mailer.spool.files.store import SpoolDirectory
from mailer.testing import Moods, SinkThread
from tests.fakes.processes import wait_until
from tests.intake.test_users import ANNA, BOB, Machine, machine  # noqa: F401 - a fixture
from tests.journey.world import World


def test_what_is_queued_is_on_disk(tmp_path: Path) -> None:
    """No daemon runs; every form of a message is in the spool when the call returns, with its envelope."""
    where = str(tmp_path / "spool")
    standard = EmailMessage()
    standard["From"], standard["To"], standard["Subject"] = "a@example.com", "Zoë <zoë@exämple.org>", "Grüße"
    standard["Bcc"] = "hidden@example.org"
    standard.set_content("ä")
    octets = b"From: a@example.com\nTo: somebody@example.org\n\nhello\n"
    ids = [
        mailer.queue(Email(from_="a@example.com", to="b@example.org", bcc="c@example.org", text="x"), spool=where),
        mailer.queue(standard, spool=where),
        mailer.queue(octets, sender="", recipients=["d@example.org", "e@example.org, f@example.org"], spool=where),
    ]
    read = [SpoolDirectory(where).read(id) for id in ids]
    assert [entry.envelope.sender for entry in read] == ["a@example.com", "a@example.com", ""]
    assert [[person.address for person in entry.envelope.recipients] for entry in read] == [
        ["b@example.org", "c@example.org"],
        ["zoë@exämple.org", "hidden@example.org"],
        ["d@example.org", "e@example.org", "f@example.org"],
    ]
    record = mailer.outcome(ids[0], spool=where)
    assert (record.status, record.done, record.message_id, ids[0].heard) == ("queued", False, ids[0].message_id, False)
    assert mailer.outcome(ids[0].message_id, spool=where).id == ids[0]


def test_a_request_id_queues_once_and_a_moment_is_kept(tmp_path: Path) -> None:
    """The second call gives the first one's ID; another message under that name is refused; mail for later waits."""
    where = str(tmp_path / "spool")
    email = Email(from_="a@example.com", to="b@example.org", text="x", request_id="order-1")
    first, again = mailer.queue(email, spool=where), mailer.queue(email, spool=where)
    assert (str(first), first.repeat, again.repeat) == (str(again), False, True)
    with pytest.raises(Problem) as caught:
        mailer.queue(Email(from_="a@example.com", to="b@example.org", text="y"), request_id="order-1", spool=where)
    assert caught.value.kind == "bad-message"
    later = datetime.now(UTC) + timedelta(hours=1)
    record = mailer.outcome(
        mailer.queue(b"From: a@example.com\nTo: b@example.org\n\nx\n", at=later, priority="high", spool=where), spool=where
    )
    assert (record.scheduled, record.priority, round(record.next_attempt_at or 0)) == (True, "high", round(later.timestamp()))


@pytest.mark.parametrize(
    ("call", "kind", "says"),
    [
        (lambda where: mailer.queue(Email(from_="a@example.com", text="x"), spool=where), "bad-message", "no recipient"),
        (lambda where: mailer.queue(Email(to="no address", text="x"), spool=where), "bad-message", "no address"),
        (lambda where: mailer.queue(b"From: a@b.example\n\nx\n", recipients=[], spool=where), "bad-message", "no recipient"),
        (lambda where: mailer.queue(b"x", recipients="a@b.example", request_id="\n", spool=where), "bad-message", "request id"),
        (lambda where: mailer.queue(b"x", recipients="a@b.example", priority="urgent", spool=where), "bad-message", "priority"),
        (lambda where: mailer.queue(b"x", recipients="a@b.example", at=datetime(2030, 1, 1), spool=where), "usage", "time zone"),
        (lambda where: mailer.queue(b"x", recipients="a@b.example", at=float("nan"), spool=where), "usage", "nothing was queued"),
        (lambda where: mailer.queue(b"x", recipients="a@b.example", at=1e30, spool=where), "usage", "no time"),
        (lambda where: mailer.queue(b"x", recipients="a@b.example", options={"ret": "ALL"}, spool=where), "bad-message", "FULL or HDRS"),
        (lambda where: mailer.queue(b"x", recipients="a@b.example", config=f"{where}/none.toml"), "bad-config", "none.toml"),
        (lambda where: mailer.outcome("01ARZ3NDEKTSV4RRFFQ69G5FAV", spool=where), "no-such", "01ARZ3NDEKTSV4RRFFQ69G5FAV"),
    ],
)
def test_what_is_wrong_is_a_problem_of_a_kind(tmp_path: Path, call: object, kind: str, says: str) -> None:
    """One line that says what, and nothing is queued."""
    where = str(tmp_path / "spool")
    with pytest.raises(Problem, match=says) as caught:
        call(where)  # type: ignore[operator]
    assert caught.value.kind == kind
    assert not [*tmp_path.glob("spool/queued/*")]
    with pytest.raises(TypeError, match="not a str"):
        mailer.queue("From: a", spool=where)  # type: ignore[arg-type]


def test_who_gets_nothing_is_told_with_the_others_queued(tmp_path: Path) -> None:
    """A list with one bad address among others reaches these; the bad one has its reason."""
    id = mailer.queue(b"From: a@b.example\n\nx\n", recipients=["good@example.org", "bad@-"], spool=str(tmp_path / "spool"))
    assert [change.before for change in id.refused] == ["bad@-"]


@pytest.mark.slow
def test_an_outcome_is_waited_for(world: World) -> None:
    """With a daemon it comes; a refusal has its reply, and both ways of calling say the same."""
    with SinkThread(Moods(refuse={"nobody@example.net": "550 5.1.1 no such user"})) as sink:
        world.configure(sink.port)
        world.start("run")
        wait_until("the daemon is there", (world.spool / "doorbell").exists)

        async def both() -> mailer.Record:
            email = Email(from_="a@example.com", to=["ann@example.net", "nobody@example.net"], text="x")
            id = await mailer.queue_async(email, config=str(world.config))
            assert id.heard
            return await mailer.outcome_async(id, wait=30, config=str(world.config))

        record = asyncio.run(both())
        assert {one.address: (one.status, one.code) for one in record.recipients} == {
            "ann@example.net": ("sent", 250),
            "nobody@example.net": ("failed", 550),
        }
        assert mailer.outcome(record.id, wait=30, config=str(world.config)).as_json() == record.as_json()
        assert sink.received(1)[0].recipients == ("ann@example.net",)


def test_it_leaves_with_a_token_and_is_of_its_stream(world: World) -> None:
    """As all that the daemon sends: a report that comes back is known, and whoever left the stream gets no more of it."""
    with SinkThread() as sink:
        world.configure(sink.port, more='[bounce]\naddress = "bounces@bounces.example"\n')
        world.start("run")
        config = str(world.config)
        email = Email(from_="a@example.com", to="ann@example.net", text="x")
        id = mailer.queue(email, stream="news", config=config)
        assert sink.received(1)[0].sender.startswith(f"bounces+{id.lower()}-0-")
        world.mailer("suppress", "add", "ann@example.net", "--scope", "news")
        for options, stream, status in ((None, "news", "failed"), ({"ignore_suppression": True}, "news", "sent"), (None, "", "sent")):
            id = mailer.queue(email, options=options, stream=stream, config=config)
            assert mailer.outcome(id, wait=60, config=config).status == status


def test_the_name_of_the_room_is_the_function_too() -> None:
    """`mailer.queue` can be called whether or not the queue manager was imported, and before it, as in a program with both."""
    code = (
        "import mailer, mailer.queue.age, sys\n"
        "try: mailer.queue(b'From: a@b.example\\n\\nx\\n', recipients=[])\n"
        "except mailer.Problem as problem: print(problem.kind)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "bad-message\n"


def as_user(machine: Machine, uid: int, code: str) -> subprocess.CompletedProcess[str]:  # noqa: F811
    argv = ["setpriv", "--no-new-privs", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", sys.executable, "-c", code]
    return subprocess.run(argv, capture_output=True, env=machine.env, cwd="/", timeout=60, text=True)


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_other_users_drop_mail_by_the_socket_and_without_a_daemon(machine: Machine) -> None:  # noqa: F811
    """As ``mailer send`` does: it is theirs, nobody else sees it, and what is left in drop/ while no daemon runs is adopted later."""
    send = "import mailer; print(mailer.queue(b'From: anna@example.com\\nTo: you@example.net\\n\\nx\\n'))"
    machine.start()
    mine = as_user(machine, ANNA, send).stdout.strip()
    machine.tried(mine)
    assert machine.owner(mine) == ANNA
    ask = (
        "import json, mailer\ntry: print(json.dumps(mailer.outcome({!r}).as_json()))\nexcept mailer.Problem as problem: print(problem.kind)"
    )
    assert json.loads(as_user(machine, ANNA, ask.format(mine)).stdout)["status"] == "deferred"
    assert as_user(machine, BOB, ask.format(mine)).stdout == "no-such\n"
    machine.stop()
    left = as_user(machine, BOB, send).stdout.strip()
    assert as_user(machine, BOB, ask.format(left)).stdout == "no-permission\n"
    machine.start()
    machine.tried(left)
    assert machine.owner(left) == BOB
