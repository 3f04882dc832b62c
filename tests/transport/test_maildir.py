"""The courier of Maildirs: whose mailbox it is, what lies there, once, and that one mailbox in trouble is nobody else's."""

from __future__ import annotations

import asyncio
import errno
import mailbox
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.mail.address import dot_string
from mailer.mail.delivery_options import Request
from mailer.mail.outcome import Cause, Outcome
from mailer.transport import maildir as module
from mailer.transport.courier import Load
from mailer.transport.maildir import MaildirCourier, MaildirSession, NoMailboxName, mailbox_path, make_bases
from mailer.transport.pool import Pool
from mailer.transport.route import Route
from tests.fakes.mail import BODY, NOW, FakeClock, envelope
from tests.transport.called import TIMEOUTS, Parcel

TEMPLATE = "/srv/mail/{domain}/{user}"


class Office:
    """A courier below `place`, at a time that is set."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.clock = FakeClock()
        self.restart()

    def restart(self) -> None:
        """Another process, a second later."""
        self.clock.time += 1
        self.session: MaildirSession = MaildirCourier(Pool(TIMEOUTS), self.clock, lambda *_: None).session(lambda: None)
        self.clock.time += 1

    def deliver(self, *recipients: str, content: bytes = BODY, sender: str = "ann@elsewhere.example", **more: Any) -> list[Outcome]:
        route = Route("maildir", (), relay=True, transport="maildir", place=f"{self.place}/{{domain}}/{{user}}", verp=False)
        asked = more.pop("asked", None)
        given = {"at": self.clock.now(), **more}
        load = Load(Parcel(route, range(len(recipients))), envelope(*recipients, sender=sender, **given), content, asked)
        return asyncio.run(self.session.deliver(load, lambda: None))

    def has(self, user: str, folder: str = "new") -> list[Path]:
        return sorted((self.place / "example.com" / user / folder).iterdir())


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


@pytest.mark.parametrize(
    ("address", "path"),
    [
        ("Ann@Example.COM", "/srv/mail/example.com/ann"),
        ("ann+lists+x@example.com", "/srv/mail/example.com/ann"),
        ("+@example.com", "/srv/mail/example.com/+"),
        ('"ann smith"@example.com', "/srv/mail/example.com/ann smith"),
        ('"ann"@example.com', "/srv/mail/example.com/ann"),
        ("ann@bücher.example", "/srv/mail/xn--bcher-kva.example/ann"),
        ("{domain}@example.com", "/srv/mail/example.com/{domain}"),
        ("ÄNN@example.com", "/srv/mail/example.com/änn"),
        ("a%2e%2e@example.com", "/srv/mail/example.com/a%2e%2e"),
    ],
)
def test_an_address_has_one_mailbox(address: str, path: str) -> None:
    """Case, a tag, quotes and the way of writing a domain make no other one."""
    assert mailbox_path(TEMPLATE, address) == path


def test_a_whole_address_may_be_the_name() -> None:
    """Without its tag."""
    assert mailbox_path("/srv/{address}/Maildir", "Ann+x@Example.com") == "/srv/ann@example.com/Maildir"


@pytest.mark.parametrize(
    "address",
    ['".."@example.com', '"."@example.com', '".ssh"@example.com', '"a/b"@example.com', '"../../etc"@example.com', "/etc@example.com",
     "a/../b@example.com", '"a\x00b"@example.com', '""@example.com', f"{'a' * 256}@example.com", "@example.com"],
)  # fmt: skip
def test_what_leads_elsewhere_is_no_mailbox(address: str) -> None:
    """Neither above the place, nor below somebody else's mailbox, nor where nothing shows it."""
    with pytest.raises(NoMailboxName):
        mailbox_path(TEMPLATE, address)


@given(st.text(min_size=1, max_size=40), st.sampled_from(["example.com", "..", "a/b", "[192.0.2.1]", "x" * 300]))
def test_no_address_leads_out_of_its_domain(local: str, domain: str) -> None:
    """Whatever it is: it is one name below the place of its domain, or none."""
    try:
        path = mailbox_path(TEMPLATE, f"{dot_string(local)}@{domain}")
    except NoMailboxName:
        return
    parts = path.split("/")
    assert parts[:3] == ["", "srv", "mail"]
    assert len(parts) == 5
    assert not any(part in ("", ".", "..") or "\0" in part for part in parts[3:])


