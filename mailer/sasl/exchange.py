"""The server's side: an exchange asks until the credentials are complete.

A mechanism is a generator: it yields challenges, is sent the client's responses, and returns `Credentials`.
Whether the password is right is for others to say. A mechanism in which the password does not travel has to know it: it
finds it in `Known`, and returns it if the client has proved that it knows it too, else nothing.
"""

from __future__ import annotations

import hashlib
import hmac
from binascii import a2b_base64, b2a_base64
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field, replace

from .scram import LEAST, ScramKeys, attributes


@dataclass(slots=True)
class Credentials:
    """What a client has said in an exchange, or in a command that carries name and password. `password` is in no repr.

    `proved`: the client has shown that it knows the password of `username`, in an exchange in which it does not travel. Where the password
    has travelled, whether it is the right one is still to be found out. `stored_key` is that of SCRAM, by which it is known which of the
    passwords of `username` it was.
    """

    mechanism: str
    username: str
    password: str = field(repr=False)
    authorization: str = ""  # whom to act as, "" for themselves, RFC 4616 §2
    proved: bool = False
    stored_key: bytes = field(default=b"", repr=False)


class BadResponse(ValueError):
    """A response that no client would send, or the one that gives up; not what it holds."""

    def __init__(self, *, cancelled: bool) -> None:
        super().__init__("cancelled as you asked" if cancelled else "the response cannot be read")
        self.cancelled = cancelled


@dataclass(frozen=True, slots=True)
class Known:
    """What a server needs for challenges: a nonce that is fresh for each exchange, and the passwords, or what is kept of them.

    With `keys`, a user's keys for SCRAM (None for somebody who is not there), no password has to be known. Somebody unknown is asked like
    anybody else, with a salt that is made from his name and `secret`, and `iterations`, as many as those have who are known. `binding` is
    that of the server's own certificate (`mailer.sasl.mechanism`).
    """

    passwords: Mapping[str, str] = field(default_factory=dict, repr=False)
    nonce: Callable[[], str] = str
    binding: bytes = b""
    keys: Callable[[str], ScramKeys | None] | None = None
    secret: bytes = field(default=b"", repr=False)
    iterations: int = LEAST

    def unbound(self) -> Known:
        """What is known where nobody can bind to the certificate."""
        return replace(self, binding=b"") if self.binding else self

    def scram_keys(self, username: str, nonce: bytes) -> ScramKeys:
        """The keys to ask `username` for in the exchange with this `nonce`."""
        if self.keys is not None:
            return self.keys(username) or ScramKeys.imagined(self.secret, username, self.iterations)
        password = self.passwords.get(username, "")
        salt = hashlib.sha256(nonce).digest()[:16]
        return ScramKeys.of(password, salt) if password else ScramKeys.imagined(nonce, username)


NOTHING = Known()
"""Enough for those in which the password travels."""

ServerMechanism = Generator[bytes, bytes, Credentials]


def plain(_: Known) -> ServerMechanism:
    """PLAIN, RFC 4616: one response, ``authorization NUL username NUL password``. Raises `ValueError`."""
    response = yield b""
    authorization, username, password = _text(response, "\0").split("\0")
    if not username or not password:
        raise ValueError("RFC 4616 §2 wants both at least one character long")
    return Credentials("PLAIN", username, password, authorization)


def login(_: Known) -> ServerMechanism:
    """LOGIN, the old mechanism of two questions, in no standard and in every client."""
    username = _text((yield b"Username:"))
    password = _text((yield b"Password:"))
    return Credentials("LOGIN", username, password)


def cram_md5(known: Known) -> ServerMechanism:
    """CRAM-MD5, RFC 2195 §2: the digest of a challenge that is never used again."""
    challenge = f"<{known.nonce()}@localhost>".encode()
    username, _, digest = _text((yield challenge)).rpartition(" ")
    password = known.passwords.get(username, "")
    right = hmac.compare_digest(hmac.new(password.encode(), challenge, "md5").hexdigest(), digest)
    right = right and bool(password)
    return Credentials("CRAM-MD5", username, password if right else "", proved=right)


