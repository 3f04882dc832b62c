"""What every mechanism of AUTH is on the client's side; `sasl` and `scram` have them, `opening` leads them.

A mechanism is given credentials, may have an initial response, and answers challenges. It knows nothing of base 64 and of lines.
A challenge that it does not provide for is answered by `None`, which cancels; `trouble` says why, where there is a reason.
"""

from __future__ import annotations

from typing import NamedTuple

from .errors import CommandError


class Channel(NamedTuple):
    """What a mechanism may need of the session besides the credentials. All in ASCII or octets; nothing of it is secret."""

    nonce: str = ""  # fresh for each session, printable and without a comma
    binding: bytes = b""  # tls-server-end-point (RFC 5929 §4), if there is TLS and we know it
    bindings: bool = False  # the server offers a mechanism with it
    authorization: str = ""  # whom to act as, RFC 4422 §3.4.1; empty: who logs in


ANY = Channel()
"""Of a session that nothing is known about."""


class Mechanism:
    """One exchange. `name` is what EHLO calls it; `secret` goes over the wire as it is, if `clear`.

    `token`: the secret is an OAuth access token, not a password. `bound`: it needs `Channel.binding`. `deaf`: what a challenge says
    makes no difference to it, so that one which is no base 64 is as good as any. `acts`: it can say `Channel.authorization`.
    `certificate`: TLS has told who we are, and there is no secret.
    """

    name = ""
    clear = True
    token = False
    bound = False
    deaf = False
    acts = False
    certificate = False

    def __init__(self, username: str, secret: str, channel: Channel = ANY) -> None:
        """Raises `CommandError` for what no mechanism may carry: control characters, nothing at all."""
        what = "token" if self.token else "password"
        if not channel.authorization.isprintable():
            raise CommandError("the name to act as holds a control character")
        for which, text in () if self.certificate else (("username", username), (what, secret)):
            if not text or not text.isprintable() or (self.token and " " in text):
                # the text itself is not shown: it may be the password
                raise CommandError(f"the {which} is empty or holds a control character (a line end, perhaps)")
        self.username = username.encode()
        self.secret = secret.encode()
        self.authorization = channel.authorization.encode()
        self.channel = channel
        self.trouble = ""
        self._said = False

    def initial(self) -> bytes | None:
        """What can be said with the AUTH command itself."""
        return None

    def answer(self, challenge: bytes) -> bytes | None:
        """The response to `challenge`, or None to cancel."""
        raise NotImplementedError

    @property
    def proved(self) -> bool:
        """Whether the server may say that we are in: where a mechanism wants a proof from it too, it has given it."""
        return True

    @property
    def used(self) -> bool:
        """Whether the secret was used: then a refusal may be about the secret, before only about the mechanism."""
        return True

    def _once(self, response: bytes | None) -> bytes | None:
        """`response`, the first time; None then, for a server that asks for it again and again."""
        said, self._said = self._said, True
        return None if said else response
