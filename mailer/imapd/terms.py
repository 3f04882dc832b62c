"""What all sessions share: who logs in, where mailboxes are, who tells of news, and what a client may take of time."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mailer.mailbox.notices import QuotaNotices

if TYPE_CHECKING:
    from collections.abc import Callable

    from mailer.events import Event
    from mailer.serving.boxes import BoxUse, News
    from mailer.serving.login import LoginDesk


@dataclass(slots=True)
class ImapPace:
    """What a client may take, in seconds: until he has logged in, without a word, in IDLE, and to read what we said; and how often one who
    is in IDLE hears that we are here, so that no router forgets him."""

    login: float = 60.0
    idle: float = 1800.0  # RFC 9051 §5.4 wants 30 minutes at least
    idling: float = 86400.0
    answers: float = 60.0
    alive: float = 120.0


@dataclass(slots=True)
class ImapTerms:
    """What the sessions of all doors share. `hold` opens the mailbox of a user, by his address, and makes it where there is none; `now` is
    the time in seconds since the epoch."""

    desk: LoginDesk
    hold: Callable[[str], BoxUse]
    news: News
    tell: Callable[[Event], None]
    now: Callable[[], float]
    pace: ImapPace = field(default_factory=ImapPace)
    notices: QuotaNotices = field(init=False)

    def __post_init__(self) -> None:
        self.notices = QuotaNotices(self.now)
