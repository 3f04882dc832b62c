"""A profile that is signed with the certificate of a door, so that whoever installs it sees whose it is: CMS, RFC 5652 §5.

Made with OpenSSL's own writer (`cryptography`), DER with the content in it, which is what Apple's devices read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailer.mail.problem import Problem, from_os

if TYPE_CHECKING:
    from mailer.config.sections.doors import Listen


def signed(content: bytes, door: Listen) -> bytes:
    """`content` signed by the certificate of `door`, with those between it and an authority. Raises `Problem` where that cannot be."""
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
    from cryptography.hazmat.primitives.serialization.pkcs7 import PKCS7Options, PKCS7SignatureBuilder
    from cryptography.x509 import load_pem_x509_certificates

    place = door.key_file or door.certificate_file
    try:
        own, *between = load_pem_x509_certificates(_read(door.certificate_file))
        key = load_pem_private_key(_read(place), None)
        if not isinstance(key, RSAPrivateKey | EllipticCurvePrivateKey):
            raise Problem(f"a key of that kind signs no profile: {place}", "bad-config")
        builder = PKCS7SignatureBuilder().set_data(content).add_signer(own, key, SHA256())
        for each in between:
            builder = builder.add_certificate(each)
        return builder.sign(Encoding.DER, [PKCS7Options.Binary])
    except (ValueError, TypeError) as error:
        raise Problem(f"the certificate {door.certificate_file} does not sign: {error}", "bad-config") from None


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise from_os("cannot read the certificate", path, error) from None
