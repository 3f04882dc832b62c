"""The link with which one recipient leaves one stream, RFC 8058: what stands in it, and the key that it is sealed with.

``https://PUBLIC/u/TOKEN``. The token is the address, the stream and the ID of the message, encrypted and authenticated (AES-SIV, RFC 5297):
so nobody can make one, change one, or read an address out of one in a log; and the same message has the same link however often it is
tried. It holds as long as the key does: people unsubscribe with mail that is years old.

The key is in ``unsubscribe.key`` beside the spool, made when it is needed for the first time: a line of hexadecimal digits. A new line put
before it seals from then on, and all of them open.
"""

from __future__ import annotations

import os
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import TYPE_CHECKING, Final, NamedTuple

from mailer.io import durable
from mailer.mail.problem import Problem, from_os

if TYPE_CHECKING:
    from collections.abc import Sequence

NAME: Final = "unsubscribe.key"
OCTETS: Final = 32  # of a key: AES-128 twice, RFC 5297 §2.6
LONGEST: Final = 1024  # symbols of a token
PATH: Final = "/u/"
_FORM: Final = b"mailer/u1"  # what is authenticated beside: a later form has another one


class UnsubscribeToken(NamedTuple):
    """What a token says: `address` wants no more mail of `stream`, by its link in message `message`."""

    message: str
    stream: str
    address: str


def sealed(token: UnsubscribeToken, keys: Sequence[bytes]) -> str:
    """`token` for a link."""
    from cryptography.hazmat.primitives.ciphers.aead import AESSIV

    return urlsafe_b64encode(AESSIV(keys[0]).encrypt("\0".join(token).encode(), [_FORM])).decode().rstrip("=")


def opened(text: str, keys: Sequence[bytes]) -> UnsubscribeToken | None:
    """What a link says; None for what none of `keys` has sealed. Raises nothing, whatever it is given."""
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESSIV

    if not 24 <= len(text) <= LONGEST or not text.isascii():
        return None
    try:
        data = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        return None
    for key in keys:
        try:
            said = AESSIV(key).decrypt(data, [_FORM]).decode().split("\0")
        except (InvalidTag, ValueError):
            continue
        if len(said) == 3:
            return UnsubscribeToken(*said)
    return None


def keys_of(root: str, *, make: bool = False) -> list[bytes]:
    """The keys beside the spool at `root`, the one that seals first; none, or with `make` a new one, where there is no file.

    Raises `Problem`.
    """
    path = f"{root}/{NAME}"
    try:
        with open(path, "rb") as file:
            about = os.fstat(file.fileno())
            if about.st_uid not in (os.stat(root).st_uid, 0) or about.st_mode & 0o077:
                raise Problem(f"the key {path} is not its owner's alone; look at it, then: chmod 600 {path}", "bad-config")
            keys = [bytes.fromhex(line.decode("ascii")) for line in file.read(4096).split()]
    except FileNotFoundError:
        if not make:
            return []
        _make(root, path)
        return keys_of(root)
    except OSError as error:
        raise from_os("cannot read the key of unsubscribe links", path, error) from None
    except ValueError:
        keys = []
    if not keys or any(len(key) != OCTETS for key in keys):
        raise Problem(f"{path} has to be lines of {2 * OCTETS} hexadecimal digits; put back the file that was there", "bad-config")
    return keys


def _make(root: str, path: str) -> None:
    """Make the key, once: whoever comes second has the one of the first. A crash leaves none, or all of it."""
    draft = f"{path}.{os.getpid()}"
    try:
        durable.write_new(draft, [os.urandom(OCTETS).hex().encode() + b"\n"])
        try:
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            os.unlink(draft)
        durable.sync_directory(root)
    except OSError as error:
        raise from_os("cannot make the key of unsubscribe links", path, error) from None
