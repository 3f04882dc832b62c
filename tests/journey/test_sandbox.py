"""A sandbox as its users see it: commands, a daemon, a sink, as processes."""

from __future__ import annotations

import json
from pathlib import Path

from .world import World


def test_a_trap_keeps_what_was_queued_before_and_every_status_says_so(world: World) -> None:
    """Nothing reaches the relay; status, explain, route, config check and the log name the sandbox, and what became of the message."""
    sink = world.sink()
    world.configure(sink)
    before = world.send("a@there.example")
    world.configure(sink, more=f'[sandbox]\nmode = "trap"\nkeep = "{world.home}/trapped"\n')
    inside = world.send("b@there.example")
    assert "SANDBOX: no mail is sent" in world.mailer("explain", inside).out  # of mail that goes nowhere, too
    log = world.once().err
    assert '"what":"sandbox","detail":"no mail is sent, all is trapped' in log
    for id in (before, inside):
        told = world.status(id)
        [recipient] = told["recipients"]
        assert (told["status"], recipient["cause"], recipient["reply"], recipient["ours"]) == ("sent", "trapped", "trapped", True)
        assert "mailer: 250 2.0.0 trapped" in world.mailer("status", id).out
    assert len(list(Path(f"{world.home}/trapped/new").iterdir())) == 2
    for words in (
        ["status"],
        ["status", before],
        ["explain", before],
        ["queue", "list"],
        ["status", "--destinations"],
        ["status", "--check"],
        ["status", "--json", before],
        ["queue", "list", "--json"],
        ["bounces"],
        ["bounces", "--json"],
        ["bounces", "--by", "reason"],
        ["queue", "pauses"],
        ["queue", "pauses", "--json"],
        ["config", "check"],
    ):
        done = world.mailer(*words)
        assert "SANDBOX: no mail is sent" in done.out + done.err, words
    assert "trapped, not sent" in world.mailer("route", "a@there.example").out
    assert json.loads(world.mailer("status", "--json").out)["sandbox"]["mode"] == "trap"
    assert json.loads(world.mailer("explain", "--json", before).out)["sandbox"]["mode"] == "trap"
    assert sink.kept == []


def test_what_was_submitted_inside_leaves_only_when_somebody_says_yes(world: World) -> None:
    """The daemon holds it and says so; explain knows why and what to do; a mistyped mode starts nothing."""
    sink = world.sink()
    world.configure(sink, more='[sandbox]\nmode = "trap"\n')
    id = world.send("a@there.example")
    world.configure(sink)
    assert '"alarm","what":"sandbox"' in world.once().err
    assert world.where(id) == "held"
    assert f"mailer queue release --yes {id}" in world.mailer("explain", id).out
    refused = world.mailer("queue", "release", "--all")
    assert (refused.code, "--yes" in refused.err) == (65, True)
    world.configure(sink, more='[sandbox]\nmode = "trop"\n')
    assert [world.mailer(*words).code for words in (["run", "--once"], ["status"], ["send", "b@there.example"])] == [78, 78, 78]
    world.configure(sink)
    assert world.mailer("queue", "release", "--all", "--yes").code == 0
    world.once()
    assert [kept.recipients for kept in sink.kept] == [["a@there.example"]]


def test_one_developer_gets_all_mail(world: World) -> None:
    """Once, with a field that names whom it was for, and the status says who got it."""
    sink = world.sink()
    world.configure(sink, more='[sandbox]\nmode = "redirect"\nto = "dev@there.example"\n')
    id = world.send("a@one.example", "b@two.example")
    world.once()
    [kept] = sink.received(1)
    assert kept.recipients == ["dev@there.example"]
    assert kept.content.startswith(b"X-Sandbox-Recipients: a@one.example,\r\n b@two.example\r\n")
    replies = {recipient["reply"] for recipient in world.status(id)["recipients"]}
    assert [reply.startswith("redirected to dev@there.example, whose host said:") for reply in replies] == [True]
