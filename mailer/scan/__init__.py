"""What filters of content speak, as codecs: bytes in, verdicts out, and no socket. Each is a file of its own.

They read what a program says that reads strangers' mail, so they believe nothing: lengths are bounded, words that they do not know are no
verdict, and only what says so plainly is clean.
"""

from __future__ import annotations