def test_a_message_lies_there_as_it_came(office: Office) -> None:
    """Below from whom and to whom, with the line ends that programs of this system write; each recipient has his own."""
    outcomes = office.deliver("ann@example.com", "Bob+x@example.com")
    assert [(each.to, each.verdict, each.code, each.phase) for each in outcomes] == [(to, "delivered", 250, "body") for to in (0, 1)]
    assert outcomes[0].text == f"put into {office.place}/example.com/ann"
    for user, address in (("ann", b"ann@example.com"), ("bob", b"Bob+x@example.com")):
        [path] = office.has(user)
        head = b"Return-Path: <ann@elsewhere.example>\nDelivered-To: %b\n" % address
        assert path.read_bytes() == head + BODY.replace(b"\r\n", b"\n")
    assert len(mailbox.Maildir(str(office.place / "example.com" / "ann"), create=False)) == 1


def test_the_null_sender_is_told(office: Office) -> None:
    """A report has none."""
    office.deliver("ann@example.com", sender="")
    assert office.has("ann")[0].read_bytes().startswith(b"Return-Path: <>\n")


@pytest.mark.parametrize(("field", "folder"), [(b"X-Spam-Flag: YES", True), (b"x-spam-flag:yes ", True), (b"X-Spam-Flag: NO", False)])
def test_what_is_marked_goes_to_junk(field: bytes, folder: bool, office: Office) -> None:
    """By its header, not by what its body says."""
    [outcome] = office.deliver("ann@example.com", content=field + b"\r\n" + BODY)
    inbox = mailbox.Maildir(str(office.place / "example.com" / "ann"), create=False)
    assert inbox.list_folders() == (["Junk"] if folder else [])
    assert outcome.text.endswith("/ann/.Junk" if folder else "/ann")
    office.deliver("ann@example.com", content=BODY + field)
    assert len(office.has("ann")) == 1 + (not folder)


def test_a_crash_before_the_record_delivers_once(office: Office) -> None:
    """The next process finds it: in new/, or where a reader has seen it meanwhile. Another message is another one."""
    came = office.clock.now()
    for seen in (False, True):
        office.restart()
        if seen:
            [path] = office.has("ann")
            path.rename(path.parents[1] / "cur" / f"{path.name}:2,S")
        [outcome] = office.deliver("ann@example.com", at=came, id="01JD6Q4Z8K0123456789ABCDEF")
        assert outcome.verdict == "delivered"
        assert outcome.text.startswith("it was put before into" if seen else "put into")
    assert (len(office.has("ann")), len(office.has("ann", "cur"))) == (0, 1)
    office.deliver("ann@example.com")
    assert len(office.has("ann")) == 1


def test_two_recipients_of_one_mailbox_get_two(office: Office) -> None:
    """Whoever is named twice, with different tags, gets each."""
    office.deliver("ann+a@example.com", "ann+b@example.com")
    assert len(office.has("ann")) == 2


def test_what_has_been_there_before_goes_in_circles(office: Office) -> None:
    """It is refused for good; the same message to somebody else is not."""
    looped = b"Delivered-To: ANN@example.com\r\n" + BODY
    refused, taken = office.deliver("ann@example.com", "bob@example.com", content=looped)
    assert (refused.verdict, refused.code, refused.enhanced, refused.cause) == ("fail", 554, "5.4.6", Cause.LOOP)
    assert taken.verdict == "delivered"


def test_who_can_have_no_mailbox_is_refused_and_others_get_theirs(office: Office) -> None:
    """For good: no waiting makes it a name."""
    refused, taken = office.deliver('".."@example.com', "bob@example.com")
    assert (refused.to, refused.verdict, refused.reply[:9], refused.cause) == (0, "fail", "553 5.1.3", Cause.MISWRITTEN)
    assert (taken.to, taken.verdict) == (1, "delivered")
    assert sorted(path.name for path in office.place.iterdir()) == ["example.com"]


