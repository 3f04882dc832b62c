"""The client's side of AUTH (RFC 4954): mechanisms as small state machines, strongest first.

A mechanism is given credentials, may have an initial response, and answers challenges. It knows nothing of
base 64 and of lines; `mailer.smtp.opening` does. A challenge that the mechanism does not provide for is
answered by `None`, which cancels.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from .errors import CommandError


class Mechanism:
    """One exchange. `name` is what EHLO calls it; `secret` goes over the wire as it is, if `clear`."""

    name = ""
    clear = True

    def __init__(self, username: str, secret: str) -> None:
        """Raises `CommandError` for what no mechanism may carry: control characters, nothing at all."""
        for what, text in (("username", username), ("password", secret)):
            if not text or not text.isprintable():
                # the text itself is not shown: it may be the password
                raise CommandError(f"the {what} is empty or holds a control character (a line end, perhaps)")
        self.username = username.encode()
        self.secret = secret.encode()

    def initial(self) -> bytes | None:
        """What can be said with the AUTH command itself."""
        return None

    def answer(self, challenge: bytes) -> bytes | None:
        """The response to `challenge`, or None to cancel."""
        raise NotImplementedError


class Plain(Mechanism):
    """RFC 4616: one message, ``authorization NUL username NUL password``; we act as ourselves."""

    name = "PLAIN"

    def initial(self) -> bytes | None:
        """All there is."""
        return b"\0" + self.username + b"\0" + self.secret

    def answer(self, challenge: bytes) -> bytes | None:
        """To a server that ignored the initial response, or was not sent one: the same, once."""
        return None if challenge else self.initial()


class Login(Mechanism):
    """The old mechanism of two questions, in no standard; what the questions say varies, their order does not."""

    name = "LOGIN"

    def __init__(self, username: str, secret: str) -> None:
        super().__init__(username, secret)
        self._left = [self.secret, self.username]

    def answer(self, challenge: bytes) -> bytes | None:  # noqa: ARG002 - "Username:", or anything else
        """The username, then the password."""
        return self._left.pop() if self._left else None


MECHANISMS: Mapping[str, type[Mechanism]] = {kind.name: kind for kind in (Plain, Login)}
"""In the order in which we would have them."""


def choose(offered: Iterable[str]) -> type[Mechanism] | None:
    """The first of ours that is `offered` (names in capitals)."""
    offered = frozenset(offered)
    return next((kind for name, kind in MECHANISMS.items() if name in offered), None)
