"""Verifying: which signatures of a message hold, and for each that does not, why.

The work is bounded, for a stranger chooses what there is to do: at most `MOST` signatures are looked at, each costs one
question to the DNS, and keys have at most 8192 bits. The words for results are those of RFC 8601 §2.7.1:

=========  ===================================================================================================
pass       the key that the domain publishes made this signature, of this message
fail       it did not, or the signature is no longer or not yet to be believed
policy     it says itself that it leaves part of the message open (``l=``), to which anybody may append
temperror  the DNS gave no answer; another time it may
permerror  the signature or the key is no such thing
neutral    it was not looked at, for there are too many
=========  ===================================================================================================

    for claim in claims(content, at):
        result = claim.result or claim.check(<the TXT records of claim.name>)
"""

from __future__ import annotations

import re
from base64 import b64decode
from binascii import Error as Base64Error
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple

from mailer.mail.domain import ascii_domain
from mailer.mail.message import Message, header_end

from .canonical import BLANKS, BODIES, FIELDS, TagError, read_tags, simple_body, without_blanks
from .key import ALGORITHMS, KeyProblem, name, public_key
from .sign import body_hash

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

MOST = 5  # signatures that are looked at
SKEW = 300.0  # seconds by which the clock of a signer may be ahead of ours
MARK = 12  # characters of ``b=`` that tell signatures apart, RFC 6008 §4 asks for 8
LONGEST_MARK = 100  # characters in which they are looked for, with blanks and folds
REMEMBERED = 1000  # characters of ``h=`` that are remembered as they were read
NEEDED = ("v", "a", "b", "bh", "d", "h", "s")  # RFC 6376 §3.5

_NUMBER = re.compile(r"[0-9]{1,12}")


class Result(NamedTuple):
    """What became of a signature: the word, and the reason in words."""

    word: str
    why: str


class _Refused(Exception):
    """It is decided; the result is the argument."""

    @property
    def result(self) -> Result:
        result = self.args[0]
        assert isinstance(result, Result)
        return result


def _broken(why: str) -> _Refused:
    return _Refused(Result("permerror", why))


@dataclass(slots=True)
class SignatureClaim:
    """One signature of a message: who claims to answer for it, and the `result` as far as it can be told without the key."""

    domain: str = ""
    selector: str = ""
    algorithm: str = ""
    result: Result | None = None
    mark: str = ""
    """The first characters of ``b=``: what tells this signature from others, RFC 6008 §4."""
    bits: int = 0
    """Of the key, once that is known."""

    _check: _Check | None = field(default=None, repr=False)

    @property
    def name(self) -> str:
        """Where in the DNS the key is."""
        return name(self.selector, self.domain)

    @property
    def signed(self) -> Sequence[bytes]:
        """The names of the fields that it is about, in small letters; none where it is no signature."""
        return self._check.names if self._check is not None else ()

    def check(self, records: Sequence[str]) -> Result:
        """The result with the TXT records of `name`, each in one piece."""
        assert self._check is not None
        try:
            self.result = self._decide(self._check, records)
        except _Refused as refused:
            self.result = refused.result
        return self.result

    def hash_body(self) -> None:
        """Do now what takes long of a large message, where it has to be done at all; `check` has it then."""
        if self._check is not None and self.result is None:
            self._check.body_holds()

    def trouble(self, why: str) -> Result:
        """The result where the DNS would not answer."""
        self.result = Result("temperror", f"{self.name}: {why}")
        return self.result

    def _decide(self, check: _Check, records: Sequence[str]) -> Result:
        if len(records) != 1:
            raise _broken(f"there is no key at {self.name}" if not records else f"there are {len(records)} records at {self.name}, not one")
        try:
            key = public_key(records[0])
        except KeyProblem as problem:
            raise _broken(f"{self.name}: {problem}") from None
        self.bits = key.bits
        if ALGORITHMS[key.kind] != self.algorithm:
            raise _broken(f"{self.algorithm} cannot be made with the {key.kind} key at {self.name}")
        if key.strict and check.identity != self.domain:  # RFC 6376 §3.6.1
            raise _broken(f"the key at {self.name} is not for mail of {check.identity}")
        if not check.body_holds():
            return Result("fail", "the body is not the one that was signed")
        if not key.holds(check.signature, check.signed()):
            return Result("fail", "the header is not the one that was signed, or the key is another")
        return Result("pass", "the key is in its test phase" if key.testing else "")


