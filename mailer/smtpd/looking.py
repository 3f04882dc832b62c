"""A look at a message of a stranger: whether it can be taken, whoever wrote it, and the form in which it can lie in the spool.

Pure. Used by `mx` for each message, in a thread for a large one. What is refused here is refused for good: it would be no better later.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mailer.mail.header_check import useless_header
from mailer.mail.message import Message, normalise
from mailer.mail.trace import hops
from mailer.smtp.reply import Reply

if TYPE_CHECKING:
    from mailer.config.sections.receiving import Receiving
    from mailer.mail.refusal_reason import RefusalReason

LINE_ENDS = Reply.own(554, "5.6.0", "the message has a CR or LF that stands alone, or a NUL")


class LookedAt(NamedTuple):
    """The message in the form that the spool demands; or why it is not taken, as it is said and in a word for the record."""

    content: bytes
    refusal: Reply | None = None
    reason: RefusalReason = "syntax"


def look(content: bytes, limits: Receiving, *, normal: bool) -> LookedAt:
    """Look at `content`, which came so; `normal` says that its line ends are those of the spool."""
    if not normal and limits.line_ends == "refuse":
        return LookedAt(content, LINE_ENDS, "syntax")
    if why := useless_header(content, limits.max_header_size):
        return LookedAt(content, Reply.own(550, "5.6.0", f"the header {why}"), "syntax")
    mended = content if normal else normalise(content)
    if (found := hops(Message.head(mended))) > limits.max_received:
        text = f"it has come by {found} hosts, and goes in circles"
        return LookedAt(content, Reply.own(554, "5.4.6", text), "loop")  # RFC 5321 §6.3; for good: later it has come by more
    return LookedAt(mended)
