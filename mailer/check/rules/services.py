"""Whether programs of users find the doors that this machine has for them: SRV records, and the names where programs ask the web.

Only what the configuration opens is looked for. That there is no record is a warning: a person can type the settings in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mailer.check.finding import FAIL, PASS, WARN, Finding, ZoneRecord, unknown

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mailer.auth.records import DnsRecords
    from mailer.discovery.records import ServiceRecord

CHECK, WEB = "SRV", "autoconfig"
LABELS: Final = ("autoconfig", "autodiscover")
"""Names of a domain where programs ask the web: Thunderbird and Outlook."""


def findings(domain: str, wanted: Sequence[ServiceRecord], answers: Mapping[str, DnsRecords]) -> list[Finding]:
    """What is found of the SRV records that are `wanted` (RFC 6186 §3, RFC 8314 §5.1), with the answers by name.

    Those that are right are one finding together; each that is not is one of its own, with the record to publish.
    """
    offered = [record for record in wanted if record.target]
    found = [_finding(record, answers[record.name]) for record in wanted]
    well = [record for record, wrong in zip(wanted, found, strict=True) if wrong is None and record.target]
    if offered and well:
        names = ", ".join(f"{record.name.partition('.')[0][1:]} at {record.target}:{record.port}" for record in well)
        return [Finding(CHECK, domain, PASS, f"programs find {names}"), *(wrong for wrong in found if wrong is not None)]
    return [wrong for wrong in found if wrong is not None] if offered else []


def _finding(record: ServiceRecord, answer: DnsRecords) -> Finding | None:
    """What is wrong with a record; None where nothing is."""
    if answer.trouble:
        return unknown(CHECK, record.name, answer.trouble)
    publish = ZoneRecord(record.name, "SRV", record.text)
    targets = [tuple(text.split()[2:]) for text in answer.records]
    if not record.target:
        led = [f"{host}:{port}" for port, host in targets if host != "."]
        text = f"leads to {', '.join(led)}, and the configuration opens no such door"
        return Finding(CHECK, record.name, WARN, text, "publish that there is none, or take the record away", publish) if led else None
    if not targets:
        return Finding(CHECK, record.name, WARN, "no record: programs do not find this door by themselves", "publish it", publish)
    if (str(record.port), record.target.lower()) in targets:
        return None
    if targets == [("0", ".")]:
        return Finding(CHECK, record.name, FAIL, "says that there is no such service, and there is", "publish where it is", publish)
    where = ", ".join(f"{host}:{port}" for port, host in targets)
    return Finding(CHECK, record.name, WARN, f"leads to {where}; the door here is at {record.target}:{record.port}", "publish it", publish)


def web_findings(domain: str, hostname: str, addresses: Mapping[str, DnsRecords]) -> list[Finding]:
    """What is found of the names where programs ask the web, where there is a door for them; `addresses` are theirs."""
    found = []
    for label in LABELS:
        answer = addresses[f"{label}.{domain}"]
        if answer.trouble:
            found.append(unknown(WEB, answer.name, answer.trouble))
        elif not answer.records:
            text = f"no address: {'Thunderbird' if label == LABELS[0] else 'Outlook'} does not ask for the settings"
            publish = ZoneRecord(f"{label}.{domain}", "CNAME", f"{hostname}.")
            found.append(Finding(WEB, f"{label}.{domain}", WARN, text, "publish it; the certificate of the web has to name it", publish))
    return found or [Finding(WEB, domain, PASS, f"programs ask for the settings at {' and '.join(LABELS)}.{domain}")]
