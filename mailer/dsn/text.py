"""Text from outside, made fit for a report: one line, no control characters, not too long.

What a remote server said goes into a message that we sign with our name. It must not begin a field or a
part of its own there, whatever bytes it is made of.
"""

from __future__ import annotations

from mailer.mail.mime import MAX_WORD


def one_line(text: str, limit: int = MAX_WORD) -> str:
    """`text` without control, format and bidirectional characters, blanks run together, at most `limit` long."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text[: 4 * limit]).split())
    return line if len(line) <= limit else line[: limit - 3] + "..."


def ascii_line(text: str, limit: int = MAX_WORD) -> str:
    """The same for a place where only ASCII may stand; anything else becomes ``?``."""
    return one_line(text, limit).encode("ascii", "replace").decode()
