"""The secrets that sign the senders of mail which is passed on: a file beside the spool, made when it is needed first, as postsrsd has it.

One secret a line, the present one first; with more than one, all are known on the way back, so that a report finds its sender after a
`rotate`. The file has mode 0600 and is written whole. When it was written last is when its first secret was made: the one before that is
needed for as long as reports come, `mailer.srs.DAYS`.

The queue signs with the first one (`mailer.transport.return_path`), the doors where reports come in know all of them.
"""

from __future__ import annotations

import os
import secrets
from typing import TYPE_CHECKING

from mailer.config.secret import read_private
from mailer.io.durable import put_whole
from mailer.mail.problem import Problem
from mailer.srs import DAY, DAYS, day_of, reverse

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mailer.config import Config

NAME = "srs.secret"  # in the spool, where no other place is configured
WHAT = "the file of SRS secrets"
LONGEST = 4096  # bytes
SHORTEST = 8  # octets of a secret that somebody else has made
MOST = 8  # secrets that are known
KEPT = 2  # of ours: the present one, and the one before
NEEDED = (DAYS + 1) * DAY  # seconds


def srs_place(config: Config) -> str:
    """The path of the file: `forwarding.secret_file`, or in the spool."""
    return config.forwarding.secret_file or f"{config.spool}/{NAME}"


def srs_secrets(path: str, owner: int | None = None) -> list[bytes]:
    """The secrets in the file at `path`, the present one first; none if it is not there. `owner` as for `read_private`.

    Raises `Problem`: bad-config if it has to be set up better, no-permission if it may not be read.
    """
    if not os.path.lexists(path):
        return []
    lines = read_private(path, WHAT, LONGEST, owner).splitlines()
    found = [line.strip() for line in lines if line.strip()]
    if not 0 < len(found) <= MOST or min(map(len, found)) < SHORTEST:
        raise Problem(f"{WHAT} {path} is to have one secret a line, of {SHORTEST} octets at least, and at most {MOST}", "bad-config")
    return found


def present_srs_secrets(path: str, owner: int | None = None) -> list[bytes]:
    """The secrets in the file at `path`, which is made if it is not there. `owner` as for `read_private`. Raises `Problem`."""
    if found := srs_secrets(path, owner):
        return found
    _put(path, [_new()], replace=False)
    return srs_secrets(path, owner)


def rotate_srs_secret(path: str, now: float, owner: int | None = None, *, force: bool = False) -> list[bytes]:
    """Put a new secret in front, `now` (seconds since the epoch); of ours the one before is kept. Returns those that there are now.

    `owner` as for `read_private`. Raises `Problem`, try-again where reports may still come to senders of the one that would go, unless with
    `force`.
    """
    found = srs_secrets(path, owner)
    if len(found) >= KEPT and (left := NEEDED - (now - os.stat(path).st_mtime)) > 0 and not force:
        text = f"the secret before the present one is needed for {left / DAY:.1f} days, for reports come late; --force takes it away now"
        raise Problem(text, "try-again")
    _put(path, [_new(), *found[: KEPT - 1]], replace=True)
    return srs_secrets(path, owner)


class WayBack:
    """The way back to senders whose mail was passed on: called with an address, it says for whom of them it stands.

    The file at `path` is read when it is needed first and when it has changed; `now` gives the seconds since the epoch, and `owner` is as
    for `read_private`.
    """

    def __init__(self, path: str, now: Callable[[], float], owner: int | None = None) -> None:
        self._path = path
        self._owner = owner
        self._now = now
        self._seen: tuple[int, int] | None = None
        self._secrets: list[bytes] = []

    def __call__(self, address: str) -> str:
        """The sender that `address` stands for. Raises `NotTurnedBack`, and `Problem` where nobody can say."""
        try:
            about = os.stat(self._path)
        except FileNotFoundError:
            self._seen, self._secrets = None, []
        except OSError as error:
            raise Problem(f"cannot read {WHAT} {self._path}: {error.strerror}", "io-error") from None
        else:
            if (seen := (about.st_ino, about.st_mtime_ns)) != self._seen:
                self._secrets = srs_secrets(self._path, self._owner)
                self._seen = seen
        return reverse(address, self._secrets, day_of(self._now()))


def _new() -> bytes:
    return secrets.token_hex(16).encode("ascii")


def _put(path: str, found: Sequence[bytes], *, replace: bool) -> None:
    """Raises `Problem`."""
    try:
        put_whole(path, [b"".join(secret + b"\n" for secret in found)], f"{path}.{os.getpid()}.{secrets.token_hex(4)}", replace=replace)
    except OSError as error:
        raise Problem(f"cannot write {WHAT} {path}: {error.strerror}", "cannot-create") from None
