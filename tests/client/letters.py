"""Clients and letters, short to write."""

from __future__ import annotations

from typing import Any

from mailer import Email, RetrySettings, SmtpClient, Timeouts
from mailer.sink import Sink

QUICK = RetrySettings(initial_delay=0.01, max_delay=0.05)
ONCE = RetrySettings(max_attempts=1)
SHORT = Timeouts(5, 5, 5, 5, 5, 5, 5, 5, 1)


def client(port: int, **settings: Any) -> SmtpClient:
    """A client of the server on this port, without TLS unless told otherwise."""
    return SmtpClient("127.0.0.1", port, **{"tls": "none", "retry": QUICK, "timeouts": SHORT, "hello": "me.example.org", **settings})


def mail(to: str = "bob@example.net", **parts: Any) -> Email:
    """An email from Anna."""
    return Email(from_="Anna <anna@example.org>", to=to, **{"subject": "hello", "text": "It works.\n", **parts})


class Watched(Sink):
    """Knows how many sessions there were at once, and in all."""

    most = 0
    all = 0

    def decide(self, question, session):  # type: ignore[no-untyped-def]
        """Count, and decide as any sink."""
        self.most = max(self.most, len(self.sessions))
        self.all += question.phase == "greeting"
        return super().decide(question, session)
