"""A session that did not come about, or broke: one exception with all that a log, a verdict and a report need.

What asyncio and the operating system raise is translated here, into words that say what we were waiting for.
"""

from __future__ import annotations

import os
from errno import EMFILE, ENFILE, ENOBUFS, ENOMEM
from typing import TYPE_CHECKING

from mailer.mail.outcome import Hop
from mailer.smtp.client import PHASE
from mailer.smtp.errors import ProtocolError
from mailer.smtp.reply import Reply

if TYPE_CHECKING:
    from .transcript import Transcript


SHORT = frozenset({EMFILE, ENFILE, ENOBUFS, ENOMEM})
"""What this machine has run out of: that says nothing about a host."""


class SessionError(Exception):
    """`kind` is refused, lost, timeout, tls, auth, protocol, resolve or short; `phase` the step where it happened.

    `reply` is the server's or, where we noticed ourselves, ours with a code of RFC 3463; `hop` is where it was, and
    `transcript` what was said there, where something was.
    """

    def __init__(self, kind: str, phase: str, reply: Reply, hop: Hop, transcript: Transcript | None = None) -> None:
        super().__init__(f"{hop.host}[{hop.ip}]:{hop.port} {phase}: {reply}")
        self.kind = kind
        self.phase = phase
        self.reply = reply
        self.hop = hop
        self.transcript = transcript

    def after(self, earlier: SessionError) -> SessionError:
        """The same, and before it this other one came to nothing."""
        if self.transcript is not None and earlier.transcript is not None:
            self.transcript.after(earlier.transcript)
        return self


def unreachable(error: OSError, seconds: float, hop: Hop) -> SessionError:
    """There is no connection: `error` came instead, or nothing did for `seconds`."""
    if isinstance(error, TimeoutError):
        return SessionError("timeout", "connect", Reply.own(451, "4.4.1", f"waited {seconds:g} s for a connection"), hop)
    if error.errno in SHORT:
        text = f"no connection can be opened: this machine has no more to give ({_reason(error)})"
        return SessionError("short", "connect", Reply.own(451, "4.3.0", text), hop)
    return SessionError("refused", "connect", Reply.own(451, "4.4.1", f"no connection: {_reason(error)}"), hop)


def broken(error: Exception, verb: str, seconds: float) -> tuple[str, str, Reply]:
    """Kind, phase and reply for a session that ended with `error` while `verb` waited for its answer, for `seconds` at most."""
    what = _AWAITED.get(verb, f"the answer to {verb}")
    if isinstance(error, TimeoutError):
        return "timeout", PHASE[verb], Reply.own(451, "4.4.2", f"waited {seconds:g} s for {what}")
    if isinstance(error, ProtocolError):
        return "protocol", PHASE[verb], Reply.own(451, "4.5.0", str(error))
    return "lost", PHASE[verb], Reply.own(451, "4.4.2", f"{_reason(error)} while we waited for {what}")


_AWAITED = {
    "CONNECT": "the greeting",
    "RESPONSE": "the answer to AUTH",
    "BLOCK": "the host to take more of the message",
    "CONTENT": "the answer to the end of the message",
}
"""What we wait for, in words, where it is no answer to a command of that name."""


def _reason(error: Exception) -> str:
    """The reason alone; asyncio puts whole addresses into its messages."""
    number = getattr(error, "errno", None)
    return os.strerror(number) if number else str(error)
