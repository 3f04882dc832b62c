"""The signer: which keys sign, what happens when one cannot, and that the manager has it sign whatever leaves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mailer.alarms.book import AlarmBook
from mailer.config.sections.dkim import Dkim
from mailer.dkim.verify import claims
from mailer.events import Alarm, Event, Mended
from mailer.mail.message import normalise
from mailer.queue import signing as module
from mailer.queue.signing import STALE, Signer
from mailer.queue.signing_process import SigningProcess
from mailer.transport.verdict import Unsigned
from tests.dkim.keys import key, pem
from tests.fakes.mail import NOW

from .post import DAY, Post, play

TEXT = b"To: you@example.net\nSubject: x\nDate: Sat, 21 Nov 2026 02:15:29 +0000\n\nHello.\n"


def mail(author: str = "anna@example.com") -> bytes:
    return normalise(f"From: {author}\n".encode() + TEXT)


def key_file(directory: Path, kind: str = "rsa", name: str = "") -> Path:
    path = directory / (name or f"{kind}.pem")
    path.write_bytes(pem(kind))
    path.chmod(0o600)
    return path


def section(path: Path, selector: str = "s1", domain: str = "example.com", **more: Any) -> Dkim:
    return Dkim(domain=domain, selector=selector, key_file=str(path), **more)


class Office:
    """A signer, and what it told."""

    def __init__(self, *keys: Dkim) -> None:
        self.events: list[Event] = []
        self.book = AlarmBook()
        self.signer = Signer(keys, self._tell)

    def _tell(self, event: Event) -> None:
        if isinstance(event, Alarm | Mended) and self.book.heard(event) is not None:
            self.events.append(event)

    @property
    def alarms(self) -> list[str]:
        return [event.detail for event in self.events if isinstance(event, Alarm) and event.what == "dkim"]


def signers(content: bytes, at: float = NOW) -> list[str]:
    """The names of the keys whose signatures hold, from above."""
    records = {kind: key(kind).record for kind in ("rsa", "ed25519")}
    found = []
    for claim in claims(content, at):
        assert claim.check([records[claim.algorithm.partition("-")[0]]]).word == "pass"
        found.append(claim.name)
    return found


def test_all_keys_of_the_domain_sign(tmp_path: Path) -> None:
    """In the order of the configuration; keys that wait or are retired do not, nor do those of other domains."""
    rsa, ed25519 = key_file(tmp_path), key_file(tmp_path, "ed25519")
    office = Office(
        section(rsa, "a"),
        section(ed25519, "b"),
        section(rsa, "c", waiting=True),
        section(rsa, "d", retired="2026-11-21T00:00:00Z"),
        section(rsa, "e", "example.org"),
    )
    assert signers(office.signer.sign(mail(), NOW)) == ["a._domainkey.example.com", "b._domainkey.example.com"]
    assert office.alarms == []


@pytest.mark.parametrize(
    ("author", "names"),
    [
        ("anna@example.com", ["a._domainkey.example.com"]),
        ("anna@news.example.com", ["a._domainkey.example.com"]),
        ("anna@shop.example.com", ["b._domainkey.shop.example.com"]),
        ("anna@x.shop.example.com", ["b._domainkey.shop.example.com"]),
        ("Anna <ANNA@EXAMPLE.COM>", ["a._domainkey.example.com"]),
        ("anna@grüße.example", ["c._domainkey.xn--gre-6ka8l.example"]),
        ("x@other.example, anna@example.com", ["a._domainkey.example.com"]),
        ("anna@example.net", []),
        ("nobody", []),
    ],
)
def test_the_author_decides_who_signs(tmp_path: Path, author: str, names: list[str]) -> None:
    """The domain of the From field, else the nearest above it; else nobody, and the mail leaves as it is."""
    path = key_file(tmp_path)
    office = Office(section(path, "a"), section(path, "b", "shop.example.com"), section(path, "c", "grüße.example"))
    signed = office.signer.sign(mail(author), NOW)
    assert signers(signed) == names
    assert names or signed == mail(author)


def test_a_key_is_read_once(tmp_path: Path) -> None:
    """It goes on signing when its file is gone; a new configuration would read it anew."""
    path = key_file(tmp_path)
    office = Office(section(path))
    office.signer.check(NOW)
    path.unlink()
    assert signers(office.signer.sign(mail(), NOW)) == ["s1._domainkey.example.com"]


def test_mail_waits_for_a_key_that_is_missing(tmp_path: Path) -> None:
    """Every message of that domain, with one alarm; when the key is there, mail leaves with it, and the alarm ends."""
    office = Office(section(tmp_path / "rsa.pem"))
    office.signer.check(NOW)
    for seconds in (0.0, 1.0, 3000.0):
        assert office.signer.ahead(mail(), NOW + seconds) is None
        with pytest.raises(Unsigned, match="the log says why"):
            office.signer.sign(mail(), NOW + seconds)
    assert office.alarms == [
        f"cannot sign mail of example.com with s1: cannot read the key file {tmp_path}/rsa.pem: No such file or directory"
    ]
    assert office.signer.sign(mail("x@example.net"), NOW) == mail("x@example.net")
    assert [alarm.key for alarm in office.book.alarms] == ["s1._domainkey.example.com"]
    key_file(tmp_path)
    assert signers(office.signer.sign(mail(), NOW)) == ["s1._domainkey.example.com"]
    assert isinstance(office.events[-1], Mended)
    assert office.book.alarms == []


def test_mail_may_go_without_a_signature(tmp_path: Path) -> None:
    """Where on_failure says so, it goes with those that there are; the alarm is the same."""
    office = Office(section(tmp_path / "none.pem", "a", on_failure="unsigned"), section(key_file(tmp_path), "b"))
    assert signers(office.signer.sign(mail(), NOW)) == ["b._domainkey.example.com"]
    alone = Office(section(tmp_path / "none.pem", "a", on_failure="unsigned"))
    assert alone.signer.sign(mail(), NOW) == mail()
    assert len(office.alarms) == len(alone.alarms) == 1


@pytest.mark.parametrize("on_failure", ["defer", "unsigned"])
@pytest.mark.parametrize("where", [(module, "draft"), (SigningProcess, "signature")])
def test_a_signature_that_fails_is_an_alarm_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, on_failure: str, where: tuple[object, str]
) -> None:
    """Whatever goes wrong while signing, ahead or in its turn, is told, and the mail waits or goes as configured."""

    def broken(*given: object) -> object:
        raise RuntimeError("out of order")

    monkeypatch.setattr(*where, broken)
    office = Office(section(key_file(tmp_path), on_failure=on_failure))
    ahead = office.signer.ahead(mail(), NOW)
    if on_failure == "defer":
        with pytest.raises(Unsigned):
            office.signer.sign(mail(), NOW, ahead)
    else:
        assert office.signer.sign(mail(), NOW, ahead) == mail()
    assert office.alarms == ["cannot sign mail of example.com with s1: RuntimeError: out of order"]


def test_what_was_begun_ahead_is_used_while_it_is_fresh(tmp_path: Path) -> None:
    """A signature says when it was made: one that waited for an hour is made anew."""
    office = Office(section(key_file(tmp_path)))
    ahead = office.signer.ahead(mail(), NOW)
    fresh = office.signer.sign(mail(), NOW + 10, ahead)
    assert b"t=%d;" % NOW in fresh
    assert fresh == office.signer.sign(mail(), NOW + 20, ahead)
    assert b"t=%d;" % (NOW + STALE) in office.signer.sign(mail(), NOW + STALE, ahead)
    assert office.signer.ahead(mail("x@example.net"), NOW) is None


# In the manager


def test_the_engine_signs_what_it_delivers(post: Post, tmp_path: Path) -> None:
    """Each part of a message gets the same signature; what is in the spool stays unsigned."""
    post.change(signer=Signer([section(key_file(tmp_path))], post.events.append))
    post.courier.script = {"b@example.org": ["defer", "delivered"]}

    async def scenario() -> None:
        async with post.running():
            id = post.put("a@example.net", "b@example.org", body=mail())
            await post.settled(id, "deferred")
            assert post.spool.content(id) == mail()
            post.advance(400)
            await post.settled(id, None)

    play(scenario())
    first, second, third = post.courier.contents
    assert first == second
    assert signers(first) == signers(third, NOW + 400) == ["s1._domainkey.example.com"]
    assert first != third


def test_mail_that_cannot_be_signed_waits_and_never_bounces(post: Post, tmp_path: Path) -> None:
    """However old it is: our own trouble counts no try and expires nothing; with the key, it leaves."""
    post.change(signer=Signer([section(tmp_path / "rsa.pem")], post.events.append))

    async def scenario() -> None:
        async with post.running():
            id = post.put("a@example.net", sender="", body=mail(), at=NOW - 9 * DAY)
            other = post.put("a@example.net", body=mail("x@example.org"))
            await post.settled(id, "deferred")
            await post.settled(other, None)
            entry = post.spool.read(id)
            outcome = entry.history.last[0]
            assert (outcome.code, outcome.enhanced, outcome.scope, outcome.counts) == (451, "4.7.5", "us", False)
            assert entry.history.attempts == 0
            assert "alarm dkim" in post.told("alarm")
            key_file(tmp_path)
            post.advance(entry.due - post.clock.now() + 1)
            await post.settled(id, None)

    play(scenario())
    assert [bool(signers(content, NOW + DAY)) for content in post.courier.contents] == [False, True]
