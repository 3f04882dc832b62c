"""The shape of a subject: what is left of it without what differs from one message of a program to the next.

So a thousand messages about disks that fill up are one heap. Used to heap messages, and to fold them.
"""

from __future__ import annotations

import re

_WORD = re.compile(r"[^\W_]*\d\w*(?:[-:.,/+]\w*\d\w*)*")  # each character is gone over once: none of the parts can stand for another's
MOST = 200  # characters that are looked at


def shape(subject: str) -> str:
    """`subject` with each number, time, and name with a digit in it as one #, and its blanks as one."""
    return _WORD.sub("#", " ".join(subject[:MOST].split()))
