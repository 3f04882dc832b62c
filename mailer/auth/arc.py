"""ARC: what the hosts before us saw, each of whom sealed what he found and all seals before his own (RFC 8617).

A list or a forwarder changes a message, and the signature of its author does not hold any more. So it writes down what it found before, in
ARC-Authentication-Results, signs the message as it leaves, in ARC-Message-Signature, and seals the chain so far, in ARC-Seal. The three
are a set, and sets are numbered from 1. A chain passes if no set is lacking, each seal holds, and the message is as the last of them sent
it. It proves nothing but that those hosts say so: whom of them one believes is for the reader to know (`vouched`).

The work is bounded: at most `MOST` sets, one question for each key, and none before the body is what the last signature says.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple

from mailer.dkim.canonical import TagError, read_tags, relaxed_field, without_blanks
from mailer.dkim.key import ALGORITHMS, KeyProblem, name, public_key
from mailer.dkim.sign import body_hash, folded, selected
from mailer.dkim.verify import SignedMessage, claim_of, unsigned
from mailer.mail.domain import ascii_domain
from mailer.mail.message import header_end

from .dmarc import is_part
from .records import DnsQuestion
from .results import read

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from mailer.dkim.key import PrivateKey
    from mailer.dkim.verify import SignatureClaim

    from .records import DnsRecords, Rule
    from .results import AuthenticationResults

    Field = tuple[bytes, bytes]
    """The name of a field as it is written, and its value."""

MOST = 50  # sets, RFC 8617 §5.2
MOST_OCTETS = 1 << 17  # of all fields of the chain: each seal is about all before it, and sets have some 3,000
RESULTS, SIGNATURE, SEAL = b"arc-authentication-results", b"arc-message-signature", b"arc-seal"
NAMES = (RESULTS, SIGNATURE, SEAL)
"""The fields of a set in the order in which they are sealed, RFC 8617 §5.1.1."""

_INSTANCE = re.compile(rb"(?:\A|;)[ \t\r\n]*i[ \t\r\n]*=[ \t\r\n]*([1-9][0-9]?)[ \t\r\n]*(?:;|\Z)")


class SealedHop(NamedTuple):
    """A host that sealed: the `domain` that did, and what it had found."""

    domain: str
    results: AuthenticationResults | None


class ArcChain(NamedTuple):
    """The chain of a message: none, pass or fail, why, and who sealed, the first one first. `trouble`: a key could not be looked up."""

    word: str
    why: str = ""
    hops: Sequence[SealedHop] = ()
    trouble: bool = False


class _Broken(Exception):
    """The chain does not hold; `str()` says why."""


class _Link(NamedTuple):
    """A set: its fields, and the tags of its seal."""

    results: Field
    signature: Field
    seal: Field
    tags: Mapping[str, str]

    @property
    def key(self) -> str:
        """Where in the DNS the key is that sealed."""
        return name(self.tags["s"].lower(), self.tags["d"].lower())

    @property
    def hop(self) -> SealedHop:
        value = self.results[1].decode("utf-8", "replace")
        return SealedHop(self.tags["d"].lower(), read(value.partition(";")[2].removesuffix("\r\n")))

    def lines(self) -> list[bytes]:
        """What later seals are about, RFC 8617 §5.1.1."""
        return [relaxed_field(*field) for field in (self.results, self.signature, self.seal)]

    def own_lines(self) -> list[bytes]:
        """What its own seal is about."""
        return [relaxed_field(*self.results), relaxed_field(*self.signature), relaxed_field(self.seal[0], unsigned(self.seal[1]))]


def verify(message: SignedMessage, at: float) -> Rule[ArcChain]:
    """The chain of `message`, judged `at` (seconds since the epoch). RFC 8617 §5.2"""
    if not any(message.fields.get(each) for each in NAMES):
        return ArcChain("none")
    try:
        links = _links(message)
        claim = _last(message, at)
    except _Broken as broken:
        return ArcChain("fail", str(broken))
    hops = [link.hop for link in links]
    keys = [*dict.fromkeys([claim.name, *(link.key for link in links)])]
    answers = dict(zip(keys, (yield [DnsQuestion(key, "TXT") for key in keys]), strict=True))
    if trouble := next((answer for answer in answers.values() if answer.trouble), None):
        return ArcChain("fail", f"{trouble.name}: {trouble.trouble}", hops, trouble=True)
    try:
        _hold(claim, links, answers)
    except _Broken as broken:
        return ArcChain("fail", str(broken), hops)
    return ArcChain("pass", "", hops)


def _links(message: SignedMessage) -> list[_Link]:
    """The sets, from the first; each has one field of each kind. RFC 8617 §5.2"""
    fields = [message.fields.get(each, []) for each in NAMES]
    count = len(fields[0])
    if count > MOST:
        raise _Broken(f"it has more than {MOST} sets")
    if sum(len(value) for each in fields for _, value in each) > MOST_OCTETS:
        raise _Broken("its fields are too long")
    if any(len(each) != count for each in fields):
        raise _Broken("a set lacks a field, or has one twice")
    places = [{_instance(field): field for field in each} for each in fields]
    if any(set(each) != set(range(1, count + 1)) for each in places):
        raise _Broken("its sets are not numbered one after the other")
    return [_link(number, *(each[number] for each in places)) for number in range(1, count + 1)]


def _instance(field: Field) -> int:
    found = _INSTANCE.search(field[1])
    return int(found[1]) if found else 0


def _link(number: int, results: Field, signature: Field, seal: Field) -> _Link:
    """A set, whose seal is well formed. RFC 8617 §4.1.3"""
    try:
        tags = read_tags(seal[1].decode("utf-8", "replace"))
    except TagError as error:
        raise _Broken(f"seal {number} is none: {error}") from None
    if not all(tags.get(tag) for tag in ("a", "b", "cv", "d", "s")) or "h" in tags or tags["a"].lower() not in ALGORITHMS.values():
        raise _Broken(f"seal {number} lacks a tag, has one too many, or an algorithm that is not to be believed")
    try:
        ascii_domain(f"{tags['s']}.{tags['d']}")
    except ValueError:
        raise _Broken(f"d= or s= of seal {number} is no name") from None
    if tags["cv"].lower() != ("none" if number == 1 else "pass"):
        raise _Broken(f"seal {number} says that the chain before it is {'broken' if tags['cv'].lower() == 'fail' else 'another one'}")
    return _Link(results, signature, seal, tags)


def last_signature(message: SignedMessage, at: float) -> SignatureClaim | None:
    """The signature of the last one who sealed, as far as it holds without its key; None where there is none."""
    field = max(message.fields.get(SIGNATURE, ()), key=_instance, default=None)
    return field and claim_of(message, field, at, in_chain=True)


def _last(message: SignedMessage, at: float) -> SignatureClaim:
    claim = last_signature(message, at)
    assert claim is not None  # the sets are complete
    if SEAL in claim.signed:  # RFC 8617 §4.1.2
        raise _Broken("the last signature is about a seal, which comes behind it")
    if claim.result is not None:
        raise _Broken(f"the last signature: {claim.result.why}")
    return claim


def _hold(claim: SignatureClaim, links: Sequence[_Link], answers: Mapping[str, DnsRecords]) -> None:
    """RFC 8617 §5.2: the last signature, then every seal, the last one first."""
    result = claim.check(answers[claim.name].records)
    if result.word != "pass":
        raise _Broken(f"the last signature: {result.why}")
    before: list[bytes] = []
    signed: list[bytes] = []
    for link in links:
        signed.append(b"\r\n".join([*before, *link.own_lines()]))
        before += link.lines()
    for number in range(len(links), 0, -1):
        _seal_holds(number, links[number - 1], answers[links[number - 1].key].records, signed[number - 1])


def _seal_holds(number: int, link: _Link, records: Sequence[str], signed: bytes) -> None:
    if len(records) != 1:
        raise _Broken(f"there is no key for seal {number} at {link.key}")
    try:
        key = public_key(records[0])
        signature = b64decode(without_blanks(link.tags["b"]), validate=True)
    except (KeyProblem, Base64Error, ValueError) as error:
        raise _Broken(f"seal {number}: {error}") from None
    if ALGORITHMS[key.kind] != link.tags["a"].lower() or not key.holds(signature, signed):
        raise _Broken(f"seal {number} does not hold")


def vouched(chain: ArcChain, author: str, trusted: Collection[str]) -> str:
    """The domain of the host that saw DMARC pass for `author`, the domain of From, if all who came after it are `trusted`; else empty.

    Each of those who came after it has to say that the chain held when it got there. Where a key could not be looked up, it is the host
    that would have been believed.
    """
    if chain.word != "pass" and not chain.trouble:
        return ""
    for hop in reversed(chain.hops):
        if hop.results is None or not any(is_part(hop.domain, each) for each in trusted):
            return ""
        said = {one.method: one for one in hop.results.results}
        dmarc = said.get("dmarc")
        if dmarc and dmarc.word == "pass" and dict(dmarc.properties).get("header.from", author).lower() == author:
            return hop.domain
        if "arc" not in said or said["arc"].word != "pass":
            return ""
    return ""


def seal(content: bytes, results: str, key: PrivateKey, domain: str, selector: str, now: float) -> bytes:
    """The three fields that go on top of `content`, a normalised message that leaves; `results` is what stands in our
    Authentication-Results.

    The state of the chain is what we found of it when the message came, which is said there. Nothing is sealed, and what comes back is
    empty, where the chain has no room left, or the last one who sealed has said that it is broken (RFC 8617 §5.1.2).
    """
    message = SignedMessage(content[: header_end(content)])
    number = max(map(_instance, [field for each in NAMES for field in message.fields.get(each, ())]), default=0) + 1
    state = _state(number, results)
    if number > MOST or (number > 1 and _says_fail(message)):
        return b""
    aar = b"i=%d; %b\r\n" % (number, results.strip().encode())
    ams = _message_signature(content, number, key, domain, selector, now)
    links = [] if state == "fail" else _sealed_before(message, number)
    facts = f"i={number}; a={key.algorithm}; cv={state}; d={domain};\r\n\ts={selector}; t={int(now)};\r\n\tb="
    own = [(RESULTS, aar), (SIGNATURE, ams), (SEAL, facts.encode())]
    digest = sha256(b"\r\n".join([*links, *(relaxed_field(*field) for field in own)])).digest()
    value = folded(b64encode(key.sign_digest(digest)))
    return b"ARC-Seal: %b%b\r\nARC-Message-Signature: %bARC-Authentication-Results: %b" % (facts.encode(), value, ams, aar)


def _state(number: int, results: str) -> str:
    if number == 1:
        return "none"
    found = read(results)
    return "pass" if found and any(one.method == "arc" and one.word == "pass" for one in found.results) else "fail"


def _says_fail(message: SignedMessage) -> bool:
    """Whether the newest seal says that the chain is broken."""
    newest = max(message.fields.get(SEAL, ()), key=_instance, default=(b"", b""))
    try:
        return read_tags(newest[1].decode("utf-8", "replace")).get("cv", "").lower() == "fail"
    except TagError:
        return False


def _message_signature(content: bytes, number: int, key: PrivateKey, domain: str, selector: str, now: float) -> bytes:
    """The value of ARC-Message-Signature, with its line end: as a signature of DKIM, RFC 8617 §4.1.2."""
    end = header_end(content)
    names, fields = selected(content[: max(end - 2, 0)])
    digest = b64encode(body_hash(content, end + 2 if content.startswith(b"\r\n", end) else end))
    facts = f"i={number}; a={key.algorithm}; c=relaxed/relaxed; d={domain};\r\n\ts={selector}; t={int(now)};".encode()
    text = b"%b\r\n\th=%b;\r\n\tbh=%b;\r\n\tb=" % (facts, names, digest)
    signed = sha256(b"%b%b" % (fields, relaxed_field(SIGNATURE, text))).digest()
    return b"%b%b\r\n" % (text, folded(b64encode(key.sign_digest(signed))))


def _sealed_before(message: SignedMessage, number: int) -> list[bytes]:
    """The lines of all sets before `number`, in canonical form."""
    places = [{_instance(field): field for field in message.fields.get(each, ())} for each in NAMES]
    return [relaxed_field(*each[one]) for one in range(1, number) for each in places if one in each]
