"""What goes wrong in SMTP: the other side broke the protocol, we said something impossible, or we give up.

A refused message or recipient is no exception but an answer (`mailer.smtp.transaction.Answer`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .reply import Reply


class ProtocolError(Exception):
    """The peer sent what nobody may send at this point; the session is over. `str()` says what."""


class CommandError(ValueError):
    """An argument that no command can carry (a control character, a bracket); not a byte was written."""


class SessionRefused(Exception):
    """There will be no mail in this session.

    `kind` is refused, tls or auth; `phase` the step where it happened (greeting, ehlo, starttls, auth);
    `reply` the server's words, or ours where we are the one who refuses.
    """

    def __init__(self, kind: str, phase: str, reply: Reply) -> None:
        super().__init__(f"{phase}: {reply}")
        self.kind = kind
        self.phase = phase
        self.reply = reply
