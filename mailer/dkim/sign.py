"""Signing: the DKIM-Signature fields that a message gets when it leaves, one for each key.

What is in the signature, and why:

- ``c=relaxed/relaxed``: systems on the way may fold the header anew and take blanks from the ends of lines.
- ``h=`` names each field of `SEALED` once more than the message has it. So a second From or Subject that somebody puts
  above a signed message, and that a mail program would show, breaks the signature (RFC 6376 §5.4.2, §8.15). The fields of
  `KEPT` are signed as often as they are there: systems on the way may add them.
- never ``l=``: it would let anybody append to a signed message (RFC 6376 §8.2).
- ``x=``: a signed message that somebody kept is not to be sent again and again in our name for ever.

8-bit text is encoded before it is signed, where that can be: a system on the way that takes only 7 bits would do it
later and break the signature (RFC 6376 §5.3).

DMARC asks that the domain of a signature is that of the From field, or part of the same organisation (RFC 7489 §3.1.1). So
the key that signs is that of the very domain, else that of the nearest domain above it which has one: mail from
``news.shop.example.com`` is signed by ``shop.example.com`` if that has a key, else by ``example.com``. Nobody has a key for a
public suffix, so no list of those is needed. Mail from a domain of somebody else is not signed: no key fits.
"""

from __future__ import annotations

import re
from base64 import b64encode
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from mailer.mail.address import AddressError, parse
from mailer.mail.address_list import in_header
from mailer.mail.domain import ascii_domain
from mailer.mail.downgrade import seven_bit
from mailer.mail.message import PIECE, Message, blocks, header_end

from .canonical import FOLD, WSP, RelaxedBody, relaxed_body, relaxed_value

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from .key import PrivateKey

T = TypeVar("T")

SEALED = (
    b"from", b"to", b"cc", b"subject", b"date", b"reply-to", b"message-id", b"mime-version", b"content-type",
    b"list-unsubscribe", b"list-unsubscribe-post",
)  # fmt: skip
"""Fields that nobody may add, change or take away."""

KEPT = (
    b"sender", b"in-reply-to", b"references", b"content-transfer-encoding", b"auto-submitted", b"list-id", b"list-help",
    b"list-subscribe", b"list-post", b"list-owner", b"list-archive", b"feedback-id", b"resent-from", b"resent-sender",
    b"resent-to", b"resent-cc", b"resent-date", b"resent-message-id",
)  # fmt: skip
"""Fields that nobody may change, RFC 6376 §5.4.1."""

WIDTH = 72  # of the folded lines, less than the 78 of RFC 5322 §2.1.1

_KEPT = frozenset(KEPT)
_SIGNED = _KEPT.union(SEALED)


@dataclass(frozen=True, slots=True)
class Seal:
    """A signer: the `key` that is published for `selector` at `domain`; a signature holds for `lifetime` seconds."""

    domain: str
    selector: str
    key: PrivateKey
    lifetime: float


class SealedPart(NamedTuple):
    """A signature but for its value: the field up to there, and whose `key` is to sign what `digest` (SHA-256) stands for."""

    field: bytes
    key: PrivateKey
    digest: bytes


class UnsignedMessage(NamedTuple):
    """A message that lacks nothing but the values of its signatures, which stand above `content` and sign that."""

    content: bytes
    parts: Sequence[SealedPart]

    def signed(self, values: Iterable[bytes]) -> bytes:
        """The message with its signatures, whose `values` are those of `parts`."""
        fields = [_field(part.field, b64encode(value)) for part, value in zip(self.parts, values, strict=True)]
        return b"".join((*fields, self.content))


def sign(content: bytes, seals: Iterable[Seal], at: float) -> bytes:
    """`content` with a signature of each of `seals`, made `at` (seconds since the epoch); see `draft`."""
    drawn = draft(content, seals, at)
    return drawn.signed([part.key.sign_digest(part.digest) for part in drawn.parts])


def draft(content: bytes, seals: Iterable[Seal], at: float) -> UnsignedMessage:
    """Everything of `sign` but what takes a private key.

    `content` is a message as the spool has it, normalised. What it holds that is 8-bit is 7-bit afterwards, unless somebody
    else has signed it, or no standard says how.
    """
    if not content.isascii():
        content = seven_bit(content) or content
    end = header_end(content)
    names, fields = selected(content[: max(end - 2, 0)])
    digest = b64encode(body_hash(content, end + 2 if content.startswith(b"\r\n", end) else end))
    return UnsignedMessage(content, [_part(seal, names, fields, digest, at) for seal in seals])


