"""A daemon that sends, and then receives as well: the first door opens with a reload, and the last one closes with another."""

from __future__ import annotations

import signal
import smtplib

from tests.fakes.processes import free_port, listens, wait_until
from tests.journey.world import World

MAIL = "From: bob@there.example\r\nTo: ann@example.com\r\nSubject: hello\r\n\r\nbody\r\n"


def test_the_first_door_opens_with_a_reload(world: World) -> None:
    """It is not there before, nor what it stands on; mail that comes by it is delivered."""
    port, sink = free_port(), world.sink()
    quiet = '[dns]\nnameservers = ["127.0.0.1:9"]\ntimeout = "0.1s"\nlifetime = "0.2s"\n'
    world.configure(sink, more=quiet)
    daemon = world.daemon()
    aliases = world.home / "aliases"
    aliases.write_text("ann: you@there.example\n")
    door = f'[[listen]]\nkind = "mx"\naddress = "127.0.0.1:{port}"\n[[domain]]\nname = "example.com"\naliases_file = "{aliases}"\n'
    world.configure(sink, more=quiet + door.replace('"mx"', '"mx"\ntls = "starttls"\ncertificate_file = "/nowhere.pem"'))
    daemon.signal(signal.SIGHUP)
    daemon.says("/nowhere.pem")
    assert not listens(port)
    world.configure(sink, more=quiet + door)
    daemon.signal(signal.SIGHUP)
    wait_until("the door is open", lambda: listens(port))
    with smtplib.SMTP("127.0.0.1", port, "there.example", timeout=60) as client:
        client.sendmail("bob@there.example", ["ann@example.com"], MAIL)
    assert sink.received(1)[0].recipients[0] == "you@there.example"
    world.configure(sink, more=quiet)
    daemon.signal(signal.SIGHUP)
    wait_until("the door is closed", lambda: not listens(port))
    assert daemon.stop() == 0
