"""The whole way of somebody who has enough: the link in his mail, the page behind it, the list, the event, and mail that does not leave."""

from __future__ import annotations

import json
import re
from pathlib import Path

import httpx
import pytest

from tests.journey.world import Kept, World

pytestmark = pytest.mark.slow

PUBLIC = "https://leave.example.com"
LINK = re.compile(rb"List-Unsubscribe: <https://leave\.example\.com(/u/[^>]+)>\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n")
ANN = "ann@example.net"


def news(world: World, *more: str) -> str:
    """The ID of an issue for her."""
    done = world.mailer("send", "--from", "news@here.example", "--to", ANN, "--text", "What is new.", "--stream", "news", *more)
    assert done.code == 0, done
    return done.out.strip()


def path_of(kept: Kept) -> str:
    found = LINK.search(kept.content)
    assert found, kept.content
    return found[1].decode()


def test_who_leaves_a_stream_gets_no_more_of_it(world: World, tmp_path: Path) -> None:
    """By one POST to the door that the daemon keeps; the journal tells it once, and other mail still reaches her."""
    door = tmp_path / "door"
    sink = world.sink()
    listen = f'[submission]\npublic_url = "{PUBLIC}"\n[[listen]]\nkind = "web"\naddress = "{door}"\n[journal]\nkeep = true\n'
    world.configure(sink, more=listen)
    assert world.mailer("api", "key", "add", "shop").code == 0  # without one nobody listens
    world.daemon()
    first = news(world, "--list-unsubscribe", "auto")
    path = path_of(sink.received(1)[0])
    world.until("the door is open", door.exists)
    with httpx.Client(transport=httpx.HTTPTransport(uds=str(door), retries=20), base_url="http://leave.example.com", timeout=60) as reader:
        assert "news" in reader.get(path).text
        answer = reader.post(path, data={"List-Unsubscribe": "One-Click"})
    assert (answer.status_code, "You are unsubscribed" in answer.text) == (200, True)
    world.until("the journal has it", lambda: told(world, "unsubscribed"))
    [event] = told(world, "unsubscribed")
    assert (event["to"], event["stream"], event["message"]) == (ANN, "news", first)

    second = news(world)
    assert world.becomes(second, "failed")["recipients"][0]["code"] == 554
    assert [event["message"] for event in told(world, "suppressed")] == [second]
    story = json.loads(world.mailer("explain", second, "--no-dns", "--json").out)
    assert "it has unsubscribed, news" in story["recipients"][0]["reply"]
    shown = world.mailer("explain", second, "--no-dns").out
    assert f"mailer suppress why {ANN}" in shown
    assert "it has unsubscribed" in world.mailer("suppress", "why", ANN, "--scope", "news").out
    world.becomes(world.send(ANN), "sent")
    assert [kept.subject for kept in sink.received(2)][1:] == ["a test"]


def told(world: World, type: str) -> list[dict[str, str]]:
    """The events of that type."""
    lines = world.mailer("events", "--json", "--since", "1h", "--type", type).out.splitlines()
    return [json.loads(line) for line in lines]
