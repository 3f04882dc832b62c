"""Keys for tests, made once a run, since an RSA key takes a while."""

from __future__ import annotations

import functools

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from mailer.dkim.key import PrivateKey, private_key
from mailer.dkim.sign import Seal

NOW = 1_795_225_329.7
DAY = 86400.0


def pem(kind: str = "rsa", bits: int = 2048) -> bytes:
    """A private key, as a file has it; an Ed25519 key has the bits that it has."""
    return _made(kind, 256 if kind == "ed25519" else bits)


@functools.cache
def _made(kind: str, bits: int) -> bytes:
    key = Ed25519PrivateKey.generate() if kind == "ed25519" else generate_private_key(65537, bits)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@functools.cache
def key(kind: str = "rsa", bits: int = 2048) -> PrivateKey:
    """The same, read."""
    return private_key(pem(kind, bits))


def seal(kind: str = "rsa", bits: int = 2048, *, domain: str = "example.com", selector: str = "") -> Seal:
    """One who signs; without a selector it is the kind, of RSA with the bits."""
    return Seal(domain, selector or (kind if kind == "ed25519" else f"{kind}{bits}"), key(kind, bits), 14 * DAY)
