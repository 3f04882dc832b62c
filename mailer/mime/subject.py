"""The base subject: what a subject is without the marks of replies and forwards, by which conversations are found. RFC 5256 §2.1."""

from __future__ import annotations

import re

LONGEST = 1000  # characters of a subject that are looked at

_BLOB = r"\[[^\[\]]{0,200}\]"
_LEADER = re.compile(rf"(?:{_BLOB}\s*)?(?:re|fwd?)\s*(?:{_BLOB})?\s*:\s*", re.IGNORECASE)  # subj-leader without blobs before it
_TRAILER = re.compile(r"\(fwd\)$", re.IGNORECASE)
_LEADING_BLOB = re.compile(rf"{_BLOB}\s*")
_FORWARDED = re.compile(r"\[fwd:", re.IGNORECASE)


def base_subject(subject: str) -> str:
    """The base of a decoded subject, its blanks made one each, its case as it was."""
    text = " ".join(subject[:LONGEST].split())  # (1)
    while True:
        text = _without_leaders(_without_trailers(text))
        if _FORWARDED.match(text) and text.endswith("]"):  # (6)
            text = text[5:-1].strip()
            continue
        return text


def _without_trailers(text: str) -> str:
    """(2)"""
    while found := _TRAILER.search(text):
        text = text[: found.start()].rstrip()
    return text


def _without_leaders(text: str) -> str:
    """(3) and (4), until neither does anything (5)."""
    while True:
        if (found := _LEADER.match(text)) or ((found := _LEADING_BLOB.match(text)) and found.end() < len(text)):
            text = text[found.end() :]
        else:
            return text
