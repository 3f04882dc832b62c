"""What the configuration says about delivery, and a reload may change while messages are under way."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from mailer.bounces import Reports
    from mailer.config.quick import SubmissionSettings

    from .retry import Schedule
    from .router import Router


class Unsigned(Exception):
    """A message must not leave as it is, and that is our own fault; `str()` is the reply to its recipients."""


def as_it_is(content: bytes, at: float) -> bytes:
    """What `Policy.sign` does where nothing is to be signed."""
    del at
    return content


@dataclass(slots=True)
class Policy:
    """Where mail goes, when it is tried again, what is reported, how reports are submitted, and how mail is signed."""

    router: Router
    schedule: Schedule
    reports: Reports
    submission: SubmissionSettings
    sign: Callable[[bytes, float], bytes] = as_it_is
    """The content of a message as it leaves at a moment; the last thing that changes it. Raises `Unsigned`."""

    def become(self, other: Policy) -> None:
        """Take over all of `other`; who holds this one sees it from the next message on."""
        for field in fields(self):
            setattr(self, field.name, getattr(other, field.name))
