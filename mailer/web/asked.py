"""What was asked: one request as the log has it."""

from __future__ import annotations

import re
from typing import Final

from mailer.accounts.api import PREFIX

_KEY: Final = re.compile(f"{PREFIX}[0-9A-Za-z]+")
_PERSON: Final = re.compile(r"\A(/suppressions/|/u/).*\Z", re.DOTALL)  # an address, and what its owner alone has, are in no log


class WebRequest:
    """One request that was answered, as the log has it. `key` is the name of the caller's, `ref` what a bug of ours is found by.

    `reason` is what stood in the way, where that is none of the client's business.
    """

    __slots__ = ("bug", "client", "endpoint", "key", "method", "path", "reason", "ref", "seconds", "status")

    def __init__(self, client: str, method: str, path: str) -> None:
        self.client = client
        self.method = method
        if PREFIX in path:  # somebody may ask for the status of a key
            path = _KEY.sub(f"{PREFIX}…", path)
        self.path = _PERSON.sub(r"\1…", path)
        self.endpoint = "other"
        self.key = ""
        self.status = 0
        self.seconds = 0.0
        self.ref = self.reason = ""
        self.bug: BaseException | None = None
