"""The section about users who read their mail: how many processes serve them, and what each connection may have."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailer.mail.neighbours import MOST_ACCESS

from ..kinds import PERIOD
from . import COUNT, SIZE, Section, Setting

if TYPE_CHECKING:
    from collections.abc import Iterable


class AccessSection(Section, header="[access]", member="access"):
    """Limits of the doors of the kinds imap and pop3, by which users read their mail. See mailer-access(7)."""

    processes = Setting(
        COUNT,
        "How many processes serve them, side by side at the same ports: the system gives each caller to one of them. One serves some "
        "thousand idle connections, and takes one core where they are busy.",
        1,
    )
    max_connections = Setting(COUNT, "How many connections of each kind one process may have at a time; the next has to come later.", 5000)
    connections_per_user = Setting(
        COUNT,
        "How many sessions one user may have in one process, by both kinds of doors: phones and mail programs keep several each. Before "
        "somebody has logged in, he counts for his network: receiving.connections_per_network.",
        50,
    )
    login_timeout = Setting(PERIOD, "How long a client may take until it has logged in.", "60s")
    idle_timeout = Setting(
        PERIOD,
        "How long one that has logged in by IMAP may say nothing; RFC 9051 §5.4 wants half an hour at least. POP3 has ten minutes.",
        "30m",
    )
    max_append: Setting[int | None] = Setting(
        SIZE, "The largest message that a client may put into a folder.", None, shown="submission.max_message_size", example="50MB"
    )

    def problems(self) -> Iterable[tuple[str, str]]:
        """Numbers that make no sense."""
        if not 1 <= self.processes <= MOST_ACCESS:
            yield "processes", f"that is a number from 1 to {MOST_ACCESS}"
        if self.login_timeout > self.idle_timeout:
            yield "login_timeout", "whoever has not logged in has no longer than who has: that is access.idle_timeout"
