"""What a message proves of its sender, and what follows: the methods together, with a DNS that is told what it has."""

from __future__ import annotations

import asyncio
import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.auth.arc import seal
from mailer.auth.records import DnsRecords
from mailer.auth.results import MethodResult, payload, read
from mailer.filtering import proof as proof_module
from mailer.filtering.proof import Proof, prove
from mailer.mail.arrival import Arrival
from mailer.net.dns import Resolver
from tests.auth.answers import World
from tests.dkim.keys import NOW, key
from tests.fakes.nameserver import Nameserver
from tests.filtering.letters import HOST, RECORDS, SETTINGS, STRANGERS, THEIRS, At, letter, proved, signed


def field(proof: Proof) -> dict[str, MethodResult]:
    """What Authentication-Results says, by method."""
    name, _, value = proof.field.decode().partition(":")
    found = read(value)
    assert found is not None
    assert (name, found.host) == ("Authentication-Results", HOST)
    return {one.method: one for one in found.results}


LEGIT = letter("From: Ann <ann@legit.test>")


def test_mail_that_proves_everything() -> None:
    """Its field says so, method by method, and a report may go to its sender."""
    proof = proved(signed(LEGIT, "legit.test"), "ann@legit.test", THEIRS, name="mail.legit.test")
    ((domain, mark),) = proof.signatures
    assert (domain, len(mark)) == ("legit.test", 12)
    assert proof.field.replace(mark.encode(), b"MARK").replace(b'"MARK"', b"MARK") == (
        b"Authentication-Results: mx.test;\r\n"
        b"\tiprev=pass policy.iprev=192.0.2.1;\r\n"
        b"\tspf=pass smtp.mailfrom=ann@legit.test;\r\n"
        b"\tdkim=pass header.d=legit.test header.s=s1 header.a=rsa-sha256\r\n"
        b"\theader.b=MARK;\r\n"
        b"\tdmarc=pass header.from=legit.test\r\n"
    )
    assert (proof.verdict, proof.reply, proof.proven, proof.domain) == ("accept", None, True, "legit.test")
    assert (proof.spf, proof.dkim, proof.dmarc) == ("pass", "pass", "pass")
    assert [(step.step, step.result, step.reason) for step in proof.steps] == [
        ("iprev", "pass", ""), ("spf", "pass", "ip4:192.0.2.1 of legit.test"), ("dkim legit.test", "pass", ""),
        ("dmarc", "pass", "SPF of legit.test"),
    ]  # fmt: skip


def test_nothing_is_proved_and_nobody_minds() -> None:
    """A domain without any record: what was found is written down, and the mail is taken."""
    proof = proved(letter("From: a@nowhere.test"), "a@nowhere.test")
    assert (proof.verdict, proof.proven, proof.domain, proof.spf, proof.dkim, proof.dmarc) == ("accept", False, "", "none", "none", "none")
    assert [(one.method, one.word) for one in field(proof).values()] == [
        ("iprev", "fail"),
        ("spf", "none"),
        ("dkim", "none"),
        ("dmarc", "none"),
    ]


def refusal(proof: Proof) -> str:
    """The codes of what the client hears."""
    assert proof.reply is not None
    return f"{proof.reply.code} {proof.reply.enhanced}"


def test_a_refusal_has_a_word() -> None:
    """What ``mailer received`` is asked by."""
    many = ", ".join(f"a@d{number}.test" for number in range(20))
    refused = {
        "dmarc": [LEGIT, letter("From: a@plain.test, b@legit.test")],
        "spoof": [letter("From: boss@ours.test"), letter("From: a@legit.test, b@ours.test")],
        "sender": [letter(f"From: {many}")],
        "": [letter("From: a@plain.test")],
    }
    for word, letters in refused.items():
        assert [proved(each, "x@attack.test").reason for each in letters] == [word] * len(letters)
    assert proved(LEGIT, "x@attack.test", world=World(RECORDS, ("_dmarc.test",))).reason == "dns"


def test_a_domain_that_wants_it_refused() -> None:
    """p=reject and no proof: 550 5.7.26, with the domain in its text."""
    proof = proved(LEGIT, "x@attack.test")
    assert (proof.verdict, refusal(proof), proof.dmarc) == ("refuse", "550 5.7.26", "fail")
    assert proof.reply is not None
    assert "legit.test" in proof.reply.text
    assert field(proof)["dmarc"] == MethodResult("dmarc", "fail", "p=reject", (("header.from", "legit.test"),))


