"""A town for the mail of strangers: a Postfix at sender.example, our daemon at here.example, and an Exim at there.example that takes
nothing without SPF; each has an address of loopback, by which the DNS of the town tells them apart."""

from __future__ import annotations

import contextlib
import json
import secrets
import smtplib
import socket
import socketserver
import ssl
import subprocess
import threading
from pathlib import Path
from typing import Any, Self

import trustme

from mailer.dkim.key import private_key
from tests.fakes.nameserver import Nameserver
from tests.fakes.processes import free_port, wait_until
from tests.peers.postfix import Postfix
from tests.peers.root import Root

from .world import World

SENDER, HERE, THERE = "127.0.0.2", "127.0.0.3", "127.0.0.4"
PASSWORD = "correct horse battery"

RECORDS = f"""
sender.example.          60 IN MX 10 mail.sender.example.
sender.example.          60 IN TXT "v=spf1 ip4:{SENDER} -all"
mail.sender.example.     60 IN A {SENDER}
here.example.            60 IN MX 10 mx.here.example.
here.example.            60 IN TXT "v=spf1 ip4:{HERE} -all"
mx.here.example.         60 IN A {HERE}
there.example.           60 IN MX 10 mx.there.example.
mx.there.example.        60 IN A {THERE}
"""

OURS = """
[mailer]
hostname = "mx.here.example"
spool = "{spool}"
[delivery]
source4 = "{here}"
mx_port = {exim}
allow_private = true
[dns]
nameservers = ["{dns}"]
[relay.back]
host = "127.0.0.1"
port = {postfix}
tls = "none"
[[route]]
match = "sender.example"
via = "relay:back"
[[route]]
match = "*"
via = "mx"
[retry]
schedule = ["0.2s"]
jitter = 0.0
[[listen]]
kind = "mx"
address = "{here}:{mx}"
tls = "none"
[[listen]]
kind = "submission"
address = "127.0.0.1:{submission}"
tls = "implicit"
certificate_file = "{home}/chain.pem"
[[domain]]
name = "here.example"
via = "maildir:{home}/mail/{{user}}"
aliases_file = "{home}/aliases"
[[dkim]]
domain = "here.example"
selector = "s1"
key_file = "{home}/s1.pem"
[[filter]]
kind = "spamd"
address = "{home}/spamd"
"""

ALIASES = "sales: bob, carl@there.example\nlate: late@there.example\n"

EXIM = """\
primary_hostname = mx.there.example
daemon_smtp_ports = {port}
local_interfaces = {there}
spool_directory = /var/spool/exim4
log_file_path = /var/log/exim.%slog
deliver_drop_privilege = true
never_users =
acl_smtp_mail = sender
acl_smtp_rcpt = recipient
begin acl
sender:
  accept  senders = :
  deny    !spf = pass
          message = 550 5.7.23 SPF says $spf_result
  accept
recipient:
  accept  domains = there.example
  deny    message = 550 5.7.1 relaying denied
begin routers
late:
  driver = redirect
  domains = there.example
  local_parts = late
  allow_fail
  data = :fail: nobody lives here any more
mailbox:
  driver = accept
  domains = there.example
  transport = maildir
out:
  driver = manualroute
  route_list = * {here}
  transport = smtp
  self = send
begin transports
maildir:
  driver = appendfile
  directory = /mail/carl
  maildir_format = true
  return_path_add
  user = Debian-exim
  group = Debian-exim
smtp:
  driver = smtp
  port = {mx}
  interface = {there}
  hosts_try_fastopen =
"""


class SpamAssassin:
    """What answers at a unix socket as spamd does, and finds nothing in any message; it can be killed, and started again."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._server: socketserver.ThreadingUnixStreamServer | None = None

    def start(self) -> None:
        """Listen."""
        self._server = socketserver.ThreadingUnixStreamServer(str(self.path), _Answer)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def kill(self) -> None:
        """Be gone, with its socket."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self.path.unlink()
            self._server = None


