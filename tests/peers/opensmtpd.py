"""A whole OpenSMTPD, keeping what it takes in Maildirs.

Debian 12 has one that offers STARTTLS and fails at every handshake, with OpenSSL 3 and any certificate: a peer as they
are out there. `tls` says whether this is such a one. It has AUTH only behind TLS, and therefore none here.
"""

from __future__ import annotations

import functools
import socket
import ssl
from pathlib import Path
from typing import Self

from tests.fakes.processes import free_port

from .letters import READERS
from .mailboxes import Mailboxes
from .root import Root

CONFIGURATION = """\
pki opensmtpd.example cert "/etc/chain.pem"
pki opensmtpd.example key "/etc/key.pem"
table readers file:/etc/readers
table later {{ "^later.*" }}
smtp max-message-size "50M"
filter later phase rcpt-to match rcpt-to regex <later> reject "451 4.7.1 Come back later"
listen on 127.0.0.1 port {starttls} tls pki opensmtpd.example filter later hostname opensmtpd.example
listen on 127.0.0.1 port {implicit} smtps pki opensmtpd.example filter later hostname opensmtpd.example
action keep maildir "/mail/%{{rcpt.user}}" virtual <readers>
match from any for domain peer.example action keep
"""


class OpenSMTPD:
    """Start and stop it as a context manager."""

    def __init__(self, home: Path, chain: Path) -> None:
        self.root = Root(home / "root")
        self.ports = {door: free_port() for door in ("starttls", "implicit")}
        self.ports["plain"] = self.ports["starttls"]
        self.root.write("etc/chain.pem", chain.read_text()).chmod(0o600)
        self.root.write("etc/key.pem", chain.read_text().partition("-----BEGIN CERTIFICATE")[0]).chmod(0o600)
        self.root.write("etc/readers", "".join(f"{reader}@peer.example\tmail\n" for reader in READERS if reader.isascii()))
        self.root.write("etc/smtpd.conf", CONFIGURATION.format(**self.ports))
        self.root.directory("mail", "mail")
        self.root.directory("var/lib/opensmtpd/empty")
        self.mailboxes = Mailboxes(self.root.path / "mail")

    def __enter__(self) -> Self:
        self.program = self.root.start("/usr/sbin/smtpd", "-d", "-f", "/etc/smtpd.conf", ports=self.ports.values())
        return self

    @functools.cached_property
    def tls(self) -> bool:
        """Whether it gets through a handshake."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        with socket.create_connection(("127.0.0.1", self.ports["implicit"])) as plain:
            try:
                context.wrap_socket(plain).close()
            except ssl.SSLError:
                return False
        return True

    def __exit__(self, *error: object) -> None:
        self.root.stop(self.program)
