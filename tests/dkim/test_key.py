"""Keys: which files and which records are taken, and what is said of the others."""

from __future__ import annotations

from base64 import b64encode

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as elliptic
from cryptography.hazmat.primitives.asymmetric.rsa import (
    RSAPrivateNumbers,
    RSAPublicNumbers,
    rsa_crt_dmp1,
    rsa_crt_dmq1,
    rsa_crt_iqmp,
)
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from hypothesis import given
from hypothesis import strategies as st

from mailer.dkim.key import KeyProblem, RevokedKey, private_key, public_key, strings

from .keys import key, pem


@pytest.mark.parametrize(
    ("kind", "bits"),
    [
        ("rsa", 1024),
        ("rsa", 2048),
        pytest.param("rsa", 3072, marks=pytest.mark.slow),  # which take a while to make
        pytest.param("rsa", 4096, marks=pytest.mark.slow),
        ("ed25519", 256),
    ],
)
def test_a_key_and_its_record_belong_together(kind: str, bits: int) -> None:
    """What the private key signs, the public key of its record holds, and nothing else."""
    private = private_key(pem(kind, bits))
    public = public_key(private.record)
    assert (private.kind, private.bits, public.kind, public.bits) == (kind, bits, kind, bits)
    signature = private.sign(b"data")
    assert public.holds(signature, b"data")
    assert not public.holds(signature, b"other")
    assert not public.holds(signature[:-1], b"data")
    assert not public_key(key("rsa", 2048 if bits != 2048 else 1024).record).holds(signature, b"data")


@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
def test_both_forms_of_pem(form: PrivateFormat) -> None:
    """What openssl, opendkim-genkey and others write is taken, with remarks around it."""
    made = load_pem_private_key(pem(), None).private_bytes(Encoding.PEM, form, NoEncryption())
    assert private_key(b"a remark\n" + made).record == key().record


def test_keys_that_cannot_sign() -> None:
    """Each is refused with its reason."""
    protected = load_pem_private_key(pem(), None).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x"))
    other = elliptic(SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public = load_pem_private_key(pem(), None).public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    for data, reason in (
        (protected, "passphrase"),
        (other, "neither an RSA nor an Ed25519"),
        (public, "no private key"),
        (b"", "no private key"),
        (small(), "it has 512 bits"),
    ):
        with pytest.raises(KeyProblem, match=reason):
            private_key(data)


def small() -> bytes:
    """A key of 512 bits, which no library makes any more."""
    p, q = (
        0xF8F0DCC9C045EAD09526A1868F1B01184902907BEFF1C59608FE3DF6E3B5C3DF,
        0xC56D5E44DEA29C105D83A72A1237707F1BC29ABE225AB1C9982560F42E0F831D,
    )
    d = pow(65537, -1, (p - 1) * (q - 1))
    numbers = RSAPrivateNumbers(p, q, d, rsa_crt_dmp1(d, p), rsa_crt_dmq1(d, q), rsa_crt_iqmp(p, q), RSAPublicNumbers(65537, p * q))
    return numbers.private_key().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def test_a_key_is_not_in_its_repr() -> None:
    """Neither logs nor errors can show it."""
    assert "PrivateKey" in repr(key())
    assert len(repr(key())) < 100


@pytest.mark.parametrize(
    "record",
    [
        "k=rsa; p={p}",
        "p={p}",
        "v=DKIM1; p={p}",
        "v=DKIM1;k=rsa;t=y:s;n=a note;p={p};",
        "v=DKIM1; h=sha1:sha256; s=*; p={p}; x=unknown",
        "v=DKIM1; s=other:email; p={p}",
        " v = DKIM1 ; k = rsa ;\tp = {folded} ; ",
    ],
)
def test_records_that_hold_a_key(record: str) -> None:
    """Blanks, order, and tags that nobody knows do not matter."""
    p = key().public
    assert public_key(record.format(p=p, folded=f"{p[:60]} \t{p[60:]}")).bits == 2048


def test_flags_of_a_record() -> None:
    """t=y is a test, t=s is strict about i=."""
    found = public_key(f"v=DKIM1; t=y : s; p={key().public}")
    assert (found.testing, found.strict) == (True, True)
    found = public_key(key().record)
    assert (found.testing, found.strict) == (False, False)


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ("", "no p="),
        ("v=DKIM1", "no p="),
        ("v=spf1 -all", "does not begin with v=DKIM1|no list of tags"),
        ("v=DKIM2; p={p}", "does not begin with v=DKIM1"),
        ("p={p}; v=DKIM1", "does not begin with v=DKIM1"),
        ("p={p}; p={p}", "two tags p="),
        ("no list", "no list of tags"),
        ("v=DKIM1; p=!", "is no rsa key"),
        ("v=DKIM1; p=AAAA", "is no rsa key"),
        ("v=DKIM1; k=ed25519; p=AAAA", "is no ed25519 key"),
        ("v=DKIM1; k=ed448; p={p}", "which nobody knows"),
        ("v=DKIM1; s=tlsrpt; p={p}", "not for mail"),
        ("v=DKIM1; h=sha1; p={p}", "not for SHA-256"),
    ],
)
def test_records_that_hold_none(record: str, reason: str) -> None:
    """Each is refused with its reason."""
    with pytest.raises(KeyProblem, match=reason):
        public_key(record.format(p=key().public))


def test_a_revoked_key_is_known_as_such() -> None:
    """RFC 6376 §3.6.1: an empty p= takes the key back."""
    with pytest.raises(RevokedKey):
        public_key("v=DKIM1; k=rsa; p=")


def der(modulus: int) -> str:
    """An RSA public key with some modulus, as a record has it."""
    made = RSAPublicNumbers(65537, modulus).public_key()
    return b64encode(made.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()


@pytest.mark.parametrize(("bits", "taken"), [(512, False), (1023, False), (1024, True), (8192, True), (8193, False), (16384, False)])
def test_the_sizes_of_keys_that_are_checked(bits: int, taken: bool) -> None:
    """From 1024 bits, which RFC 8301 asks for, to 8192: how long a check takes is not for a stranger to choose."""
    record = f"v=DKIM1; p={der((1 << bits) - 1)}"
    if taken:
        assert public_key(record).bits == bits
    else:
        with pytest.raises(KeyProblem, match="bits; from 1024"):
            public_key(record)


@given(st.text(max_size=200))
def test_no_record_is_more_than_refused(text: str) -> None:
    """Whatever a TXT record holds, it is a key, or there is one kind of error."""
    try:
        public_key(text)
    except KeyProblem:
        pass


@pytest.mark.slow  # to make a key of that length takes a while
def test_records_are_divided_for_the_dns() -> None:
    """In strings of at most 255 octets, which together are the record."""
    record = key("rsa", 4096).record
    pieces = strings(record)
    assert "".join(pieces) == record
    assert [len(piece) for piece in pieces] == [255, 255, len(record) - 510]
    assert strings(key("ed25519").record) == [key("ed25519").record]
