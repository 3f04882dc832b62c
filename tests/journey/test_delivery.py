"""Mail that gets where it goes: at once, later, in part, or back to its sender."""

from __future__ import annotations

import json
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from email import message_from_bytes, policy

from mailer.mail.dates import parse_rfc3339, rfc3339
from mailer.spool.files.doorbell import ring
from mailer.spool.files.store import SpoolDirectory
from tests.fakes.mail import put

from .world import World


def test_a_message_is_delivered_at_once_and_said_to_be_sent(world: World) -> None:
    """`send`, a daemon and a sink: the sink has the message as it was sent, the spool is empty, status says so."""
    sink = world.sink()
    world.configure(sink)
    world.daemon()
    id = world.send("you@there.example", subject="hello")
    (kept,) = sink.received(1)
    assert (kept.sender, kept.recipients, kept.subject) == ("me@here.example", ["you@there.example"], "hello")
    assert kept.content.endswith(b"\r\n\r\nThe text of hello.\r\n")
    told = world.becomes(id, "sent")
    assert (told["attempts"], told["subject"], told["from"]) == (1, "hello", "me@here.example")
    (recipient,) = told["recipients"]
    assert (recipient["status"], recipient["code"], recipient["host"]) == ("sent", 250, "127.0.0.1")
    world.until("the spool is empty", lambda: not world.in_spool())


def test_a_message_sent_while_no_daemon_runs_waits_for_one(world: World) -> None:
    """Without a daemon `send` succeeds and status says "queued"; the daemon delivers it when it comes."""
    sink = world.sink()
    world.configure(sink)
    id = world.send("you@there.example")
    assert world.where(id) == "queued"
    assert world.status(id)["status"] == "queued"
    world.daemon()
    sink.received(1)
    assert world.becomes(id, "sent")["sent_at"]


def test_one_pass_delivers_what_is_due_and_ends(world: World) -> None:
    """`run --once` needs no daemon: it delivers what is there and exits with 0."""
    sink = world.sink()
    world.configure(sink)
    ids = [world.send("you@there.example", subject=str(number)) for number in range(3)]
    world.once()
    assert sorted(kept.subject for kept in sink.received(3)) == ["0", "1", "2"]
    assert [world.status(id)["status"] for id in ids] == ["sent"] * 3


def test_one_pass_clears_out_what_is_past_its_time(world: World) -> None:
    """Where no daemon ever runs, mail that failed is not kept for ever."""
    world.configure(world.sink())
    id = world.send("550@there.example")
    world.once()
    kept, now = world.spool / "failed" / id, time.time()
    assert kept.exists()
    os.utime(kept, (now - 8 * 86400, now - 8 * 86400))
    (world.spool / "clock").write_text(f"{rfc3339(now - 2 * 86400)} {rfc3339(now - 3600)}\n")
    world.once()
    assert not kept.exists()


def test_the_doorbell_makes_delivery_immediate(world: World) -> None:
    """The sink has taken the message within 50 ms of `send` returning, seven times of at most 35."""
    sink = world.sink()
    world.configure(sink)
    world.daemon()
    world.send("warm@there.example")
    sink.received(1)
    delays: list[float] = []
    while len(delays) < 35:  # a machine that is busy elsewhere gets several chances; a daemon that polls has none
        world.send("you@there.example")
        returned = time.time()
        sink.received(len(delays) + 2)
        delays.append(parse_rfc3339(sink.told("taken")[-1]["at"]) - returned)
        if sum(delay < 0.050 for delay in delays) == 7:
            return
    raise AssertionError(f"the doorbell is slow: {delays}")


def test_a_daemon_that_stood_still_finds_all_that_came_meanwhile(world: World) -> None:
    """Of more rings than the kernel queues some are lost, and no mail waits for the rescan, which is an hour away."""
    sink = world.sink()
    world.configure(sink, more='[delivery]\nrescan = "1h"\n')
    daemon = world.daemon()
    spool = SpoolDirectory(str(world.spool))
    daemon.signal(signal.SIGSTOP)
    for _ in range(40):
        assert ring(spool.root, put(spool, "you@there.example", at=time.time()))
    daemon.signal(signal.SIGCONT)
    sink.received(40)


def test_a_greylisted_message_is_tried_again_and_delivered(world: World) -> None:
    """451 puts it off; the next try, by the schedule, delivers it once."""
    sink = world.sink("--greylist=0")
    world.configure(sink, schedule=("0.5s",))
    daemon = world.daemon()
    id = world.send("you@there.example")
    assert world.becomes(id, "sent")["attempts"] == 2
    assert daemon.said.count('"event":"deferred"') == 1
    assert len(sink.kept) == 1


def test_status_says_why_a_message_waits_and_until_when(world: World) -> None:
    """While it is put off: the reply that it rests on, and the time of the next try."""
    world.configure(world.sink("--greylist=0"), schedule=("1h",))
    world.daemon()
    told = world.becomes(world.send("you@there.example"), "deferred")
    (recipient,) = told["recipients"]
    assert (recipient["status"], recipient["code"], recipient["enhanced_code"]) == ("deferred", 451, "4.7.1")
    assert 3500 < parse_rfc3339(told["next_attempt_at"]) - parse_rfc3339(told["last_attempt_at"]) < 3700


