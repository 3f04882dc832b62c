"""SCRAM-SHA-256 (RFC 5802, RFC 7677), with and without channel binding: both sides prove that they know the password.

The password never travels, nor does anything that could be used in its place; a server that does not know it is
found out by its signature. With channel binding (``-PLUS``) it is also certain that nobody sits between: the certificate
that we see is the one that the server has.

One law: success without the server's signature is no success.
"""

from __future__ import annotations

import hashlib
import hmac
import stringprep
import unicodedata
from binascii import Error as Base64Error
from binascii import a2b_base64, b2a_base64
from dataclasses import dataclass, field
from functools import lru_cache

from .mechanism import ANY, Channel, CredentialError, Mechanism

LEAST = 4096  # iterations, RFC 7677 §4: fewer make a stolen exchange cheap to guess from
MOST = 600_000  # about half a second of computing: the driver answers in a thread
KEPT = 32  # passwords with their salts whose keys are remembered: a relay has one, and a server may make up others


class Scram(Mechanism):
    """SCRAM-SHA-256, RFC 7677; the steps are those of RFC 5802 §5."""

    name = "SCRAM-SHA-256"
    clear = False
    acts = True

    def __init__(self, username: str, secret: str, channel: Channel = ANY) -> None:
        super().__init__(username, secret, channel)
        self._password = prepared(secret).encode()
        self._bare = b"n=" + escaped(prepared(username).encode()) + b",r=" + channel.nonce.encode()
        self._signature = b""
        self._proved = False

    @property
    def proved(self) -> bool:
        """Whether the server has shown its signature, and so that it knows the password."""
        return self._proved

    @property
    def used(self) -> bool:
        """Whether our proof has been said."""
        return bool(self._signature)

    def initial(self) -> bytes | None:
        """The name and our nonce."""
        return self._header() + self._bare

    def answer(self, challenge: bytes) -> bytes | None:
        """Our proof; then nothing more to say, if the server's proof is good."""
        if not challenge and not self._signature:
            return self._once(self.initial())
        if self._proved:
            return None
        try:
            return self._check(challenge) if self._signature else self._prove(challenge)
        except (KeyError, ValueError, Base64Error):
            self.trouble = "the server's challenge makes no sense"
            return None

    def _header(self) -> bytes:
        """RFC 5802 §6: ``y`` tells the server that we could bind; one that can and did not offer it knows then that somebody meddled."""
        return (b"y" if self.channel.binding and not self.channel.bindings else b"n") + self._acting()

    def _acting(self) -> bytes:
        return b",a=" + escaped(prepared(self.channel.authorization).encode()) + b"," if self.authorization else b",,"

    def _bound(self) -> bytes:
        return self._header()

    def _prove(self, challenge: bytes) -> bytes | None:
        given = attributes(challenge)
        nonce, salt, count = given["r"], a2b_base64(given["s"], strict_mode=True), int(given["i"])
        if not nonce.startswith(self.channel.nonce.encode()) or len(nonce) <= len(self.channel.nonce):
            self.trouble = "the server does not repeat our nonce"  # RFC 5802 §5.1
            return None
        if not LEAST <= count <= MOST:
            self.trouble = f"the server asks for {count} iterations; between {LEAST} and {MOST} are right"
            return None
        final = b"c=" + b2a_base64(self._bound(), newline=False) + b",r=" + nonce
        signed = b",".join([self._bare, challenge, final])
        proof, self._signature = proofs(self._password, salt, count, signed)
        return final + b",p=" + b2a_base64(proof, newline=False)

    def _check(self, challenge: bytes) -> bytes | None:
        given = attributes(challenge)
        if "e" in given:
            self.trouble = "the server refuses the proof"
            return b""
        if not hmac.compare_digest(a2b_base64(given["v"], strict_mode=True), self._signature):
            self.trouble = "the server does not know the password: it is not the one that we take it for"
            return None
        self._proved = True
        return b""


class ScramPlus(Scram):
    """SCRAM-SHA-256-PLUS: bound to the certificate of the server, RFC 5802 §6."""

    name = "SCRAM-SHA-256-PLUS"
    bound = True

    def _header(self) -> bytes:
        return b"p=tls-server-end-point" + self._acting()

    def _bound(self) -> bytes:
        return self._header() + self.channel.binding


