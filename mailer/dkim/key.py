"""Keys: a private key that signs, a public one that checks, and the record that publishes it.

A private key is a PEM file, PKCS #8 or PKCS #1, without a passphrase. Its kind says how it signs: RSA with SHA-256
(RFC 8301 §3.1), or Ed25519 over the SHA-256 of what is signed (RFC 8463 §3). Whoever signs does so with at least 1024 bits
of RSA; we make no new key below 2048. Whoever checks need not take more than 4096 bits (RFC 8301 §3.2); above 8192
we do not, since a stranger chooses how long that takes.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from typing import TYPE_CHECKING

from .canonical import BLANKS, TagError, read_tags, without_blanks

if TYPE_CHECKING:
    from collections.abc import Callable

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

LEAST_BITS = 1024  # RFC 8301 §3.2
GOOD_BITS = 2048
MOST_BITS_SIGNED = 4096  # what each verifier has to know, RFC 8301 §3.2
MOST_BITS_CHECKED = 8192
REMEMBERED = 2000  # characters of a record that is remembered as a key; one of 8192 bits has 1,400
STRING = 255  # octets of one string of a TXT record, RFC 1035 §3.3.14

ALGORITHMS = {"rsa": "rsa-sha256", "ed25519": "ed25519-sha256"}
"""The kinds of keys, and what ``a=`` calls a signature by each."""


class KeyProblem(ValueError):
    """A key that cannot be used; `str()` says why, and nothing of the key."""


class RevokedKey(KeyProblem):
    """A key whose record is there and holds none: nothing that it signed is to be believed, RFC 6376 §3.6.1."""


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class PrivateKey:
    """`kind` is rsa or ed25519; `sign_digest` signs what has a SHA-256 digest; `public` is the ``p=`` of its record.

    `pem` is the key itself, for another process of ours.
    """

    kind: str
    bits: int
    sign_digest: Callable[[bytes], bytes]
    public: str
    pem: bytes

    def sign(self, data: bytes) -> bytes:
        """The signature of `data`."""
        return self.sign_digest(sha256(data).digest())

    @property
    def algorithm(self) -> str:
        """The algorithm, as ``a=`` of a signature says it. RFC 6376 §3.3"""
        return ALGORITHMS[self.kind]

    @property
    def record(self) -> str:
        """The text of the TXT record, in one piece. RFC 6376 §3.6.1"""
        return f"v=DKIM1; k={self.kind}; p={self.public}"


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A key as its record has it; `holds` says whether a signature of some data is by it."""

    kind: str
    bits: int
    testing: bool
    strict: bool
    holds: Callable[[bytes, bytes], bool]


