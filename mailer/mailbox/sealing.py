"""How the body of a message is encrypted: as an age file to the public key of its owner, which any program that knows age opens.

The format is https://age-encryption.org/v1: X25519, HKDF and ChaCha20-Poly1305 in pieces of 64 KiB, each authenticated with its place and
with whether it is the last. To put a message needs the public key alone. A body says nothing of whose it is; the row of its message has
the digest of what it was before, and who reads compares that (`opened`).
"""

from __future__ import annotations

from contextlib import suppress
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final, Protocol

from mailer.io.extras import installing
from mailer.mail.problem import Problem

from .age_files import AgeOpening
from .api import BodyLost, NoKey

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType

MAGIC: Final = b"age-encryption.org/v1\n"
"""What an age file begins with. A message can begin with it as well, so that nothing is decided by this alone."""

CHANGING: Final = -1
"""What is in the row of a message while its body is being encrypted or decrypted: whether it is, the body says."""


class OtherKey(BodyLost):
    """The body of a message is encrypted for another key than those that there are, or what says for which was changed."""


class Sealing(Protocol):
    """What encrypts the bodies of one owner, and decrypts them."""

    number: int
    """What is written into the rows of messages that it seals; 0 where it leaves them as they are."""

    def seal(self, data: bytes) -> bytes:
        """`data` as it is kept."""

    def open(self, data: bytes) -> bytes:
        """What was sealed. Raises `BodyLost`, and of that `OtherKey`."""


class AgeSealing:
    """To the public key `public`, and from it and those before by `identities`, as age writes them: a `Sealing`.

    Its `number` is 0 where new bodies are not to be encrypted, and the old ones are to be read.
    """

    def __init__(self, number: int, public: str, identities: Sequence[str]) -> None:
        self._age = age()
        self.number = number
        self._recipient = self._age.x25519.Recipient.from_str(public)
        self._opening = AgeOpening(identities)
        self._identities = [self._age.x25519.Identity.from_str(each) for each in identities]

    def seal(self, data: bytes) -> bytes:
        """`data` as it is kept."""
        if not self.number:
            return data
        sealed: bytes = self._age.encrypt(data, [self._recipient])
        return sealed

    def open(self, data: bytes) -> bytes:
        """What was sealed. Raises `OtherKey` where it is for another key, `BodyLost` where it was changed or cut off."""
        quickly = self._opening.open(data)
        if quickly is not None:
            return quickly
        try:
            plain: bytes = self._age.decrypt(data, self._identities)
        except self._age.DecryptError as error:
            if "matching keys" in str(error):
                text = "it opens with no key of its owner: it was changed, or is another's, or needs a key that he had"
                raise OtherKey(f"the body of a message is not what was put there: {text}") from None
            raise BodyLost(f"the body of a message was changed or cut off after it was encrypted ({error})") from None
        return plain


def opened(data: bytes, digest: bytes, sealing: Sealing | None) -> bytes:
    """The body of which `data` is kept and whose SHA-256 is `digest`, whether it is encrypted or not.

    Which it is says the digest: while a mailbox is being encrypted, a row may be one step behind its body. Raises `NoKey`, `BodyLost`.
    """
    if sealing is not None and data.startswith(MAGIC):
        with suppress(BodyLost):  # what is so is said below
            plain = sealing.open(data)
            if sha256(plain).digest() == digest:
                return plain
    if sha256(data).digest() == digest:
        return data
    if not data.startswith(MAGIC):
        raise BodyLost("the body of a message is not what was put there: its digest is another")
    if sealing is None:
        raise NoKey("the body of a message is encrypted, and its owner has no keys")
    plain = sealing.open(data)
    if sha256(plain).digest() != digest:
        raise BodyLost("the body of a message is that of another: its digest is another")
    return plain


def new_pair() -> tuple[str, str]:
    """A public key and its private one, as age writes them."""
    identity = age().x25519.Identity.generate()
    return str(identity.to_public()), str(identity)


def age() -> Any:
    """The library. Raises `Problem` where it is not installed."""
    try:
        import pyrage
    except ImportError:
        raise Problem(f"encrypted mailboxes need the library pyrage: {installing('mailboxes')}", "unavailable") from None
    library: ModuleType = pyrage
    return library