def body_hash(content: bytes, start: int) -> bytes:
    """SHA-256 of the body, which begins at `start`, in relaxed form, RFC 6376 §3.7.

    A large one is never copied, nor is the interpreter held long for it.
    """
    if len(content) - start <= PIECE:
        return sha256(relaxed_body(content[start:])).digest()
    made = sha256()
    body = RelaxedBody(made.update)
    for block in blocks(content, start):
        body.feed(block)
    body.end()
    return made.digest()


def selected(header: bytes) -> tuple[bytes, bytes]:
    """What ``h=`` names, folded, and the fields that it names in canonical form, each with its line end."""
    found: dict[bytes, list[bytes]] = {}
    if b"\r\n " in header or b"\r\n\t" in header:
        header = FOLD.sub(b"", header)
    for line in header.split(b"\r\n"):
        name, _, value = line.partition(b":")
        name = name.rstrip(WSP).lower()
        if name in _SIGNED:
            found.setdefault(name, []).append(b"%b:%b\r\n" % (name, relaxed_value(value)))
    names: list[bytes] = []
    fields: list[bytes] = []
    for name in SEALED:
        there = found.get(name, ())
        names += [name] * (len(there) + 1)
        fields += reversed(there)  # the last one first, RFC 6376 §5.4.2
    for name in sorted(_KEPT.intersection(found)):
        names += [name] * len(found[name])
        fields += reversed(found[name])
    return _folded(tuple(names)), b"".join(fields)


@lru_cache(256)  # most mail has the same fields
def _folded(names: Iterable[bytes]) -> bytes:
    """The names with colons, in lines. RFC 6376 §3.5 allows a fold at each colon."""
    lines = [b""]
    for name in names:
        if len(lines[-1]) + len(name) > WIDTH:
            lines.append(b"")
        lines[-1] += name + b":"
    return b"\r\n\t".join(lines)[:-1]


def _part(seal: Seal, names: bytes, fields: bytes, digest: bytes, at: float) -> SealedPart:
    """The field's canonical form has a blank where it is folded; RFC 6376 §3.7: ``b=`` is empty there."""
    what, when = f"v=1; a={seal.key.algorithm}; c=relaxed/relaxed; d={seal.domain};", f"t={int(at)}; x={int(at + seal.lifetime)};"
    facts = f"{what}\r\n\ts={seal.selector}; {when}".encode()
    text = b"%b\r\n\th=%b;\r\n\tbh=%b;\r\n\tb=" % (facts, names, digest)
    return SealedPart(text, seal.key, sha256(b"%bdkim-signature:%b" % (fields, text.replace(b"\r\n\t", b" "))).digest())


def _field(text: bytes, value: bytes) -> bytes:
    """The whole field, with its line end."""
    return b"DKIM-Signature: %b%b\r\n" % (text, folded(value))


def folded(value: bytes) -> bytes:
    """Base64 in lines, as ``b=`` may have it."""
    return b"\r\n\t".join([value[start : start + WIDTH] for start in range(0, len(value), WIDTH)])


_FROM = re.compile(rb"(?:\A|\r\n)from[ \t]*:", re.IGNORECASE)
_PLAIN = re.compile(rb"(?:[\w .-]*<| *)[\w.+=-]+@([A-Za-z0-9.-]+)>?\r\n(?![ \t])", re.ASCII)
"""How nearly all From fields look. What it finds, the reader of addresses finds too; it only takes longer."""


def domains(content: bytes) -> Iterator[str]:
    """The domains of the From field of `content`, a normalised message, as the DNS has them.

    A second From field makes the message wrong (RFC 5322 §3.6); it does not decide who signs.
    """
    end = header_end(content)
    field = _FROM.search(content, 0, end)
    if field is None:
        return
    if plain := _PLAIN.match(content, field.end(), end):
        yield plain[1].decode().lower()
        return
    for text in in_header(next(Message.split(content[:end]).values(b"from"), "")):
        try:
            yield ascii_domain(parse(text).domain)
        except (AddressError, ValueError):
            continue


def nearest(domain: str, known: Mapping[str, T]) -> T | None:
    """What `known` has for `domain`, or for the nearest domain above it; None if that is nothing."""
    while domain:
        if (found := known.get(domain)) is not None:
            return found
        domain = domain.partition(".")[2]
    return None
