"""Every peer of the matrix, each started when it is first asked for, and stopped at the end of the session.

Each has a certificate for ``localhost`` by an authority of our own, a user ann with a password, and mailboxes for
the readers of `letters`. Two of them lean on others: what is submitted to Dovecot goes to Postfix, and who
authenticates at Postfix is known to Dovecot.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple, Protocol, TypeVar

import trustme

from mailer.tlspolicy import Requirement
from mailer.transport.route import Endpoint, Login
from tests.fakes.processes import free_port

from .aio import Aiosmtpd
from .dovecot import Dovecot, token
from .exim import Exim
from .letters import LATER, PASSWORD, READERS, USERNAME
from .mailboxes import Mailboxes
from .matrix import DOVECOT, OPEN, PEERS
from .npmservers import TOKEN, Haraka, SmtpServer
from .opensmtpd import OpenSMTPD
from .postfix import Postfix


class Server(Protocol):
    """What the tests need of a peer."""

    @property
    def ports(self) -> Mapping[str, int]:
        """By door; see `matrix`."""

    @property
    def mailboxes(self) -> Mailboxes:
        """Where mail arrives."""


class View(NamedTuple):
    """A part of one peer that delivers to another."""

    ports: Mapping[str, int]
    mailboxes: Mailboxes


S = TypeVar("S", bound=contextlib.AbstractContextManager[object])


SUSPICIOUS: dict[str, dict[str, object]] = {
    "refusing names": {"smtpd_helo_restrictions": "reject_non_fqdn_helo_hostname"},
    "refusing clients": {"smtpd_client_restrictions": "check_client_access inline:{127.0.0.1=REJECT}"},
    "refusing senders": {"smtpd_sender_restrictions": "reject_non_fqdn_sender, reject_unlisted_sender"},
    "refusing others": {"smtpd_recipient_restrictions": "reject_unauth_destination"},
    "refusing plain text": {"smtpd_tls_security_level": "encrypt"},
    "refusing content": {"smtpd_data_restrictions": "reject"},
}
"""Doors of Postfix that refuse something, each in its own words."""


class Servers:
    """Those that run, below the directory `home`; see the module."""

    def __init__(self, home: Path, stack: contextlib.ExitStack) -> None:
        self._home = home
        self._stack = stack
        self._running: dict[str, Server] = {}
        self._auth_port, self._relay_port = free_port(), free_port()
        authority = trustme.CA()
        self._chain = home / "chain.pem"
        authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(str(self._chain))
        self._chain.chmod(0o600)
        self._own = str(home / "ann.pem")
        authority.issue_cert(f"{USERNAME}@peer.example").private_key_and_cert_chain_pem.write_to_path(self._own)
        self.ca_file = str(home / "ca.pem")
        authority.cert_pem.write_to_path(self.ca_file)

    def __getitem__(self, name: str) -> Server:
        if name not in self._running:
            self._running[name] = getattr(self, "_" + name.replace("-", "_"))()
        return self._running[name]

    def endpoint(self, name: str, door: str, secret: str | None = None) -> Endpoint:
        """Where that door is, and what we bring; `secret` is another one than the right one, or whom our certificate does not know."""
        mode = {"plain": "none", "DATA": "none", "implicit": "implicit"}.get(door, "starttls")
        own = self._own if door == "EXTERNAL" else ""
        requirement = Requirement(mode, verify=mode != "none", ca_file=self.ca_file, client_certificate=own)
        ports = self[name].ports
        return Endpoint(
            "localhost",
            ports.get(door, ports["plain"]),
            requirement,
            None if door in OPEN else self._login(name, door, secret),
            protocol=PEERS[name].protocol,
            chunking=door != "DATA",
        )

    def _login(self, name: str, door: str, secret: str | None) -> Login:
        if name == "postfix":
            self["dovecot"]  # which knows the passwords
        if door == "EXTERNAL":
            return Login("", lambda: "", mechanism=door, authorization=secret or USERNAME)
        return Login(USERNAME, lambda: self._secret(name, door) if secret is None else secret, mechanism=door.removeprefix("AUTH"))

    def handshakes(self, name: str, door: str) -> bool:
        """Whether that door can be entered: one peer offers TLS that it cannot make."""
        server = self[name]
        return door in ("plain", "DATA") or not isinstance(server, OpenSMTPD) or server.tls

    def _secret(self, name: str, door: str) -> str:
        if door not in ("XOAUTH2", "OAUTHBEARER"):
            return PASSWORD
        return TOKEN if name == "smtp-server" else token()

    # -- each of them

    def _start(self, name: str, make: Callable[[Path], S]) -> S:
        home = self._home / name
        home.mkdir()
        server = make(home)
        self._stack.enter_context(server)
        return server

    @property
    def exim(self) -> Exim:
        """The one of `self`, with all that only Exim has."""
        server = self["exim"]
        assert isinstance(server, Exim)
        return server

    @property
    def postfix(self) -> Postfix:
        """The one of `self`, with all that only Postfix has."""
        server = self["postfix"]
        assert isinstance(server, Postfix)
        return server

    def _postfix(self) -> Postfix:
        return self._start("postfix", self._configure_postfix)

    def _configure_postfix(self, home: Path) -> Postfix:
        auth = {
            "smtpd_sasl_auth_enable": "yes",
            "smtpd_sasl_type": "dovecot",
            "smtpd_sasl_path": f"inet:127.0.0.1:{self._auth_port}",
            "smtpd_tls_auth_only": "yes",
            "smtpd_client_restrictions": "permit_sasl_authenticated, reject",
        }
        put_off = ", ".join(f"{{{user}@peer.example = 451 4.7.1 Come back later}}" for user in ("mallory", *LATER))
        postfix = Postfix(
            home,
            {
                "smtpd_tls_chain_files": self._chain,
                "smtpd_tls_security_level": "may",
                "smtpd_tls_received_header": "yes",
                "smtpd_recipient_restrictions": f"check_recipient_access inline:{{{put_off}}}, permit_mynetworks, reject",
                "smtpd_peername_lookup": "no",
                "smtputf8_enable": "yes",
                "message_size_limit": 50 << 20,
                "virtual_mailbox_limit": 0,
                "smtpd_error_sleep_time": 0,
                "smtpd_hard_error_limit": 1000,
            },
            {
                "implicit": {"smtpd_tls_wrappermode": "yes"},
                "relay": {},
                "strict": {"smtpd_hard_error_limit": 3},
                **SUSPICIOUS,
                "refusing senders of others": {
                    **auth,
                    "smtpd_sasl_mechanism_filter": "PLAIN",
                    "smtpd_sender_login_maps": "inline:{bob@peer.example=bob}",
                    "smtpd_sender_restrictions": "reject_sender_login_mismatch",
                },
                **{mechanism: {**auth, "smtpd_sasl_mechanism_filter": mechanism} for mechanism in DOVECOT},
            },
        )
        postfix.ports.update(starttls=postfix.port, relay=self._relay_port)
        postfix.receives(*READERS)
        return postfix

    def _exim(self) -> Exim:
        return self._start("exim", lambda home: Exim(home, self._chain, self.ca_file))

    def _opensmtpd(self) -> OpenSMTPD:
        return self._start("opensmtpd", lambda home: OpenSMTPD(home, self._chain))

    def _dovecot(self) -> Dovecot:
        return self._start("dovecot", lambda home: Dovecot(home, self._chain, self._auth_port, self._relay_port))

    def _lmtp(self) -> Server:
        return self["dovecot"]

    def _submission(self) -> View:
        return View({"plain": self["dovecot"].ports["submission"]}, self["postfix"].mailboxes)

    def _aiosmtpd(self) -> Aiosmtpd:
        return self._start("aiosmtpd", lambda home: Aiosmtpd(home, self._chain))

    def _haraka(self) -> Haraka:
        return self._start("haraka", lambda home: Haraka(home, self._chain))

    def _smtp_server(self) -> SmtpServer:
        return self._start("smtp-server", lambda home: SmtpServer(home, self._chain))

    def _smtp_server_lmtp(self) -> View:
        server = self["smtp-server"]
        return View({"plain": server.ports["lmtp"]}, server.mailboxes)