def proofs(password: bytes, salt: bytes, count: int, signed: bytes) -> tuple[bytes, bytes]:
    """The client's proof and the server's signature, RFC 5802 §3."""
    client_key, server_key = keys(password, salt, count)
    client_signature = hmac.digest(hashlib.sha256(client_key).digest(), signed, "sha256")
    proof = bytes(a ^ b for a, b in zip(client_key, client_signature, strict=True))
    return proof, hmac.digest(server_key, signed, "sha256")


@dataclass(frozen=True, slots=True)
class ScramKeys:
    """What a server keeps of a password, RFC 5802 §3: enough to know its owner by, and nothing that could be said in its place.

    `others` are the stored and the server key of other passwords of his, for which salt and iterations are the same.
    """

    salt: bytes
    iterations: int
    stored_key: bytes = field(repr=False)
    server_key: bytes = field(repr=False)
    others: tuple[tuple[bytes, bytes], ...] = field(default=(), repr=False)

    @classmethod
    def of(cls, password: str, salt: bytes, iterations: int = LEAST) -> ScramKeys:
        """The keys of `password`; `salt` is 16 octets of chance. Raises `CredentialError` for a character that no password may have.

        A costly computation, to be made when a password is set: for an event loop, in a thread.
        """
        client_key, server_key = keys.__wrapped__(prepared(password).encode(), salt, iterations)
        return cls(salt, iterations, hashlib.sha256(client_key).digest(), server_key)

    @classmethod
    def imagined(cls, secret: bytes, username: str, iterations: int = LEAST) -> ScramKeys:
        """Keys for somebody who is not there, which no password fits: the same for the same name, so that asking twice tells nobody so.

        `secret` is known to nobody else.
        """
        salt, stored, server = (hmac.digest(secret, word + username.encode(), "sha256") for word in (b"salt:", b"stored:", b"server:"))
        return cls(salt[:16], iterations, stored, server)

    def answer(self, signed: bytes, proof: bytes) -> tuple[bytes, bytes]:
        """The server's signature for a client whose `proof` is good, and the stored key of the password that he has; nothing, and nothing,
        for any other. RFC 5802 §3"""
        found = b"", b""
        for stored, server in ((self.stored_key, self.server_key), *self.others):
            signature = hmac.digest(stored, signed, "sha256")
            if len(proof) != len(signature):
                return b"", b""
            client_key = bytes(a ^ b for a, b in zip(proof, signature, strict=True))
            if hmac.compare_digest(hashlib.sha256(client_key).digest(), stored):
                found = hmac.digest(server, signed, "sha256"), stored
        return found


@lru_cache(KEPT)
def keys(password: bytes, salt: bytes, count: int) -> tuple[bytes, bytes]:
    """ClientKey and ServerKey, RFC 5802 §3. Remembered as its §5.1 advises, for a server has one salt for a password."""
    salted = hashlib.pbkdf2_hmac("sha256", password, salt, count)
    return hmac.digest(salted, b"Client Key", "sha256"), hmac.digest(salted, b"Server Key", "sha256")


def attributes(message: bytes) -> dict[str, bytes]:
    """``a=value,b=value`` as a dict; RFC 5802 §5.1: one that is mandatory and unknown (``m=``) is an error. Raises `ValueError`."""
    found = {}
    for word in message.split(b","):
        name, equals, value = word.partition(b"=")
        if not equals or name == b"m" or name.decode() in found:
            raise ValueError(word)
        found[name.decode()] = value
    return found


def escaped(name: bytes) -> bytes:
    """A name as it stands among attributes, RFC 5802 §5.1."""
    return name.replace(b"=", b"=3D").replace(b",", b"=2C")


def prepared(text: str) -> str:
    """`text` by SASLprep, RFC 4013 §2: what looks alike becomes alike. Raises `CredentialError` for what no password may have."""
    if text.isascii():
        return text
    mapped = "".join(" " if stringprep.in_table_c12(c) else c for c in text if not stringprep.in_table_b1(c))
    text = unicodedata.normalize("NFKC", mapped)
    if not text or any(forbidden(c) for forbidden in _FORBIDDEN for c in text):
        raise CredentialError("the username or the password holds a character that none may have")
    return text


_FORBIDDEN = (
    stringprep.in_table_c21_c22,
    stringprep.in_table_c3,
    stringprep.in_table_c4,
    stringprep.in_table_c5,
    stringprep.in_table_c6,
    stringprep.in_table_c7,
    stringprep.in_table_c8,
    stringprep.in_table_c9,
)  # RFC 4013 §2.3
