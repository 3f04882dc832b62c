"""Channel binding to a certificate."""

from __future__ import annotations

import datetime
import hashlib

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from hypothesis import given
from hypothesis import strategies as st

from mailer.sasl.mechanism import server_end_point

EC = ec.generate_private_key(ec.SECP256R1())
RSA = rsa.generate_private_key(65537, 2048)
NAME = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "mx.example.com")])


def certificate(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey, hash, pss: bool = False) -> bytes:
    """A certificate that has signed itself, in DER."""
    day = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    builder = x509.CertificateBuilder(NAME, NAME, key.public_key(), 1, day, day + datetime.timedelta(1))
    how = padding.PSS(padding.MGF1(hash), hash.digest_size) if pss else None
    return builder.sign(key, hash, rsa_padding=how).public_bytes(serialization.Encoding.DER)


@pytest.mark.parametrize("name", ["sha224", "sha256", "sha384", "sha512"])
@pytest.mark.parametrize(("key", "pss"), [(EC, False), (RSA, False), (RSA, True)])
def test_the_hash_of_the_signature(name: str, key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey, pss: bool) -> None:
    """The digest is made with the hash function that the certificate is signed with, RFC 5929 §4.1."""
    der = certificate(key, getattr(hashes, name.upper())(), pss)
    assert server_end_point(der) == hashlib.new(name, der).digest()


def test_none() -> None:
    """For a signature without a hash function of its own there is no binding."""
    assert server_end_point(certificate(ed25519.Ed25519PrivateKey.generate(), None)) == b""


@given(st.binary(max_size=60), st.integers(0, 400))
def test_garbage(data: bytes, cut: int) -> None:
    """What is no certificate, or half of one, has no binding and raises nothing."""
    assert server_end_point(data) == b""
    assert server_end_point(GOOD[:cut] if cut < len(GOOD) else b"") == b""


GOOD = certificate(EC, hashes.SHA256())
