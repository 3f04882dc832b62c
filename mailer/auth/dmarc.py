"""DMARC: whether one of the domains that answer for a message is its author's, and what his domain wants done if none is (RFC 9989).

A domain publishes its policy at ``_dmarc.DOMAIN``, or one above it does: `path` says which names are asked, `found` makes of the answers
which record holds and which domain is the organisational one (the tree walk of RFC 9989 §4.10), and `walk` is both with the questions.
Then comes what was proved: SPF names a domain that may send, each signature one that answers for what it signed. Such a domain is
`aligned` if it is the author's, or, unless his record asks for strictness, of the same organisation.

`mailer check` asks the same of what we send; what it says about that is in `mailer.check.rules.dmarc`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from .records import DnsQuestion, tagged

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Literal

    from .records import DnsRecords, Rule

LONGEST_WALK = 8  # labels; of a longer name the walk goes on with its last seven, RFC 9989 §4.10
POLICIES = ("none", "quarantine", "reject")


class DmarcPolicy(NamedTuple):
    """The record that holds for a domain: where it is, what it says, and the organisational domain.

    Where part of the walk was answered by nobody, `domain` is where that was, `trouble` says why, and `tags` are what holds if nothing
    more is found.
    """

    domain: str
    tags: Mapping[str, str]
    organisation: str
    trouble: str = ""
    many: str = ""
    """A domain with several records, which count as none."""


def path(domain: str) -> list[str]:
    """The domains whose records are asked for, from `domain` up. RFC 9989 §4.10"""
    labels = domain.split(".")
    rest = labels[1:] if len(labels) <= LONGEST_WALK else labels[-(LONGEST_WALK - 1) :]
    return [domain, *(".".join(rest[at:]) for at in range(len(rest)))]


def tags(record: str) -> dict[str, str]:
    """The tags of a record; what is no tag is ignored. RFC 9989 §4.7"""
    pairs = (part.partition("=") for part in record.split(";"))
    return {name.strip().lower(): value.strip() for name, equals, value in pairs if equals}


def walk(domain: str) -> Rule[DmarcPolicy]:
    """The record that holds for `domain`; an address literal has none."""
    return (yield from walks([domain]))[domain]


def walks(domains: Sequence[str]) -> Rule[dict[str, DmarcPolicy]]:
    """The record that holds for each of `domains`; all are asked for at once."""
    paths = {domain: [] if domain.startswith("[") else path(domain) for domain in domains}
    names = [name for each in paths.values() for name in each]
    given = yield [DnsQuestion(f"_dmarc.{name}", "TXT") for name in names]
    answers = dict(zip(names, given, strict=True))
    return {domain: found(domain, [(name, answers[name]) for name in each]) for domain, each in paths.items()}


def found(domain: str, answers: Sequence[tuple[str, DnsRecords]]) -> DmarcPolicy:
    """The walk for `domain` through the domains and answers of its `path`."""
    records: list[tuple[str, dict[str, str]]] = []
    many = ""
    for at, answer in answers:
        if answer.trouble:
            return DmarcPolicy(at, _so_far(domain, records), domain, trouble=answer.trouble)
        here = tagged(answer, "v=DMARC1")
        if len(here) > 1:
            many = many or at
        if len(here) != 1:
            continue
        records.append((at, tags(here[0])))
        if records[-1][1].get("psd", "").lower() in ("y", "n"):
            break
    organisation = _organisation(domain, records)
    holds = next((one for one in records if one[0] in (domain, organisation)), records[-1] if records else ("", {}))
    return DmarcPolicy(holds[0], holds[1], organisation, many=many)


def _so_far(domain: str, records: Sequence[tuple[str, Mapping[str, str]]]) -> Mapping[str, str]:
    """What holds if nothing is found any more where nobody answers."""
    if not records or records[0][0] == domain:
        return records[0][1] if records else {}
    given = records[-1][1]
    return {**given, "p": given.get("sp") or given.get("p", "none")}


def _organisation(domain: str, records: Sequence[tuple[str, Mapping[str, str]]]) -> str:
    """RFC 9989 §4.10: who says so himself; the one below a public suffix that says so; the highest that has a record."""
    for at, given in records:
        if given.get("psd", "").lower() == "n":
            return at
        if given.get("psd", "").lower() == "y" and at != domain:
            return ".".join(domain.split(".")[-(at.count(".") + 2) :])
    return records[-1][0] if records else domain


def is_part(domain: str, organisation: str) -> bool:
    """Whether `domain` is `organisation` or below it."""
    return domain == organisation or domain.endswith(f".{organisation}")


def wanted(policy: DmarcPolicy, domain: str, *, exists: bool = True) -> str:
    """What the record wants for `domain`, as it is written: one below the domain with the record may have another policy. RFC 9989 §4.7"""
    own = policy.tags.get("p", "")
    if domain != policy.domain and not policy.trouble:
        own = policy.tags.get("sp") or own
        own = own if exists else policy.tags.get("np") or own
    return own.lower()


def binding(policy: DmarcPolicy, domain: str, *, exists: bool = True) -> str:
    """What is to be done with mail of `domain` that proves nothing: none, quarantine or reject.

    RFC 9989 §4.10.1: a record with a policy that is none wants nothing, and so does one that is only a test (``t=y``).
    """
    given = [policy.tags[tag].lower() for tag in ("p", "sp", "np") if tag in policy.tags]
    if policy.tags.get("t", "").lower() == "y" or not all(word in POLICIES for word in given):
        return "none"
    return wanted(policy, domain, exists=exists) or "none"


class Identifier(NamedTuple):
    """A `domain` that answers for a message by ``spf`` or ``dkim``: surely (pass), or nobody can say (temperror)."""

    domain: str
    method: Literal["spf", "dkim"]
    word: str


class DmarcResult(NamedTuple):
    """What became of it: a word of RFC 8601 §2.7.6, what the author's domain wants done where nothing is proved, and why it is so.

    `by` is what proves it. That may be there where the domain has no record, too.
    """

    word: str
    domain: str
    policy: str = "none"
    why: str = ""
    by: Identifier | None = None


def judge(domain: str, policy: DmarcPolicy, identifiers: Sequence[Identifier]) -> Rule[DmarcResult]:
    """Whether one of `identifiers` proves that the author is of `domain`, for which `policy` holds. RFC 9989 §5.3.2

    What nobody could look up makes it a temperror only if it could have proved something.
    """
    unsure = bool(policy.trouble)
    for one in sorted(identifiers, key=lambda one: (one.domain != domain, one.word != "pass")):
        fits = yield from _aligned(domain, policy, one)
        if fits and one.word == "pass":
            return _proved(domain, policy, one)
        unsure = unsure or fits is not False
    if not policy.tags:
        return DmarcResult("temperror", domain, why=policy.trouble) if policy.trouble else DmarcResult("none", domain)
    action = binding(policy, domain, exists=(yield from _exists(domain, policy)))
    if unsure:
        return DmarcResult("temperror", domain, action, policy.trouble or "what could prove it cannot be looked up")
    return DmarcResult("fail", domain, action, f"p={action}")


def _proved(domain: str, policy: DmarcPolicy, one: Identifier) -> DmarcResult:
    word = "pass" if policy.tags else "temperror" if policy.trouble else "none"
    return DmarcResult(word, domain, binding(policy, domain), policy.trouble if word == "temperror" else "", one)


def _aligned(domain: str, policy: DmarcPolicy, one: Identifier) -> Rule[bool | None]:
    """Whether an identifier is the author's, RFC 9989 §4.4; None where that cannot be told."""
    if one.domain == domain:
        return True
    if policy.tags.get("adkim" if one.method == "dkim" else "aspf", "").lower() == "s":
        return False
    if policy.trouble:
        return None
    if not policy.tags:  # nobody says what the organisation is: one that is above or below the other speaks for it
        return is_part(one.domain, domain) or is_part(domain, one.domain)
    if one.domain == policy.organisation:  # its walk is the upper part of the one that led there
        return True
    if not is_part(one.domain, policy.organisation):
        return False
    theirs = yield from walk(one.domain)
    return None if theirs.trouble else theirs.organisation == policy.organisation


def _exists(domain: str, policy: DmarcPolicy) -> Rule[bool]:
    """Whether the DNS has an address or an MX for `domain`; asked only where a record says something of those without. RFC 9989 §3.2"""
    if policy.domain == domain or policy.trouble or "np" not in policy.tags:
        return True
    answers = yield [DnsQuestion(domain, type) for type in ("A", "AAAA", "MX")]
    return any(answer.records or answer.trouble for answer in answers)
