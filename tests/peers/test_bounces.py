"""Reports made on the spot: a real server takes our message and cannot deliver it, and what it says comes back through our own door.

The server's next host is a sink that refuses. The mail for the bounce address has its way to the daemon's door of kind reports, so
nothing is written for the test but the message.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.processes import Program, free_port
from tests.journey.world import World

from .install import node
from .matrix import marks
from .npmservers import CONNECTION, LIBRARY, MODULES
from .postfix import Postfix, scratch
from .root import Root

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

EXIM = """\
primary_hostname = exim.example
daemon_smtp_ports = {port}
local_interfaces = 127.0.0.1
spool_directory = /var/spool/exim4
log_file_path = /var/log/exim.%slog
tls_advertise_hosts =
dsn_advertise_hosts = *
deliver_drop_privilege = true
never_users =
acl_smtp_rcpt = accept_all

begin acl
accept_all:
  accept

begin routers
back:
  driver = manualroute
  domains = here.example
  route_list = * 127.0.0.1
  self = send
  transport = back
onward:
  driver = manualroute
  route_list = * 127.0.0.1
  self = send
  transport = onward

begin transports
back:
  driver = smtp
  port = {door}
  hosts_try_fastopen =
  allow_localhost
onward:
  driver = smtp
  port = {refuser}
  hosts_try_fastopen =
  allow_localhost

begin retry
* * F,1h,5s
"""

OPENSMTPD = """\
listen on 127.0.0.1 port {port} hostname opensmtpd.example
action back relay host smtp://127.0.0.1:{door}
action onward relay host smtp://127.0.0.1:{refuser}
match from any for domain here.example action back
match from any for any action onward
"""


@contextlib.contextmanager
def postfix(home: Path, door: int, refuser: int) -> Iterator[int]:
    """Postfix; its port."""
    table = home / "transport"
    table.write_text(f"here.example smtp:[127.0.0.1]:{door}\ngone.example smtp:[127.0.0.1]:{refuser}\n")
    settings = {"transport_maps": f"texthash:{table}", "smtp_tls_security_level": "none", "smtp_host_lookup": "native"}
    with Postfix(home, settings) as server:
        yield server.port


@contextlib.contextmanager
def exim(home: Path, door: int, refuser: int) -> Iterator[int]:
    """Exim; its port."""
    root, port = Root(home / "root"), free_port()
    root.directory("var/spool/exim4", "Debian-exim")
    root.directory("var/log", "Debian-exim")
    root.write("etc/exim4/exim4.conf", EXIM.format(port=port, door=door, refuser=refuser))
    program = root.start("/usr/sbin/exim4", "-bdf", "-q5s", ports=[port])
    try:
        yield port
    finally:
        root.stop(program)


@contextlib.contextmanager
def opensmtpd(home: Path, door: int, refuser: int) -> Iterator[int]:
    """OpenSMTPD; its port."""
    root, port = Root(home / "root"), free_port()
    root.write("etc/smtpd.conf", OPENSMTPD.format(port=port, door=door, refuser=refuser))
    root.directory("var/lib/opensmtpd/empty")
    program = root.start("/usr/sbin/smtpd", "-d", "-f", "/etc/smtpd.conf", ports=[port])
    try:
        yield port
    finally:
        root.stop(program)


@contextlib.contextmanager
def haraka(home: Path, door: int, refuser: int) -> Iterator[int]:
    """Haraka, with a plugin that says where mail goes; its port."""
    port = free_port()
    home.joinpath("settings.json").write_text(json.dumps({"door": door, "refuser": refuser}))
    for name, text in {
        "me": "haraka.example",
        "plugins": "onward\n",
        "smtp.ini": f"listen=127.0.0.1:{port}\nnodes=0\n",
        "outbound.ini": "enable_tls=false\n",
        "connection.ini": CONNECTION,
        "log.ini": "level=warn\n",
    }.items():
        home.joinpath("config").mkdir(exist_ok=True)
        home.joinpath("config", name).write_text(text)
    home.joinpath("queue").mkdir()
    home.joinpath("plugins").symlink_to(LIBRARY / "haraka")
    env = {"PATH": os.environ["PATH"], "NODE_PATH": str(MODULES), "PEER_SETTINGS": str(home / "settings.json"), "HARAKA": str(home)}
    program = Program([node(), MODULES / "Haraka/haraka.js"], home / "said", env=env, cwd=home)
    try:
        program.accepts(port)
        yield port
    finally:
        program.stop()


SERVERS = {"haraka": haraka, "postfix": postfix, "exim": exim, "opensmtpd": opensmtpd}


@pytest.mark.parametrize("name", [pytest.param(name, marks=marks(name)) for name in SERVERS])
def test_the_report_of_a_real_server_makes_its_recipient_bounced(name: str) -> None:
    """By the token, with the code that the last host gave; the sender gets the report, from the null sender."""
    with scratch("bounces") as home:
        home.joinpath("ours").mkdir()
        world = World(home / "ours")
        try:
            refuser, sender, door = world.sink(), world.sink(), free_port()
            with SERVERS[name](home, door, refuser.port) as port:
                heard_back(world, port, door, sender.port)
            [passed] = sender.received(1)
            assert (passed.sender, passed.recipients) == ("", ["me@author.example"])
            assert b"X-Mailer-Report: " in passed.content
        finally:
            world.close()


def heard_back(world: World, port: int, door: int, sender: int) -> None:
    """Send a message by the server at `port`, and wait for what it says about it."""
    world.configure(
        port,
        more=f'[bounce]\naddress = "bounces@here.example"\n[[listen]]\nkind = "reports"\naddress = "127.0.0.1:{door}"\ntls = "none"\n',
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
