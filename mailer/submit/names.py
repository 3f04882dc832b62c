"""Names of this machine: whether a message has any, so that the rules of identity have to be asked."""

from __future__ import annotations

import os

from mailer.mail import address
from mailer.mail.address_list import in_header

from .recipients import written_in

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mailer.config.quick import SubmissionSettings
    from mailer.identity import Rules
    from mailer.mail.message import Message

    from .request import Request

AUTHORS = frozenset({b"from", b"sender", b"reply-to", b"resent-from", b"resent-sender", b"resent-reply-to"})
PEOPLE = AUTHORS | {b"to", b"cc", b"resent-to", b"resent-cc"}
"""The fields that name people, and are shown; of those, the ones that name who writes, and who is answered."""


def rules_for(request: Request, message: Message, settings: SubmissionSettings) -> Rules | None:
    """The rules of identity; None where they would change nothing: there are none but for names without a domain, and no such name."""
    if not (settings.rules or _has_bare_name(request, message, everywhere=bool(settings.default_domain))):
        return None
    from mailer.identity import Rules

    return Rules(settings, _user)


def _has_bare_name(request: Request, message: Message, *, everywhere: bool) -> bool:
    """Whether an author has no domain, or one that means something here only; or `everywhere` somebody else."""
    sender = [request.sender] if request.sender and "@" in request.sender else []
    if any(map(_is_bare, sender)) or (everywhere and any(map(_is_bare, (*written_in(request), *request.bcc, request.sender or "@x.y")))):
        return True
    for name, field in message.fields():
        if name in AUTHORS or (everywhere and name in PEOPLE):
            value = field.partition(b":")[2].decode("utf-8", "replace")
            if any(map(_is_bare, in_header(value))):
                return True
    return False


def _is_bare(text: str) -> bool:
    """Whether the address `text` has no domain, or one that may be this machine's and no one's elsewhere."""
    return "@" not in text or address.is_private(text.strip(" \t<>").rpartition("@")[2])


def _user() -> str:
    """The name of the user who submits."""
    import pwd

    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a container with a user that nobody has named
        return f"uid-{os.getuid()}"
