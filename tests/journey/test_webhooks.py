"""A message's whole story at an endpoint: the daemon writes the journal, starts who posts, and is killed in between."""

from __future__ import annotations

import json
import socket
import urllib.request

from tests.fakes.processes import wait_until
from tests.hooks.receiver import Receiver
from tests.journey.world import World


def subscribe(world: World, port: int) -> tuple[str, str]:
    """The section of an endpoint at `port`, and its secret, which a command has made."""
    section = (
        f'[[webhook]]\nname = "shop"\nurl = "http://127.0.0.1:{port}/events"\nsecret_file = "{world.home}/shop.secret"\nprivate = true\n'
    )
    world.configure(9, more=section)
    done = world.mailer("hooks", "rotate", "shop", "--json")
    assert done.code == 0, done
    return section, json.loads(done.out)["secret"]


def test_what_became_of_a_message_is_posted(world: World) -> None:
    """Accepted, then put off: in that order, signed, of one message, with nothing of what it says."""
    with Receiver() as receiver:
        section, secret = subscribe(world, receiver.port)
        receiver.knows(secret)
        world.configure(9, schedule=["1h"], more=section)
        world.daemon()
        sent = world.mailer(
            "send", "-s", "a secret subject", "--text", "a secret text", "--from", "me@here.example", "--to", "you@example.net"
        )
        assert sent.code == 0, sent
        receiver.until(lambda: [request.data["type"] for request in [*receiver.requests]][:2] == ["accepted", "deferred"])
        assert not any(b"secret" in request.body for request in receiver.requests)
        assert not [request.flaw for request in receiver.requests if request.flaw]
        assert {request.data["message"] for request in receiver.requests} == {sent.out.strip()}
        assert receiver.requests[1].data["to"] == "you@example.net"
        assert receiver.requests[1].data["code"] == 451


def test_a_killed_daemon_takes_who_posts_with_it_and_the_next_one_goes_on(world: World) -> None:
    """Each message is told of as delivered, though everything died meanwhile."""
    with Receiver() as receiver:
        section, secret = subscribe(world, receiver.port)
        receiver.knows(secret)
        world.configure(world.sink(), more=section)
        daemon = world.daemon()
        ids = {
            world.mailer("send", "--text", "x", "--from", "me@here.example", "--to", f"u{number}@example.net").out.strip()
            for number in range(3)
        }
        daemon.process.kill()
        daemon.process.wait()
        ids |= {
            world.mailer("send", "--text", "x", "--from", "me@here.example", "--to", f"u{number}@example.net").out.strip()
            for number in range(3)
        }
        world.daemon()
        receiver.until(lambda: {each.data["message"] for each in [*receiver.requests] if each.data["type"] == "delivered"} >= ids)


def test_doctor_list_and_figures_say_how_an_endpoint_does(world: World) -> None:
    """One that answered 410 is off: the doctor fails, the list says so, and the figures do."""
    with Receiver(answer=lambda _: 410) as receiver, socket.socket() as free:
        section, _ = subscribe(world, receiver.port)
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        world.configure(world.sink(), more=f'{section}[metrics]\nlisten = "127.0.0.1:{port}"\n')
        daemon = world.daemon()
        world.mailer("send", "--text", "x", "--from", "me@here.example", "--to", "you@example.net")
        wait_until("it is off", lambda: json.loads(world.mailer("hooks", "list", "--json").out)["state"] == "off", every=0.2)
        done = world.mailer("doctor", "--json")
        found = [json.loads(line) for line in done.out.splitlines()]
        (webhook,) = [each for each in found if each["check"] == "webhook"]
        assert webhook["result"] == "fail"
        assert any("it answered 410" in str(value) for value in webhook.values())

        def page() -> str:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as answer:
                return str(answer.read().decode())

        assert 'mailer_webhook_up{name="shop"}' in page()
        assert daemon.stop() == 0
        world.daemon()  # which looks at once, and then every half a minute
        wait_until("the figures know", lambda: 'mailer_webhook_up{name="shop"} 0.0' in page())
        assert 'mailer_webhook_posts_total{name="shop",result="failed"}' in page()
        assert 'mailer_alarms_open{what="webhook"} 1.0' in page()
