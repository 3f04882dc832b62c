"""Whether mail can come back to a domain: replies, reports of bounces, complaints. Some refuse a sender whom nobody can answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailer.check.finding import FAIL, PASS, WARN, Finding, ZoneRecord, unknown
from mailer.mail.ip_filter import allowed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mailer.auth.records import DnsRecords

CHECK = "MX"


def hosts(answer: DnsRecords) -> list[tuple[int, str]]:
    """Preference and host of the MX records in `answer`, best first."""
    found = [record.split(" ", 1) for record in answer.records]
    return sorted((int(preference), host) for preference, host in found)


def findings(
    domain: str,
    mx: DnsRecords,
    addresses: Mapping[str, DnsRecords],
    aliases: Mapping[str, DnsRecords],
    hostname: str,
    private: bool = False,
) -> Iterator[Finding]:
    """What is found of MX: `addresses` of the MX hosts, or of the domain where it has none; `aliases` the CNAME records of the hosts.

    `hostname` is ours, for the record that is missing; `private` addresses may be configured to be good.
    """
    publish = ZoneRecord(domain, "MX", f"10 {hostname}.")
    if mx.trouble:
        yield unknown(CHECK, domain, mx.trouble)
    elif mx.missing == "nxdomain":
        yield Finding(CHECK, domain, FAIL, "there is no such domain in the DNS", "nobody takes mail from a domain that does not exist")
    elif not mx.records:
        yield _implicit(domain, addresses.get(domain), publish)
    elif all(host in ("", ".") for _, host in hosts(mx)):  # RFC 7505 §4.2
        yield Finding(CHECK, domain, FAIL, "a null MX: it takes no mail", "receivers may refuse a sender whom nobody can answer", publish)
    else:
        yield from (_host(host, addresses[host], aliases.get(host), private) for _, host in hosts(mx) if host in addresses)


def _implicit(domain: str, addresses: DnsRecords | None, publish: ZoneRecord) -> Finding:
    if addresses is not None and addresses.trouble:
        return unknown(CHECK, domain, addresses.trouble)
    if addresses is not None and addresses.records:
        where = ", ".join(addresses.records[:3])
        return Finding(CHECK, domain, WARN, f"no MX record; mail for it goes to {where}", "say where its mail goes", publish)
    text = "neither MX nor address records: no answer and no report of a bounce can come back"
    return Finding(CHECK, domain, FAIL, text, "say which host takes its mail", publish)


def _host(host: str, addresses: DnsRecords, alias: DnsRecords | None, private: bool) -> Finding:
    """One MX host."""
    if addresses.trouble:
        return unknown(CHECK, host, addresses.trouble)
    if not addresses.records:
        return Finding(CHECK, host, FAIL, "it has no address", "an MX record names a host that has A or AAAA records")
    hidden = [address for address in addresses.records if not private and not allowed(address)]
    if hidden:
        return Finding(CHECK, host, FAIL, f"it is at {', '.join(hidden)}, which nobody outside can reach", "publish its public address")
    if alias is not None and alias.records:  # RFC 5321 §5.1, RFC 2181 §10.3
        text = f"it is an alias of {alias.records[0]}; some do not follow that"
        return Finding(CHECK, host, WARN, text, "let the MX record name the true host")
    return Finding(CHECK, host, PASS, f"at {', '.join(addresses.records[:4])}")