def scram(known: Known, binding: bytes = b"") -> ServerMechanism:
    """SCRAM-SHA-256, RFC 5802 §5; `binding` is what a client has to bind to. Raises `ValueError`."""
    first = _text((yield b""))
    flag, acting, bare = first.split(",", 2)
    _check_flag(flag, known.binding, bool(binding))
    asked = attributes(bare.encode())
    username, authorization = _name(asked["n"].decode()), _acting(acting)
    nonce = asked["r"] + known.nonce().encode()
    keys = known.scram_keys(username, nonce)
    challenge = b"r=" + nonce + b",s=" + b2a_base64(keys.salt, newline=False) + b",i=%d" % keys.iterations
    final = yield challenge
    said, _, proof = final.rpartition(b",p=")
    answered = attributes(said)
    signature, stored_key = keys.answer(b",".join([bare.encode(), challenge, said]), a2b_base64(proof, strict_mode=True))
    bound = a2b_base64(answered["c"], strict_mode=True) == f"{flag},{acting},".encode() + binding and answered["r"] == nonce
    if not (bound and signature):
        return Credentials("SCRAM-SHA-256", username, "", authorization)
    yield b"v=" + b2a_base64(signature, newline=False)
    return Credentials("SCRAM-SHA-256", username, known.passwords.get(username, ""), authorization, proved=True, stored_key=stored_key)


def _check_flag(flag: str, offered: bytes, bound: bool) -> None:
    """RFC 5802 §6: one who could bind and believes that we cannot, has been deceived. Raises `ValueError`."""
    if flag != "p=tls-server-end-point" if bound else flag not in (("n",) if offered else ("n", "y")):
        raise ValueError(flag)


def _acting(text: str) -> str:
    """The authorization identity of ``a=name``, RFC 5802 §5.1; empty where none is said. Raises `ValueError`."""
    if text and not text.startswith("a="):
        raise ValueError(text)
    return _name(text[2:])


def _name(text: str) -> str:
    """A name among attributes, RFC 5802 §5.1. Raises `ValueError`."""
    if text.count("=") != text.count("=2C") + text.count("=3D"):
        raise ValueError(text)
    return text.replace("=2C", ",").replace("=3D", "=")


def scram_plus(known: Known) -> ServerMechanism:
    """SCRAM-SHA-256-PLUS: bound to our certificate, RFC 5802 §6. Raises `ValueError`."""
    return scram(known, known.binding)


def bearer(_: Known) -> ServerMechanism:
    """OAUTHBEARER, RFC 7628 §3.1: the token is the password."""
    gs2, pairs = _text((yield b""), "\x01").split("\x01", 1)
    username = _acting(gs2.split(",")[1])
    return Credentials("OAUTHBEARER", username, _token(pairs))


def xoauth2(_: Known) -> ServerMechanism:
    """XOAUTH2, what the large providers have instead of OAUTHBEARER."""
    username, pairs = _text((yield b""), "\x01").removeprefix("user=").split("\x01", 1)
    return Credentials("XOAUTH2", username, _token(pairs))


def _token(pairs: str) -> str:
    found = dict(pair.split("=", 1) for pair in pairs.split("\x01") if pair)
    return found["auth"].removeprefix("Bearer ")


MECHANISMS: dict[str, Callable[[Known], ServerMechanism]] = {
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
    """One exchange, from its first challenge to the credentials."""

    def __init__(self, mechanism: str, known: Known) -> None:
        self._mechanism = MECHANISMS[mechanism](known)
        self.challenge = b2a_base64(next(self._mechanism), newline=False)

    def respond(self, line: bytes) -> Credentials | None:
        """The credentials, or None where `challenge` asks for more.

        Raises `BadResponse` for a response that no client would send, and for ``*``, which gives up (RFC 4954 §4, RFC 9051 §6.2.2,
        RFC 5034 §4).
        """
        if line == b"*":
            raise BadResponse(cancelled=True)
        try:
            self.challenge = b2a_base64(self._mechanism.send(a2b_base64(line, strict_mode=True)), newline=False)
        except StopIteration as stop:
            credentials: Credentials = stop.value
            return credentials
        except (ValueError, KeyError, IndexError):  # base 64, or what it holds
            raise BadResponse(cancelled=False) from None
        return None
