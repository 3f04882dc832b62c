"""The client's side: mechanisms as small state machines, strongest first.

A mechanism that the server offers and then refuses, as mechanism and not for the password, is followed by the next one;
`mailer.smtp.handshake` does that.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Mapping

from .mechanism import ANY, OAUTH, Channel, Mechanism
from .scram import Scram, ScramPlus, escaped


class Plain(Mechanism):
    """PLAIN, RFC 4616: one message, ``authorization NUL username NUL password``."""

    name = "PLAIN"
    deaf = True
    acts = True

    def initial(self) -> bytes | None:
        """All there is."""
        return self.authorization + b"\0" + self.username + b"\0" + self.secret

    def answer(self, challenge: bytes) -> bytes | None:  # noqa: ARG002 - empty, or a word such as "go ahead"
        """To a server that ignored the initial response, or was not sent one: the same, once."""
        return self._once(self.initial())


class LoginMechanism(Mechanism):
    """LOGIN, the old mechanism of two questions, in no standard; what the questions say varies, their order does not."""

    name = "LOGIN"
    deaf = True

    def __init__(self, username: str, secret: str, channel: Channel = ANY) -> None:
        super().__init__(username, secret, channel)
        self._left = [self.secret, self.username]

    def answer(self, challenge: bytes) -> bytes | None:  # noqa: ARG002 - "Username:", or anything else
        """The username, then the password."""
        return self._left.pop() if self._left else None


class CramMd5(Mechanism):
    """CRAM-MD5, RFC 2195 §2: the password proves itself in a digest of the server's challenge. The server proves nothing."""

    name = "CRAM-MD5"
    clear = False

    @property
    def used(self) -> bool:
        """Whether the digest has been said."""
        return self._said

    def answer(self, challenge: bytes) -> bytes | None:
        """The name and the digest."""
        if not challenge:
            return None
        return self._once(self.username + b" " + hmac.new(self.secret, challenge, "md5").hexdigest().encode())


class _Bearer(Mechanism):
    """An OAuth access token, shown as it is; whoever sees it may use it until it expires."""

    token = True
    _acknowledgement = b""

    def answer(self, challenge: bytes) -> bytes | None:
        """The token, once, to a server that asks for it; to one that says in JSON why it refuses, what makes it say so in its protocol."""
        if not challenge:
            return self._once(self.initial())
        if self.trouble:
            return None
        self.trouble = "the server refuses the token"
        return self._acknowledgement


class OAuthBearer(_Bearer):
    """OAUTHBEARER: an access token, RFC 7628 §3."""

    name = "OAUTHBEARER"
    acts = True
    _acknowledgement = b"\x01"  # RFC 7628 §3.2.3

    def initial(self) -> bytes | None:
        """The token; the host and the port, which RFC 7628 §3.1 allows, are known to the server."""
        return b"n,a=" + escaped(self.authorization or self.username) + b",\x01auth=Bearer " + self.secret + b"\x01\x01"


class XOAuth2(_Bearer):
    """XOAUTH2: an access token, older than OAUTHBEARER, in no standard, and what the large providers have."""

    name = "XOAUTH2"

    def initial(self) -> bytes | None:
        """All there is."""
        return b"user=" + self.username + b"\x01auth=Bearer " + self.secret + b"\x01\x01"


class External(Mechanism):
    """EXTERNAL, RFC 4422 Appendix A: TLS has shown our certificate; what is said is whom to act as, and mostly that is nothing."""

    name = "EXTERNAL"
    clear = False
    deaf = True
    acts = True
    certificate = True

    def initial(self) -> bytes | None:
        """All there is."""
        return self.authorization

    def answer(self, challenge: bytes) -> bytes | None:  # noqa: ARG002 - it is empty
        """The authorization again, once, if it was not taken with the command."""
        return self._once(self.initial())


MECHANISMS: Mapping[str, type[Mechanism]] = {
    kind.name: kind for kind in (OAuthBearer, XOAuth2, ScramPlus, Scram, CramMd5, Plain, LoginMechanism, External)
}
"""In the order in which we would have them."""


def candidates(
    offered: Iterable[str], wanted: str | type[Mechanism] = "", *, binding: bool = False, acts: bool = False
) -> list[type[Mechanism]]:
    """Our mechanisms that are `offered` (names in capitals), strongest first.

    `wanted` is the name of one, or one of somebody else's; empty, all that take a password; `OAUTH`, all that take a token. `binding`:
    we know what binds a mechanism to the TLS that it is used in. `acts`: those only that can say whom to act as. EXTERNAL has to be
    wanted by name.
    """
    offered = frozenset(offered)
    ours = known(wanted, acts=acts)
    return [kind for kind in ours if kind.name in offered and (binding or not kind.bound)]


def known(wanted: str | type[Mechanism] = "", *, acts: bool = False) -> list[type[Mechanism]]:
    """Our mechanisms of which one is `wanted`, whether or not a server offers any, strongest first; as for `candidates`."""
    if isinstance(wanted, type):
        return [wanted]
    usual = wanted in ("", OAUTH)
    return [
        kind
        for kind in MECHANISMS.values()
        if (kind.acts or not acts) and (kind.name == wanted or (usual and kind.token is (wanted == OAUTH) and not kind.certificate))
    ]
