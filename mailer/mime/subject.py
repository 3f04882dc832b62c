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
    return read_subject(subject)[0]


def read_subject(subject: str) -> tuple[str, bool]:
    """The base of a decoded subject, and whether something was taken from it that makes it that of a reply or a forward."""
    text = " ".join(subject[:LONGEST].split())  # (1)
    is_answer = False
    while True:
        whole = text
        text = _without_trailers(text)
        is_answer |= text != whole
        text, led = _without_leaders(text)
        is_answer |= led
        if not (_FORWARDED.match(text) and text.endswith("]")):
            return text, is_answer
        text, is_answer = text[5:-1].strip(), True  # (6)


def _without_trailers(text: str) -> str:
    """(2)"""
    while found := _TRAILER.search(text):
        text = text[: found.start()].rstrip()
    return text


def _without_leaders(text: str) -> tuple[str, bool]:
    """(3) and (4), until neither does anything (5); and whether there was a leader, where a blob alone says nothing."""
    led = False
    while True:
        if found := _LEADER.match(text):
            led = True
        elif not ((found := _LEADING_BLOB.match(text)) and found.end() < len(text)):
            return text, led
        text = text[found.end() :]
