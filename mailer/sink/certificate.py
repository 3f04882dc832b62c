"""A certificate for a sink: one of its own making, or files that somebody names.

A self-signed one is made anew at each start, for ``localhost``, the loopback addresses and the sink's
name. It is its own authority, so a client that reads it as a CA file verifies it like a real one.
"""

from __future__ import annotations

import datetime
import ipaddress
import os
import ssl
from typing import TYPE_CHECKING

from mailer.mail.problem import Problem

if TYPE_CHECKING:
    from cryptography import x509

DAYS = 30  # longer than any test runs


def context(certificate: str, key: str) -> ssl.SSLContext:
    """What a server with these PEM files needs. Raises `Problem` (bad-config)."""
    made = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        made.load_cert_chain(certificate, key or None)
    except (OSError, ValueError) as error:
        raise Problem(
            f"{certificate}: no certificate with its key can be read ({error}); give both with --cert and --key", "bad-config"
        ) from None
    return made


def self_signed(directory: str, names: list[str]) -> tuple[str, str]:
    """Make a key and a certificate for `names`; returns the paths of certificate and key. Raises `Problem` (unavailable)."""
    try:
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import ec
        from cryptography.x509.oid import NameOID
    except ImportError:
        raise Problem("--tls needs the package cryptography, or a certificate: --cert FILE --key FILE", "unavailable") from None
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
    now = datetime.datetime.now(datetime.UTC)
    usage = x509.KeyUsage(
        digital_signature=True, key_cert_sign=True, crl_sign=False, content_commitment=False, key_encipherment=False,
        data_encipherment=False, key_agreement=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    made = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))  # clocks differ
        .not_valid_after(now + datetime.timedelta(days=DAYS))
        .add_extension(x509.SubjectAlternativeName([_general_name(name) for name in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    encoding = serialization.Encoding.PEM
    private = key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return _write(directory, "cert.pem", made.public_bytes(encoding)), _write(directory, "key.pem", private)


def _general_name(name: str) -> x509.GeneralName:
    from cryptography import x509

    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _write(directory: str, name: str, data: bytes) -> str:
    path = os.path.join(directory, name)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(data)
    return path