def test_a_refused_message_comes_back_as_a_report(world: World) -> None:
    """550 fails the message; its sender gets one delivery status notification, from nobody, about that recipient."""
    sink = world.sink()
    world.configure(sink)
    world.daemon()
    id = world.send("550@there.example", subject="nobody there")
    assert world.becomes(id, "failed")["recipients"][0]["code"] == 550
    (report,) = sink.received(1)
    assert (report.sender, report.recipients) == ("", ["me@here.example"])
    parsed = message_from_bytes(report.content, policy=policy.default)
    assert parsed.get_content_type() == "multipart/report"
    status = next(part for part in parsed.walk() if part.get_content_type() == "message/delivery-status")
    fields = [block for block in status.get_payload() if block["Final-Recipient"]]
    assert [(block["Final-Recipient"], block["Action"], block["Status"]) for block in fields] == [
        ("rfc822; 550@there.example", "failed", "5.1.1")
    ]
    assert world.where(id) == "failed"
    bounces = world.mailer("bounces", "--json")
    assert "550@there.example" in bounces.out
    assert len(bounces.out.splitlines()) == 1


def test_a_refused_message_from_nobody_makes_no_report(world: World) -> None:
    """A report that cannot be delivered is never reported: it has no sender to tell."""
    sink = world.sink()
    world.configure(sink)
    world.daemon()
    lost = world.send("550@there.example", sender="<>")
    world.becomes(lost, "failed")
    world.send("you@there.example", subject="later")
    assert [kept.subject for kept in sink.received(1)] == ["later"]
    world.until("nothing waits", lambda: not world.in_spool("queued", "deferred"))


def test_each_recipient_has_an_outcome_of_its_own(world: World) -> None:
    """One accepted, one refused, one put off: one copy each where it is due, one report, and no second copy for anybody."""
    sink = world.sink()
    world.configure(sink, schedule=("1s",))
    world.daemon()
    id = world.send("you@there.example", "550@there.example", "greylist@there.example", "two@there.example")
    told = world.becomes(id, "failed")
    statuses = {recipient["address"].partition("@")[0]: recipient["status"] for recipient in told["recipients"]}
    assert statuses == {"you": "sent", "550": "failed", "greylist": "sent", "two": "sent"}
    copies = [kept for kept in sink.received(3) if kept.sender]
    assert sorted(address for kept in copies for address in kept.recipients) == [
        "greylist@there.example", "two@there.example", "you@there.example",
    ]  # fmt: skip
    assert [kept.recipients for kept in sink.kept if not kept.sender] == [["me@here.example"]]


def test_waiting_tells_what_became_of_it(world: World) -> None:
    """`send --wait` exits with 0 for sent, 69 for failed and 75 for put off."""
    sink = world.sink()
    world.configure(sink, schedule=("1h",))
    world.daemon()
    codes = [
        world.mailer("send", "--wait=60", "-f", "me@here.example", f"{who}@there.example", input=b"Subject: x\n\n").code
        for who in ("you", "550", "451")
    ]
    assert codes == [0, 69, 75]


def test_the_sendmail_face_delivers_too(world: World) -> None:
    """`mailer sendmail -t` takes the recipients from the header, and nobody sees who got a blind copy."""
    sink = world.sink()
    world.configure(sink)
    world.daemon()
    text = b"From: me@here.example\nTo: you@there.example\nBcc: hidden@there.example\nSubject: as ever\n\n.\nstill here\n"
    assert world.mailer("sendmail", "-t", "-i", input=text) == (0, "", "")
    (kept,) = sink.received(1)
    assert sorted(kept.recipients) == ["hidden@there.example", "you@there.example"]
    assert b"hidden" not in kept.content
    assert kept.content.endswith(b"\r\n\r\n.\r\nstill here\r\n")


def test_one_request_made_many_times_at_once_is_one_message(world: World) -> None:
    """50 parallel `send --request-id` with one key print one ID and queue one message; another message is refused."""
    sink = world.sink()
    world.configure(sink)
    words = ("send", "--request-id", "order-1", "-f", "me@here.example", "you@there.example")
    with ThreadPoolExecutor(10) as pool:
        done = list(pool.map(lambda _: world.mailer(*words, input=b"Subject: order\n\n"), range(50)))
    assert {one.code for one in done} == {0}
    assert len({one.out for one in done}) == 1
    assert len(world.in_spool()) == 1
    other = world.mailer(*words, input=b"Subject: another order\n\n")
    assert (other.code, len(other.err.splitlines())) == (65, 1)
    world.once()
    assert len(sink.kept) == 1
    again = world.mailer(*words, input=b"Subject: order\n\n")
    assert (again.code, again.out) == (0, done[0].out)
    world.until("the spool is empty", lambda: not world.in_spool())


def test_the_list_says_the_same_as_the_message(world: World) -> None:
    """`status --json` with a filter prints one object a line, with the members that the manual names."""
    sink = world.sink()
    world.configure(sink)
    world.send("you@there.example", subject="one")
    world.send("550@there.example", subject="two")
    world.once()
    lines = world.mailer("status", "--json", "--state", "sent").out.splitlines()
    (told,) = [json.loads(line) for line in lines if json.loads(line)["subject"] == "one"]
    assert set(told) >= {
        "id", "message_id", "request_id", "status", "from", "subject", "size", "priority", "queued_at",
        "last_attempt_at", "next_attempt_at", "sent_at", "attempts", "recipients",
    }  # fmt: skip
    assert set(told["recipients"][0]) >= {"address", "type", "status", "code", "enhanced_code", "reply", "host", "updated_at"}
