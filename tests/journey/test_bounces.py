"""What is heard back of a message: the token it leaves with, the report that comes to that, and everything that follows."""

from __future__ import annotations

import asyncio
import json
from functools import partial
from typing import Any

from mailer.suppression.sqlite import SqliteSuppression
from tests.bounces.letters import away, dsn, feedback
from tests.journey.world import Kept, Sink, World

BOUNCE = '[bounce]\naddress = "bounces@here.example"\n'
SUPPRESS = '[suppress]\nautomatic = "always"\n'


def delivered(world: World, *, more: str = BOUNCE + SUPPRESS + "[journal]\nkeep = true\n") -> tuple[str, Kept, Sink]:
    """A message that a host has taken, its ID and what the host got."""
    sink = world.sink()
    world.configure(sink, more=more)
    world.daemon()
    id = world.send("you@example.net")
    return id, sink.received(1)[0], sink


def recipient(world: World, id: str) -> dict[str, Any]:
    """What the first recipient of the message is now."""
    found: dict[str, Any] = world.status(id)["recipients"][0]
    return found


def bounced(world: World, id: str) -> bool:
    return bool(recipient(world, id)["status"] == "bounced")


def events(world: World) -> list[dict[str, Any]]:
    """The journal."""
    return [json.loads(line) for line in world.mailer("events", "--json", "--since", "1h").out.splitlines()]


def suppressed(world: World) -> list[tuple[str, str, str, str]]:
    """Who is not mailed any more: address, scope, reason and evidence."""
    found = asyncio.run(SqliteSuppression(str(world.spool)).listing())
    return [(entry.address, entry.scope, entry.reason, entry.evidence) for entry in found]


def ingest(world: World, report: bytes) -> None:
    done = world.mailer("bounces", "ingest", input=report)
    assert done.code == 0, done


def test_a_bounce_is_known_again_by_the_token_that_its_message_left_with(world: World) -> None:
    """The recipient is bounced, with the reply; suppressed; told in journal and story; and the sender gets the report as it came."""
    id, kept, sink = delivered(world)
    assert kept.sender.startswith(f"bounces+{id.lower()}-0-")
    assert kept.sender.endswith("@here.example")
    report = dsn(kept.sender)
    ingest(world, report)
    world.until("it has bounced", lambda: recipient(world, id)["status"] == "bounced")
    assert recipient(world, id)["reply"] == "no such user"
    assert recipient(world, id)["enhanced_code"] == "5.1.1"
    assert world.status(id)["status"] == "sent"
    forwarded = sink.received(2)[1]
    assert forwarded.sender == ""
    assert forwarded.recipients == ["me@here.example"]
    assert forwarded.content.endswith(report)
    [bounced] = [event for event in events(world) if event["type"] == "bounced"]
    assert (bounced["message"], bounced["to"], bounced["class"]) == (id, "you@example.net", "unknown-user")
    story = json.loads(world.mailer("explain", id, "--json").out)
    [heard] = story["heard"]
    assert (heard["trust"], heard["kind"], heard["effect"]) == ("token", "bounce", "bounced, and not mailed any more")
    shown = world.mailer("explain", id).out
    assert "What came back" in shown
    assert "proved by the token" in shown
    assert suppressed(world) == [("you@example.net", "*", "hard", id)]
    [row] = [json.loads(line) for line in world.mailer("bounces", "--json").out.splitlines()]
    assert (row["id"], row["status"]) == (id, "bounced")


def test_a_complaint_makes_its_recipient_complained(world: World) -> None:
    """A sparse one, with the token alone: there was one recipient. Its sender is not bothered with it."""
    id, kept, sink = delivered(world)
    ingest(world, feedback("fbl@here.example", mail_from=kept.sender))
    world.until("it has complained", lambda: recipient(world, id)["status"] == "complained")
    assert [event["type"] for event in events(world) if event["type"] in ("bounced", "complained")] == ["complained"]
    assert len(sink.kept) == 1
    assert [reason for _, _, reason, _ in suppressed(world)] == ["complaint"]


def test_an_automatic_answer_reaches_the_sender_and_changes_nothing(world: World) -> None:
    """It is no bounce, whoever is named in it."""
    id, kept, sink = delivered(world)
    answer = away(kept.sender)
    ingest(world, answer)
    assert sink.received(2)[1].content.endswith(answer)
    assert recipient(world, id)["status"] == "sent"


