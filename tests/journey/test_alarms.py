"""An alarm from its beginning to its end, with real processes: a relay that is down, over a restart, until it takes mail."""

from __future__ import annotations

import json
import signal
import sys

from tests.fakes.processes import free_port

from .world import World

STORE = "import sys; open(sys.argv[1], 'a').write(sys.stdin.read())"


def test_a_relay_that_is_down_is_told_once_over_a_restart_and_its_end_too(world: World) -> None:
    """In the log, in the status, by its exit code, by mail past the queue, and to a command."""
    ops, port = world.sink(), free_port()
    told = world.home / "told"
    command = json.dumps([sys.executable, "-c", STORE, str(told)])
    world.configure(
        port,
        more=f'[alarm]\nmail = "ops@ops.example"\nvia = "relay:other"\ncommand = {command}\nafter = 0\n'
        f'[relay.other]\nhost = "127.0.0.1"\nport = {ops.port}\ntls = "none"\n',
    )
    daemon = world.daemon()
    assert world.mailer("status", "--check").code == 0
    ids = [world.send("you@there.example") for _ in range(30)]
    daemon.says('"what":"destination","state":"begin","severity":"critical","key":"relay:sink"')
    world.until("it is critical", lambda: world.mailer("status", "--check").code == 2)
    assert "wait since " in world.mailer("status").out
    (mail,) = ops.received(1)
    assert mail.recipients == ["ops@ops.example"]
    world.until("the command was told", told.exists)
    daemon.signal(signal.SIGTERM)
    assert daemon.wait() == 0
    assert world.mailer("status", "--check").code == 2
    world.sink(port=port)
    daemon = world.daemon()
    daemon.says('"state":"end"')
    for id in ids:
        world.becomes(id, "sent")
    world.until("all is well", lambda: world.mailer("status", "--check").code == 0)
    ops.received(2)
    world.until("the command was told", lambda: len(told.read_text().splitlines()) == 2)
    assert [json.loads(line)["state"] for line in told.read_text().splitlines()] == ["begin", "end"]
    assert '"state":"begin"' not in daemon.said
