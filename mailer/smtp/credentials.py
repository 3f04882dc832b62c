"""The server's side of AUTH (RFC 4954): each mechanism asks until the credentials are complete.

A mechanism is a generator: it yields challenges, is sent the client's responses, and returns an `Auth`.
Base 64 and the `334` lines are `Server`'s; whether the password is right is for the policy to say.
A response that no client would send raises `ValueError`.
"""

from __future__ import annotations

from collections.abc import Callable, Generator

from .question import Auth

Exchange = Generator[bytes, bytes, Auth]


def plain() -> Exchange:
    """RFC 4616: one response, ``authorization NUL username NUL password``."""
    response = yield b""
    authorization, username, password = _text(response, "\0").split("\0")
    if not username or not password:
        raise ValueError("RFC 4616 §2 wants both at least one character long")
    return Auth("PLAIN", username, password, authorization)


def login() -> Exchange:
    """The old mechanism of two questions, in no standard and in every client."""
    username = _text((yield b"Username:"))
    password = _text((yield b"Password:"))
    return Auth("LOGIN", username, password)


MECHANISMS: dict[str, Callable[[], Exchange]] = {"PLAIN": plain, "LOGIN": login}


def _text(response: bytes, allowed: str = "") -> str:
    text = response.decode()  # a UnicodeDecodeError is a ValueError
    if any(not char.isprintable() and char not in allowed for char in text):
        raise ValueError("credentials with control characters")
    return text
