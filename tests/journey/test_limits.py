"""Limits, sources and reactions, as an operator meets them: a file, a daemon that reads it again, and what the other side sees."""

from __future__ import annotations

import json
import signal
from collections import Counter

from .world import Sink, World

SOURCES = """
[[source]]
name = "new"
addresses = ["127.0.0.2"]
hello = "new.here.example"
warm_up = [2, 1000]
[[source]]
name = "old"
addresses = ["127.0.0.3"]
[[shape]]
match = ["relay:sink"]
sources = ["new", "old"]
"""


def callers(sink: Sink, count: int) -> Counter[str]:
    """How many messages each of our addresses has brought."""
    return Counter(event["peer"] for event in sink.events("taken", count))


def test_a_connection_is_replaced_after_its_messages(world: World) -> None:
    """However much waits, none takes more than it may."""
    sink = world.sink()
    world.configure(sink, more='[[shape]]\nmatch = ["*"]\nmessages_per_connection = 2\n[delivery]\nmax_connections = 1\n')
    ids = [world.send("you@there.example", subject=str(number)) for number in range(5)]
    world.once()
    told = [json.loads(world.mailer("explain", "--no-dns", "--json", id).out) for id in ids]
    assert sum(not attempt["connection_reused"] for each in told for attempt in each["tries"]) == 3
    assert len(sink.kept) == 5


def test_recipients_of_a_message_come_in_as_many_transactions_as_it_takes(world: World) -> None:
    """Ten recipients, four at a time."""
    sink = world.sink()
    world.configure(sink, more="[delivery]\nrecipients_per_message = 4\n")
    world.send(*(f"{name}@there.example" for name in range(10)))
    world.once()
    assert sorted(len(kept.recipients) for kept in sink.received(3)) == [2, 4, 4]


def test_a_new_source_is_warmed_up_and_remembered(world: World) -> None:
    """Two messages leave from the new address today, all others from the old one, before and after the daemon is started anew."""
    sink = world.sink()
    world.configure(sink, more=SOURCES)
    for number in range(4):
        world.send("you@there.example", subject=str(number))
    world.once()
    assert callers(sink, 4) == {"127.0.0.2": 2, "127.0.0.3": 2}
    assert json.loads((world.spool / "warmup").read_text())[0][:2] == ["new", "relay:sink"]
    world.send("you@there.example")
    world.once()
    assert callers(sink, 5) == {"127.0.0.2": 2, "127.0.0.3": 3}


def test_what_has_no_source_today_waits_and_says_why(world: World) -> None:
    """It is no attempt; explain says which limit it is, and when it goes on."""
    sink = world.sink()
    world.configure(sink, more=SOURCES.replace('"new", "old"', '"new"'))
    ids = [world.send("you@there.example", subject=str(number)) for number in range(3)]
    world.once()
    assert callers(sink, 2) == {"127.0.0.2": 2}
    (waiting,) = [id for id in ids if world.where(id) == "deferred"]
    told = world.status(waiting)
    assert told["attempts"] == 0
    assert "source new is being warmed up and has sent its 2 for day 1" in told["recipients"][0]["reply"]


def test_reactions_and_limits_are_read_again(world: World) -> None:
    """A rule that comes with SIGHUP holds for the next refusal; one that cannot be read changes nothing."""
    sink = world.sink("--reply", "rcpt=451 4.7.1 please come back")
    world.configure(sink, schedule=("1h",))
    daemon = world.daemon()
    first = world.send("you@there.example")
    world.becomes(first, "deferred")
    world.configure(sink, schedule=("1h",), more="[[reaction]]\nreply = '(come)+ back'\naction = \"fail\"\n")
    daemon.signal(signal.SIGHUP)
    daemon.says("repeats more than one character")
    world.configure(sink, schedule=("1h",), more='[[reaction]]\nreply = "come back"\naction = "fail"\n')
    daemon.signal(signal.SIGHUP)
    daemon.says('"what":"reloaded"')
    assert world.status(first)["status"] == "deferred"
    world.becomes(world.send("other@there.example"), "failed")
