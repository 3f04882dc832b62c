"""The server's side of AUTH (RFC 4954): an exchange asks until the credentials are complete.

A mechanism is a generator: it yields challenges, is sent the client's responses, and returns an `Auth`.
Whether the password is right is for the policy to say.
"""

from __future__ import annotations

from binascii import a2b_base64, b2a_base64
from collections.abc import Callable, Generator

from .inbound import Refused
from .question import Auth

Mechanism = Generator[bytes, bytes, Auth]


def plain() -> Mechanism:
    """RFC 4616: one response, ``authorization NUL username NUL password``."""
    response = yield b""
    authorization, username, password = _text(response, "\0").split("\0")
    if not username or not password:
        raise ValueError("RFC 4616 §2 wants both at least one character long")
    return Auth("PLAIN", username, password, authorization)


def login() -> Mechanism:
    """The old mechanism of two questions, in no standard and in every client."""
    username = _text((yield b"Username:"))
    password = _text((yield b"Password:"))
    return Auth("LOGIN", username, password)


MECHANISMS: dict[str, Callable[[], Mechanism]] = {"PLAIN": plain, "LOGIN": login}


def _text(response: bytes, allowed: str = "") -> str:
    text = response.decode()  # a UnicodeDecodeError is a ValueError
    if any(not char.isprintable() and char not in allowed for char in text):
        raise ValueError("credentials with control characters")
    return text


class Exchange:
    """One AUTH command, from its first challenge to the credentials."""

    def __init__(self, mechanism: str) -> None:
        self._mechanism = MECHANISMS[mechanism]()
        self.challenge = b2a_base64(next(self._mechanism), newline=False)

    def respond(self, line: bytes) -> Auth | None:
        """The credentials, or None where `challenge` asks for more.

        Raises `Refused` for a response that no client would send, and for ``*``, which gives up (RFC 4954 §4).
        """
        if line == b"*":
            raise Refused(501, "5.0.0", "cancelled as you asked")
        try:
            self.challenge = b2a_base64(self._mechanism.send(a2b_base64(line, strict_mode=True)), newline=False)
        except StopIteration as stop:
            credentials: Auth = stop.value
            return credentials
        except ValueError:  # base 64, or what it holds
            raise Refused(501, "5.5.2", "the response cannot be read") from None
        return None
