"""What every mechanism is on the client's side; `client` and `scram` have them, who speaks a protocol leads them.

A mechanism is given credentials, may have an initial response, and answers challenges. It knows nothing of base 64 and of lines.
A challenge that it does not provide for is answered by `None`, which cancels; `trouble` says why, where there is a reason.

Some bind themselves to the TLS they are spoken in, by ``tls-server-end-point`` (RFC 5929 §4): a digest of the certificate that the
other side has shown. Which digest is up to the certificate: the hash function of its own signature, or SHA-256 in place of MD5 and
SHA-1. So a little of its DER has to be read; nothing of it is trusted or checked here. Of the bindings that there are, this is the one
that Python's TLS can give with every version of TLS.
"""

from __future__ import annotations

import hashlib
from typing import NamedTuple

OAUTH = "OAUTH"
"""In place of the name of a mechanism: any whose secret is a token."""


class CredentialError(ValueError):
    """A name or a secret that no mechanism can carry (a control character, nothing at all); not a byte was said."""


class Channel(NamedTuple):
    """The facts of a session that a mechanism may need besides the credentials. All in ASCII or octets; nothing of it is secret."""

    nonce: str = ""  # fresh for each session, printable and without a comma
    binding: bytes = b""  # tls-server-end-point (RFC 5929 §4), if there is TLS and we know it
    bindings: bool = False  # the server offers a mechanism with it
    authorization: str = ""  # whom to act as, RFC 4422 §3.4.1; empty: who logs in


ANY = Channel()
"""Of a session that nothing is known about."""


class Mechanism:
    """One exchange of SASL (RFC 4422). `name` is what servers call it; `secret` goes over the wire as it is, if `clear`.

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
        """Raises `CredentialError` for what no mechanism may carry: control characters, nothing at all."""
        what = "token" if self.token else "password"
        if not channel.authorization.isprintable():
            raise CredentialError("the name to act as holds a control character")
        for which, text in () if self.certificate else (("username", username), (what, secret)):
            if not text or not text.isprintable() or (self.token and " " in text):
                # the text itself is not shown: it may be the password
                raise CredentialError(f"the {which} is empty or holds a control character (a line end, perhaps)")
        self.username = username.encode()
        self.secret = secret.encode()
        self.authorization = channel.authorization.encode()
        self.channel = channel
        self.trouble = ""
        self._said = False

    def initial(self) -> bytes | None:
        """The response that can be said with the command itself; None if there is none."""
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


_HASHES = {
    "1.2.840.113549.1.1.4": "sha256",  # MD5 with RSA, replaced
    "1.2.840.113549.1.1.5": "sha256",  # SHA-1 with RSA, replaced
    "1.2.840.113549.1.1.11": "sha256",
    "1.2.840.113549.1.1.12": "sha384",
    "1.2.840.113549.1.1.13": "sha512",
    "1.2.840.113549.1.1.14": "sha224",
    "1.2.840.10045.4.1": "sha256",  # SHA-1 with ECDSA, replaced
    "1.2.840.10045.4.3.1": "sha224",
    "1.2.840.10045.4.3.2": "sha256",
    "1.2.840.10045.4.3.3": "sha384",
    "1.2.840.10045.4.3.4": "sha512",
    "2.16.840.1.101.3.4.2.1": "sha256",  # the hash alone, as RSASSA-PSS names it
    "2.16.840.1.101.3.4.2.2": "sha384",
    "2.16.840.1.101.3.4.2.3": "sha512",
    "2.16.840.1.101.3.4.2.4": "sha224",
    "1.3.14.3.2.26": "sha256",  # SHA-1, replaced
}
_PSS = "1.2.840.113549.1.1.10"
_SEQUENCE, _OID = 0x30, 0x06


def server_end_point(certificate: bytes) -> bytes:
    """The binding for a certificate in DER; empty where RFC 5929 defines none (Ed25519, for one), or if it cannot be read."""
    try:
        name = _HASHES[_signature_hash(certificate)]
    except (KeyError, IndexError, ValueError):
        return b""
    return hashlib.new(name, certificate).digest()


def _signature_hash(certificate: bytes) -> str:
    """The object identifier that says with which hash function `certificate` is signed."""
    start, _ = _inside(certificate, 0, _SEQUENCE)
    _, start = _inside(certificate, start, _SEQUENCE)  # past what is signed
    start, end = _inside(certificate, start, _SEQUENCE)  # the algorithm
    first, after = _inside(certificate, start, _OID)
    identifier = _dotted(certificate[first:after])
    if identifier != _PSS:
        return identifier
    start, _ = _inside(certificate, after, _SEQUENCE)  # its parameters, the first of which is the hash function
    if start >= end or certificate[start] != 0xA0:
        return "1.3.14.3.2.26"  # not said: SHA-1
    start, _ = _inside(certificate, start, 0xA0)
    start, _ = _inside(certificate, start, _SEQUENCE)
    return _dotted(certificate[slice(*_inside(certificate, start, _OID))])


def _inside(data: bytes, at: int, tag: int) -> tuple[int, int]:
    """Where the value at `at` begins and ends, which has to have this tag."""
    if data[at] != tag:
        raise ValueError
    length, start = data[at + 1], at + 2
    if length & 0x80:
        count = length & 0x7F
        length, start = int.from_bytes(data[start : start + count], "big"), start + count
    if start + length > len(data):
        raise ValueError
    return start, start + length


def _dotted(raw: bytes) -> str:
    numbers, number = [raw[0] // 40, raw[0] % 40] if raw[0] < 80 else [2, raw[0] - 80], 0
    for octet in raw[1:]:
        number = number << 7 | octet & 0x7F
        if not octet & 0x80:
            numbers.append(number)
            number = 0
    return ".".join(map(str, numbers))
