"""A message of the standard library's `email`, written as octets: what `mailer.client` and `mailer.postbox` are handed by programs."""

from __future__ import annotations

from email.generator import BytesGenerator
from email.message import Message as StandardMessage
from email.policy import EmailPolicy
from io import BytesIO

from mailer.mail.address_list import in_header

from .fields import EmailError

ADDRESSES = ("from", "sender", "to", "cc", "bcc", "reply-to", "resent-from", "resent-sender", "resent-to", "resent-cc", "resent-bcc")


def octets(mail: StandardMessage | bytes) -> bytes:
    """What `mail` is on the wire; bytes are that already.

    Raises `EmailError` for a message that the library cannot write, and `TypeError` for what is no message.
    """
    if isinstance(mail, bytes):
        return mail
    if not isinstance(mail, StandardMessage):
        hint = "; what its message() makes is one" if callable(getattr(mail, "message", None)) else ""  # as in web frameworks
        raise TypeError(f"an Email, an email.message.Message or bytes can be sent, not a {type(mail).__qualname__}{hint}")
    policy = mail.policy.clone(linesep="\r\n")
    if isinstance(policy, EmailPolicy) and _is_international(mail):  # else the library would write encoded words in them
        policy = policy.clone(utf8=True)
    made = BytesIO()
    try:
        BytesGenerator(made, mangle_from_=False, policy=policy).flatten(mail)  # whatever `as_bytes` of somebody's subclass takes
        return made.getvalue()
    except Exception as error:  # whatever somebody else's class raises for its own contents, this message stops no other
        raise EmailError("the message", f"the message cannot be written: {type(error).__name__}: {error}") from error


def _is_international(mail: StandardMessage) -> bool:
    """Whether an address has letters beyond ASCII."""
    values = [str(value) for name in ADDRESSES for value in mail.get_all(name, [])]
    return any(not found.isascii() for value in values for found in in_header(value))
