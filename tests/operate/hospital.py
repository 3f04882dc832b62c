"""Failures of delivery, all staged at once: relays that refuse, hang or cannot be believed, and a DNS that says strange things.

Each failure has a domain of its own, ``NAME.example``, and a message to somebody there. One pass of the daemon tries them all, and then
each of them can be explained.
"""

from __future__ import annotations

import datetime
import os
import ssl
import subprocess
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple, Self

import trustme

from mailer.sink import Moods, SinkThread
from mailer.testing import Hang
from tests.fakes.mail import put
from tests.fakes.nameserver import Nameserver
from tests.fakes.processes import MAILER
from tests.fakes.script import Script
from tests.fakes.sockets import closed_port

SECRET = "a s3cret"
SILENCE = 4
"""Seconds after which a server that says nothing is given up; so long, since all the others have to have said something by then."""
NAME_REFUSED = "550 5.7.1 Helo command rejected: need fully-qualified hostname"
HERE = 'host = "127.0.0.1"\nport = {port}\n'
PLAIN = HERE + 'tls = "none"\n'
LOGIN = 'username = "anna"\npassword_file = "{home}/secret"\n'


class Relay(NamedTuple):
    """A relay of the configuration, as its section says it; ``{port}`` is that of the server, by its name in `Hospital.servers`."""

    text: str = PLAIN
    server: str = "plain"


class Hospital:
    """Everything below `home`. `replies` are what the server says to the recipient ``you@NAME.example``."""

    def __init__(self, home: Path, replies: Mapping[str, str], relays: Mapping[str, Relay], zone: str, moods: Mapping[str, str]) -> None:
        self.home = home
        self.spool = home / "spool"
        self.config = home / "config.toml"
        self._open = ExitStack()
        self.names = self._open.enter_context(Nameserver(zone))
        for name, mood in moods.items():
            self.names.misbehave(f"{name}.example", mood)
        self.authority = trustme.CA()
        self.authority.cert_pem.write_to_path(str(home / "ca.pem"))
        (home / "secret").write_text(SECRET)
        (home / "public").write_text(SECRET)
        (home / "secret").chmod(0o600)
        (home / "public").chmod(0o644)
        self.ports = self._servers(replies)
        self._configure({**dict.fromkeys(replies, Relay()), **relays})

    def _servers(self, replies: Mapping[str, str]) -> dict[str, int]:
        refuse = {f"you@{name}.example": reply for name, reply in replies.items()}
        past = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)
        made = {
            "plain": SinkThread(Moods(refuse=refuse)),
            "good": SinkThread(tls=self.context("127.0.0.1"), users={"anna": SECRET}),
            "no-login": SinkThread(tls=self.context("127.0.0.1")),
            "other-name": SinkThread(tls=self.context("elsewhere.example")),
            "stranger": SinkThread(tls=self.context("127.0.0.1", authority=trustme.CA())),
            "expired": SinkThread(tls=self.context("127.0.0.1", until=past)),
            "other-password": SinkThread(tls=self.context("127.0.0.1"), users={"anna": "another"}),
            "greets-554": SinkThread(Moods(replies={"greeting": "554 5.7.1 Client host [192.0.2.1] blocked using zen.spamhaus.org"})),
            "greets-421": SinkThread(Moods(replies={"greeting": "421 4.3.2 too busy, come back later"})),
            "name-refused": SinkThread(Moods(replies={**dict.fromkeys(("ehlo", "helo"), NAME_REFUSED)})),
            "sender-refused": SinkThread(Moods(replies={"mail": "553 5.7.1 Sender address rejected: not owned by user anna"})),
            "content-refused": SinkThread(Moods(replies={"body": "554 5.6.0 message is malformed: duplicate headers"})),
            "small": SinkThread(Moods(max_size=10)),
            "drops": SinkThread(Moods(drops=["data"])),
        }
        ports = {name: self._open.enter_context(server).port for name, server in made.items()}
        ports["web"] = self._open.enter_context(Script("S: HTTP/1.0 400 Bad Request\nEND")).port
        return {**ports, "silent": self._open.enter_context(Hang()).port, "closed": closed_port()}

    def context(self, name: str, *, authority: trustme.CA | None = None, until: datetime.datetime | None = None) -> ssl.SSLContext:
        """What a server needs that is called `name`."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        since = until - datetime.timedelta(days=30) if until else None
        (authority or self.authority).issue_cert(name, not_before=since, not_after=until).configure_cert(context)
        return context

    def _configure(self, relays: Mapping[str, Relay]) -> None:
        parts = [
            f'[mailer]\nhostname = "host.example"\nspool = "{self.spool}"\n',
            f'[dns]\nnameservers = ["{self.names.address}"]\ntimeout = "1s"\nlifetime = "2s"\n',
            f'[tls]\nca_file = "{self.home}/ca.pem"\n',
            f'[timeouts]\ngreeting = "{SILENCE}s"\nconnect = "20s"\n[retry]\nschedule = ["1h"]\n',
        ]
        parts += [f"[relay.{name}]\n{relay.text}".format(port=self.ports[relay.server], home=self.home) for name, relay in relays.items()]
        parts += [f'[[route]]\nmatch = "{name}.example"\nvia = ["relay:{name}"]\n' for name in relays]
        self.config.write_text("".join(parts) + '[[route]]\nmatch = "*"\nvia = ["mx"]\n')

    def admit(self, *names: str, spool: object) -> dict[str, str]:
        """A message for somebody at each of `names`, and one pass of the daemon; the IDs by name."""
        ids = {name: put(spool, f"you@{name}.example", at=time.time()) for name in names}  # type: ignore[arg-type]
        env = {"PATH": os.environ["PATH"], "HOME": str(self.home), "MAILER_CONFIG": str(self.config)}
        done = subprocess.run([*MAILER, "run", "--once"], env=env, capture_output=True, timeout=60, check=False)
        assert done.returncode == 0, done
        return ids

    def close(self) -> None:
        """Nobody is there any more."""
        self._open.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
