"""What is put right without asking: nothing that could lose a message, tell a secret, or change what somebody has decided.

Each thing that was done is a line. Root gives what is not the owner's (`as_root`), and all else is done as the owner (`as_owner`).
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from mailer.accounts.srs_secrets import srs_place
from mailer.bounces import keys
from mailer.mail.problem import Problem
from mailer.spool.files import condition, layout, mend
from mailer.spool.files.store import SpoolDirectory
from mailer.status import sqlite
from mailer.status.api import StatusError

from .mailboxes import mend_mailboxes

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from mailer.config import Config


def as_root(config: Config) -> Iterator[str]:
    """Give the owner of the spool what lies there of others, as the daemon could not move it. Raises `OSError`."""
    if os.geteuid() == 0 and _is_spool(config.spool):
        yield from mend.give(config.spool, condition.flaws(config.spool))


def _is_spool(place: str) -> bool:
    return os.path.isdir(place)


async def as_owner(config: Config, now: float) -> AsyncIterator[str]:
    """Put right what the owner of the spool can; `now` is in seconds since the epoch. What fails is a line, too."""
    spool = config.spool
    if not _is_spool(spool):
        yield f"left {spool} as it is: it is no directory"
        return
    try:
        layout.check_owner(spool)
        for line in mend.completed(spool, shared=config.intake.enabled):
            yield line
        for line in mend.mend(spool, condition.flaws(spool), now):
            yield line
        for line in await _status(spool):
            yield line
    except (Problem, OSError) as error:
        yield f"could not go on: {getattr(error, 'strerror', '') or error}"
    for line in _secrets(config):
        yield line
    for line in mend_mailboxes(config):
        yield line


async def _status(spool: str) -> list[str]:
    """A database that cannot be used is begun anew, where no daemon does that itself."""
    found = sqlite.health(spool)
    if not found.trouble or found.busy:
        return []
    with mend.alone(spool) as free:
        if not free:
            return ["left the status database to the daemon, which begins it anew"]
        try:
            return await sqlite.rebuild(SpoolDirectory(spool))
        except StatusError as error:
            return [f"could not begin the status database anew: {error}"]


def _secrets(config: Config) -> Iterator[str]:
    """Files of secrets that others can read: no longer, where they are ours."""
    relays = config.relays.values()
    places = [relay.secret.place[0] for relay in relays if relay.secret and relay.secret.kind == "file"]
    others = ("oauth_refresh_token_file", "oauth_client_secret_file", "proxy_password_file")
    places += [path for relay in relays for name in others if (path := getattr(relay, name))]
    places += [key.key_file for key in config.dkim]
    sources = config.report_sources
    places += [path for each in sources for name in ("password_file", *others[:2]) if (path := getattr(each, name))]
    places += [keys.place(config)] if config.bounce.address else []
    places += [srs_place(config)] if config.domains else []
    for path in dict.fromkeys(places):
        try:
            fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:  # which is a finding
            continue
        try:
            known = os.fstat(fd)
            mode = stat.S_IMODE(known.st_mode)
            if stat.S_ISREG(known.st_mode) and known.st_uid == os.geteuid() and mode & 0o077:
                os.fchmod(fd, mode & 0o700)
                yield f"set to {mode & 0o700:04o}: {path} (its mode was {mode:04o}; change what is in it if others have read it)"
        finally:
            os.close(fd)