class _Check(NamedTuple):
    """What is left to do when the key is known."""

    message: SignedMessage
    forms: tuple[str, str]
    names: Sequence[bytes]
    own: tuple[bytes, bytes]
    signature: bytes
    body_hash: bytes
    identity: str

    def body_holds(self) -> bool:
        return self.message.body_hash(self.forms[1]) == self.body_hash

    def signed(self) -> bytes:
        """What the signature is made of: the fields from the last one up, then its own without ``b=``. RFC 6376 §3.7, §5.4.2"""
        form, fields = FIELDS[self.forms[0]], self.message.fields
        lines: list[bytes] = []
        left: dict[bytes, int] = {}
        for wanted in self.names:
            if (there := fields.get(wanted)) and (at := left.get(wanted, len(there))):
                lines.append(form(*there[at - 1]))
                left[wanted] = at - 1
        return b"\r\n".join([*lines, form(*self.own)])


class SignedMessage:
    """A message, taken apart once for all its signatures. `fields` has the name as written and the value of each, by lower-case name."""

    def __init__(self, content: bytes) -> None:
        end = header_end(content)
        self.fields: dict[bytes, list[tuple[bytes, bytes]]] = {}
        for known_as, raw in Message(content[:end], b"").fields():
            written, _, value = raw.partition(b":")
            self.fields.setdefault(known_as, []).append((written, value))
        self._content = content
        self._start = end + 2 if content.startswith(b"\r\n", end) else end
        self._hashes: dict[str, bytes] = {}

    def body_hash(self, form: str) -> bytes:
        """SHA-256 of the body in one of the canonical forms."""
        if form not in self._hashes:
            self._hashes[form] = self._hashed(form)
        return self._hashes[form]

    def _hashed(self, form: str) -> bytes:
        if form == "relaxed":
            return body_hash(self._content, self._start)
        return sha256(simple_body(self._content[self._start :])).digest()


def claims(content: bytes, at: float) -> Iterator[SignatureClaim]:
    """The signatures of `content`, whose header is normalised, from above; judged `at` (seconds since the epoch).

    The body is judged as it is: only CRLF ends a line of it, and any other CR or LF is text.
    """
    return claims_of(SignedMessage(content), at)


def claims_of(message: SignedMessage, at: float) -> Iterator[SignatureClaim]:
    """As `claims`, of a message that is taken apart already."""
    for number, own in enumerate(message.fields.get(b"dkim-signature", ())):
        if number == MOST:
            yield SignatureClaim(result=Result("neutral", f"only {MOST} signatures are looked at"))
            return
        yield claim_of(message, own, at)


def claim_of(message: SignedMessage, own: tuple[bytes, bytes], at: float, *, in_chain: bool = False) -> SignatureClaim:
    """The signature that the field `own` is, its name as written and its value.

    One in a chain is an ARC-Message-Signature: it has no version, and ``i=`` is its place in the chain (RFC 8617 §4.1.2).
    """
    claim = SignatureClaim()
    try:
        text = own[1].decode("utf-8", "replace")
        given = read_tags(text)
        claim.domain, claim.selector = given.get("d", "").lower(), given.get("s", "").lower()
        claim.algorithm, claim.mark = given.get("a", "").lower(), without_blanks(given.get("b", "")[:LONGEST_MARK])[:MARK]
        if in_chain:
            given = {**given, "v": "1", "i": ""}
        _judge(given, at)
        claim._check = _prepared(given, message, own)
    except TagError as error:
        claim.result = Result("permerror", f"the signature is none: {error}")
    except _Refused as refused:
        claim.result = refused.result
    return claim


