"""What a server says back to us of our own secret, taken out: replies end up in logs, in reports and in errors.

No server should repeat what was said in AUTH, and some do: ``501 syntax error: AUTH PLAIN AGJvYgBzM2NyZXQ=``. Used by
`opening` for the refusal, and by whoever shows a dialog.
"""

from __future__ import annotations

import re
from binascii import Error as Base64Error
from binascii import a2b_base64

from .reply import Reply

HIDDEN = "***"
SHORTEST = 4  # characters; a shorter secret is found everywhere

_WORD = re.compile(r"[A-Za-z0-9+/]{4,}={0,2}")


def redacted(reply: Reply, secret: str) -> Reply:
    """`reply` without `secret`, as it is or in base 64."""
    if len(secret) < SHORTEST:
        return reply
    return reply._replace(lines=tuple(_hide(line, secret) for line in reply.lines))


def _hide(text: str, secret: str) -> str:
    def look(found: re.Match[str]) -> str:
        return HIDDEN if secret.encode() in _decoded(found[0]) else found[0]

    return _WORD.sub(look, text.replace(secret, HIDDEN))


def _decoded(word: str) -> bytes:
    """What `word` says in base 64; a word that is none says nothing. Padding may be missing."""
    bare = word.rstrip("=")
    try:
        return a2b_base64(bare + "=" * (-len(bare) % 4))
    except Base64Error:
        return b""