def test_who_does_not_obey_writes_it_down() -> None:
    """What the domain wants is not done, and stands in the field."""
    proof = proved(LEGIT, "x@attack.test", settings=dataclasses.replace(SETTINGS, obey=False))
    assert (proof.verdict, proof.reply, field(proof)["dmarc"].word) == ("accept", None, "fail")


def test_a_domain_that_wants_it_marked() -> None:
    """p=quarantine and no proof."""
    assert proved(letter("From: a@soft.test"), "x@attack.test").verdict == "mark"


@pytest.mark.parametrize(
    ("content", "sender"), [(signed(LEGIT, "legit.test"), "x@attack.test"), (LEGIT, "ann@legit.test"), (signed(LEGIT, "legit.test"), "")]
)
def test_one_proof_is_enough(content: bytes, sender: str) -> None:
    """A signature or the path, and a signature of a stranger besides does no harm."""
    for each in (content, signed(content, "attack.test", "ed25519")):
        proof = proved(each, sender, THEIRS)
        assert (proof.verdict, proof.dmarc, proof.domain) == ("accept", "pass", "legit.test")


def test_hello_proves_only_what_has_no_path() -> None:
    """SPF of EHLO is about reports alone: with a reverse-path of somebody else it proves nobody."""
    assert proved(LEGIT, "", THEIRS, hello="legit.test").dmarc == "pass"
    proof = proved(LEGIT, "x@attack.test", THEIRS, hello="legit.test")
    assert (proof.dmarc, proof.verdict, field(proof)["spf"].properties) == ("fail", "refuse", (("smtp.mailfrom", "x@attack.test"),))


def test_part_of_a_body_proves_nothing() -> None:
    """A signature with l= is none for the author: anybody may have appended to what it covers."""
    content = signed(LEGIT, "legit.test").replace(b"c=relaxed", b"l=3; c=relaxed")
    proof = proved(content, "x@attack.test")
    assert (proof.dkim, proof.dmarc, proof.verdict) == ("policy", "fail", "refuse")


def test_our_own_domain_from_outside() -> None:
    """It is refused without proof, though our record says nothing of that; with proof, or where it is not guarded, it is taken."""
    content = letter("From: boss@ours.test")
    assert refusal(proved(content, "x@attack.test")) == "550 5.7.26"
    assert refusal(proved(content, "", hello="attack.test")) == "550 5.7.26"
    assert proved(content, "boss@ours.test", THEIRS).verdict == "accept"
    assert proved(content, "x@attack.test", settings=dataclasses.replace(SETTINGS, guard=False)).verdict == "accept"


@pytest.mark.parametrize(("other", "verdict"), [("boss@ours.test", "refuse"), ("a@soft.test", "mark"), ("a@plain.test", "accept")])
def test_two_authors(other: str, verdict: str) -> None:
    """What becomes of it is for the strictest of the domains that are named to say: ours, or one that wants such mail marked."""
    proof = proved(letter(f"From: x@plain.test, {other}"), "x@plain.test", THEIRS)
    assert (proof.verdict, proof.dmarc, proof.domain) == (verdict, "fail", "")
    if verdict == "refuse":
        assert refusal(proof) == "550 5.7.1"


@pytest.mark.parametrize("what", ["s1._domainkey.legit.test", "_dmarc.test"])
def test_what_cannot_be_looked_up_puts_off(what: str) -> None:
    """Where p=reject would decide and a key or the record cannot be looked up: 451 4.7.24."""
    proof = proved(signed(LEGIT, "legit.test"), "x@attack.test", world=World({**RECORDS, ("legit.test", "TXT"): []}, (what, "x")))
    if what.startswith("s1"):
        assert (proof.verdict, refusal(proof), proof.dmarc) == ("tempfail", "451 4.7.24", "temperror")
    else:
        assert (proof.verdict, proof.dmarc) == ("accept", "pass")
    unsigned = proved(LEGIT, "x@attack.test", world=World(RECORDS, ("_dmarc.test",)))
    assert refusal(unsigned) == "451 4.7.24"


def test_trouble_that_decides_nothing_is_written_down() -> None:
    """A stranger's name server that is down, or one of a domain without a policy, stops no mail."""
    world = World(RECORDS, ("trouble.test", "_dmarc.trouble.test", "s1._domainkey.trouble.test"))
    proof = proved(signed(letter("From: a@trouble.test"), "trouble.test"), "a@trouble.test", world=world)
    assert (proof.verdict, proof.spf, proof.dkim, proof.dmarc) == ("accept", "temperror", "temperror", "temperror")
    assert any("no name server answers" in step.reason for step in proof.steps)
    assert b"no name server answers" not in proof.field
    assert proof.field.count(b'reason="a look-up failed"') == 3


