"""The link to unsubscribe, written into mail right before it is signed and leaves, where its sender asked for it. RFC 2369 §3.2, RFC 8058

Only the daemon has the key, so no program can make a link for somebody else; what is in the spool has none, and a changed address of our
API holds for what is queued. The two fields are among those that a signature of ours covers, as RFC 8058 §4 wants it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailer.mail.message import Message, header_end
from mailer.mail.problem import Problem
from mailer.suppression.unsubscribe import PATH, UnsubscribeToken, keys_of, sealed
from mailer.transport.verdict import Unsigned

if TYPE_CHECKING:
    from mailer.mail.envelope import Envelope

OPTION = "list_unsubscribe"
"""The option of a message that is to have a link; its value is ``auto``."""

LINK, POST = b"List-Unsubscribe", b"List-Unsubscribe-Post"


class UnsubscribeLinks:
    """The links of mail that is in the spool at `root`, to the API that others reach at `public_url`."""

    def __init__(self, root: str, public_url: str) -> None:
        self._root = root
        self._url = public_url.rstrip("/")
        self._keys: list[bytes] = []

    def written(self, content: bytes, envelope: Envelope, to: int) -> bytes:
        """`content` with the fields for recipient number `to`; those of these names are no other's word. Raises `Unsigned`."""
        if not self._url:
            raise Unsigned("it is to have a link to unsubscribe, and submission.public_url is not set")
        try:
            self._keys = self._keys or keys_of(self._root, make=True)
        except Problem as problem:
            raise Unsigned(f"it is to have a link to unsubscribe: {problem}") from None
        if LINK.lower() in content[: header_end(content)].lower():
            content = bytes(Message.split(content).without(LINK.lower(), POST.lower()))
        token = sealed(UnsubscribeToken(envelope.id, envelope.stream, envelope.recipients[to].address), self._keys)
        fields = b"%b: <%b%b%b>\r\n%b: List-Unsubscribe=One-Click\r\n"  # RFC 8058 §3.1, §8
        return fields % (LINK, self._url.encode(), PATH.encode(), token.encode(), POST) + content


def wants_link(envelope: Envelope) -> bool:
    """Whether the sender asked for a link."""
    return bool(envelope.options) and envelope.options.get(OPTION) == "auto"
