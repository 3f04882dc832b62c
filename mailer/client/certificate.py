"""What a certificate says about itself, for people who wonder why it is not accepted.

Read by the package cryptography where it is installed; without it there is only the fingerprint.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cryptography import x509


@dataclass(frozen=True, slots=True)
class Certificate:
    """Times are in seconds since the epoch; 0 and empty where nothing could be read."""

    fingerprint: str  # SHA-256, hexadecimal
    subject: str = ""  # RFC 4514
    names: tuple[str, ...] = ()  # the hosts and addresses it is for
    issuer: str = ""
    not_before: float = 0.0
    not_after: float = 0.0


def describe(der: bytes) -> Certificate:
    """What the certificate in `der` says. Raises nothing: one that cannot be read has a fingerprint too."""
    fingerprint = sha256(der).hexdigest()
    try:
        from cryptography import x509
    except ImportError:
        return Certificate(fingerprint)
    try:
        read = x509.load_der_x509_certificate(der)
        return Certificate(
            fingerprint,
            read.subject.rfc4514_string(),
            tuple(_names(read)),
            read.issuer.rfc4514_string(),
            read.not_valid_before_utc.timestamp(),
            read.not_valid_after_utc.timestamp(),
        )
    except (ValueError, TypeError):
        return Certificate(fingerprint)


def _names(read: x509.Certificate) -> Iterator[str]:
    from cryptography import x509

    try:
        names = read.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return
    yield from names.get_values_for_type(x509.DNSName)
    yield from map(str, names.get_values_for_type(x509.IPAddress))
