"""The subject of a message as its reader sees it: what `mailer status` shows, and an envelope holds."""

from __future__ import annotations

from .envelope import LONGEST_SUBJECT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .message import Message

LONGEST_READ = 10 * LONGEST_SUBJECT  # characters that are decoded: words without an end take the square of that


def shown_subject(message: Message) -> str:
    """The subject of `message` in at most `LONGEST_SUBJECT` characters; empty if it has none."""
    value = message.value(b"subject") or ""
    if "=?" in value:
        from email.errors import MessageError
        from email.header import decode_header, make_header

        try:
            value = str(make_header(decode_header(value[:LONGEST_READ])))
        except (ValueError, LookupError, MessageError):  # a hint for people is no reason to refuse mail
            pass
    return value.encode("utf-8", "replace").decode()[:LONGEST_SUBJECT]
