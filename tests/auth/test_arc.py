"""Chains of seals: ours hold for others, theirs hold for us, and what was changed on the way breaks them."""

from __future__ import annotations

import re
import time
from typing import Any

import dkim
import pytest

from mailer.auth.arc import MOST, ArcChain, seal, verify, vouched
from mailer.auth.results import MethodResult, payload
from mailer.dkim.verify import SignedMessage
from tests.auth.answers import World, found
from tests.dkim.keys import key

NOW = 1_700_000_000.0
RSA, ED25519 = key(), key("ed25519")
MESSAGE = b"From: a@example.com\r\nTo: b@list.test\r\nSubject: x\r\nDate: Sat, 29 Nov 2025 10:00:00 +0000\r\n\r\nhello\r\n"
HOSTS = {"list.test": RSA, "mx.test": ED25519, "third.test": RSA}
WORLD = World({(f"arc._domainkey.{domain}", "TXT"): [its.record] for domain, its in HOSTS.items()})


def said(host: str, *methods: MethodResult) -> str:
    """What stands in Authentication-Results of `host`."""
    return payload(host, methods).decode()


PASSED = MethodResult("dmarc", "pass", "", (("header.from", "example.com"),))
HELD = MethodResult("arc", "pass")


def sealed(content: bytes, domain: str, *methods: MethodResult) -> bytes:
    """`content` with the set of `domain` on top."""
    return seal(content, said(domain, *methods), HOSTS[domain], domain, "arc", NOW) + content


def chain(content: bytes, world: World = WORLD) -> ArcChain:
    """What we find of the chain."""
    return found(verify(SignedMessage(content), time.time()), world)


def test_a_message_without_a_chain() -> None:
    """Nothing is asked for it."""
    world = World({})
    assert chain(MESSAGE, world) == ArcChain("none")
    assert world.asked == []


def test_our_seals_hold() -> None:
    """Three hosts one after the other, the second with another kind of key; each key is asked for once."""
    content = sealed(sealed(sealed(MESSAGE, "list.test", PASSED), "mx.test", HELD), "third.test", HELD)
    world = World(WORLD.known)
    result = chain(content, world)
    assert (result.word, result.why, [hop.domain for hop in result.hops]) == ("pass", "", ["list.test", "mx.test", "third.test"])
    assert result.hops[0].results is not None
    assert result.hops[0].results.results == (PASSED,)
    assert len(world.asked) == 3


@pytest.mark.parametrize(
    ("before", "after", "why"),
    [
        (b"hello", b"hallo", "the body"),
        (b"Subject: x", b"Subject: y", "the header"),
        (b"dmarc=pass", b"dmarc=none", "seal 2 does not hold"),
        (b"cv=none", b"cv=pass", "the chain before it"),
        (b"ARC-Seal: i=1;", b"ARC-Seal: i=3;", "numbered"),
        (b"ARC-Seal: i=1;", b"X-Seal: i=1;", "lacks a field"),
        (b"ARC-Seal: i=1; a=rsa-sha256", b"ARC-Seal: i=1; a=rsa-sha1", "algorithm"),
        (b"ARC-Seal: i=1;", b"ARC-Seal: i=1; h=from;", "one too many"),
        (b"ARC-Seal: i=1;", b"ARC-Seal: i=1; i=1;", "is none"),
        (b"h=from:", b"h=ARC-Seal:from:", "about a seal"),
        (b"cv=none; d=list.test", b"cv=none; d=list.test\x1b[1m", "is no name"),
        (b"cv=none; d=list.test", b"cv=none; d=nobody.test", "seal 2 does not hold"),
        (b"cv=none; d=list.test", b"cv=none; d=mx.test", "seal 2 does not hold"),
    ],
)
def test_what_is_changed_breaks_the_chain(before: bytes, after: bytes, why: str) -> None:
    """The message, what a host had found, the order of the sets, a tag of a seal."""
    content = sealed(sealed(MESSAGE, "list.test", PASSED), "mx.test", HELD)
    assert before in content
    result = chain(content.replace(before, after))
    assert result.word == "fail"
    assert why in result.why


@pytest.mark.parametrize(
    ("domain", "why"), [("nobody.test", "no key for seal 1"), ("mx.test", "seal 1 does not hold"), ("list.test", "seal 1 does not hold")]
)
def test_a_seal_that_is_not_its_hosts(domain: str, why: str) -> None:
    """There is no such key, or it is another one, or has made it for another domain."""
    content = sealed(MESSAGE, "list.test", PASSED).replace(b"cv=none; d=list.test", b"cv=none ; d=" + domain.encode())
    assert why in chain(content).why


def test_a_key_that_nobody_can_look_up() -> None:
    """The chain does not hold for now, and it is said that this may pass."""
    content = sealed(MESSAGE, "list.test", PASSED)
    result = chain(content, World({}, ("arc._domainkey.list.test",)))
    assert (result.word, result.trouble) == ("fail", True)


