"""The way into one spool, and what lies in it then."""

from __future__ import annotations

import email
import email.policy
import os
import pwd
from pathlib import Path
from typing import Any

import pytest

from mailer.config.sections import SubmissionSettings
from mailer.mail.problem import Problem
from mailer.spool.files.store import SpoolDirectory
from mailer.submit import Prepared, Submission, submit
from tests.fakes.mail import NOW

WHOLE = b"From: me@example.com\r\nDate: Sat, 21 Nov 2026 00:00:00 +0000\r\nMessage-ID: <1@example.com>\r\nSubject: x\r\n\r\nhello\r\n"

ME = pwd.getpwuid(os.geteuid()).pw_name


class Door:
    """The way into one spool."""

    def __init__(self, root: Path, **found: Any) -> None:
        self.spool = SpoolDirectory(str(root / "spool"))
        self.settings = SubmissionSettings(**{"spool": self.spool.root, "hostname": "host.example", **found})

    def submit(self, data: bytes = WHOLE, *recipients: str, **more: Any) -> Prepared:
        return submit(Submission(data, recipients=recipients or ("you@example.net",), **more), self.settings, NOW)

    def content(self, data: bytes = WHOLE, *recipients: str, **more: Any) -> bytes:
        """What lies in the spool of `data`."""
        return self.spool.content(self.submit(data, *recipients, **more).envelope.id)

    def refused(self, data: bytes = WHOLE, *recipients: str, **more: Any) -> Problem:
        """How `data` is refused; nothing of it is left anywhere."""
        before = set(Path(self.spool.root).glob("*/*"))
        with pytest.raises(Problem) as caught:
            self.submit(data, *recipients, **more)
        assert set(Path(self.spool.root).glob("*/*")) == before
        assert "\n" not in str(caught.value)
        return caught.value


def fields(content: bytes) -> dict[str, str]:
    """The header fields as the standard library reads them."""
    return {name.lower(): str(value) for name, value in email.message_from_bytes(content, policy=email.policy.default).items()}
