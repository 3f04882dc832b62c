"""The keys that sign return tokens: a file beside the spool, made when it is needed first, and replaced by `rotate`.

One key a line, the present one first: 64 hexadecimal digits and when it was made (RFC 3339). There are at most two, for reports come days
after the mail that they are about: whoever signs takes the first, whoever reads takes both. The file has mode 0600 and is written whole,
beside its place, and then renamed or linked there, so that nobody ever reads half a key, and two who make it at once get one.
"""

from __future__ import annotations

import os
import secrets
from typing import TYPE_CHECKING, NamedTuple

from mailer.config.secret import read_private
from mailer.dsn.return_token import KEY
from mailer.io.durable import put_whole
from mailer.mail.dates import parse_rfc3339, rfc3339
from mailer.mail.problem import Problem

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mailer.config import Config

NAME = "bounce.key"  # in the spool, where no other place is configured
WHAT = "the key file"
LONGEST = 1024  # bytes
MOST = 2
NEEDED = 7 * 86400.0  # seconds for which reports about mail with the former key still come; hosts give up after 2 to 5 days


class Key(NamedTuple):
    """A key, and when it was made (seconds since the epoch)."""

    secret: bytes
    made: float


def place(config: Config) -> str:
    """The path of the file: `bounce.key_file`, or in the spool."""
    return config.bounce.key_file or f"{config.spool}/{NAME}"


def read(path: str, owner: int | None = None) -> list[Key]:
    """The keys in the file at `path`, the present one first; none if it is not there. `owner` as for `read_private`.

    Raises `Problem`: bad-config if it has to be set up better, no-permission if it may not be read.
    """
    if not os.path.lexists(path):
        return []
    text = read_private(path, WHAT, LONGEST, owner)
    try:
        keys = [_read(line) for line in text.decode("ascii").splitlines() if line.strip()]
    except ValueError:
        keys = []
    if not 0 < len(keys) <= MOST:
        hint = f"move it away, and a new one is made; reports about what was sent until then are not known again: mv {path} {path}.old"
        raise Problem(f"{WHAT} {path} has no key that can be used; {hint}", "bad-config")
    return keys


def secrets_of(keys: Sequence[Key]) -> tuple[bytes, ...]:
    """What `mailer.dsn.return_token` takes of them."""
    return tuple(key.secret for key in keys)


def present(path: str, now: float) -> list[Key]:
    """The keys in the file at `path`, which is made if it is not there. Raises `Problem`."""
    if keys := read(path):
        return keys
    try:
        _put(path, [_new(now)], replace=False)
    except OSError as error:
        raise Problem(f"cannot make {WHAT} {path}: {error.strerror}", "cannot-create") from None
    return read(path)


def rotate(path: str, now: float, *, force: bool = False) -> list[Key]:
    """Put a new key before the present one, which then only reads; the one before that goes. Returns those that there are now.

    Raises `Problem`, try-again where reports may still come about mail that was signed with the one that would go, unless with `force`.
    """
    keys = read(path)
    if len(keys) == MOST and (left := NEEDED - (now - keys[0].made)) > 0 and not force:
        text = f"the key before the present one is needed for {left / 86400:.1f} days, for reports come late; --force takes it away now"
        raise Problem(text, "try-again")
    try:
        _put(path, [_new(now), *keys[: MOST - 1]], replace=True)
    except OSError as error:
        raise Problem(f"cannot write {WHAT} {path}: {error.strerror}", "cannot-create") from None
    return read(path)


def _new(now: float) -> Key:
    return Key(secrets.token_bytes(KEY), now)


def _read(line: str) -> Key:
    """Raises `ValueError`."""
    secret, made = line.split()
    key = bytes.fromhex(secret)
    if len(key) != KEY:
        raise ValueError("a key has another length")
    return Key(key, parse_rfc3339(made))


def _put(path: str, keys: Sequence[Key], *, replace: bool) -> None:
    """Have the file with these keys on disk; without `replace`, one that is there already stays. Raises `OSError`."""
    lines = "".join(f"{key.secret.hex()} {rfc3339(key.made)}\n" for key in keys).encode("ascii")
    put_whole(path, [lines], f"{path}.{os.getpid()}.{secrets.token_hex(4)}", replace=replace)
