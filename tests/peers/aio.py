"""aiosmtpd in a process of its own, which this file is too: ``python -m tests.peers.aio SETTINGS``.

It keeps what it takes in Maildirs, line ends and all, once for each port: open ones, and one for each mechanism of AUTH.
"""

from __future__ import annotations

import asyncio
import json
import os
import ssl
import sys
from pathlib import Path
from typing import Any, Self

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword

from tests.fakes.processes import Program, free_port

from .letters import PASSWORD, READERS, USERNAME
from .mailboxes import Mailboxes

MECHANISMS = ("PLAIN", "LOGIN")


class Aiosmtpd:
    """Start and stop it as a context manager."""

    def __init__(self, home: Path, chain: Path) -> None:
        self.home = home
        self.ports = {door: free_port() for door in ("plain", "implicit", *MECHANISMS)}
        self.mailboxes = Mailboxes(home / "mail", b"\r\n")
        home.joinpath("settings.json").write_text(json.dumps({"ports": self.ports, "chain": str(chain), "home": str(home)}))
        self.ports["starttls"] = self.ports["plain"]

    def __enter__(self) -> Self:
        words = [sys.executable, "-m", "tests.peers.aio", str(self.home / "settings.json")]
        self.program = Program(words, self.home / "said", cwd=Path(__file__).parents[2], env=dict(os.environ))
        self.program.accepts(*self.ports.values())
        return self

    def __exit__(self, *error: object) -> None:
        self.program.stop()


class Keeper:
    """The hooks that aiosmtpd calls."""

    def __init__(self, home: Path) -> None:
        self.mail = home / "mail"
        self.scratch = home / "scratch"
        self.scratch.mkdir()
        self.count = 0

    async def handle_RCPT(self, server: SMTP, session: object, envelope: Envelope, address: str, options: list[str]) -> str:  # noqa: N802
        user = address.partition("@")[0]
        if user.startswith("later"):
            return "451 4.7.1 Come back later"
        if user not in READERS:
            return "550 5.1.1 User unknown"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server: SMTP, session: object, envelope: Envelope) -> str:  # noqa: N802
        self.count += 1
        kept = self.scratch / str(self.count)
        assert isinstance(envelope.content, bytes)
        kept.write_bytes(envelope.content)
        for address in envelope.rcpt_tos:
            box = self.mail / address.partition("@")[0] / "new"
            box.mkdir(parents=True, exist_ok=True)
            os.link(kept, box / kept.name)
        kept.unlink()
        return "250 2.0.0 kept"


def authenticate(server: object, session: object, envelope: object, mechanism: str, data: LoginPassword) -> AuthResult:
    """Whether that is ann."""
    return AuthResult(success=data == LoginPassword(USERNAME.encode(), PASSWORD.encode()), handled=False)


async def serve(ports: dict[str, int], chain: str, home: str) -> None:
    """Until the process is ended."""
    loop = asyncio.get_running_loop()
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(chain)
    common: dict[str, Any] = {"hostname": "aiosmtpd.example", "enable_SMTPUTF8": True, "tls_context": tls, "data_size_limit": 50 << 20}
    handler = Keeper(Path(home))
    for door, port in ports.items():
        options = dict(common)
        if door in MECHANISMS:
            others = [name for name in MECHANISMS if name != door]
            options |= {"auth_required": True, "authenticator": authenticate, "auth_exclude_mechanism": others}
        elif door == "implicit":
            options.pop("tls_context")
        await loop.create_server(
            lambda options=options: SMTP(handler, loop=loop, **options), "127.0.0.1", port, ssl=tls if door == "implicit" else None
        )
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(**json.loads(Path(sys.argv[1]).read_text())))