def test_the_chain_has_an_end() -> None:
    """Fifty sets are looked at and sealed, the next one is not: nothing is asked for sixty sets."""
    content = MESSAGE
    for _ in range(MOST):
        content = sealed(content, "mx.test", HELD)
    assert chain(content).word == "pass"
    assert seal(content, said("mx.test", HELD), ED25519, "mx.test", "arc", NOW) == b""
    fields = (b"ARC-Seal: i=%d; a=rsa-sha256; cv=pass; d=mx.test; s=arc; b=AAAA\r\n" % number for number in range(60, 0, -1))
    others = b"ARC-Message-Signature: i=1; x\r\nARC-Authentication-Results: i=1; x\r\n" * 60
    world = World(WORLD.known)
    result = chain(b"".join(fields) + others + MESSAGE, world)
    assert (result.word, "more than 50" in result.why, world.asked) == ("fail", True, [])


def test_a_long_chain_is_not_reckoned_with() -> None:
    """Each seal is about all before it: so much text is nobody's who means well."""
    result = chain(sealed(MESSAGE, "list.test", MethodResult("x-a", "pass", "", tuple((f"x.p{n}", "y" * 300) for n in range(500)))))
    assert (result.word, "too long" in result.why) == ("fail", True)


def test_a_broken_chain_is_sealed_as_broken_and_no_further() -> None:
    """Who finds it broken says so; after that nobody adds anything. RFC 8617 §5.1.2"""
    content = sealed(MESSAGE, "list.test", PASSED).replace(b"hello", b"hallo")
    broken = sealed(content, "mx.test", MethodResult("arc", "fail"))
    assert b"cv=fail" in broken
    assert "the chain before it is broken" in chain(broken).why
    assert seal(broken, said("third.test", MethodResult("arc", "fail")), RSA, "third.test", "arc", NOW) == b""


def records(name: bytes, timeout: int = 5) -> bytes | None:
    """The DNS for dkimpy."""
    texts = WORLD.known.get((name.decode().rstrip("."), "TXT"))
    return texts[0].encode() if texts else None


def test_others_find_that_our_seals_hold() -> None:
    """dkimpy takes two sets of ours for a chain that passes, and a changed one for broken."""
    content = sealed(sealed(MESSAGE, "list.test", PASSED), "third.test", HELD)
    verdict, _, why = dkim.arc_verify(content, dnsfunc=records)
    assert (verdict, why) == (b"pass", "success")
    assert dkim.arc_verify(content.replace(b"hello", b"hallo"), dnsfunc=records)[0] == b"fail"


def by_others(content: bytes, domain: bytes) -> bytes:
    """`content` with a set that dkimpy makes; it takes the chain so far for what Authentication-Results says of it."""
    fields: Any = dkim.arc_sign(content, b"arc", domain, RSA.pem, domain)
    return b"".join(fields) + content


def test_seals_of_others_hold_for_us() -> None:
    """Two sets of dkimpy, and one of ours on top of them."""
    first = by_others(b"Authentication-Results: list.test; dmarc=pass header.from=example.com\r\n" + MESSAGE, b"list.test")
    assert chain(first).word == "pass"
    second = by_others(b"Authentication-Results: third.test; arc=pass\r\n" + first, b"third.test")
    assert chain(second).word == "pass"
    third = sealed(second, "mx.test", HELD)
    assert chain(third).word == "pass"
    assert vouched(chain(third), "example.com", {"list.test", "third.test", "mx.test"}) == "list.test"


@pytest.mark.parametrize(
    ("trusted", "author", "first", "second", "who"),
    [
        ({"list.test", "mx.test"}, "example.com", PASSED, HELD, "list.test"),
        ({"test"}, "example.com", PASSED, HELD, "list.test"),
        ({"mx.test"}, "example.com", PASSED, HELD, ""),
        ({"list.test"}, "example.com", PASSED, HELD, ""),
        ({"list.test", "mx.test"}, "other.example", PASSED, HELD, ""),
        ({"list.test", "mx.test"}, "example.com", PASSED, MethodResult("arc", "fail"), ""),
        ({"list.test", "mx.test"}, "example.com", MethodResult("dmarc", "fail"), HELD, ""),
        (set[str](), "example.com", PASSED, HELD, ""),
    ],
)
def test_whom_one_believes(trusted: set[str], author: str, first: MethodResult, second: MethodResult, who: str) -> None:
    """One who saw DMARC pass for this author is believed if he and all after him are, and each of those saw that the chain held."""
    content = sealed(sealed(MESSAGE, "list.test", first), "mx.test", second)
    assert vouched(chain(content), author, trusted) == who


def test_the_last_one_who_saw_it_pass_is_enough() -> None:
    """Who came before him is for him to know."""
    content = sealed(sealed(MESSAGE, "list.test", HELD), "mx.test", HELD, PASSED)
    assert vouched(chain(content), "example.com", {"mx.test"}) == "mx.test"


def test_a_chain_that_does_not_hold_is_worth_nothing() -> None:
    """Whoever sealed it."""
    content = sealed(MESSAGE, "list.test", PASSED).replace(b"hello", b"hallo")
    assert vouched(chain(content), "example.com", {"list.test"}) == ""


def test_fields_may_be_folded_anew() -> None:
    """The relaxed form does not mind blanks and the case of names."""
    content = sealed(sealed(MESSAGE, "list.test", PASSED), "mx.test", HELD)
    again = re.sub(rb"\r\n\tb=", rb"\r\n    b=", content).replace(b"ARC-Seal:", b"arc-seal :")
    assert chain(again).word == "pass"
