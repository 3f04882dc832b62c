"""How much a message may be composed of. The message as a whole, its header and its recipients have limits of submission."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from .fields import EmailError

if TYPE_CHECKING:
    from .composition import Composition


class EmailLimits(NamedTuple):
    """The limits of a message: so many `attachments`, each of `attachment_size` octets, and a subject of `subject_length` characters."""

    attachments: int = 50
    attachment_size: int = 25_000_000
    subject_length: int = 1000

    def check(self, email: Composition) -> None:
        """Raises `EmailError` for an email that goes beyond them, with the setting of the limit."""
        if len(email.files) > self.attachments:
            said = f"{len(email.files)} attachments are more than {self.attachments} (submission.max_attachments)"
            raise EmailError("attachment", said)
        for file in email.files:
            if len(file.data) > self.attachment_size:
                said = f"the attachment {file.name!r} is larger than {self.attachment_size} bytes (submission.max_attachment_size)"
                raise EmailError("attachment", said)
        if len(email.subject) > self.subject_length:
            raise EmailError("Subject", f"the subject is longer than {self.subject_length} characters (submission.max_subject_length)")