def private_key(pem: bytes) -> PrivateKey:
    """The key in a PEM file. Raises `KeyProblem`."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(pem, None)
    except TypeError:
        raise KeyProblem("it has a passphrase, which nobody is there to give; write it without one") from None
    except (ValueError, UnsupportedAlgorithm):
        raise KeyProblem("it is no private key in PEM") from None
    if isinstance(key, RSAPrivateKey):
        return _rsa(key, pem)
    if isinstance(key, Ed25519PrivateKey):
        return _ed25519(key, pem)
    raise KeyProblem("it is neither an RSA nor an Ed25519 key; DKIM knows no others")


def _rsa(key: RSAPrivateKey, pem: bytes) -> PrivateKey:
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
    from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    if not LEAST_BITS <= key.key_size <= MOST_BITS_SIGNED:
        raise KeyProblem(f"it has {key.key_size} bits; verifiers take {LEAST_BITS} to {MOST_BITS_SIGNED}, and 2048 is right")
    padding, algorithm, sign = PKCS1v15(), Prehashed(SHA256()), key.sign
    public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return PrivateKey("rsa", key.key_size, lambda digest: sign(digest, padding, algorithm), b64encode(public).decode(), pem)


def _ed25519(key: Ed25519PrivateKey, pem: bytes) -> PrivateKey:
    return PrivateKey("ed25519", 256, key.sign, b64encode(key.public_key().public_bytes_raw()).decode(), pem)


def public_key(text: str) -> PublicKey:
    """The key that a TXT record publishes. Raises `KeyProblem`."""
    return _remembered(text) if len(text) <= REMEMBERED else _public_key(text)


def _public_key(text: str) -> PublicKey:
    try:
        found = read_tags(text)
    except TagError as error:
        raise KeyProblem(f"the record is no key: {error}") from None
    if found.get("v", "DKIM1") != "DKIM1" or ("v" in found and next(iter(found)) != "v"):
        raise KeyProblem("the record is no key: it does not begin with v=DKIM1")
    if "p" not in found:
        raise KeyProblem("the record is no key: it has no p=")
    if not found["p"]:
        raise RevokedKey("the key is revoked: its p= is empty")
    if "*" not in (services := _names(found.get("s", "*"))) and "email" not in services:
        raise KeyProblem("the key is not for mail: s= in its record")
    if "sha256" not in _names(found.get("h", "sha256")):
        raise KeyProblem("the key is not for SHA-256: h= in its record")
    flags = _names(found.get("t", ""))
    kind = found.get("k", "rsa")
    try:
        bits, holds = _checker(kind, b64decode(without_blanks(found["p"]), validate=True))
    except KeyProblem:
        raise
    except Exception:  # each malformed key has an exception of its own, down to one for an even exponent
        raise KeyProblem(f"the p= of the record is no {kind} key") from None
    return PublicKey(kind, bits, "y" in flags, "s" in flags, holds)


_remembered = lru_cache(256)(_public_key)  # a sender's mail comes in numbers, and a key takes as long to read as a signature to check


def _names(value: str) -> set[str]:
    return {name.strip(BLANKS) for name in value.split(":")}


def _checker(kind: str, data: bytes) -> tuple[int, Callable[[bytes, bytes], bool]]:
    if kind == "ed25519":
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

        return 256, _ed25519_holds(Ed25519PublicKey.from_public_bytes(data))
    if kind != "rsa":
        raise KeyProblem(f"the record has a key of the kind {kind[:20]!r}, which nobody knows")
    key = _rsa_public(data)
    if not LEAST_BITS <= key.key_size <= MOST_BITS_CHECKED:  # RFC 8301 §3.2
        raise KeyProblem(f"the key has {key.key_size} bits; from {LEAST_BITS} to {MOST_BITS_CHECKED} are taken")
    return key.key_size, _rsa_holds(key)


def _rsa_public(data: bytes) -> RSAPublicKey:
    """As SubjectPublicKeyInfo, which all publish, or as RSAPublicKey, which the standard asks for (erratum 3017)."""
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    if len(data) > MOST_BITS_CHECKED // 8 + 100:
        raise KeyProblem(f"the key has more than {MOST_BITS_CHECKED} bits; from {LEAST_BITS} on that many are taken")
    key = load_der_public_key(data)  # takes both
    assert isinstance(key, RSAPublicKey)
    return key


def _rsa_holds(key: RSAPublicKey) -> Callable[[bytes, bytes], bool]:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
    from cryptography.hazmat.primitives.hashes import SHA256

    def holds(signature: bytes, data: bytes) -> bool:
        try:
            key.verify(signature, data, PKCS1v15(), SHA256())
        except InvalidSignature:
            return False
        return True

    return holds


def _ed25519_holds(key: Ed25519PublicKey) -> Callable[[bytes, bytes], bool]:
    from cryptography.exceptions import InvalidSignature

    def holds(signature: bytes, data: bytes) -> bool:
        try:
            key.verify(signature, sha256(data).digest())
        except InvalidSignature:
            return False
        return True

    return holds


def name(selector: str, domain: str) -> str:
    """Where the record of a key is: RFC 6376 §3.6.2.1."""
    return f"{selector}._domainkey.{domain}"


def strings(record: str) -> list[str]:
    """The record in strings as the DNS has them, none longer than 255 octets; who reads it puts them together again."""
    return [record[at : at + STRING] for at in range(0, len(record), STRING)]
