"""Verifying: signatures of others, forgeries, and what is made to keep a verifier busy."""

from __future__ import annotations

import functools
import re
import time
from base64 import b64encode
from collections.abc import Mapping

import dkim
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.dkim.key import private_key
from mailer.dkim.sign import sign
from mailer.dkim.verify import MOST, Result, claims
from mailer.mail.message import normalise

from .keys import DAY, NOW, key, pem, seal
from .letters import BASE, chance, shapes

CONTENT = normalise(BASE + b"\nHello,\n\nthe text.\n")
RECORDS = {"rsa2048._domainkey.example.com": [key().record], "ed25519._domainkey.example.com": [key("ed25519").record]}
SEAL, ED25519 = seal(), seal("ed25519")


def judged(content: bytes, records: Mapping[str, list[str]] = RECORDS, at: float = NOW) -> list[Result]:
    """The results of all signatures, with these records in the DNS."""
    return [claim.result or claim.check(records.get(claim.name, [])) for claim in claims(content, at)]


def words(content: bytes, records: Mapping[str, list[str]] = RECORDS, at: float = NOW) -> list[str]:
    return [result.word for result in judged(content, records, at)]


def signed(content: bytes = CONTENT, at: float = NOW) -> bytes:
    return sign(content, [SEAL], at)


@pytest.mark.slow
def test_what_we_sign_we_believe() -> None:
    """Each message of every shape, with both kinds of keys."""
    doubted = [
        shape
        for letters in (shapes(), chance(60))
        for shape, content in letters
        if words(sign(content, [SEAL, ED25519], NOW))[:2] != ["pass", "pass"]
    ]
    assert doubted == []


@functools.cache
def foreign(header: bytes, body: bytes, kind: str = "rsa") -> bytes:
    """The message, signed by dkimpy."""
    private, algorithm = (pem(), b"rsa-sha256") if kind == "rsa" else (_seed(), b"ed25519-sha256")
    field = dkim.sign(CONTENT, b"rsa2048" if kind == "rsa" else b"ed25519", b"example.com", private,
                      canonicalize=(header, body), signature_algorithm=algorithm)  # fmt: skip
    return bytes(field + CONTENT)


