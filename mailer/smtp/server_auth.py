"""The server's side of AUTH (RFC 4954): an exchange asks until the credentials are complete.

A mechanism is a generator: it yields challenges, is sent the client's responses, and returns an `Auth`.
Whether the password is right is for the policy to say. A mechanism in which the password does not travel has to know it: it
finds it in `Known`, and returns it if the client has proved that it knows it too, else nothing.
"""

from __future__ import annotations

import hashlib
import hmac
from binascii import a2b_base64, b2a_base64
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field

from .scram import LEAST, attributes, prepared, proofs
from .server_commands import CommandRefused
from .server_events import Auth


@dataclass(frozen=True, slots=True)
class Known:
    """What a server needs for challenges: the passwords, and a nonce that is fresh for each exchange.

    `binding` is that of its own certificate (`mailer.smtp.mechanism`).
    """

    passwords: Mapping[str, str] = field(default_factory=dict, repr=False)
    nonce: Callable[[], str] = str
    binding: bytes = b""


NOTHING = Known()
"""Enough for those in which the password travels."""

Mechanism = Generator[bytes, bytes, Auth]


def plain(_: Known) -> Mechanism:
    """PLAIN, RFC 4616: one response, ``authorization NUL username NUL password``. Raises `ValueError`."""
    response = yield b""
    authorization, username, password = _text(response, "\0").split("\0")
    if not username or not password:
        raise ValueError("RFC 4616 §2 wants both at least one character long")
    return Auth("PLAIN", username, password, authorization)


def login(_: Known) -> Mechanism:
    """LOGIN, the old mechanism of two questions, in no standard and in every client."""
    username = _text((yield b"Username:"))
    password = _text((yield b"Password:"))
    return Auth("LOGIN", username, password)


def cram_md5(known: Known) -> Mechanism:
    """CRAM-MD5, RFC 2195 §2: the digest of a challenge that is never used again."""
    challenge = f"<{known.nonce()}@localhost>".encode()
    username, _, digest = _text((yield challenge)).rpartition(" ")
    password = known.passwords.get(username, "")
    right = hmac.compare_digest(hmac.new(password.encode(), challenge, "md5").hexdigest(), digest)
    return Auth("CRAM-MD5", username, password if right else "")


def scram(known: Known, binding: bytes = b"") -> Mechanism:
    """SCRAM-SHA-256, RFC 5802 §5; `binding` is what a client has to bind to. Raises `ValueError`."""
    first = _text((yield b""))
    flag, authorization, bare = first.split(",", 2)
    if flag != "p=tls-server-end-point" if binding else flag not in ("n", "y"):
        raise ValueError(flag)
    asked = attributes(bare.encode())
    username = asked["n"].decode().replace("=2C", ",").replace("=3D", "=")
    nonce = asked["r"] + known.nonce().encode()
    salt = hashlib.sha256(nonce).digest()[:16]
    challenge = b"r=" + nonce + b",s=" + b2a_base64(salt, newline=False) + b",i=%d" % LEAST
    final = yield challenge
    said, _, proof = final.rpartition(b",p=")
    answered = attributes(said)
    password = known.passwords.get(username, "")
    right, signature = proofs(prepared(password).encode(), salt, LEAST, b",".join([bare.encode(), challenge, said]))
    bound = a2b_base64(answered["c"]) == f"{flag},{authorization},".encode() + binding and answered["r"] == nonce
    if not (bound and password and hmac.compare_digest(right, a2b_base64(proof))):
        return Auth("SCRAM-SHA-256", username, "")
    yield b"v=" + b2a_base64(signature, newline=False)
    return Auth("SCRAM-SHA-256", username, password)


def scram_plus(known: Known) -> Mechanism:
    """SCRAM-SHA-256-PLUS: bound to our certificate, RFC 5802 §6. Raises `ValueError`."""
    return scram(known, known.binding)


def bearer(_: Known) -> Mechanism:
    """OAUTHBEARER, RFC 7628 §3.1: the token is the password."""
    gs2, pairs = _text((yield b""), "\x01").split("\x01", 1)
    username = gs2.split(",")[1].removeprefix("a=").replace("=2C", ",").replace("=3D", "=")
    return Auth("OAUTHBEARER", username, _token(pairs))


def xoauth2(_: Known) -> Mechanism:
    """XOAUTH2, what the large providers have instead of OAUTHBEARER."""
    username, pairs = _text((yield b""), "\x01").removeprefix("user=").split("\x01", 1)
    return Auth("XOAUTH2", username, _token(pairs))


def _token(pairs: str) -> str:
    found = dict(pair.split("=", 1) for pair in pairs.split("\x01") if pair)
    return found["auth"].removeprefix("Bearer ")


MECHANISMS: dict[str, Callable[[Known], Mechanism]] = {
    "PLAIN": plain,
    "LOGIN": login,
    "CRAM-MD5": cram_md5,
    "SCRAM-SHA-256": scram,
    "SCRAM-SHA-256-PLUS": scram_plus,
    "OAUTHBEARER": bearer,
    "XOAUTH2": xoauth2,
}


def _text(response: bytes, allowed: str = "") -> str:
    text = response.decode()  # a UnicodeDecodeError is a ValueError
    if any(not char.isprintable() and char not in allowed for char in text):
        raise ValueError("credentials with control characters")
    return text


class AuthExchange:
    """One AUTH command, from its first challenge to the credentials."""

    def __init__(self, mechanism: str, known: Known) -> None:
        self._mechanism = MECHANISMS[mechanism](known)
        self.challenge = b2a_base64(next(self._mechanism), newline=False)

    def respond(self, line: bytes) -> Auth | None:
        """The credentials, or None where `challenge` asks for more.

        Raises `CommandRefused` for a response that no client would send, and for ``*``, which gives up (RFC 4954 §4).
        """
        if line == b"*":
            raise CommandRefused(501, "5.0.0", "cancelled as you asked")
        try:
            self.challenge = b2a_base64(self._mechanism.send(a2b_base64(line, strict_mode=True)), newline=False)
        except StopIteration as stop:
            credentials: Auth = stop.value
            return credentials
        except (ValueError, KeyError, IndexError):  # base 64, or what it holds
            raise CommandRefused(501, "5.5.2", "the response cannot be read") from None
        return None