def _judge(given: dict[str, str], at: float) -> None:
    """What can be said of a signature by itself. RFC 6376 §6.1.1"""
    missing = [f"{tag}=" for tag in NEEDED if not given.get(tag)]
    if missing:
        raise _broken(f"the signature has no {', '.join(missing)}")
    if given["v"] != "1":
        raise _broken("the signature is of an unknown version")
    if given["a"].lower() not in ALGORITHMS.values():  # RFC 8301 §3.1: rsa-sha1 is none any more
        raise _broken(f"the algorithm {given['a'][:30]} is not to be believed")
    if "dns/txt" not in [method.strip(BLANKS) for method in given.get("q", "dns/txt").split(":")]:
        raise _broken("the key is not in the DNS (q=)")
    for part in (given["d"], f"{given['s']}.example"):
        try:
            ascii_domain(part)
        except ValueError:
            raise _broken("d= or s= is no name") from None
    if "l" in given:  # RFC 6376 §8.2
        raise _Refused(Result("policy", "l= leaves the end of the body open: anybody may have appended to it"))
    _judge_times(given, at)


def _judge_times(given: dict[str, str], at: float) -> None:
    for tag in ("t", "x"):
        if tag in given and not _NUMBER.fullmatch(given[tag]):
            raise _broken(f"{tag}= is no time")
    made, expires = (int(given[tag]) if tag in given else None for tag in ("t", "x"))
    if made is not None and expires is not None and expires <= made:
        raise _broken("it expires before it was made")
    if made is not None and made > at + SKEW:
        raise _Refused(Result("fail", f"it is from the future: {made - at:.0f} s ahead of this clock"))
    if expires is not None and expires < at:
        raise _Refused(Result("fail", f"it expired {at - expires:.0f} s ago"))


def _prepared(given: dict[str, str], message: SignedMessage, own: tuple[bytes, bytes]) -> _Check:
    header, _, body = given.get("c", "simple/simple").lower().partition("/")
    if header not in FIELDS or (body := body or "simple") not in BODIES:
        raise _broken("the canonical form (c=) is unknown")
    listed = given["h"]
    names = _remembered_names(listed) if len(listed) <= REMEMBERED else _names(listed)
    if b"from" not in names:  # RFC 6376 §5.4
        raise _broken("the From field is not signed")
    domain = given["d"].lower()
    identity = (given.get("i") or "@" + domain).rpartition("@")[2].lower()
    if identity != domain and not identity.endswith("." + domain):  # RFC 6376 §3.5
        raise _broken(f"i= is not of the domain {domain}")
    try:
        signature, body_hash = (b64decode(without_blanks(given[tag]), validate=True) for tag in ("b", "bh"))
    except (Base64Error, ValueError):
        raise _broken("b= or bh= is not base64") from None
    return _Check(message, (header, body), names, (own[0], unsigned(own[1])), signature, body_hash, identity)


def _names(listed: str) -> tuple[bytes, ...]:
    """The names of fields in ``h=``, RFC 6376 §3.5."""
    return tuple(name.strip(BLANKS).lower().encode() for name in listed.split(":"))


_remembered_names = lru_cache(256)(_names)  # most mail of a sender has the same


def unsigned(value: bytes) -> bytes:
    """The value of a signature's field as it was signed: with nothing in its ``b=``. RFC 6376 §3.7"""
    parts = value.split(b";")
    for at, part in enumerate(parts):
        name, equals, _ = part.partition(b"=")
        if equals and name.strip(b" \t\r\n") == b"b":
            parts[at] = name + equals
            break
    return b";".join(parts)