def test_a_report_that_nothing_proves_changes_nothing(world: World) -> None:
    """It is listed, and no more: anybody can write to a bounce address."""
    id, _, sink = delivered(world)
    ingest(world, dsn("bounces@here.example"))
    world.until("it is listed", lambda: "unmatched" in world.mailer("bounces", "reports").out)
    assert recipient(world, id)["status"] == "sent"
    assert len(sink.kept) == 1


def test_a_report_that_waited_without_a_daemon_is_acted_upon(world: World) -> None:
    """`mailer run --once` acts upon it, too."""
    sink = world.sink()
    world.configure(sink, more=BOUNCE)
    id = world.send("you@example.net")
    assert world.once().code == 0
    [kept] = sink.received(1)
    ingest(world, dsn(kept.sender))
    assert world.once().code == 0
    assert recipient(world, id)["status"] == "bounced"


def test_each_recipient_can_have_a_token_of_his_own(world: World) -> None:
    """Two transactions, and a report to one of them is about him alone, whomever it names."""
    sink = world.sink()
    world.configure(sink, more=BOUNCE + 'verp = "recipient"\n')
    world.daemon()
    id = world.send("you@example.net", "ann@example.net")
    senders = {kept.recipients[0]: kept.sender for kept in sink.received(2)}
    assert senders["you@example.net"].startswith(f"bounces+{id.lower()}-1-")
    assert senders["ann@example.net"].startswith(f"bounces+{id.lower()}-2-")
    ingest(world, dsn(senders["ann@example.net"], "you@example.net"))
    world.until("one has bounced", lambda: "bounced" in [each["status"] for each in world.status(id)["recipients"]])
    assert [each["status"] for each in world.status(id)["recipients"]] == ["sent", "bounced"]


def test_tokens_of_before_are_known_when_the_key_was_replaced(world: World) -> None:
    """And what leaves after a reload is signed with the new one."""
    _, kept, sink = delivered(world, more=BOUNCE)
    assert world.mailer("bounces", "key", "rotate").code == 0
    assert world.mailer("reload").code == 0
    again = world.send("you@example.net")
    for number, (sender, id) in enumerate([(kept.sender, kept.sender[8:34].upper()), (sink.received(2)[1].sender, again)]):
        ingest(world, dsn(sender, extra=f"X-Number: {number}\r\n"))
        world.until("it has bounced", partial(bounced, world, id))
    assert [key["signs"] for key in json.loads(world.mailer("bounces", "key", "--json").out)["keys"]] == [True, False]


def test_a_dry_run_says_the_sender_that_mail_leaves_with(world: World) -> None:
    """And that of a report, which message it is about."""
    id, kept, _ = delivered(world, more=BOUNCE)
    said = json.loads(
        world.mailer("send", "--dry-run", "--json", "-f", "me@here.example", "you@example.net", input=b"Subject: x\n\nx\n").out
    )
    assert "bounces+ID-0-SIGNATURE@here.example" in [change["after"] for change in said["changes"]]
    read = json.loads(world.mailer("bounces", "ingest", "--dry-run", "--json", input=dsn(kept.sender)).out)
    assert (read["kind"], read["matched"]) == ("bounce", id)


def test_mail_of_a_stream_suppresses_for_that_stream(world: World) -> None:
    """As it is without a setting: what was sent to a list is known to be of it after its file is gone; other mail suppresses nobody."""
    _, kept, sink = delivered(world, more=BOUNCE)
    done = world.mailer("send", "-f", "me@here.example", "ann@example.net", input=b"List-Id: <news.here.example>\nSubject: x\n\nx\n")
    assert done.code == 0, done
    listed = sink.received(2)[1]
    world.becomes(done.out.strip(), "sent")
    ingest(world, dsn(kept.sender))
    ingest(world, dsn(listed.sender, "ann@example.net"))
    world.until("both have bounced", lambda: len(world.mailer("bounces", "--json").out.splitlines()) == 2)
    assert [(address, scope) for address, scope, _, _ in suppressed(world)] == [("ann@example.net", "news.here.example")]
