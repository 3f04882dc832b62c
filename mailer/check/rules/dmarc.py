"""DMARC: what a domain wants done with mail that nobody proves to be its own, and whether our mail is proved (RFC 9989).

The record that holds is found by `mailer.auth.dmarc`. Here is what is said of it and of what we send: aligned is a signature by the domain
of the author, or, unless it asks for strictness, by one of the same organisation; and likewise the reverse-path.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailer.auth.dmarc import POLICIES, is_part, wanted
from mailer.auth.records import tagged
from mailer.check.finding import FAIL, PASS, WARN, Finding, ZoneRecord, unknown

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from mailer.auth.dmarc import DmarcPolicy
    from mailer.auth.records import DnsRecords

CHECK = "DMARC"


def destinations(policy: DmarcPolicy) -> list[str]:
    """The domains of others that reports shall go to. They have to consent, or get none (RFC 7489 §7.1)."""
    given = (uri.strip().partition("!")[0] for uri in policy.tags.get("rua", "").split(","))
    domains = (uri.rpartition("@")[2].lower().rstrip(".") for uri in given if uri.lower().startswith("mailto:"))
    return [each for each in dict.fromkeys(domains) if not is_part(each, policy.organisation)]


def consent(policy: DmarcPolicy, destination: str) -> str:
    """Where the record is by which `destination` says that it takes the reports."""
    return f"{policy.domain}._report._dmarc.{destination}"


def findings(
    domain: str,
    policy: DmarcPolicy,
    signers: Sequence[str],
    spf: bool,
    rewritten: str = "",
    consents: Mapping[str, DnsRecords] | None = None,
    reader: str = "",
) -> Iterator[Finding]:
    """What is found. `signers`: the domains whose keys sign mail from `domain`; `spf`: whether SPF passes for all that it leaves by.

    `rewritten` names a provider that puts a reverse-path of its own on mail, so that SPF says nothing of `domain`. `consents` has
    the answers for the `destinations`. `reader` is where reports are read, where that is known.
    """
    reader = reader or f"postmaster@{policy.many or policy.domain or domain}"
    if policy.trouble:
        yield unknown(CHECK, f"_dmarc.{policy.domain}", policy.trouble)
        return
    if not policy.domain:
        yield _none(domain, policy, reader)
        return
    yield _record(domain, policy, reader)
    for destination, answer in (consents or {}).items():
        if answer.known and not tagged(answer, "v=DMARC1"):
            text = f"reports shall go to {destination}, which does not say that it takes them"
            publish = ZoneRecord(consent(policy, destination), "TXT", "v=DMARC1")
            yield Finding(CHECK, f"_dmarc.{policy.domain}", WARN, text, f"let {destination} publish that it does", publish)
    yield _alignment(domain, policy, signers, spf, rewritten)


def _publish(at: str, reader: str) -> ZoneRecord:
    return ZoneRecord(f"_dmarc.{at}", "TXT", f"v=DMARC1; p=none; rua=mailto:{reader}")


def _none(domain: str, policy: DmarcPolicy, reader: str) -> Finding:
    if policy.many:
        text = "several records, which count as none"
        return Finding(CHECK, f"_dmarc.{policy.many}", FAIL, text, "leave one of them", _publish(policy.many, reader))
    text = "no record: large receivers want one from everybody who sends much"
    return Finding(CHECK, f"_dmarc.{domain}", FAIL, text, "begin with one that only asks for reports", _publish(domain, reader))


def _record(domain: str, policy: DmarcPolicy, reader: str) -> Finding:
    """What the record says."""
    subject = f"_dmarc.{policy.domain}"
    word = wanted(policy, domain)
    whose = "" if policy.organisation == domain else f"; {domain} is part of {policy.organisation}"
    if word not in POLICIES:
        text = f"its policy is {word!r}, which is no policy" if word else "it has no policy (p=)"
        return Finding(CHECK, subject, FAIL, text, f"p= is one of {', '.join(POLICIES)}", _publish(policy.domain, reader))
    if "rua" not in policy.tags:
        given = "; ".join(f"{name}={value}" for name, value in policy.tags.items())
        text = f"p={word}{whose}; it asks for no reports, so nobody tells who sends in its name"
        publish = ZoneRecord(subject, "TXT", f"{given}; rua=mailto:{reader}")
        return Finding(CHECK, subject, WARN, text, "ask for reports", publish)
    return Finding(CHECK, subject, PASS, f"p={word}{whose}; reports go to {policy.tags['rua']}")


def _alignment(domain: str, policy: DmarcPolicy, signers: Sequence[str], spf: bool, rewritten: str) -> Finding:
    """Whether one of the two proofs is about the author's domain. RFC 9989 §4.4"""
    strict = policy.tags.get("adkim", "r").lower() == "s"
    aligned = [signer for signer in signers if signer == domain or (not strict and _same(signer, domain, policy.organisation))]
    proofs = [f"DKIM by {aligned[0]}"] if aligned else []
    proofs += ["SPF of a reverse-path at the domain"] if spf and not rewritten else []
    if aligned:
        return Finding(CHECK, domain, PASS, f"aligned: {' and '.join(proofs)}")
    why = [f"SPF is about the reverse-path of {rewritten}"] if rewritten else [] if spf else ["SPF does not pass"]
    if signers:
        why.insert(0, f"{signers[0]} signs, and adkim=s wants {domain} itself")
    if proofs:
        text = f"aligned: {proofs[0]}; no DKIM, so that forwarded mail proves nothing"
        return Finding(CHECK, domain, WARN, text, f"`mailer dkim keygen {domain}` makes a key and its record")
    text = f"nothing proves its mail: {'; '.join(why)}{'; ' if why and not signers else ''}{'' if signers else 'no key of ours signs'}"
    worth = WARN if rewritten else FAIL
    return Finding(CHECK, domain, worth, text, "let it be signed by the domain of its From field, or mend SPF")


def _same(one: str, other: str, organisation: str) -> bool:
    """Whether two domains are of one organisation."""
    return is_part(one, organisation) and is_part(other, organisation)
