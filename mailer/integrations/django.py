"""Django's mail through the queue: ``EMAIL_BACKEND = "mailer.integrations.django.EmailBackend"`` in its settings, and nothing else.

A request does not wait for a server: the message is on disk when ``send()`` returns, and is delivered by the daemon. ``MAILER_CONFIG`` and
``MAILER_SPOOL`` in the settings say where, as ``--config`` and ``--spool`` do; without them it is as for the command line.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.mail.backends.base import BaseEmailBackend

from mailer.mail.problem import Problem
from mailer.postbox import queue

if TYPE_CHECKING:
    from collections.abc import Sequence

    from django.core.mail import EmailMessage


class EmailBackend(BaseEmailBackend):  # type: ignore[misc]
    """Puts each message into the queue.

    What names a server or a login (``EMAIL_HOST`` and its like) is of no matter here. `fail_silently` keeps back the `Problem` of a message
    that cannot be queued; a header that Django itself refuses is raised in any case, as by its own backend.
    """

    def __init__(self, fail_silently: bool = False, *, config: str | None = None, spool: str | None = None, **_: Any) -> None:
        super().__init__(fail_silently=fail_silently)
        self._config = config or getattr(settings, "MAILER_CONFIG", None)
        self._spool = spool or getattr(settings, "MAILER_SPOOL", None)

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        """Queue all that have a recipient; how many were. Raises `Problem` for the first that cannot be, unless that shall be silent."""
        return sum(map(self._queued, email_messages or ()))

    def _queued(self, message: EmailMessage) -> bool:
        whom = message.recipients()
        if not whom:
            return False
        content = message.message()
        try:
            queue(content, sender=message.from_email, recipients=whom, config=self._config, spool=self._spool)
        except Problem:
            if not self.fail_silently:
                raise
            return False
        return True
