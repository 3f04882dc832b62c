"""An address that mail comes from: its name, and whether blocklists have it.

PTR leads to a name, the name back to the address, and it is the one that is said in EHLO (RFC 1912 §2.1). Large receivers refuse callers
whose address has no name, IPv6 ones first of all.

What a DNS blocklist is asked, and what its answers mean, is `mailer.auth.blocklist`. Each is also asked for its test entries, of which one
has to be on it and the other must not. Only a list that passes is believed.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING

from mailer.auth.blocklist import untrue, unusable
from mailer.check.finding import FAIL, PASS, WARN, Finding, ZoneRecord, unknown

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mailer.auth.records import DnsRecords

POINTER = "PTR"
HELLO = "EHLO"
BLOCKLIST = "blocklist"


def pointer(address: str) -> str:
    """The name at which the PTR record of an address is. RFC 1035 §3.5, RFC 3596 §2.5"""
    return ip_address(address).reverse_pointer


def is_full(hostname: str) -> bool:
    """Whether a name can be in the DNS of the world."""
    return "." in hostname and not hostname.endswith((".local", ".localdomain", ".internal", ".lan", ".home"))


def pointer_finding(address: str, ptr: DnsRecords, forward: Mapping[str, DnsRecords], hostname: str) -> Finding:
    """What is found of the name of `address`: `ptr` is the answer for `pointer`, `forward` has the addresses of the names in it.

    `hostname` is what is said in EHLO, empty where somebody else calls.
    """
    publish = ZoneRecord(pointer(address), "PTR", f"{hostname}.") if is_full(hostname) else None
    whose = "whoever gave you the address publishes it; ask there"
    if ptr.trouble:
        return unknown(POINTER, address, ptr.trouble)
    if not ptr.records:
        return Finding(POINTER, address, FAIL, "it has no name: many refuse mail from there", whose, publish)
    back = [name for name in ptr.records if name in forward and _is_at(address, forward[name])]
    if not back:
        return _not_back(address, ptr, forward, publish)
    if hostname and hostname not in back:
        text = f"its name is {back[0]}, and this host calls itself {hostname}"
        advice = f"let it call itself {back[0]} (mailer.hostname, or hello of its [[source]]), or change the name of the address"
        return Finding(POINTER, address, WARN, text, advice, publish)
    name = hostname or back[0]
    if _made_up(address, name):
        text = f"{name} looks like a name that a provider gave out by number"
        return Finding(POINTER, address, WARN, text, "choose a name of your own; some refuse these", None)
    return Finding(POINTER, address, PASS, f"{name}, and that is at {address}")


def _not_back(address: str, ptr: DnsRecords, forward: Mapping[str, DnsRecords], publish: ZoneRecord | None) -> Finding:
    name = ptr.records[0]
    trouble = next((forward[name].trouble for name in ptr.records if name in forward and forward[name].trouble), "")
    if trouble:
        return unknown(POINTER, address, trouble)
    known = ", ".join(forward[name].records) if name in forward else ""
    text = f"its name is {name}, which is {f'at {known}' if known else 'nowhere'}, and not there"
    type = "AAAA" if ip_address(address).version == 6 else "A"
    if publish and name == publish.value.rstrip("."):
        return Finding(POINTER, address, FAIL, text, "let the name lead back to the address", ZoneRecord(name, type, address))
    return Finding(POINTER, address, FAIL, text, "let the address have the name of this host", publish)


def _is_at(address: str, forward: DnsRecords) -> bool:
    return ip_address(address) in {ip_address(record) for record in forward.records}


def _made_up(address: str, name: str) -> bool:
    """Whether all numbers of an IPv4 address stand in its name."""
    parts = address.split(".")
    words = name.replace("-", ".").split(".")
    return len(parts) == 4 and all(words.count(part) >= parts.count(part) for part in set(parts))


def hello_findings(hostname: str, addresses: DnsRecords, egress: tuple[str, ...]) -> Iterator[Finding]:
    """Whether the name that is said in EHLO is one, and is at the addresses that call."""
    if not is_full(hostname):
        text = f"this host calls itself {hostname}, which is no name in the DNS: many refuse that"
        yield Finding(HELLO, hostname, FAIL, text, "set mailer.hostname to a full name that has address records")
        return
    if addresses.trouble:
        yield unknown(HELLO, hostname, addresses.trouble)
        return
    missing = [address for address in egress if not _is_at(address, addresses)]
    if not addresses.records or missing:
        where = f"is at {', '.join(addresses.records)}" if addresses.records else "has no address"
        address = missing[0] if missing else ""
        text = f"{hostname} {where}" + (f", and mail comes from {address}" if address else "")
        type = "AAAA" if address and ip_address(address).version == 6 else "A"
        publish = ZoneRecord(hostname, type, address) if address else None
        worth = WARN if addresses.records and len(missing) < len(egress) else FAIL
        yield Finding(HELLO, hostname, worth, text, "let the name lead to the address", publish)
        return
    yield Finding(HELLO, hostname, PASS, f"{hostname} is at {', '.join(addresses.records)}")


def blocklist_finding(
    address: str, blocklist: str, answer: DnsRecords, why: DnsRecords, listed: DnsRecords, not_listed: DnsRecords
) -> Finding:
    """What a list says: `answer` is that for `entry`, `why` its TXT records; the last two are those for the test entries."""
    subject = f"{address} at {blocklist}"
    for each in (answer, listed, not_listed):
        if problem := each.trouble or unusable(each.records):
            return _silent(subject, problem)
    if lies := untrue(listed.records, not_listed.records):
        return _silent(subject, lies)
    if not answer.records:
        return Finding(BLOCKLIST, subject, PASS, "not listed")
    said = f": {why.records[0]}" if why.records else ""
    text = f"listed ({', '.join(answer.records)}){said}"
    return Finding(BLOCKLIST, subject, FAIL, text, f"find out why, mend it, and ask {blocklist} to take it off")


def _silent(subject: str, problem: str) -> Finding:
    advice = "ask through a resolver of your own, or leave it out of check.blocklists"
    return Finding(BLOCKLIST, subject, WARN, f"cannot be asked: {problem}", advice)
