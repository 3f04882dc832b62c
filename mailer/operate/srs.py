"""The senders of mail that is passed on, as an operator sees them: for whom one stands, and the secrets that sign them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from mailer.accounts.srs_secrets import WayBack, present_srs_secrets, rotate_srs_secret, srs_place, srs_secrets
from mailer.mail.dates import rfc3339
from mailer.mail.problem import Problem
from mailer.spool.files.owner import acting
from mailer.srs import NotTurnedBack, day_of, forward, is_rewritten

if TYPE_CHECKING:
    from mailer.config import Config


class SrsSecrets(NamedTuple):
    """The `file` with the secrets, how `many` there are, and when the present one was `made` (seconds since the epoch; 0.0 without one)."""

    file: str
    many: int
    made: float

    def as_json(self) -> dict[str, object]:
        """The line of ``mailer srs --json``."""
        return {"file": self.file, "secrets": self.many, "made_at": rfc3339(self.made) if self.made else None}


class RewrittenSender(NamedTuple):
    """A `sender`, and the address of ours that stands for him; `back`: that one was asked about."""

    sender: str
    rewritten: str
    back: bool

    def as_json(self) -> dict[str, object]:
        """The line of ``mailer srs ADDRESS --json``."""
        return {"sender": self.sender, "rewritten": self.rewritten}


def srs_status(config: Config) -> SrsSecrets:
    """The secrets that there are. Raises `Problem`."""
    path = srs_place(config)
    return _status(path, len(srs_secrets(path, _owner(config))))


def rotated_srs(config: Config, now: float, *, force: bool = False) -> SrsSecrets:
    """Put a new secret in front; the one before is still known. Raises `Problem`."""
    path, owner = srs_place(config), _owner(config)
    with acting(config.spool):
        return _status(path, len(rotate_srs_secret(path, now, owner, force=force)))


def looked_up_sender(config: Config, address: str, domain: str, now: float) -> RewrittenSender:
    """For whom `address` stands, if we have rewritten it; else what stands for it at `domain`, or at that of the configuration.

    Raises `Problem`: no-such for one that nobody has made, usage where there is no domain.
    """
    path, owner = srs_place(config), _owner(config)
    with acting(config.spool):
        if is_rewritten(address) and address.rpartition("@")[2].lower() in {section.name for section in config.domains}:
            try:
                return RewrittenSender(WayBack(path, lambda: now, owner)(address), address, back=True)
            except NotTurnedBack as problem:
                raise Problem(f"nobody stands behind {address}: {problem}", "no-such") from None
        at = domain or config.forwarding.domain or next((section.name for section in config.domains), "")
        if not at:
            raise Problem("nothing is passed on here, for there is no [[domain]]; name one: --domain", "usage")
        return RewrittenSender(address, forward(address, at, present_srs_secrets(path, owner)[0], day_of(now)), back=False)


def _status(path: str, many: int) -> SrsSecrets:
    return SrsSecrets(path, many, os.stat(path).st_mtime if many else 0.0)


def _owner(config: Config) -> int:
    """The user whose the spool is. Raises `Problem` where there is none yet."""
    try:
        return os.stat(config.spool).st_uid
    except OSError as error:
        raise Problem(f"cannot look at the spool {config.spool}: {error.strerror}; `mailer run` makes it", "no-such") from None