def _seed() -> bytes:
    """The Ed25519 key as dkimpy has it."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    made = load_pem_private_key(pem("ed25519"), None)
    assert isinstance(made, Ed25519PrivateKey)
    return b64encode(made.private_bytes_raw())


@pytest.mark.parametrize("kind", ["rsa", "ed25519"])
@pytest.mark.parametrize("body", [b"relaxed", b"simple"])
@pytest.mark.parametrize("header", [b"relaxed", b"simple"])
def test_what_others_sign_we_believe(header: bytes, body: bytes, kind: str) -> None:
    """Signatures of dkimpy in all four canonical forms; and not when a letter is another."""
    content = foreign(header, body, kind)
    now = time.time()
    assert words(content, at=now) == ["pass"]
    assert words(content.replace(b"the text", b"the test"), at=now) == ["fail"]
    assert words(content.replace(b"a letter", b"a latter"), at=now) == ["fail"]


def test_simple_forms_are_strict_about_blanks() -> None:
    """A blank more changes a simple form and not a relaxed one."""
    now = time.time()
    for form, expected in ((b"simple", "fail"), (b"relaxed", "pass")):
        assert words(foreign(form, b"relaxed").replace(b"Subject: a", b"Subject:  a"), at=now) == [expected]
        assert words(foreign(b"relaxed", form).replace(b"Hello,\r\n", b"Hello, \r\n"), at=now) == [expected]


def test_changes_are_told_apart() -> None:
    """The reason says whether it was the body or the header."""
    assert judged(signed()) == [("pass", "")]
    assert "the body" in judged(signed().replace(b"the text", b"the test"))[0].why
    assert "the header" in judged(signed().replace(b"a letter", b"a latter"))[0].why
    assert "the header" in judged(signed().replace(b"From: Anna", b"From: mallory@example.net\r\nFrom: Anna"))[0].why


def rewritten(before: bytes, after: bytes) -> bytes:
    """The message with other tags in its signature, by whoever has the key: the signature itself is right."""
    found = re.match(rb"(DKIM-Signature:.*?b=)(\S+(?:\r\n\t\S+)*)\r\n(?=[A-Z])", signed(), re.DOTALL)
    assert found
    field = found[1].replace(before, after)
    assert field != found[1]
    lines = CONTENT.partition(b"\r\n\r\n")[0].split(b"\r\n")
    values = {line.partition(b":")[0].lower(): line.partition(b":")[2].strip() for line in lines}
    named = re.search(rb"h=([^;]*);", field)
    fields = b""
    for name in re.sub(rb"\s", b"", named[1] if named else b"").split(b":"):
        if name in values:
            fields += name + b":" + values.pop(name) + b"\r\n"
    own = b"dkim-signature:" + re.sub(rb"\s+", b" ", field.partition(b":")[2]).strip()
    return field + b64encode(SEAL.key.sign(fields + own)) + b"\r\n" + CONTENT


def test_rewriting_makes_right_signatures() -> None:
    """The tool of the next test is right: a harmless change passes."""
    assert words(rewritten(b"v=1;", b"v=1; z=x;")) == ["pass"]


@pytest.mark.parametrize(
    ("before", "after", "word", "why"),
    [
        (b"v=1;", b"v=1; l=5;", "policy", "l= leaves the end of the body open"),
        (b"v=1;", b"v=2;", "permerror", "unknown version"),
        (b"v=1;", b"", "permerror", "no v="),
        (b"v=1;", b"v=1; v=1;", "permerror", "two tags v="),
        (b"v=1;", b"v=1; nonsense;", "permerror", "no list of tags"),
        (b"v=1;", b"v=1; q=http;", "permerror", "not in the DNS"),
        (b"v=1;", b"v=1; i=anna@news.example.com;", "pass", ""),
        (b"v=1;", b"v=1; i=@example.net;", "permerror", "i= is not of the domain"),
        (b"v=1;", b"v=1; i=@notexample.com;", "permerror", "i= is not of the domain"),
        (b"a=rsa-sha256", b"a=rsa-sha1", "permerror", "not to be believed"),
        (b"a=rsa-sha256", b"a=ed25519-sha256", "permerror", "cannot be made with the rsa key"),
        (b"a=rsa-sha256", b"a=none", "permerror", "not to be believed"),
        (b"relaxed/relaxed", b"relaxed/other", "permerror", "canonical form"),
        (b"d=example.com", b"d=example..com", "permerror", "no name"),
        (b"d=example.com", b"d=", "permerror", "no d="),
        (b"d=example.com", b"d=other.example", "permerror", "there is no key at rsa2048._domainkey.other.example"),
        (b"s=rsa2048", b"s=a b", "permerror", "no name"),
        (b"h=from:from:", b"h=", "permerror", "the From field is not signed"),
        (b"bh=", b"bh=!", "permerror", "not base64"),
        (b"t=", b"t=-", "permerror", "t= is no time"),
        (b"t=%d" % NOW, b"t=%d" % (NOW + 100), "pass", ""),
        (b"t=%d" % NOW, b"t=%d" % (NOW + 4000), "fail", "from the future"),
        (b"x=%d" % (NOW + 14 * DAY), b"x=%d" % (NOW - 1), "permerror", "expires before it was made"),
        (b"t=%d;" % NOW, b"", "pass", ""),
    ],
)
def test_what_a_signature_must_not_say(before: bytes, after: bytes, word: str, why: str) -> None:
    """Signed with the right key, and not believed all the same; the reason is said."""
    (result,) = judged(rewritten(before, after))
    assert result.word == word
    assert why in result.why


def test_signatures_expire() -> None:
    """x= ends them, to the second."""
    assert words(signed(), at=int(NOW + 14 * DAY)) == ["pass"]
    assert judged(signed(), at=NOW + 14 * DAY + 2)[0].word == "fail"
    assert "it expired" in judged(signed(), at=NOW + 14 * DAY + 2)[0].why


@pytest.mark.parametrize(
    ("records", "word", "why"),
    [
        ([], "permerror", "there is no key at rsa2048._domainkey.example.com"),
        ([key("rsa", 1024).record], "fail", "or the key is another"),
        ([key().record, key().record], "permerror", "2 records"),
        (["v=DKIM1; p="], "permerror", "revoked"),
        ([f"v=DKIM1; t=s; p={key().public}"], "pass", ""),
        ([f"v=DKIM1; t=y; p={key().public}"], "pass", "test phase"),
        (["v=spf1 -all"], "permerror", "no key"),
    ],
)
def test_what_the_dns_may_say(records: list[str], word: str, why: str) -> None:
    """No key, another key, several, a revoked one: each has its reason."""
    (result,) = judged(signed(), {"rsa2048._domainkey.example.com": records})
    assert result.word == word
    assert why in result.why


def test_a_strict_key_is_for_its_very_domain() -> None:
    """t=s forbids an i= below the domain. RFC 6376 §3.6.1"""
    strict = {"rsa2048._domainkey.example.com": [f"v=DKIM1; t=s; p={key().public}"]}
    (result,) = judged(rewritten(b"v=1;", b"v=1; i=@news.example.com;"), strict)
    assert result.word == "permerror"
    assert "is not for mail of news.example.com" in result.why


def test_a_dns_without_an_answer_is_no_verdict() -> None:
    """Another time it may answer."""
    (claim,) = claims(signed(), NOW)
    assert claim.trouble("no answer in time") == ("temperror", "rsa2048._domainkey.example.com: no answer in time")


def test_a_thousand_signatures_cost_no_more_than_five() -> None:
    """Only the first are looked at, and only for them the DNS is asked; the rest is one line."""
    field = signed()[: -len(CONTENT)].replace(b"s=rsa2048", b"s=unknown")
    content = field * 1000 + CONTENT
    begin = time.process_time()
    found = list(claims(content, NOW))
    assert len([claim for claim in found if claim.result is None]) == MOST
    assert found[-1].result == ("neutral", "only 5 signatures are looked at")
    assert len(found) == MOST + 1
    for claim in found[:MOST]:
        claim.check([key().record])
    assert time.process_time() - begin < 2.0


@pytest.mark.parametrize("bits", [512, 16384])
def test_keys_of_the_wrong_size_are_refused(bits: int) -> None:
    """A key that anybody can break proves nothing; one that takes forever to check is an attack."""
    from .test_key import der

    (result,) = judged(signed(), {"rsa2048._domainkey.example.com": [f"v=DKIM1; p={der((1 << bits) - 1)}"]})
    assert result.word == "permerror"
    assert "bits" in result.why


def test_h_may_name_a_field_a_thousand_times() -> None:
    """A long list of names costs what it is long."""
    content = rewritten(b"h=from:", b"h=from:" + b"x:" * 50_000)
    begin = time.process_time()
    assert words(content) == ["pass"]
    assert time.process_time() - begin < 2.0


@given(st.binary(max_size=200), st.sampled_from([b"DKIM-Signature: ", b""]))
def test_no_message_is_more_than_doubted(data: bytes, start: bytes) -> None:
    """Whatever comes, there is a word for it, and nothing is raised."""
    assert "pass" not in words(normalise(start + data))


def test_our_records_are_what_others_publish() -> None:
    """The two ways to read a private key agree about the record."""
    assert private_key(pem()).record == key().record
