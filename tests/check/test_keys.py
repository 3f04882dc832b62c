"""DKIM: the record of each key is compared with the key that signs, against a real name server."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from mailer.mail.dates import rfc3339
from tests.dkim.keys import key, pem

from .conftest import Look

pytestmark = [pytest.mark.peer("nsd"), pytest.mark.xdist_group("check-keys")]

DAY = 86400


def section(directory: Path, selector: str, kind: str = "rsa", bits: int = 2048, *, domain: str = "signed.example", more: str = "") -> str:
    """A key of the configuration; its file is made."""
    path = directory / f"{kind}{bits}.pem"
    path.write_bytes(pem(kind, bits))
    path.chmod(0o600)
    return f'[[dkim]]\ndomain = "{domain}"\nselector = "{selector}"\nkey_file = "{path}"\n{more}\n'


@pytest.mark.parametrize(
    ("selector", "kind", "bits", "result", "evidence"),
    [
        ("rsa", "rsa", 2048, "pass", "rsa of 2048 bits"),
        ("ed", "ed25519", 256, "pass", "ed25519 of 256 bits"),
        ("short", "rsa", 1024, "warn", "1024 bits; 2048 is what is asked for"),
        ("testing", "rsa", 2048, "warn", "t=y"),
        ("missing", "rsa", 2048, "fail", "is not published yet"),
        ("other", "rsa", 2048, "fail", "has another key"),
        ("ed", "rsa", 2048, "fail", "has another key"),
        ("twice", "rsa", 2048, "fail", "has 2 records, not one"),
        ("revoked", "rsa", 2048, "fail", "is wrong: the key is revoked"),
        ("garbage", "rsa", 2048, "fail", "is wrong: the p= of the record is no rsa key"),
        ("huge", "rsa", 2048, "fail", "is wrong"),
        ("circle", "rsa", 2048, "warn", "circle"),
    ],
)
def test_a_key_that_signs(look: Look, tmp_path: Path, selector: str, kind: str, bits: int, result: str, evidence: str) -> None:
    """What a verifier would find, and the record that has to be there."""
    look.configure(section(tmp_path, selector, kind, bits))
    found = look.one("DKIM", "signed.example")
    assert (found.result, found.subject) == (result, f"{selector}._domainkey.signed.example")
    assert evidence in found.evidence
    if result == "fail":
        assert found.record
        assert found.record.value == key(kind, bits).record


def test_a_record_that_nobody_can_look_up(look: Look, tmp_path: Path) -> None:
    """That says nothing about the key."""
    look.configure(section(tmp_path, "s1", domain="broken.example"))
    found = look.one("DKIM", "broken.example")
    assert (found.result, "SERVFAIL" in found.evidence) == ("warn", True)


def test_the_zone_form_can_be_published(look: Look, tmp_path: Path) -> None:
    """A long record comes in strings of at most 255 octets."""
    look.configure(section(tmp_path, "missing"))
    record = look.one("DKIM", "signed.example").record
    assert record
    strings = record.zone.partition(" IN TXT ")[2].split('" "')
    assert len(strings) == 2
    assert "".join(strings).strip('"') == key().record


@pytest.mark.parametrize(
    ("selector", "result", "evidence"),
    [("rsa", "warn", "a key waits to sign, and its record is published"), ("missing", "warn", "its record is not published yet")],
)
def test_a_key_that_waits(look: Look, tmp_path: Path, selector: str, result: str, evidence: str) -> None:
    """It is said whether it can begin; and that nothing signs yet."""
    look.configure(section(tmp_path, selector, more="waiting = true"))
    unsigned, waiting = look.many("DKIM", "signed.example")
    assert (unsigned.result, "not signed" in unsigned.evidence) == ("fail", True)
    assert (waiting.result, evidence in waiting.evidence) == (result, True)


@pytest.mark.parametrize(
    ("selector", "ago", "result", "evidence"),
    [
        ("rsa", 1, "pass", "the record is needed until"),
        ("missing", 1, "fail", "mail in flight is signed with this key until"),
        ("rsa", 30, "warn", "not needed since"),
        ("missing", 30, "pass", "its record is gone"),
    ],
)
def test_a_key_that_is_retired(look: Look, tmp_path: Path, selector: str, ago: int, result: str, evidence: str) -> None:
    """Its record has to stay for as long as its signatures hold, and to go then."""
    retired = f'retired = "{rfc3339(int(time.time()) - ago * DAY)}"'
    look.configure(section(tmp_path, selector, more=retired) + section(tmp_path, "ed", "ed25519"))
    old, new = look.many("DKIM", "signed.example")
    assert (old.result, evidence in old.evidence) == (result, True)
    assert new.result == "pass"


def test_a_key_that_cannot_be_read(look: Look, tmp_path: Path) -> None:
    """Without its file nothing is signed, and nothing can be compared."""
    text = section(tmp_path, "rsa")
    tmp_path.joinpath("rsa2048.pem").unlink()
    look.configure(text)
    found = look.one("DKIM", "signed.example")
    assert (found.result, "rsa2048.pem" in found.evidence) == ("fail", True)
    look.configure(text + 'retired = "2026-01-01T00:00:00Z"\n')
    assert [one.result for one in look.many("DKIM", "signed.example")] == ["fail", "warn"]


def test_no_key(look: Look) -> None:
    """Mail that leaves from here unsigned is a fault; whether a relay signs it cannot be seen."""
    assert look.one("DKIM", "good.example").result == "fail"
    look.configure('[relay.out]\nhost = "smtp.mailgun.org"\n')
    found = look.one("DKIM", "good.example")
    assert (found.result, "whether Mailgun signs" in found.evidence) == ("warn", True)


@pytest.mark.parametrize(
    ("host", "domain", "evidence"),
    [
        ("smtp.office365.com", "provided.example", "selector2._domainkey.provided.example"),
        ("smtp.sendgrid.net", "provided.example", "s1._domainkey.provided.example"),
    ],
)
def test_a_key_of_the_relay(look: Look, host: str, domain: str, evidence: str) -> None:
    """Where a known provider has published a key of its own, its mail is signed; and that is what DMARC goes by."""
    look.configure(f'[relay.out]\nhost = "{host}"\n')
    found = look(domain)
    (dkim,) = (one for one in found if one.check == "DKIM")
    assert (dkim.result, dkim.subject) == ("pass", evidence)
    assert [one.evidence for one in found if one.check == "DMARC"][1].startswith(f"aligned: DKIM by {domain}")


@pytest.mark.parametrize(
    ("domain", "result", "evidence"),
    [
        ("signed.example", "", ""),  # it has no policy
        ("strict.example", "pass", "aligned: DKIM by strict.example"),
        ("news.strict.example", "fail", "strict.example signs, and adkim=s wants news.strict.example itself"),
    ],
)
def test_alignment(look: Look, tmp_path: Path, domain: str, result: str, evidence: str) -> None:
    """The key of a domain above signs, and proves it unless its policy is strict."""
    look.configure(section(tmp_path, "rsa", domain=domain.removeprefix("news.")))
    found = [one for one in look.many("DMARC", domain) if one.subject == domain]
    assert [one.result for one in found] == ([result] if result else [])
    assert not found or evidence in found[0].evidence


def test_a_relay_with_a_reverse_path_of_its_own(look: Look, tmp_path: Path) -> None:
    """Then SPF proves nothing of the domain, and DKIM has to."""
    relay = '[relay.out]\nhost = "smtp.sendgrid.net"\n'
    look.configure(relay)
    alone = look.many("DMARC", "good.example")[1]
    assert (alone.result, "SPF is about the reverse-path of SendGrid" in alone.evidence) == ("warn", True), alone
    look.configure(relay + section(tmp_path, "missing", domain="good.example"))
    assert look.many("DMARC", "good.example")[1].evidence == "aligned: DKIM by good.example"
