"""Signatures of webhooks, as Standard Webhooks has them (https://www.standardwebhooks.com): who reads one knows who made it, and when.

What is signed is ``ID.TIMESTAMP.BODY`` with HMAC-SHA256. The ID is that of the event and never changes, so who has had it can tell; the
timestamp is that of each try, so what somebody has recorded is of no use to him some minutes later. While a secret is replaced there are
two, and two signatures: who checks takes either.

Pure; used by `mailer.hooks.post`, and by whoever makes secrets.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

PREFIX = "whsec_"
SHORTEST, LONGEST = 24, 64  # octets of a secret
NEW = 32  # of one that is made here
MOST = 2  # secrets at a time


def read_secrets(text: str) -> list[bytes]:
    """The secrets in `text`, one a line, the present one first. Raises `ValueError`, in whose words none is."""
    words = text.split()
    if not 0 < len(words) <= MOST:
        raise ValueError(f"it has {len(words)} secrets, and may have one, or two while one is replaced")
    return [_read(word) for word in words]


def _read(word: str) -> bytes:
    try:
        if not word.startswith(PREFIX):
            raise ValueError
        key = base64.b64decode(word.removeprefix(PREFIX) + "=="[: -len(word.removeprefix(PREFIX)) % 4], validate=True)
    except (ValueError, binascii.Error):
        raise ValueError(f"there is no secret: one is {PREFIX} and base64") from None
    if not SHORTEST <= len(key) <= LONGEST:
        raise ValueError(f"a secret has {SHORTEST} to {LONGEST} octets, this one has {len(key)}")
    return key


def written(key: bytes) -> str:
    """A secret as it is handed over; `key` are `NEW` octets that nobody can guess."""
    return PREFIX + base64.b64encode(key).decode("ascii")


def signed(id: str, at: float, body: bytes, keys: Sequence[bytes]) -> list[tuple[str, str]]:
    """The fields of the header that say so: `at` is now, in seconds since the epoch, and `keys` are those of `read_secrets`."""
    told = f"{id}.{int(at)}.".encode() + body
    signatures = (base64.b64encode(hmac.digest(key, told, hashlib.sha256)).decode("ascii") for key in keys)
    return [
        ("webhook-id", id),
        ("webhook-timestamp", str(int(at))),
        ("webhook-signature", " ".join(f"v1,{signature}" for signature in signatures)),
    ]


def basic(text: str) -> list[tuple[str, str]]:
    """The field that logs in with ``user:password``, RFC 7617 §2. Raises `ValueError`, in whose words it is not."""
    login = text.strip()
    user, colon, password = login.partition(":")
    if not (user and colon and password) or not login.isprintable():
        raise ValueError("there is no login: write user:password on one line")
    return [("Authorization", f"Basic {base64.b64encode(login.encode()).decode('ascii')}")]
