"""SPF: whether the domain of a reverse-path lets the address send that calls us (RFC 7208).

A domain says in a TXT record who may send in its name; `evaluate` goes through that record as the standard has it, and asks the DNS for
what the terms name. The work is bounded, for a stranger wrote the record: at most ten terms that ask, of which two may find nothing, ten
hosts of an MX record and ten names of an address (RFC 7208 §4.6.4).

======================  ==================================================================================================
none                    there is no record, or no domain that could have one
neutral                 the domain does not say
pass, fail, softfail    it may; it may not; it probably may not
temperror               the DNS gave no answer; another time it may
permerror               the record makes no sense, or asks for too much
======================  ==================================================================================================
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TYPE_CHECKING, NamedTuple

from mailer.mail.domain import compared

from . import spf_macro
from .records import DnsQuestion
from .results import shown
from .spf_record import SpfError, is_spf, read

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .records import DnsRecords, Rule
    from .spf_record import SpfTerm

MOST_LOOKUPS, MOST_VOID = 10, 2  # RFC 7208 §4.6.4
MOST_HOSTS = 10  # of an MX record, and of names of an address, RFC 7208 §4.6.4


class Evaluation(NamedTuple):
    """What a receiver makes of a caller: the word of RFC 7208 §2.6, the term that decided, what it cost, and why.

    `domain` is whose record it was, and `identity` where that stood: ``mailfrom`` or ``helo``.
    """

    result: str
    term: str = ""
    lookups: int = 0
    void: int = 0
    why: str = ""
    domain: str = ""
    identity: str = "mailfrom"

    @property
    def cost(self) -> str:
        """The look-ups that it cost, in words; RFC 7208 §4.6.4 allows ten."""
        return f"{self.lookups} of {MOST_LOOKUPS} look-ups, {self.void} of {MOST_VOID} void"


class _Decided(Exception):
    """It is over: a word, and why."""

    def __init__(self, word: str, why: str) -> None:
        super().__init__(why)
        self.word = word
        self.why = shown(why)  # names and terms are a stranger's


def evaluate(ip: str, sender: str, hello: str) -> Rule[Evaluation]:
    """What a caller from `ip` gets who says `hello` and has `sender` as the reverse-path; where that is empty, the name in EHLO counts.

    RFC 7208 §4.3: what cannot be a domain has no record. A caller without an address, over a unix socket, proves nothing.
    """
    local, _, domain = sender.rpartition("@") if sender else ("", "", hello)
    identity = "mailfrom" if sender else "helo"
    domain = compared(domain).removesuffix(".")
    if not ip or not _can_be_a_domain(domain):
        return Evaluation("none", domain=domain, identity=identity)
    address = ip_address(ip)
    if isinstance(address, IPv6Address):
        address = address.ipv4_mapped or address
    caller = _Caller(address, local or "postmaster", domain, hello.lower())
    word, term, why = yield from caller.outcome()
    return Evaluation(word, term, caller.lookups, caller.void, why, domain, identity)


def _can_be_a_domain(text: str) -> bool:
    """RFC 7208 §4.3: several labels, none of them too long; no address literal."""
    labels = text.split(".") if text[:1] != "[" else ()
    return len(labels) > 1 and len(text) <= 253 and text.isascii() and all(0 < len(label) < 64 for label in labels)


class _Caller:
    """The caller, and what was asked for it so far."""

    def __init__(self, ip: IPv4Address | IPv6Address, local: str, sender_domain: str, hello: str) -> None:
        self.ip = ip
        self.lookups = self.void = 0
        self._local = local
        self._sender_domain = sender_domain
        self._hello = hello
        self._addresses = "A" if ip.version == 4 else "AAAA"
        self._names: list[str] | None = None

    def outcome(self) -> Rule[tuple[str, str, str]]:
        """The word, the term that decided, and why."""
        try:
            word, term = yield from self._check(self._sender_domain)
        except _Decided as decided:
            return decided.word, "", decided.why
        return word, term, ""

    def _check(self, domain: str) -> Rule[tuple[str, str]]:
        """What the record of `domain` says, RFC 7208 §4: the word, and the term."""
        (answer,) = yield [DnsQuestion(domain, "TXT")]
        found = [text for text in self._of(answer) if is_spf(text)]
        if not found:
            return "none", ""
        if len(found) > 1:
            raise _Decided("permerror", f"{domain} has {len(found)} records, not one")
        try:
            record = read(found[0])
        except SpfError as error:
            raise _Decided("permerror", f"the record of {domain}: {error}") from None
        for term in record.terms:
            if (yield from self._matches(term, domain)):
                return term.result, term.text
        if not record.redirect:
            return "neutral", ""
        self._count()
        target = yield from self._expanded(record.redirect, domain)
        word, decided = yield from self._check(target)
        if word == "none":  # RFC 7208 §6.1
            raise _Decided("permerror", f"{domain} sends on to {target}, which has no record")
        return word, decided

    def _matches(self, term: SpfTerm, domain: str) -> Rule[bool]:
        """RFC 7208 §5"""
        kind = term.kind
        if kind == "all":
            return True
        if term.version:
            return self._within(term.version, term.network, term)
        self._count()
        target = (yield from self._expanded(term.target, domain)) if term.target else domain
        if kind == "include":
            return (yield from self._included(target))
        if kind == "exists":
            (answer,) = yield [DnsQuestion(target, "A")]
            return bool(self._found(answer))
        if kind == "ptr":
            names = yield from self._validated()
            return any(name == target or name.endswith(f".{target}") for name in names)
        hosts = [target] if kind == "a" else (yield from self._exchanges(target))
        answers = (yield [DnsQuestion(host, self._addresses) for host in hosts]) if hosts else ()
        return any(self._has(answer, term) for answer in answers)

    def _included(self, target: str) -> Rule[bool]:
        word, _ = yield from self._check(target)
        if word == "none":  # RFC 7208 §5.2
            raise _Decided("permerror", f"{target}, which is included, has no record")
        return word == "pass"

    def _exchanges(self, target: str) -> Rule[list[str]]:
        (answer,) = yield [DnsQuestion(target, "MX")]
        hosts = [record.partition(" ")[2] for record in self._found(answer)]
        if len(hosts) > MOST_HOSTS:
            raise _Decided("permerror", f"{target} has more than {MOST_HOSTS} MX hosts")
        return [host for host in hosts if host != "."]

    def _has(self, answer: DnsRecords, term: SpfTerm) -> bool:
        version = self.ip.version
        return any(self._within(version, int(ip_address(record)), term) for record in self._found(answer))

    def _within(self, version: int, network: int, term: SpfTerm) -> bool:
        if version != self.ip.version:
            return False
        width, bits = (32, term.bits[0]) if version == 4 else (128, term.bits[1])
        return (int(self.ip) ^ network) >> (width - bits) == 0

    def _validated(self) -> Rule[list[str]]:
        """The names of the caller's address that lead back to it, RFC 7208 §5.5: trouble is as if there were none."""
        if self._names is None:
            (pointer,) = yield [DnsQuestion(self.ip.reverse_pointer, "PTR")]
            names = pointer.records[:MOST_HOSTS]
            answers = (yield [DnsQuestion(name, self._addresses) for name in names]) if names else ()
            own = int(self.ip)
            self._names = [
                name for name, answer in zip(names, answers, strict=True) if any(int(ip_address(one)) == own for one in answer.records)
            ]
        return self._names

    def _expanded(self, spec: str, domain: str) -> Rule[str]:
        """A name with its macros filled in."""
        if "%" not in spec:
            return spec.lower().removesuffix(".")
        names = (yield from self._validated()) if spf_macro.needs_names(spec) else []
        values = spf_macro.MacroValues(self.ip, self._local, self._sender_domain, domain, self._hello, names)
        return spf_macro.expand(spec, values).lower()

    def _count(self) -> None:
        self.lookups += 1
        if self.lookups > MOST_LOOKUPS:
            raise _Decided("permerror", f"more than {MOST_LOOKUPS} look-ups")

    def _of(self, answer: DnsRecords) -> Sequence[str]:
        """The records; what the DNS does not say is for another time."""
        if answer.trouble:
            raise _Decided("temperror", f"{answer.name}: {answer.trouble}")
        return answer.records

    def _found(self, answer: DnsRecords) -> Sequence[str]:
        """The records; that there are none counts. RFC 7208 §4.6.4"""
        records = self._of(answer)
        self.void += not records
        if self.void > MOST_VOID:
            raise _Decided("permerror", f"more than {MOST_VOID} look-ups find nothing")
        return records
