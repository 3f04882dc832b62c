"""Attacks on what is proved, as Chen, Paxson and Jiang collected them (Composition Kills, USENIX Security 2020, and their tool espoofer).

In each a stranger, who can prove attack.test and nothing else, wants a reader to see admin@legit.test as the author of a message that
passed.
"""

from __future__ import annotations

import pytest

from mailer.auth.results import read
from tests.auth.answers import World
from tests.filtering.letters import RECORDS, SETTINGS, letter, proved, signed

ADMIN = "From: <admin@legit.test>"


def forged(d: bytes, s: bytes = b"s1") -> bytes:
    """A message that the stranger has signed with his own key, and with other names than his."""
    made = signed(letter(ADMIN), "attack.test", "ed25519")
    return made.replace(b"d=attack.test", b"d=" + d).replace(b"s=s1", b"s=" + s)


ENVELOPES = [
    ("a name below that does not exist", letter(ADMIN), "any@mailfrom.notexist.legit.test", "helo.attack.test"),
    ("an empty path, and EHLO proves", letter(ADMIN), "", "attack.test"),
    ("an address that begins as a comment", letter(ADMIN), '"(any"@legit.test', "attack.test"),
    ("NUL in the selector", forged(b"legit.test", b"s1._domainkey.attack.test.\x00.any"), "any@33.attack.test", "33.attack.test"),
    ("a quote in the domain of a signature", forged(b"legit.test'a.attack.test"), "any@attack.test", "attack.test"),
    ("a comment in the domain of a signature", forged(b"legit.test(.attack.test"), "any@attack.test", "attack.test"),
    ("a comment in the path", letter(ADMIN), "any@legit.test(a.attack.test", "attack.test"),
    ("a quote in the path", letter(ADMIN), "any@legit.test'@any.attack.test", "attack.test"),
    ("a route in the path", letter(ADMIN), "'any@attack.test", "attack.test"),
    ("two From", letter("From: <first@attack.test>", ADMIN), "any@attack.test", "attack.test"),
    ("a blank behind From", letter("From: <first@attack.test>", "From : <admin@legit.test>"), "any@attack.test", "attack.test"),
    ("two addresses", letter("From: <first@attack.test>, <admin@legit.test>"), "any@attack.test", "attack.test"),
    ("encoded", letter("From:=?utf-8?b?PGFkbWluQGxlZ2l0LnRlc3Q+?=,<second@attack.test>"), "any@attack.test", "attack.test"),
    ("a route in From", letter("From: <@attack.test,@any.test:admin@legit.test>"), "any@attack.test", "attack.test"),
    ("a quoted pair", letter("From: <admin@legit.test>\\,<second@attack.test>"), "any@attack.test", "attack.test"),
    ("no brackets", letter("From: admin@legit.test,<second@attack.test>"), "any@attack.test", "attack.test"),
    ("behind the brackets", letter("From: <any@attack.test>admin@legit.test"), "any@attack.test", "attack.test"),
    ("Sender for From", letter("Sender: <admin@legit.test>"), "any@attack.test", "attack.test"),
    ("Resent-From for From", letter("Resent-From: <admin@legit.test>"), "any@attack.test", "attack.test"),
    ("EHLO of the victim", letter(ADMIN), "any@attack.test", "legit.test"),
]


@pytest.mark.parametrize(("content", "sender", "hello"), [case[1:] for case in ENVELOPES], ids=[case[0] for case in ENVELOPES])
def test_no_attack_passes(content: bytes, sender: str, hello: str) -> None:
    """Each is refused, and so it is where the stranger has signed the message for his own domain."""
    for each in (content, signed(content, "attack.test", "ed25519")):
        proof = proved(each, sender, hello=hello)
        assert (proof.verdict, proof.dmarc, proof.domain) == ("refuse", "fail", "")
        said = read(proof.field.decode().partition(":")[2])
        assert said is not None
        assert not [one for one in said.results if one.word == "pass" and "legit" in dict(one.properties).get("header.d", "")]


@pytest.mark.parametrize("first", [" From: <first@attack.test>", "From\r\n : <first@attack.test>"])
def test_a_header_that_is_none(first: str) -> None:
    """A blank before the first field, or a name on two lines: doors refuse that by itself; here nothing is proved by it."""
    proof = proved(letter(first, ADMIN), "any@attack.test", hello="attack.test")
    assert (proof.dmarc, proof.domain) == ("fail", "")


@pytest.mark.parametrize(
    ("hello", "sender", "domain"),
    [
        ("a) dkim=pass (b", "", "attack.test"),
        ("x", '"x) dmarc=pass (y"@evil.test', "attack.test"),
        ("x", '"x; dkim=pass header.d=legit.test"@evil.test', "attack.test"),
        ("x", "a@b.test\r\n\tdkim=pass", "attack.test"),
        ("x", "", "legit.test(.attack.test"),
        ("x", "", "legit.test\r\n dkim=pass"),
    ],
)
def test_the_field_cannot_be_bent(hello: str, sender: str, domain: str) -> None:
    """Whatever a stranger says, the field has the results that there are, and no others."""
    proof = proved(forged(domain.encode()), sender, hello=hello)
    said = read(proof.field.decode().partition(":")[2])
    assert said is not None
    assert [one.method for one in said.results] == ["iprev", "spf", "dkim", "dmarc"]
    assert not [one.method for one in said.results if one.word == "pass" and one.method != "dkim"]


def test_many_named_domains_are_not_many_questions() -> None:
    """Whoever names a thousand domains in From is refused, and ten of them are asked for."""
    world = World(RECORDS)
    many = letter("From: " + ", ".join(f"a@d{number}.test" for number in range(20)))
    assert proved(many, "any@attack.test", world=world, settings=SETTINGS).verdict == "refuse"
    assert len({name for name, _ in world.asked if name.startswith("_dmarc.d")}) == 10
