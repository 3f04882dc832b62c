"""Records of passwords: ours, and those of other programs."""

from __future__ import annotations

import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.accounts.password import is_record, key_pair, proves, record, scram_of
from mailer.mail.problem import Problem

SECRET = "correct horse"
SALT = b"0123456789abcdef"
PBKDF2 = "{PBKDF2}$1$Ul67f9MmiCYOASTx$5000$20df3dd3b817eea079f06b6cd6b0fdbe6ff407de"
SCRAM = (
    "{SCRAM-SHA-256}4096,m9+TSlOkc2W3cDP0p+zzKA==,5gP1fxw8XRZa0Ou1XyegtwAC4CF0ajDVeRggQAbtQuM=,LU7Q5+wfG9CIe0/cld4kKezQKWY8DD4wAoyPmoE1+1A="
)
SHA512 = "{SHA512-CRYPT}$6$ZW0gky69uQ0y72v5$RMoLOS/JjUar8KqaugsQoAdoCWEyqnQ0Y925hNO7tNxLDt3HqdwTy8E6OWlxdP4MUwOfq/7.pzneHA9XeMryL."
OF_DOVECOT = [
    PBKDF2,
    SCRAM,
    SHA512,
    "{SHA256-CRYPT}$5$VLBG6J1ZZNGYwUXT$/rchmW9fogLhIVyjq2Oq9Ey8Y/pw8dlAxjl17daSPf4",
    "{SSHA512}5YkjoXFAAm8qJcaLZldYCNp+sRPNp6rkLn5iC/rxvyA5s1Uiyz+XC1lti7xx5rJZAkT+IPomBHxqAuzA5Xw1UvQPqqc=",
    "{SSHA256}sfdopdaYSQaUXQCSRNSYvIxgALcZMRbOn9hPNb733Y5vxv6R",
]
"""What `doveadm pw -p 'correct horse'` of Dovecot 2.3.19 printed."""

ARGON2 = [
    "{ARGON2ID}$argon2id$v=19$m=65536,t=3,p=1$20WQgddnaJJkJp+fBQFH7g$SRchJt76NVxqG69ZMvB4Sy29OFXZLoFYhJjMzGzeEFE",
    "{ARGON2I}$argon2i$v=19$m=32768,t=4,p=1$PXJi7wbGAUspO5oOfyRsEQ$YkCzEFk53iIaUgu9cwl+mNQZ5EBMyMDRww5wjAeTiMs",
]


def test_a_record_is_proved_by_its_password_and_by_no_other() -> None:
    """Nor does it hold the password."""
    kept = record(SECRET, SALT, cost=4)
    assert kept.startswith("{SCRYPT}ln=4,r=8,p=1$")
    assert SECRET not in kept
    assert proves(kept, SECRET)
    assert not any(proves(kept, wrong) for wrong in ("", "Correct horse", "correct horse ", "correct horse\0", "x" * 10_000, "\udcff"))
    assert record(SECRET, SALT[::-1], cost=4) != kept


def test_the_cost_stands_in_the_record() -> None:
    """So it can grow, and what was made before is checked as before; two to the fifteenth is what a record has now."""
    kept = record(SECRET, SALT)
    assert kept.startswith("{SCRYPT}ln=15,r=8,p=1$")
    assert proves(kept, SECRET)


def test_a_password_is_the_same_however_its_characters_are_composed() -> None:
    """RFC 4616 §2 and RFC 5802 §5.1 have it prepared; and what may be in none proves nothing."""
    kept = record("caf\N{LATIN SMALL LETTER E WITH ACUTE}", SALT, cost=4)
    assert proves(kept, "cafe\N{COMBINING ACUTE ACCENT}")
    assert not proves(kept, "caf\ue000")


@pytest.mark.parametrize("password", ["", "a\nb", "\x7f", "\ue000", "x" * 1025, "\udcff"])
def test_what_nobody_can_type_is_no_password(password: str) -> None:
    """When it is made, that is said without repeating it."""
    with pytest.raises(Problem, match=r"a password|the password") as caught:
        record(password, SALT, cost=4)
    assert caught.value.kind == "usage"
    with pytest.raises(Problem):
        key_pair(password, SALT, 4096)


@pytest.mark.parametrize("kept", OF_DOVECOT, ids=lambda kept: kept.partition("}")[0])
def test_records_of_dovecot_are_read(kept: str) -> None:
    """Those that Python can check, whatever they were made by."""
    assert is_record(kept)
    assert proves(kept, SECRET)
    assert not proves(kept, SECRET + "!")


@pytest.mark.parametrize("kept", ARGON2, ids=["id", "i"])
def test_records_of_argon2_are_read_where_its_library_is(kept: str) -> None:
    """The extra argon2 brings it."""
    pytest.importorskip("argon2")
    assert is_record(kept)
    assert proves(kept, SECRET)
    assert not proves(kept, SECRET + "!")


@pytest.mark.parametrize(
    "kept",
    [
        "",
        SECRET,
        "{PLAIN}correct horse",
        "{BLF-CRYPT}$2y$05$x",
        "{SCRYPT}",
        "{SCRYPT}ln=15,r=8,p=1$c2FsdA",
        "{SCRYPT}ln=60,r=8,p=1$c2FsdA$c2FsdA",
        "{SCRYPT}ln=x$y$z",
        "{PBKDF2}$1$salt$99999999999$20df3dd3b817eea079f06b6cd6b0fdbe6ff407de",
        "{PBKDF2}$1$salt$1000$20df",
        "{SSHA512}c2FsdA==",
        "{SSHA256}!",
        "{SHA512-CRYPT}$5$salt$hash",
        "{SHA512-CRYPT}$6$rounds=999999999$salt$hash",
        "{SCRAM-SHA-256}4096,c2FsdA==,c2FsdA==",
        "{ARGON2ID}$argon2id$",
    ],
)
def test_what_is_no_record_proves_nothing(kept: str) -> None:
    """Whoever asks is told that it cannot be checked, and not what it is."""
    assert not is_record(kept)
    with pytest.raises(Problem, match="cannot be checked") as caught:
        proves(kept, SECRET)
    assert caught.value.kind == "bad-config"
    assert SECRET not in str(caught.value)


def test_the_keys_of_scram_are_those_of_the_password() -> None:
    """As a client computes them: the proof of its password gives back the stored key, RFC 5802 §3."""
    keys = key_pair(SECRET, SALT, 4096)
    salted = hashlib.pbkdf2_hmac("sha256", SECRET.encode(), SALT, 4096)
    client = hmac.digest(salted, b"Client Key", "sha256")
    assert keys == (hashlib.sha256(client).digest(), hmac.digest(salted, b"Server Key", "sha256"))


def test_a_record_of_scram_has_the_keys_in_it() -> None:
    """So whoever comes with SCRAM can be let in by it; others have none."""
    found = scram_of(SCRAM)
    assert found is not None
    keys, salt, iterations = found
    assert key_pair(SECRET, salt, iterations) == keys
    assert scram_of(SHA512) is None


CUT = st.sampled_from([*OF_DOVECOT, *ARGON2]).flatmap(lambda kept: st.integers(0, len(kept)).map(lambda at: kept[:at]))


@given(st.text() | CUT)
def test_whatever_stands_in_a_file_is_a_record_or_is_none(text: str) -> None:
    """Whoever reads it has one answer to expect, and one kind of error."""
    if not is_record(text):
        with pytest.raises(Problem):
            proves(text, SECRET)
