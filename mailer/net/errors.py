"""A session that did not come about, or broke: one exception with all that a log, a verdict and a report need."""

from __future__ import annotations

from mailer.mail.outcome import Hop
from mailer.smtp.reply import Reply


class SessionError(Exception):
    """`kind` is refused, lost, timeout, tls, auth, protocol or resolve; `phase` the step where it happened.

    `reply` is the server's or, where we noticed ourselves, ours with a code of RFC 3463; `hop` is where it was.
    """

    def __init__(self, kind: str, phase: str, reply: Reply, hop: Hop) -> None:
        super().__init__(f"{hop.host}[{hop.ip}]:{hop.port} {phase}: {reply}")
        self.kind = kind
        self.phase = phase
        self.reply = reply
        self.hop = hop
