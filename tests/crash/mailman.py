"""A message put into a Maildir between two marks, for `injected.py` to interrupt.

    python -B mailman.py BASE

Prints ``ok`` once it is there, and then only.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from mailer.io.maildir import JUNK, put_once
from tests.crash.injected import BEGIN, END

NAME = "1800000000.01KAHC00000000000000000001R0.mailer"
PARTS = (b"Return-Path: <me@example.com>\n", b"Subject: a test\n\nA line.\n" * 200)


def put(base: str) -> bool:
    """Put it; also once more after a crash."""
    return put_once(base, f"{base}/example.com/ann", NAME, PARTS, folder=JUNK, again=True)


def main(base: str) -> None:
    """Put it between the marks."""
    os.access(BEGIN, os.F_OK)
    put(base)
    os.access(END, os.F_OK)
    os.write(1, b"ok")


if __name__ == "__main__":
    main(*sys.argv[1:])