def sealed(content: bytes, *methods: MethodResult) -> bytes:
    """`content` as list.test passes it on, with what it had found."""
    said = payload("list.test", methods).decode()
    return seal(content, said, key(), "list.test", "arc", NOW) + content


ARC = {("arc._domainkey.list.test", "TXT"): [key().record]}
SEEN = MethodResult("dmarc", "pass", "", (("header.from", "legit.test"),))


def test_a_trusted_forwarder() -> None:
    """What it saw proved counts, and the field says on whose word."""
    content = sealed(signed(LEGIT, "legit.test").replace(b"hello", b"hello, list"), SEEN)
    trusting = dataclasses.replace(SETTINGS, trusted=frozenset({"list.test"}))
    world = World({**RECORDS, **ARC})
    proof = proved(content, "list@list.test", world=world, settings=trusting)
    assert (proof.verdict, proof.reply, proof.dmarc, proof.domain) == ("accept", None, "fail", "")
    assert field(proof)["arc"].word == "pass"
    assert "list.test saw that it was proved" in field(proof)["dmarc"].reason
    assert refusal(proved(content, "list@list.test", world=world)) == "550 5.7.26"
    assert not any(step.score for step in proof.steps)
    unknown = World({**RECORDS, **ARC}, ("arc._domainkey.list.test",))
    assert refusal(proved(content, "list@list.test", world=unknown, settings=trusting)) == "451 4.7.24"
    assert refusal(proved(content, "list@list.test", world=unknown)) == "550 5.7.26"
    broken = content.replace(b"hello", b"hallo")
    assert refusal(proved(broken, "list@list.test", world=world, settings=trusting)) == "550 5.7.26"
    unseen = sealed(LEGIT, MethodResult("dmarc", "fail"))
    assert refusal(proved(unseen, "list@list.test", world=world, settings=trusting)) == "550 5.7.26"


@pytest.mark.parametrize(
    ("content", "sender", "ip", "proven"),
    [
        (LEGIT, "ann@legit.test", THEIRS, True),
        (letter("From: a@plain.test"), "a@plain.test", THEIRS, True),
        (letter("From: a@plain.test"), "a@plain.test", STRANGERS, False),
        (letter("From: a@open.test"), "a@open.test", STRANGERS, False),
        (signed(LEGIT, "legit.test"), "bounces@legit.test", STRANGERS, True),
        (signed(LEGIT, "legit.test"), "x@victim.test", STRANGERS, False),
        (signed(LEGIT, "legit.test"), "", THEIRS, False),
    ],
)
def test_whom_a_report_may_go_to(content: bytes, sender: str, ip: str, proven: bool) -> None:
    """To who sent it, as SPF or DMARC prove: not to an address that a stranger named, nor because a domain lets everybody send."""
    assert proved(content, sender, ip).proven is proven


def test_what_spf_adds_to_the_sum() -> None:
    """Only where nothing else proves the author: what is forwarded fails SPF."""
    score = {step.step: step.score for step in proved(letter("From: a@plain.test"), "a@plain.test").steps}
    assert score == {"iprev": 0, "spf": 2.0, "dkim": 0, "dmarc": 0}
    assert not any(step.score for step in proved(signed(LEGIT, "legit.test"), "a@legit.test").steps)


def test_octets_as_they_came() -> None:
    """A body with a bare LF is judged as it was signed; a header with one as it will be kept, with all the fields that it has then."""
    content = signed(letter("From: ann@legit.test", body="one\ntwo\r\n"), "legit.test")
    assert proved(content, "x@attack.test").dmarc == "pass"
    assert proved(content.replace(b"one\ntwo", b"one\r\ntwo"), "x@attack.test").dmarc == "fail"
    for trick in (b"X: y\nFrom: boss@legit.test\r\n", b"From\0: boss@legit.test\r\n", b"From\r: boss@legit.test\r\n"):
        stranger = signed(letter("From: a@attack.test"), "attack.test", "ed25519")
        assert proved(stranger, "a@attack.test").dmarc == "pass"
        proof = proved(trick + stranger, "a@attack.test")
        assert (proof.dmarc, proof.verdict) == ("fail", "refuse"), trick


def test_a_large_message() -> None:
    """What takes long is done in a thread, with the same result."""
    content = signed(letter("From: ann@legit.test", body="0123456789 abcdef\r\n" * 100_000), "legit.test")
    assert proved(content, "x@attack.test").dmarc == "pass"
    assert proved(content + b"more\r\n", "x@attack.test").dmarc == "fail"


