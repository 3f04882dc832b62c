"""A session that did not come about, or broke: one exception with all that a log, a verdict and a report need; and that none is to be had.

What asyncio and the operating system raise is translated here, into words that say what we were waiting for.
"""

from __future__ import annotations

import os
from errno import ECONNREFUSED, EMFILE, ENFILE, ENOBUFS, ENOMEM
from typing import TYPE_CHECKING, Literal

from mailer.mail.outcome import MOST_BESIDES, Cause, Hop, reach
from mailer.proxy.place import ProxyTrouble
from mailer.smtp.client import PHASE
from mailer.smtp.reply import ProtocolError, Reply

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mailer.mail.outcome import Phase
    from mailer.smtp.reply import TroubleKind

    from .transcript import Transcript


SHORT = frozenset({EMFILE, ENFILE, ENOBUFS, ENOMEM})
"""What this machine has run out of: that says nothing about a host."""


class SessionError(Exception):
    """A session that failed; `kind` is ours or short where nothing is wrong with the host.

    `phase` is the step where it happened. `reply` is the server's or, where we noticed ourselves, ours with a code of RFC 3463 and a
    cause; `hop` is where it was, and `transcript` what was said there, where something was. `besides` is what went wrong at
    other addresses of the host, `met` what the network or TLS raised, where that is why.
    """

    def __init__(self, kind: TroubleKind, phase: Phase, reply: Reply, hop: Hop, transcript: Transcript | None = None) -> None:
        super().__init__(f"{hop.host}[{hop.ip}]:{hop.port} {phase}: {reply}")
        self.kind = kind
        self.phase = phase
        self.reply = reply
        self.hop = hop
        self.transcript = transcript
        self.besides = ""
        self.met: OSError | None = None

    @property
    def reach(self) -> tuple[int, int]:
        """How far the session got, to be compared."""
        return reach(self.phase, self.reply.cause, self.hop.tls_wanted)


class NoSession(Exception):
    """No session is to be had, and no host is to blame.

    `busy`: all that there may be are lent. `late`: they were for as long as one waits. `closed`: nothing more is sent.
    """

    def __init__(self, why: Literal["busy", "late", "closed"], text: str) -> None:
        super().__init__(text)
        self.why = why


def furthest(errors: Sequence[SessionError]) -> SessionError:
    """The one of several tries, in their order, that tells most: that got furthest, and of equals the last; the others stand beside it."""
    chosen = max(reversed(errors), key=lambda error: error.reach)
    others = [error for error in errors if error is not chosen]
    for error in reversed(others):
        if chosen.transcript is not None and error.transcript is not None:
            chosen.transcript.after(error.transcript)
    notes = [note for error in others for note in (error.besides, beside(error.hop, error.reply.text))]
    chosen.besides = joined([*notes, chosen.besides])
    return chosen


def beside(hop: Hop, text: str) -> str:
    """The words for a reason that stands beside another one."""
    return f"{hop.ip or hop.host}: {text}"


def joined(notes: Sequence[str]) -> str:
    """Notes of what went wrong elsewhere, each once, and no more than a few."""
    parts = dict.fromkeys(part for note in notes if note for part in note.split("; "))
    return "; ".join([*parts][:MOST_BESIDES])


def unreachable(error: OSError, seconds: float, hop: Hop) -> SessionError:
    """The error where no connection came about: `error` did instead, or nothing for `seconds`."""
    if isinstance(error, TimeoutError):
        reply = Reply.own(451, "4.4.1", f"waited {seconds:g} s for a connection", Cause.TIMEOUT)
        return SessionError("timeout", "connect", reply, hop)
    if error.errno in SHORT:
        text = f"no connection can be opened: this machine has no more to give ({_reason(error)})"
        return SessionError("short", "connect", Reply.own(451, "4.3.0", text, Cause.SHORT), hop)
    if isinstance(error, ProxyTrouble) and error.ours:
        return SessionError("ours", "connect", Reply.own(454, "4.7.0", f"no connection: {error}", Cause.CREDENTIAL), hop)
    cause = Cause.CONNECTION_REFUSED if error.errno == ECONNREFUSED else Cause.UNREACHABLE
    trouble = SessionError("refused", "connect", Reply.own(451, "4.4.1", f"no connection: {_reason(error)}", cause), hop)
    trouble.met = error
    return trouble


def broken(error: Exception, verb: str, seconds: float) -> tuple[TroubleKind, Phase, Reply]:
    """Kind, phase and reply for a session that ended with `error` while `verb` waited for its answer, for `seconds` at most."""
    what = _AWAITED.get(verb, f"the answer to {verb}")
    if isinstance(error, TimeoutError):
        return (
            "stalled" if verb == "BLOCK" else "timeout",
            PHASE[verb],
            Reply.own(451, "4.4.2", f"waited {seconds:g} s for {what}", Cause.TIMEOUT),
        )
    if isinstance(error, ProtocolError):
        return "unasked" if error.unasked else "protocol", PHASE[verb], Reply.own(451, "4.5.0", str(error), Cause.PROTOCOL)
    return "lost", PHASE[verb], Reply.own(451, "4.4.2", f"{_reason(error)} while we waited for {what}", Cause.LOST)


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
