"""An age file is opened in the quickest way that there is: https://age-encryption.org/v1 with X25519, by OpenSSL.

To read a thousand messages is to open a thousand files, and most of what that takes is the header of each: the library that knows all of
age needs three times as long for it. What is not as it has to be is left to that library, which says what is wrong: here it is None.
"""

from __future__ import annotations

from binascii import Error, a2b_base64, b2a_base64
from hmac import compare_digest
from hmac import digest as hmac_digest
from typing import TYPE_CHECKING, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

MAGIC: Final = b"age-encryption.org/v1\n"
OURS: Final = b"-> X25519 "
END: Final = b"\n--- "
LONGEST_HEADER: Final = 8192  # octets
PIECE, TAG = 65536, 16  # octets of a piece of the body, and of what proves it
_BECH32: Final = {letter: number for number, letter in enumerate("qpzry9x8gf2tvdw0s3jn54khce6mua7l")}


class AgeOpening:
    """Opens files that are for one of these identities, as age writes them."""

    def __init__(self, identities: Sequence[str]) -> None:
        keys = [X25519PrivateKey.from_private_bytes(_octets(each)) for each in identities]
        self._keys = [(key, key.public_key().public_bytes_raw()) for key in keys]

    def open(self, data: bytes) -> bytes | None:
        """What is in the file; None for one that is not as it has to be, or for nobody here."""
        end = data.find(END, 0, LONGEST_HEADER) + len(END)
        behind = data.find(b"\n", end, end + 80) + 1
        if not data.startswith(MAGIC) or end < len(END) or not behind:
            return None
        try:
            key = self._file_key(data[: end - 1], _base64(data[end : behind - 1]))
            return None if key is None else b"".join(_pieces(key, data, behind))
        except (Error, ValueError, InvalidTag):
            return None

    def _file_key(self, header: bytes, proof: bytes) -> bytes | None:
        lines = header.split(b"\n")
        for at in (at for at, line in enumerate(lines) if line.startswith(OURS)):
            share, wrapped = _base64(lines[at][len(OURS) :]), _base64(lines[at + 1])
            for key, public in self._keys:
                secret = _derived(key.exchange(X25519PublicKey.from_public_bytes(share)), share + public, b"age-encryption.org/v1/X25519")
                try:
                    found = ChaCha20Poly1305(secret).decrypt(bytes(12), wrapped, None)
                except InvalidTag:
                    continue
                if compare_digest(hmac_digest(_derived(found, b"", b"header"), header, "sha256"), proof):
                    return found
        return None


def _pieces(key: bytes, data: bytes, at: int) -> Iterator[bytes]:
    """The body: each piece is proved with its place, and with whether it is the last. Raises `InvalidTag`."""
    cipher = ChaCha20Poly1305(_derived(key, data[at : at + 16], b"payload"))
    at += 16
    number, step = 0, PIECE + TAG
    while True:
        last = at + step >= len(data)
        piece = cipher.decrypt(number.to_bytes(11, "big") + bytes([last]), data[at : at + step], None)
        if last and number and not piece:
            raise InvalidTag  # only a file of nothing has a piece of nothing
        yield piece
        if last:
            return
        number, at = number + 1, at + step


def _derived(secret: bytes, salt: bytes, what: bytes) -> bytes:
    """HKDF with SHA-256, of one block: RFC 5869 §2."""
    return hmac_digest(hmac_digest(salt or bytes(32), secret, "sha256"), what + b"\1", "sha256")


def _base64(text: bytes) -> bytes:
    """Octets that are written in the one way that there is. Raises `Error`, `ValueError`."""
    found = a2b_base64(text + b"=" * (-len(text) % 4), strict_mode=True)
    if b2a_base64(found, newline=False).rstrip(b"=") != text:
        raise ValueError("there are bits behind the last octet")
    return found


def _octets(identity: str) -> bytes:
    """The octets of a key that is written in Bech32, whose checksum somebody has looked at."""
    number = 0
    letters = identity.lower().rpartition("1")[2][:-6]
    for letter in letters:
        number = number << 5 | _BECH32[letter]
    return (number >> (len(letters) * 5 % 8)).to_bytes(len(letters) * 5 // 8, "big")
