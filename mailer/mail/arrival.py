"""How a message came to a door of ours: what is true of the session that brought it, as far as we saw it ourselves.

Made by whoever serves the session, before the message is judged; the trace field (`mailer.mail.trace`), the envelope's ``submitter``, the
Authentication-Results field, the log and ``mailer received`` are all written from it. Nothing in it was taken from the message.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

DOORS: Final = ("mx", "submission", "lmtp")
"""The kinds of doors by which mail comes."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A session as it stands when a message comes.

    `door` is the kind of the door: ``mx``, ``submission`` or ``lmtp``. `ip` is the client's address, as the kernel or a proxy that is
    believed tells it; empty over a unix socket. `name` is the client's by the DNS, forth and back; empty where there is none. `hello` is
    what it calls itself in EHLO, HELO or LHLO, and `protocol` what was spoken, a word of RFC 3848 (``ESMTPS``). `tls` is the version, empty
    without. `user` is the address of the user who has logged in. `at` is in seconds since the epoch. `proxy` is the address of the proxy
    that told who the client is, empty without.
    """

    door: str
    ip: str
    hello: str = ""
    protocol: str = "SMTP"
    tls: str = ""
    name: str = ""
    user: str = ""
    at: float = 0.0
    proxy: str = ""

    @property
    def relayed(self) -> bool:
        """Whether a mail server of ours brought it, which has let it in: its own address says nothing of who sent it."""
        return self.door == "lmtp"

    def as_submitter(self) -> dict[str, object]:
        """The members of an envelope's ``submitter`` that say how it came."""
        client = {"ip": self.ip, "proxy": self.proxy, "hello": self.hello, "name": self.name}
        said = {"via": self.door, **client, "tls": self.tls, "user": self.user}
        return {name: value for name, value in said.items() if value}
