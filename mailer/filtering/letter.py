"""A message as filters are shown it: without what strangers forged, with what we found out on top."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mailer.mail.trace import received

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mailer.mail.arrival import Arrival


@dataclass(frozen=True, slots=True)
class FilterLetter:
    """A message that is judged: who brings it to `host`, for whom, and what it is.

    `content` has the line ends that the spool wants, and none of the fields that only we write; `fields` are those that we do,
    Authentication-Results first of all. `id` is what the logs of a filter call it.
    """

    host: str
    id: str
    arrival: Arrival
    sender: str
    recipients: Sequence[str]
    content: bytes
    fields: bytes = b""

    @property
    def parts(self) -> tuple[bytes, bytes]:
        """The message as it would be in the spool, in two parts: a scorer learns from Received, in the first, who has brought it."""
        return received(self.arrival, self.host, self.id) + self.fields, self.content

    def __len__(self) -> int:
        return len(self.content)
