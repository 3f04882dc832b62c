"""Channel binding ``tls-server-end-point`` (RFC 5929 §4): a digest of the certificate that the other side has shown.

Which digest is up to the certificate: the hash function of its own signature, or SHA-256 in place of MD5 and SHA-1. So
a little of its DER has to be read; nothing of it is trusted or checked here. Of the bindings that there are, this is the one that
Python's TLS can give with every version of TLS.
"""

from __future__ import annotations

import hashlib

_HASHES = {
    "1.2.840.113549.1.1.4": "sha256",  # MD5 with RSA, replaced
    "1.2.840.113549.1.1.5": "sha256",  # SHA-1 with RSA, replaced
    "1.2.840.113549.1.1.11": "sha256",
    "1.2.840.113549.1.1.12": "sha384",
    "1.2.840.113549.1.1.13": "sha512",
    "1.2.840.113549.1.1.14": "sha224",
    "1.2.840.10045.4.1": "sha256",  # SHA-1 with ECDSA, replaced
    "1.2.840.10045.4.3.1": "sha224",
    "1.2.840.10045.4.3.2": "sha256",
    "1.2.840.10045.4.3.3": "sha384",
    "1.2.840.10045.4.3.4": "sha512",
    "2.16.840.1.101.3.4.2.1": "sha256",  # the hash alone, as RSASSA-PSS names it
    "2.16.840.1.101.3.4.2.2": "sha384",
    "2.16.840.1.101.3.4.2.3": "sha512",
    "2.16.840.1.101.3.4.2.4": "sha224",
    "1.3.14.3.2.26": "sha256",  # SHA-1, replaced
}
_PSS = "1.2.840.113549.1.1.10"
_SEQUENCE, _OID = 0x30, 0x06


def server_end_point(certificate: bytes) -> bytes:
    """The binding for a certificate in DER; empty where RFC 5929 defines none (Ed25519, for one), or if it cannot be read."""
    try:
        name = _HASHES[_signature_hash(certificate)]
    except (KeyError, IndexError, ValueError):
        return b""
    return hashlib.new(name, certificate).digest()


def _signature_hash(certificate: bytes) -> str:
    """The object identifier that says with which hash function `certificate` is signed."""
    start, _ = _inside(certificate, 0, _SEQUENCE)
    _, start = _inside(certificate, start, _SEQUENCE)  # past what is signed
    start, end = _inside(certificate, start, _SEQUENCE)  # the algorithm
    first, after = _inside(certificate, start, _OID)
    identifier = _dotted(certificate[first:after])
    if identifier != _PSS:
        return identifier
    start, _ = _inside(certificate, after, _SEQUENCE)  # its parameters, the first of which is the hash function
    if start >= end or certificate[start] != 0xA0:
        return "1.3.14.3.2.26"  # not said: SHA-1
    start, _ = _inside(certificate, start, 0xA0)
    start, _ = _inside(certificate, start, _SEQUENCE)
    return _dotted(certificate[slice(*_inside(certificate, start, _OID))])


def _inside(data: bytes, at: int, tag: int) -> tuple[int, int]:
    """Where the value at `at` begins and ends, which has to have this tag."""
    if data[at] != tag:
        raise ValueError
    length, start = data[at + 1], at + 2
    if length & 0x80:
        count = length & 0x7F
        length, start = int.from_bytes(data[start : start + count], "big"), start + count
    if start + length > len(data):
        raise ValueError
    return start, start + length


def _dotted(raw: bytes) -> str:
    numbers, number = [raw[0] // 40, raw[0] % 40] if raw[0] < 80 else [2, raw[0] - 80], 0
    for octet in raw[1:]:
        number = number << 7 | octet & 0x7F
        if not octet & 0x80:
            numbers.append(number)
            number = 0
    return ".".join(map(str, numbers))
