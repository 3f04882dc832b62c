"""Patterns: what ``*`` in an address, a domain or a host name means, for whoever has one to compare.

An asterisk stands for any text, also for none; nothing else has a meaning. The case of ASCII letters makes no difference, that of
others does, as for SQLite and in the DNS. Used wherever somebody may write a ``*``: by the filters of ``mailer status`` (in the
statements of the database too), by ``[[submitter]]``, ``[[shape]]`` and ``[[reaction]]``, by the tables of providers.

No regular expression is made of a pattern, for the text may be a stranger's and the pattern any user's: each piece between
two asterisks is looked for once, from the left, and never again. That is enough, for a piece that fits further left leaves more to
those behind it. So the time grows with the length of the text and of the pattern, whatever they say.
"""

from __future__ import annotations

from functools import lru_cache


def fits(pattern: str, text: str | bytes) -> bool:
    """Whether the whole of `text` (octets are UTF-8) is what `pattern` says."""
    first, *others = _pieces(pattern)
    folded = _folded(text)
    if not others:
        return folded == first
    *middle, last = others
    at, end = len(first), len(folded) - len(last)
    if at > end or not folded.startswith(first) or not folded.endswith(last):
        return False
    for piece in middle:
        at = folded.find(piece, at, end)
        if at < 0:
            return False
        at += len(piece)
    return True


@lru_cache(1000)
def _pieces(pattern: str) -> tuple[bytes, ...]:
    """What stands between the asterisks; one piece is a pattern without any."""
    return tuple(_folded(pattern).split(b"*"))


def _folded(text: str | bytes) -> bytes:
    """UTF-8 in lower case: octets know no letters but those of ASCII, and no character begins within another."""
    return (text.encode(errors="surrogatepass") if isinstance(text, str) else text).lower()
