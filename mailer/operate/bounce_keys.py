"""The keys that sign return tokens, as an operator sees and replaces them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mailer.bounces import keys
from mailer.mail.dates import rfc3339

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mailer.config import Config


class BounceKeys(NamedTuple):
    """The `file` with the keys, and when each was `made` (seconds since the epoch), the one that signs first."""

    file: str
    made: Sequence[float]

    def as_json(self) -> dict[str, object]:
        """The line of ``mailer bounces key --json``."""
        return {"file": self.file, "keys": [{"made_at": rfc3339(at), "signs": not nth} for nth, at in enumerate(self.made)]}


def bounce_keys(config: Config) -> BounceKeys:
    """The keys that there are. Raises `Problem`."""
    path = keys.place(config)
    return BounceKeys(path, [key.made for key in keys.read(path)])


def rotate_bounce_key(config: Config, now: float, *, force: bool = False) -> BounceKeys:
    """Replace the key that signs; the one before is still known. Raises `Problem`."""
    path = keys.place(config)
    return BounceKeys(path, [key.made for key in keys.rotate(path, now, force=force)])