@pytest.mark.parametrize(
    ("number", "scope", "reply", "cause"),
    [
        (errno.ENOSPC, "us", "451 4.3.1", Cause.SHORT),
        (errno.EMFILE, "us", "451 4.3.1", Cause.SHORT),
        (errno.EDQUOT, "recipient", "452 4.2.2", Cause.MAILBOX_FULL),
        (errno.EIO, "us", "451 4.3.0", Cause.UNWRITABLE),
        (errno.EACCES, "us", "451 4.3.0", Cause.UNWRITABLE),
    ],
)
def test_a_mailbox_in_trouble_waits_alone(
    number: int, scope: str, reply: str, cause: Cause, office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk is ours to mend, a full mailbox its owner's; nobody's mail is given up at once, and others get theirs."""
    put = module.put_once

    def failing(base: str, root: str, *rest: Any, **more: Any) -> bool:
        if root.endswith("/ann"):
            raise OSError(number, "it fails", root)
        return put(base, root, *rest, **more)

    monkeypatch.setattr(module, "put_once", failing)
    waits, taken = office.deliver("ann@example.com", "bob@example.com")
    assert (waits.verdict, waits.scope, waits.reply[:9], waits.cause) == ("defer", scope, reply, cause)
    assert "/example.com/ann: it fails" in waits.text
    assert taken.verdict == "delivered"


def test_where_the_place_is_missing_mail_waits(office: Office) -> None:
    """A disk that is not mounted: nothing is written below it, and the reply says what is missing."""
    office.place /= "unmounted"
    [outcome] = office.deliver("ann@example.com")
    assert (outcome.verdict, outcome.scope, outcome.cause) == ("defer", "us", Cause.UNWRITABLE)
    assert f"{office.place}: there is no such directory" in outcome.text
    assert not office.place.exists()


def test_a_daemon_that_begins_makes_the_place(tmp_path: Path) -> None:
    """Whatever of it is missing; one that cannot be made is in nobody's way."""
    (tmp_path / "file").write_bytes(b"")
    make_bases([f"{tmp_path}/file/{{user}}", f"{tmp_path}/srv/mail/{{domain}}/{{user}}", f"{tmp_path}/srv/mail/{{address}}"])
    assert [path for path in tmp_path.rglob("*") if path.is_dir()] == [tmp_path / "srv", tmp_path / "srv" / "mail"]


def test_a_path_that_no_system_has_is_no_mailbox(tmp_path: Path) -> None:
    """Its parts are short enough, and together they are not."""
    office = Office(tmp_path)
    route = Route("maildir", (), relay=True, transport="maildir", place=f"{tmp_path}/{{user}}-{{domain}}")
    letter = envelope(f"{'a' * 150}@{'b' * 60}.{'c' * 60}.example")
    [outcome] = asyncio.run(office.session.deliver(Load(Parcel(route, [0]), letter, BODY), lambda: None))
    assert (outcome.verdict, outcome.reply[:9]) == ("fail", "553 5.1.3")


def test_whoever_wants_to_know_hears_that_it_has_arrived(office: Office) -> None:
    """Nobody after us will say so. RFC 3461 §5.2.2"""
    office.deliver("ann@example.com", '".."@example.com', "bob@example.com", asked=lambda: Request.read({"notify": "SUCCESS"}))
    assert office.session.unconfirmed == ((0, "delivered"), (2, "delivered"))
    office.deliver("ann@example.com", asked=lambda: Request.read({"notify": "FAILURE"}))
    assert office.session.unconfirmed == ()


def test_an_envelope_without_a_time_has_a_name(office: Office) -> None:
    """The file is another program's, and is delivered, once."""
    letter = envelope("ann@example.com", at=NOW)
    letter.created = "yesterday"
    route = Route("maildir", (), relay=True, transport="maildir", place=f"{office.place}/{{domain}}/{{user}}")
    for _ in range(2):
        [outcome] = asyncio.run(office.session.deliver(Load(Parcel(route, [0]), letter, BODY), lambda: None))
        assert outcome.verdict == "delivered"
    assert len(office.has("ann")) == 1