def test_a_message_over_a_unix_socket() -> None:
    """There is no address that SPF could be about."""
    proof = proved(LEGIT, "ann@legit.test", "")
    assert (proof.spf, "iprev" in field(proof)) == ("none", False)


@pytest.mark.parametrize("content", [LEGIT, letter("From: boss@ours.test"), letter("From: a@legit.test, b@ours.test")])
def test_what_another_host_of_ours_brings(content: bytes) -> None:
    """By LMTP: it has judged the message, and from which network that came to it is not known here. A signature proves what it proves."""
    proof = proved(content, "boss@ours.test", STRANGERS, door="lmtp")
    assert (proof.verdict, proof.spf, proof.proven, [*field(proof)]) == ("accept", "none", False, ["dkim"])
    signature = proved(signed(LEGIT, "legit.test"), "ann@legit.test", STRANGERS, door="lmtp")
    assert (signature.dmarc, signature.proven, [*field(signature)]) == ("pass", True, ["dkim", "dmarc"])


class Silent(World):
    """A DNS that never says anything."""

    async def records(self, name: str, type: str) -> DnsRecords:
        """Nobody answers."""
        await asyncio.Event().wait()
        raise AssertionError


def test_name_servers_that_say_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """All that is asked ends together: what proves nothing then is put off if it names a domain of ours, and else is taken."""
    monkeypatch.setattr(proof_module, "PATIENCE", 0.05)
    content = signed(LEGIT, "legit.test")
    proof = proved(content, "ann@legit.test", THEIRS, world=Silent({}))
    assert (proof.verdict, proof.spf, proof.dkim, proof.dmarc) == ("accept", "temperror", "temperror", "temperror")
    assert refusal(proved(letter("From: boss@ours.test"), "x@attack.test", world=Silent({}))) == "451 4.7.24"


def test_real_name_servers() -> None:
    """By a resolver and a name server over the loopback; what is remembered is not asked again."""
    zone = "".join(
        f"{name}. 60 IN {type} {' '.join(chr(34) + text[at : at + 200] + chr(34) for at in range(0, len(text), 200))}\n"
        for (name, type), texts in RECORDS.items()
        for text in texts
    )
    content, arrival = signed(LEGIT, "legit.test"), Arrival("mx", THEIRS, "host.test")
    with Nameserver(zone) as server:
        resolver = Resolver([server.address])

        async def twice() -> list[Proof]:
            first = await prove(content, arrival, "ann@legit.test", resolver, At(), SETTINGS)
            assert {name for name, _, _ in server.asked} == {"_dmarc.legit.test", "_dmarc.test", "legit.test", "s1._domainkey.legit.test"}
            server.misbehave("*", "servfail")
            return [first, await prove(content, arrival, "ann@legit.test", resolver, At(), SETTINGS)]

        first, second = asyncio.run(twice())
    assert (first.spf, first.dkim, first.dmarc) == ("pass", "pass", "pass")
    assert first == second


PIECES = [
    b"From: ann@legit.test\r\n", b"From: ", b"<a@b.test>", b",", b"\r\n", b"\n", b"\0", b" ", b":", b"=", b";", b"\xff", b"\xc3\xa4", b"x",
    b"DKIM-Signature: v=1; a=rsa-sha256; d=legit.test; s=s1;", b"h=from; bh=AAAA; b=AAAA", b"c=relaxed/simple;", b"l=1;",
    b"i=99999;", b"d=\x1b[1m;", b"i=\x1b@legit.test;",
    b"ARC-Seal: i=1; a=rsa-sha256; cv=none; d=list.test; s=arc; b=AAAA\r\n", b"ARC-Seal: i=2",
    b"ARC-Message-Signature: i=1; a=rsa-sha256; d=list.test; s=arc; h=from; bh=AAAA; b=AAAA\r\n",
    b"ARC-Authentication-Results: i=1; list.test; dmarc=pass\r\n",
]  # fmt: skip


@given(st.lists(st.sampled_from(PIECES), max_size=14).map(b"".join), st.sampled_from(["", "a@legit.test", '"a@b"@legit.test', "ä@ö.test"]))
def test_no_message_is_too_strange_to_be_judged(content: bytes, sender: str) -> None:
    """Whatever a stranger sends, there is a verdict, and a field that can be read."""
    proof = proved(content + b"\r\n", sender, hello="\x00) (")
    assert proof.verdict in ("accept", "refuse")
    assert field(proof)["dmarc"].word in ("pass", "none", "fail")
    assert proof.field.isascii() or not sender.isascii()
    assert all(step.step.isprintable() and step.reason.isprintable() for step in proof.steps)
