"""A whole Exim: it has TLS and BDAT of its own, the mechanisms of Cyrus SASL, and EXTERNAL; one at each port for AUTH."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Self

from tests.fakes.processes import free_port

from .letters import PASSWORD, READERS, USERNAME
from .mailboxes import Mailboxes
from .matrix import CYRUS, EXIM
from .root import Root

CONFIGURATION = """\
primary_hostname = exim.example
daemon_smtp_ports = {implicit}
local_interfaces = <; {interfaces}
tls_on_connect_ports = {implicit}
tls_advertise_hosts = *
tls_certificate = /etc/chain.pem
tls_privatekey = /etc/chain.pem
tls_verify_certificates = /etc/ca.pem
tls_try_verify_hosts = *
chunking_advertise_hosts = *
dsn_advertise_hosts = *
smtputf8_advertise_hosts = *
pipelining_connect_advertise_hosts =
spool_directory = /var/spool/exim4
log_file_path = /var/log/exim.%slog
smtp_accept_max = 100
smtp_accept_queue_per_connection = 0
queue_run_in_order = false
deliver_drop_privilege = true
never_users =
acl_smtp_mail = sender
acl_smtp_rcpt = recipient

begin acl
sender:
  deny    condition = ${{if inlist{{$received_port}}{{{auth_ports}}}}}
          !authenticated = *
          message = 530 5.7.0 Authentication required
  accept
recipient:
  defer   local_parts = ^later
          message = 451 4.7.1 Come back later
  deny    senders = *@nowhere.example
          !verify = sender
  deny    domains = elsewhere.example
          message = relay not permitted
  deny    !verify = recipient
          message = 550 5.1.1 User unknown
  accept

begin routers
mailbox:
  driver = accept
  domains = peer.example
  local_parts = dsearch;/mail
  transport = maildir

begin transports
maildir:
  driver = appendfile
  directory = /mail/$local_part_data
  maildir_format = true
  user = Debian-exim
  group = Debian-exim

begin authenticators
"""

AUTHENTICATOR = """\
auth{port}:
  driver = cyrus_sasl
  public_name = {name}
  server_advertise_condition = ${{if eq{{$received_port}}{{{port}}}}}
  server_hostname = exim.example
  server_realm = exim.example
  server_set_id = $auth1
"""

EXTERNAL = """\
external:
  driver = external
  public_name = EXTERNAL
  server_advertise_condition = ${{if eq{{$received_port}}{{{port}}}{{$tls_in_certificate_verified}}}}
  server_param2 = ${{certextract{{subj_altname,mail,>:}}{{$tls_in_peercert}}}}
  server_condition = ${{if forany{{$auth2}}{{eq{{$item}}{{$auth1@peer.example}}}}}}
  server_set_id = $auth1
"""


class Exim:
    """Takes mail for the users of peer.example; ann's password is open-sesame, and a certificate for her address is as good.

    Start and stop it as a context manager.
    """

    def __init__(self, home: Path, chain: Path, ca_file: str) -> None:
        self.root = Root(home / "root")
        self.ports = {door: free_port() for door in ("plain", "implicit", *EXIM)}
        self.ports["starttls"] = self.ports["plain"]
        for reader in READERS:
            self.root.directory(f"mail/{reader}", "Debian-exim")
        self.root.directory("var/spool/exim4", "Debian-exim")
        self.root.directory("var/log", "Debian-exim")
        self.root.write("etc/chain.pem", chain.read_text(), "Debian-exim").chmod(0o600)
        self.root.write("etc/ca.pem", Path(ca_file).read_text(), "Debian-exim")
        self.mailboxes = Mailboxes(self.root.path / "mail")
        self._configure()
        self._register()

    def _configure(self) -> None:
        auth_ports = [str(self.ports[mechanism]) for mechanism in EXIM]
        text = CONFIGURATION.format(
            interfaces="; ".join(f"127.0.0.1.{port}" for port in set(self.ports.values())),
            implicit=self.ports["implicit"],
            auth_ports=":".join(auth_ports),
        )
        text += "".join(AUTHENTICATOR.format(name=mechanism, port=self.ports[mechanism]) for mechanism in CYRUS)
        text += EXTERNAL.format(port=self.ports["EXTERNAL"])
        self.root.write("etc/exim4/exim4.conf", text)

    def _register(self) -> None:
        """Give ann her password; Cyrus SASL keeps it in a database of its own."""
        words = ["chroot", self.root.path, "/usr/sbin/saslpasswd2", "-p", "-c", "-u", "exim.example", USERNAME]
        subprocess.run(words, input=PASSWORD, text=True, check=True, capture_output=True)
        self.root.give(self.root.path / "etc/sasldb2", "Debian-exim")

    def log(self) -> str:
        """What it wrote about messages."""
        return (self.root.path / "var/log/exim.mainlog").read_text()

    def __enter__(self) -> Self:
        self.program = self.root.start("/usr/sbin/exim4", "-bdf", "-q1h", ports=self.ports.values())
        return self

    def __exit__(self, *error: object) -> None:
        self.root.stop(self.program)
