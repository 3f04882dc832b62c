"""What other users leave in drop/."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from mailer.mail.envelope import Envelope
from mailer.spool.files.admit import IntakeTerms
from tests.fakes.mail import BODY, id_at, spool_file
from tests.fakes.mail import envelope as envelope_at

ID, LATER = id_at(time.time() - 100), id_at(time.time())
MAX = 10_000
TERMS = IntakeTerms(MAX, 10, max_header=5000)


def envelope(*recipients: str, **more: Any) -> Envelope:
    """An envelope that was made a minute ago."""
    return envelope_at(*recipients, **{"at": time.time() - 60} | more)


def leave(drop: Path, letter: Envelope | None = None, body: bytes = BODY, tail: bytes = b"") -> str:
    """A user's message; its ID."""
    letter = letter or envelope()
    (drop / letter.id).write_bytes(spool_file(letter, body) + tail)
    return letter.id
