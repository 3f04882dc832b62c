"""MTA-STS and TLSRPT: whether those who write to a domain may insist on TLS, and tell when they cannot (RFC 8461, RFC 8460).

Neither is needed to send mail, so that there being none is no fault; one that is published and wrong keeps mail away.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mailer.auth.records import tagged
from mailer.check.finding import FAIL, PASS, WARN, Finding, ZoneRecord, unknown

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mailer.auth.records import DnsRecords

CHECK, REPORTS = "MTA-STS", "TLSRPT"
LONGEST_AGE = 31557600  # seconds, RFC 8461 §3.2
SHORT_AGE = 86400  # below a day nobody is protected for long


class Fetched(NamedTuple):
    """The text of the policy, or the `trouble` with getting it."""

    text: str = ""
    trouble: str = ""


def url(domain: str) -> str:
    """The address of the policy of `domain`. RFC 8461 §3.3"""
    return f"https://mta-sts.{domain}/.well-known/mta-sts.txt"


def finding(domain: str, answer: DnsRecords, fetched: Fetched | None, mx: Sequence[str]) -> Finding:
    """What is found of MTA-STS. `fetched` is the policy, None where there was no reason to fetch one; `mx` are the domain's hosts."""
    name = f"_mta-sts.{domain}"
    if answer.trouble:
        return unknown(CHECK, name, answer.trouble)
    found = tagged(answer, "v=STSv1")
    if not found:
        return Finding(CHECK, domain, PASS, "none, and none is needed to send; it would let others insist on TLS when they write to it")
    if len(found) > 1:
        return Finding(CHECK, name, FAIL, "several records, which count as none", "leave one of them")
    if not _tag(found[0], "id").isalnum():
        return Finding(CHECK, name, FAIL, "the record has no id=", "publish it with one", ZoneRecord(name, "TXT", "v=STSv1; id=1"))
    if fetched is None or fetched.trouble:
        text = f"a record, but no policy at {url(domain)}: {fetched.trouble if fetched else 'not fetched'}"
        return Finding(CHECK, domain, FAIL, text, "serve the policy, or take the record away")
    return _policy(domain, fetched.text, mx)


def _tag(record: str, name: str) -> str:
    pairs = (part.partition("=") for part in record.split(";"))
    return next((value.strip() for key, _, value in pairs if key.strip().lower() == name), "")


def _policy(domain: str, text: str, mx: Sequence[str]) -> Finding:
    """What the policy says. RFC 8461 §3.2"""
    pairs = [(name.strip().lower(), value.strip()) for name, _, value in (line.partition(":") for line in text.splitlines())]
    given = dict(reversed(pairs))
    patterns = [value.lower().rstrip(".") for name, value in pairs if name == "mx"]
    mode, age = given.get("mode", ""), given.get("max_age", "")
    if (
        given.get("version") != "STSv1"
        or mode not in ("enforce", "testing", "none")
        or not (age.isascii() and age.isdigit())
        or int(age) > LONGEST_AGE
    ):
        text = "the policy needs version: STSv1, a mode, and a max_age of at most a year"
        return Finding(CHECK, domain, FAIL, text, "mend the policy, and change the id= of the record")
    outside = [host for host in mx if not any(matches(host, pattern) for pattern in patterns)]
    if mode != "none" and (outside or not patterns):
        wrong = f"mode {mode}, but it does not name {', '.join(outside) or 'any MX host'}"
        return Finding(CHECK, domain, FAIL if mode == "enforce" else WARN, wrong, "add its mx: lines, and change the id= of the record")
    if mode == "enforce" and int(age) < SHORT_AGE:
        return Finding(CHECK, domain, WARN, f"mode enforce, for {age} seconds only", "let max_age be a week at least")
    return Finding(CHECK, domain, PASS, f"mode {mode} for {age} s; it names {', '.join(patterns[:4]) or 'nobody'}")


def matches(host: str, pattern: str) -> bool:
    """Whether a host is meant by an mx of a policy: a name, or ``*.`` for one label. RFC 8461 §4.1"""
    host = host.lower().rstrip(".")
    return host == pattern or (pattern.startswith("*.") and host.partition(".")[2] == pattern[2:])


def reports_findings(domain: str, answer: DnsRecords, *, wanted: bool, reader: str = "") -> Iterator[Finding]:
    """What is found of TLSRPT; `wanted` where there is a policy whose failures somebody should hear of. RFC 8460 §3

    `reader` is where reports are read, where that is known.
    """
    name = f"_smtp._tls.{domain}"
    publish = ZoneRecord(name, "TXT", f"v=TLSRPTv1; rua=mailto:{reader or f'postmaster@{domain}'}")
    if answer.trouble:
        yield unknown(REPORTS, name, answer.trouble)
        return
    found = tagged(answer, "v=TLSRPTv1")
    if len(found) > 1:
        yield Finding(REPORTS, name, FAIL, "several records, which count as none", "leave one of them", publish)
    elif found and not _tag(found[0], "rua").lower().startswith(("mailto:", "https:")):
        yield Finding(REPORTS, name, FAIL, "rua= is neither mailto: nor https:", "say where reports go", publish)
    elif found:
        yield Finding(REPORTS, name, PASS, f"reports go to {_tag(found[0], 'rua')}")
    elif wanted:
        yield Finding(REPORTS, name, WARN, "none: if the policy keeps mail away, nobody will tell", "ask for reports", publish)
    else:
        yield Finding(REPORTS, domain, PASS, "none, and none is needed to send")
