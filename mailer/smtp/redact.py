"""What a server says back to us of our own secret, taken out: replies end up in logs, in records, in reports and in errors.

No server should repeat what was said in AUTH, and some do: ``501 syntax error: AUTH PLAIN AGJvYgBzM2NyZXQ=``, or an hour later in
the answer to a RCPT, or in base 64 over two lines. A `Veil` hangs before the ears of a session from its AUTH to its end, so that nothing
of it is in any text that is kept. It knows the secret by its value, in every form that it is sent in, and looks whatever blanks,
line ends and capitals stand between.
"""

from __future__ import annotations

import json
import re
import unicodedata
from binascii import Error as Base64Error
from binascii import a2b_base64, b2a_base64
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .reply import Reply

HIDDEN = "***"
SHORTEST = 4  # characters; a shorter secret is found everywhere
KEPT = 16  # replies that were looked through

_WORD = re.compile(r"[A-Za-z0-9+/]{4,}={0,2}")


class Veil:
    """Hides `secret`, and what is added; hides nothing if it is empty or hardly a secret: then there are no `forms` of it."""

    __slots__ = ("_harmless", "_secret", "forms")

    def __init__(self, secret: str = "") -> None:
        self._secret = secret.encode(errors="surrogatepass")
        self.forms: set[str] = set()
        self._harmless: set[Reply] = set()  # a server says "250 2.1.5 Ok" all day long
        for form in _forms(secret) if len(secret) >= SHORTEST else ():
            self._hide(form)

    def add(self, line: bytes) -> None:
        """Hide what was said in AUTH, too: the last word of a line. RFC 4954 §4"""
        words = line.split()
        if len(words) != 2 or words[0] != b"AUTH":  # ``AUTH PLAIN`` alone is no secret
            self._hide(words[-1].rstrip(b"=").decode("latin-1") if words else "")

    def reply(self, reply: Reply) -> Reply:
        """`reply` without any of it. Where it goes over several lines, none of them is left."""
        if reply in self._harmless:
            return reply
        if not self._shows("".join(reply.lines)):
            if len(self._harmless) >= KEPT:
                self._harmless.clear()
            self._harmless.add(reply)
            return reply
        lines = tuple(map(self.text, reply.lines))
        return reply._replace(lines=(HIDDEN,) if self._shows("".join(lines)) else lines)

    def text(self, text: str) -> str:
        """The same for one line."""
        if not self._shows(text):
            return text
        text = _WORD.sub(self._word, text)
        for start, end in reversed(self._places(text)):
            text = text[:start] + HIDDEN + text[end:]
        return HIDDEN if self._shows(text) else text

    def _places(self, text: str) -> list[tuple[int, int]]:
        """Where in `text` a form stands: from and to, in order, none within another."""
        bare = _bare(text)
        origin = [at for at, character in enumerate(text) if not character.isspace() for _ in character.casefold()]
        places: list[tuple[int, int]] = []
        for start, end in sorted((origin[at], origin[at + len(form) - 1] + 1) for form in self.forms for at in _each(form, bare)):
            if places and start < places[-1][1]:
                places[-1] = places[-1][0], max(end, places[-1][1])
            else:
                places.append((start, end))
        return places

    def _hide(self, form: str) -> None:
        form = _bare(form)
        if len(form) >= SHORTEST:
            self.forms.add(form)
            self._harmless.clear()

    def _shows(self, text: str) -> bool:
        bare = _bare(text)
        return any(form in bare for form in self.forms)

    def _word(self, found: re.Match[str]) -> str:
        return HIDDEN if self._secret in _decoded(found[0]) else found[0]


OPEN = Veil()
"""Before AUTH, and where there is none."""


def _bare(text: str) -> str:
    return "".join(text.split()).casefold()


def _each(form: str, bare: str) -> Iterator[int]:
    """Where `form` stands in `bare`."""
    at = bare.find(form)
    while at >= 0:
        yield at
        at = bare.find(form, at + 1)


def _forms(secret: str) -> Iterator[str]:
    """As it is, as SCRAM has it (RFC 4013), as URLs and JSON have it, in hexadecimal, and in base 64 wherever in a message it stands."""
    octets = secret.encode(errors="surrogatepass")
    yield secret
    yield unicodedata.normalize("NFKC", secret)
    yield "".join(chr(octet) if chr(octet).isalnum() and octet < 128 else f"%{octet:02x}" for octet in octets)
    yield json.dumps(secret)[1:-1]
    yield octets.hex()
    for before in range(3):
        whole = b2a_base64(bytes(before) + octets, newline=False).decode()
        own = whole[-(-before * 8 // 6) : (before + len(octets)) * 8 // 6]  # the characters that no neighbour has a part in
        yield own
        yield own.replace("+", "-").replace("/", "_")


def _decoded(word: str) -> bytes:
    """What `word` says in base 64; a word that is none says nothing. Padding may be missing."""
    bare = word.rstrip("=")
    try:
        return a2b_base64(bare + "=" * (-len(bare) % 4))
    except Base64Error:
        return b""
