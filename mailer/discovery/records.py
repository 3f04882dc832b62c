"""The SRV records by which programs find the doors of a domain: RFC 6186 §3, RFC 8314 §5.1 and, for Outlook, ``_autodiscover``.

A service that there is none of is said to be none, by the root as its target (RFC 2782), so that nobody waits for a port that is not open.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .services import MailService, ServiceKind, ServiceSecurity

LABELS: Final[dict[tuple[ServiceKind, ServiceSecurity], str]] = {
    ("imap", "tls"): "_imaps",
    ("imap", "starttls"): "_imap",
    ("pop3", "tls"): "_pop3s",
    ("pop3", "starttls"): "_pop3",
    ("submission", "tls"): "_submissions",
    ("submission", "starttls"): "_submission",
}


class ServiceRecord(NamedTuple):
    """An SRV record (RFC 2782) of the name `name`; a `target` that is empty says that there is no such service."""

    name: str
    priority: int
    weight: int
    port: int
    target: str

    @property
    def text(self) -> str:
        """Data of the record as a zone file has them."""
        return f"{self.priority} {self.weight} {self.port} {self.target}."


def service_records(services: Iterable[MailService], domain: str) -> list[ServiceRecord]:
    """The records of a domain: one for each label, in the order in which programs should try.

    Where mail is read by no door of ours, it may be read elsewhere, and nothing is said of that.
    """
    best: dict[str, MailService] = {}
    for service in services:
        label = LABELS.get((service.kind, service.security))
        if label is not None:
            best.setdefault(label, service)
    read = any(service.kind != "submission" for service in best.values())
    return [_record(label, kind, best.get(label), domain) for (kind, _), label in LABELS.items() if read or kind == "submission"]


def _record(label: str, kind: ServiceKind, service: MailService | None, domain: str) -> ServiceRecord:
    name = f"{label}._tcp.{domain}"
    if service is None:
        return ServiceRecord(name, 0, 0, 0, "")
    return ServiceRecord(name, 10 if kind == "pop3" else 0, 1, service.port, service.host)  # RFC 6186 §3.3: IMAP before POP3
