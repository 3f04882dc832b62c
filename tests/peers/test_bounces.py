"""Reports made on the spot: a real server takes our message and cannot deliver it, and what it says comes back through our own door.

The server's next host is a sink that refuses. The mail for the bounce address has its way to the daemon's door of kind reports, so
nothing is written for the test but the message.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.fakes.processes import free_port
from tests.journey.world import World

from .postfix import scratch
from .relays import SERVERS, relays

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.mark.parametrize("name", relays())
def test_the_report_of_a_real_server_makes_its_recipient_bounced(name: str) -> None:
    """By the token, with the code that the last host gave; the sender gets the report, from the null sender."""
    with scratch("bounces") as home:
        home.joinpath("ours").mkdir()
        world = World(home / "ours")
        try:
            refuser, sender, door = world.sink(), world.sink(), free_port()
            with SERVERS[name](home, door, refuser.port) as port:
                heard_back(world, port, door, sender.port, "lmtp" if name == "chasquid" else "smtp")
            [passed] = sender.received(1)
            assert (passed.sender, passed.recipients) == ("", ["me@author.example"])
            assert b"X-Mailer-Report: " in passed.content
        finally:
            world.close()


def heard_back(world: World, port: int, door: int, sender: int, protocol: str) -> None:
    """Send a message by the server at `port`, and wait for what it says about it."""
    world.configure(
        port,
        more='[bounce]\naddress = "bounces@here.example"\n[[listen]]\nkind = "reports"\n'
        f'address = "127.0.0.1:{door}"\ntls = "none"\nprotocol = "{protocol}"\n',
    )
    text = world.config.read_text()
    own = (
        f'[relay.sender]\nhost = "127.0.0.1"\nport = {sender}\ntls = "none"\n[[route]]\nmatch = "author.example"\nvia = ["relay:sender"]\n'
    )
    world.config.write_text(text.replace('[[route]]\nmatch = "*"', own + '[[route]]\nmatch = "*"'))
    world.daemon()
    id = world.send("550@gone.example", sender="me@author.example")
    world.becomes(id, "sent")
    world.until("it has bounced", lambda: world.status(id)["recipients"][0]["status"] == "bounced", 90)
    found: dict[str, Any] = json.loads(world.mailer("explain", id, "--json").out)
    bounce = next(each for each in found["heard"] if each["kind"] == "bounce")
    assert (bounce["trust"], bounce["recipient"]) == ("token", "550@gone.example"), bounce
    assert bounce["status"].startswith("5."), bounce
    assert bounce["class"] == "unknown-user", bounce