class _Answer(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        while self.rfile.read(65536):
            pass  # to the end of what is asked
        self.wfile.write(b"SPAMD/1.1 0 EX_OK\r\nSpam: False ; 0.1 / 5.0\r\n\r\n")


class Town:
    """All of them, from the start to the end of a `with`."""

    def __init__(self, world: World, home: Path) -> None:
        self.world = world
        self.home = home
        self.mx, self.submission = free_port(), free_port()
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        self.dns = self._stack.enter_context(Nameserver(host=_loopback(), port=53))
        self.postfix = Postfix(self.home, {"relayhost": f"[{HERE}]:{self.mx}", "smtp_bind_address": SENDER})
        self.postfix.receives("ann", domain="sender.example")
        self._stack.enter_context(self.postfix)
        self._start_exim()
        self._configure()
        self.spamd = SpamAssassin(self.world.home / "spamd")
        self.spamd.start()
        self._stack.callback(self.spamd.kill)
        self.daemon = self.world.daemon()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _start_exim(self) -> None:
        port = free_port()
        self.exim_port = port
        self.exim = Root(self.home / "root")
        for name in ("mail", "mail/carl", "var/spool/exim4", "var/log"):
            self.exim.directory(name, "Debian-exim")
        self.exim.write("etc/resolv.conf", f"nameserver {self.dns.host}\noptions attempts:1\n")
        self.exim.write("etc/exim4/exim4.conf", EXIM.format(port=port, there=THERE, here=HERE, mx=self.mx))
        program = self.exim.start("/usr/sbin/exim4", "-bdf", "-q1s", ports=())
        self._stack.callback(self.exim.stop, program)
        wait_until(f"Exim listens: {program.said}", lambda: _listens(THERE, port))

    def _configure(self) -> None:
        world = self.world
        (world.home / "mail").mkdir()
        (world.home / "aliases").write_text(ALIASES)
        trustme.CA().issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(f"{world.home}/chain.pem")
        (world.home / "chain.pem").chmod(0o600)
        done = world.mailer("dkim", "keygen", "here.example", "--selector", "s1", "--out", world.home / "s1.pem")
        assert done.code == 0, done
        self.record = private_key((world.home / "s1.pem").read_bytes()).record
        texts = " ".join(f'"{self.record[at : at + 200]}"' for at in range(0, len(self.record), 200))
        self.dns.serve(f"{RECORDS}s1._domainkey.here.example. 60 IN TXT {texts}\n")
        world.config.write_text(
            OURS.format(
                spool=world.spool,
                home=world.home,
                here=HERE,
                exim=self.exim_port,
                dns=self.dns.address,
                postfix=self.postfix.port,
                mx=self.mx,
                submission=self.submission,
            )
        )
        done = world.mailer("user", "add", "bob@here.example", "--password-stdin", input=PASSWORD.encode())
        assert done.code == 0, done

    # What people of the town do

    def writes(self, *recipients: str, mark: str) -> dict[str, tuple[int, bytes]]:
        """Ann at sender.example writes; whom her server refused at once, with its answer."""
        text = f"X-Test: {mark}\r\nFrom: ann@sender.example\r\nTo: {', '.join(recipients)}\r\nSubject: {mark}\r\n\r\nHello.\r\n"
        with smtplib.SMTP("127.0.0.1", self.postfix.port, timeout=60) as client:
            return client.sendmail("ann@sender.example", recipients, text)

    def hands_in(self, recipient: str, mark: str) -> None:
        """Bob at here.example logs in, and writes."""
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        text = f"X-Test: {mark}\r\nFrom: bob@here.example\r\nTo: {recipient}\r\nSubject: {mark}\r\n\r\nHello.\r\n"
        with smtplib.SMTP_SSL("127.0.0.1", self.submission, context=context, timeout=60) as client:
            client.login("bob@here.example", PASSWORD)
            client.sendmail("bob@here.example", [recipient], text)

    def tries_again(self) -> None:
        """Postfix tries at once what it had put off."""
        subprocess.run(["postqueue", "-c", self.postfix.config, "-f"], check=True, timeout=60)

    # What they get

    def at_here(self, mark: str) -> bytes:
        """The message in Bob's Maildir."""
        return self._arrived(self.world.home / "mail/bob/new", mark)

    def at_there(self, mark: str) -> bytes:
        """The message that Exim has taken, with the line ends that it came with."""
        return self._arrived(self.exim.path / "mail/carl/new", mark).replace(b"\n", b"\r\n")

    def reports(self, mark: str) -> list[str]:
        """What came back to Ann about a message."""
        return self.postfix.mailboxes.reports(mark, "ann")

    def _arrived(self, place: Path, mark: str) -> bytes:
        def found() -> bytes:
            return next((text for path in place.glob("*") if f"X-Test: {mark}\n".encode() in (text := path.read_bytes())), b"")

        log = self.exim.path / "var/log/exim.mainlog"
        try:
            return wait_until(f"the message {mark} is in {place}", found)
        except AssertionError as late:
            raise AssertionError(f"{late}\n{log.read_text() if log.exists() else ''}\n{self.daemon.said[-3000:]}") from None

    def received(self, *options: str) -> list[dict[str, Any]]:
        """What ``mailer received`` tells, the newest first."""
        done = self.world.mailer("received", "--json", "--limit", "0", *options)
        assert done.code == 0, done
        return [json.loads(line) for line in done.out.splitlines()]

    def key(self, name: bytes, timeout: int = 5) -> bytes | None:
        """The DNS of the town, for whoever verifies signatures of here.example."""
        return self.record.encode() if name.rstrip(b".") == b"s1._domainkey.here.example" else None


def _loopback() -> str:
    """An address that no other town has: a name server has its port from the standard."""
    one, two, three = (2 + secrets.randbelow(250) for _ in range(3))
    return f"127.{one}.{two}.{three}"


def _listens(host: str, port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection((host, port), 1):
        return True
    return False
