"""The courier of our own mailboxes: whose mailbox it is, what lies there, once, and that one mailbox in trouble is nobody else's."""

from __future__ import annotations

import asyncio
import errno
import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from mailer.accounts.users.api import User
from mailer.accounts.users.memory import MemoryUsers
from mailer.config.file import config_of
from mailer.mail.delivery_options import Request
from mailer.mail.outcome import Cause, Outcome
from mailer.mail.problem import Problem, from_os
from mailer.mailbox.api import Frozen, Mailbox, NewMail, NoKey, PutMail
from mailer.mailbox.bodies.api import NewBody
from mailer.mailbox.bodies.files import FileBodies
from mailer.mailbox.box import OwnMailbox
from mailer.mailbox.configured import mailboxes_of
from mailer.mailbox.mailboxes import Mailboxes
from mailer.mailbox.notices import QuotaNotices
from mailer.transport import writers
from mailer.transport.courier import Load
from mailer.transport.filing import MailboxLetter, PlainFiling, new_of
from mailer.transport.local import LocalCourier, LocalSession, homes_of
from mailer.transport.route import Route
from tests.fakes.mail import BODY, FakeClock, envelope
from tests.transport.called import Parcel

ROUTE = Route("local", (), relay=True, transport="local", verp=False)
DAY = 86400.0
PEOPLE = [User("Ann@Example.com"), User("bob@example.com", quota=1000), User("ann+own@example.com"), User("carl@example.com")]


def boxes_at(root: Path, clock: FakeClock) -> Mailboxes:
    """The mailboxes below `root`, opened by a process."""
    text = f'[mailer]\nspool = "{root.parent}"\n[mailboxes]\npath = "{root}"\n'
    return mailboxes_of(config_of("c.toml", text.encode()), clock=lambda: clock.time)


class Office:
    """A courier of the mailboxes below `place`, at a time that is set."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.clock = FakeClock()
        self.filing: Any = PlainFiling()
        self.users = MemoryUsers(PEOPLE)
        self.boxes: Any = None
        self.restart()

    def restart(self) -> None:
        """Another process, with nothing in memory."""
        if self.boxes is not None:
            self.boxes.close()
        self.boxes = boxes_at(self.place, self.clock)
        self.begin()

    def begin(self) -> None:
        """Another courier."""
        self.courier = LocalCourier(self.boxes, lambda: self.users, self.filing, self.clock, lambda: 3 * DAY)
        self.session: LocalSession = self.courier.session(lambda: None)

    def load(
        self, *recipients: str, content: bytes = BODY, sender: str = "eve@elsewhere.example", asked: Any = None, **more: Any
    ) -> Load[Any]:
        """A message for them."""
        given = {"at": self.clock.time, **more}
        return Load(Parcel(ROUTE, range(len(recipients))), envelope(*recipients, sender=sender, **given), content, asked)

    def deliver(self, *recipients: str, **more: Any) -> list[Outcome]:
        """What becomes of a message for them."""
        return asyncio.run(self.session.deliver(self.load(*recipients, **more), lambda: None))

    def has(self, address: str, folder: str = "INBOX") -> list[bytes]:
        """The messages in a folder; nothing where there is no mailbox."""
        if self.boxes.owners.find([address]) == [None]:
            return []
        with self.boxes.of(address) as box:
            found = box.folder(folder)
            ids = [each.mail for each in box.entries(found.id)] if found else []
            return [box.read(mail) for mail in box.mails(ids)]


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    office = Office(tmp_path / "mailboxes")
    yield office
    asyncio.run(office.courier.close())
    office.boxes.close()


def test_a_message_lies_there_as_it_came(office: Office) -> None:
    """Below from whom and to whom; each recipient has his own, and whose mailbox was not there has one now, with its folders."""
    outcomes = office.deliver("ann@example.com", "bob@example.com")
    assert [(each.to, each.verdict, each.reply[:9], each.phase) for each in outcomes] == [
        (to, "delivered", "250 2.0.0", "body") for to in (0, 1)
    ]
    for address in ("ann@example.com", "bob@example.com"):
        assert office.has(address) == [b"Return-Path: <eve@elsewhere.example>\r\nDelivered-To: %b\r\n" % address.encode() + BODY]
    with office.boxes.of("ann@example.com") as box:
        assert {folder.role for folder in box.folders()} == {"inbox", "drafts", "sent", "junk", "trash", "archive"}
        [entry] = box.entries(box.folder("INBOX").id)
        [mail] = box.mails([entry.mail])
        assert (mail.received, entry.flags) == (office.clock.time, 0)


def test_the_null_sender_is_told(office: Office) -> None:
    """A report has none."""
    office.deliver("ann@example.com", sender="")
    assert office.has("ann@example.com")[0].startswith(b"Return-Path: <>\r\n")


@pytest.mark.parametrize(
    ("address", "owner", "detail"),
    [
        ("ANN@example.COM", "ann@example.com", ""),
        ("ann+lists+x@example.com", "ann@example.com", "lists+x"),
        ("ann+own@example.com", "ann+own@example.com", ""),
        ('"ann"@example.com', "ann@example.com", ""),
        ("postmaster@example.com", "postmaster@example.com", ""),
        ("Abuse+x@example.com", "abuse@example.com", "x"),
        ("nobody@example.com", None, ""),
        ("ann@example.net", None, ""),
        ('".."@example.com', None, ""),
    ],
)
def test_an_address_has_one_mailbox(address: str, owner: str | None, detail: str) -> None:
    """That of a user, as it is written or without its tag; postmaster and abuse are always somebody, and nobody else is."""
    [home] = asyncio.run(homes_of(MemoryUsers(PEOPLE), [address]))
    assert (home and home.address, home.detail if home else "") == (owner, detail)


def test_who_has_no_mailbox_is_refused_and_others_get_theirs(office: Office) -> None:
    """For good; nothing is made for him."""
    refused, taken = office.deliver("nobody@example.com", "bob@example.com")
    assert (refused.to, refused.verdict, refused.reply[:9], refused.cause) == (0, "fail", "550 5.1.1", Cause.NO_MAILBOX)
    assert (taken.to, taken.verdict) == (1, "delivered")
    assert [owner.address for owner in office.boxes.owners.listing()] == ["bob@example.com"]


@pytest.mark.parametrize(("field", "folder"), [(b"X-Spam-Flag: YES", "Junk"), (b"x-spam-flag:yes ", "Junk"), (b"X-Spam-Flag: NO", "INBOX")])
def test_what_is_marked_goes_to_junk(field: bytes, folder: str, office: Office) -> None:
    """By its header, not by what its body says."""
    office.deliver("ann@example.com", content=field + b"\r\n" + BODY)
    assert len(office.has("ann@example.com", folder)) == 1
    office.deliver("ann@example.com", content=BODY + field)
    assert len(office.has("ann@example.com", "INBOX")) == 1 + (folder == "INBOX")


def test_junk_is_where_its_owner_has_it(office: Office) -> None:
    """Under whatever name: the folder with that role."""
    with office.boxes.of("ann@example.com", make=True) as box:
        box.rename("Junk", "Müll")
    office.deliver("ann@example.com", content=b"X-Spam-Flag: YES\r\n" + BODY)
    assert len(office.has("ann@example.com", "Müll")) == 1


def test_a_crash_before_the_record_delivers_once(office: Office) -> None:
    """The next process is told where it is, also where its owner has moved or deleted it; another message is another one."""
    for nth in range(3):
        office.restart()
        [outcome] = office.deliver("ann@example.com", id="01JD6Q4Z8K0123456789ABCDEF")
        assert outcome.verdict == "delivered"
        assert ("before" in outcome.text) == bool(nth)
        with office.boxes.of("ann@example.com") as box:
            if nth == 0:
                box.move(box.folder("INBOX").id, None, "Trash")
            if nth == 1:
                box.expunge(box.folder("Trash").id, marked=False)
    assert office.has("ann@example.com") == office.has("ann@example.com", "Trash") == []
    office.deliver("ann@example.com")
    assert len(office.has("ann@example.com")) == 1


def test_two_recipients_of_one_mailbox_get_two(office: Office) -> None:
    """Whoever is named twice, with different tags, gets each; who is named twice alike gets one."""
    office.deliver("ann+a@example.com", "ann+b@example.com", "Ann+B@example.com")
    assert len(office.has("ann@example.com")) == 2


def test_fifty_recipients_get_theirs(office: Office) -> None:
    """Of one message, each below his own address."""
    people = [f"user{nth}@example.com" for nth in range(50)]
    office.users = MemoryUsers([User(address) for address in people])
    outcomes = office.deliver(*people)
    assert [(each.to, each.verdict) for each in outcomes] == [(to, "delivered") for to in range(50)]
    assert all(b"Delivered-To: %b\r\n" % address.encode() in office.has(address)[0] for address in people)


def test_what_has_been_there_before_goes_in_circles(office: Office) -> None:
    """It is refused for good; the same message to somebody else is not."""
    looped = b"Delivered-To: ANN@example.com\r\n" + BODY
    refused, taken = office.deliver("ann@example.com", "bob@example.com", content=looped)
    assert (refused.verdict, refused.reply[:9], refused.cause) == ("fail", "554 5.4.6", Cause.LOOP)
    assert taken.verdict == "delivered"


@pytest.mark.parametrize("users", [[User("bob@example.com", quota=400)], []])
def test_who_has_no_room_gets_it_when_he_has(users: list[User], office: Office) -> None:
    """Mail waits for three days, in which there may be room; then its sender hears. Nobody else's mail waits."""
    office.users = MemoryUsers([User("ann@example.com"), *(users or [User("bob@example.com", quota=1)])])
    began = office.clock.time
    full = [office.deliver("bob@example.com", "ann@example.com", at=began)[0] for _ in range(4)][-1]
    assert (full.verdict, full.scope, full.reply[:9], full.cause) == ("defer", "recipient", "452 4.2.2", Cause.MAILBOX_FULL)
    there = len(office.has("bob@example.com"))
    office.clock.time += 3 * DAY + 1
    [late, other] = office.deliver("bob@example.com", "ann@example.com", at=began)
    assert (late.verdict, late.reply[:9], other.verdict) == ("fail", "552 5.2.2", "delivered")
    office.users = MemoryUsers([User("bob@example.com")])
    assert office.deliver("bob@example.com", at=began)[0].verdict == "delivered"
    assert len(office.has("bob@example.com")) == there + 1


class Failing:
    """Mailboxes of which that of one address cannot be written, for the reason `error`."""

    def __init__(self, boxes: Mailboxes, address: str, error: Exception) -> None:
        self.boxes, self.address, self.error = boxes, address, error

    @contextmanager
    def of(self, address: str, *, make: bool = False) -> Iterator[Mailbox]:
        if address == self.address:
            raise self.error
        with self.boxes.of(address, make=make) as box:
            yield box

    def close(self) -> None:
        self.boxes.close()


def caused(problem: Problem, error: Exception) -> Problem:
    problem.__cause__ = error
    return problem


@pytest.mark.parametrize(
    ("error", "scope", "reply", "cause"),
    [
        (Frozen("it is being moved"), "recipient", "451 4.2.1", Cause.MAILBOX_DISABLED),
        (NoKey("the key 3 is not there"), "us", "451 4.3.0", Cause.UNWRITABLE),
        (caused(Problem("no room", "try-again"), OSError(errno.ENOSPC, "No space left on device")), "us", "452 4.3.1", Cause.SHORT),
        (OSError(errno.EMFILE, "Too many open files"), "us", "452 4.3.1", Cause.SHORT),
        (Problem("the database is busy", "try-again"), "us", "451 4.3.0", Cause.UNWRITABLE),
        (from_os("cannot keep", "/x", OSError(errno.EIO, "Input/output error")), "us", "451 4.3.0", Cause.UNWRITABLE),
        (RuntimeError("an error of ours"), "message", "451 4.3.0", Cause.BUG),
        (MemoryError(), "us", "451 4.3.0", Cause.SHORT),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_a_mailbox_in_trouble_waits_alone(error: Exception, scope: str, reply: str, cause: Cause, office: Office) -> None:
    """Nobody's mail is given up for that, and others get theirs."""
    office.boxes = Failing(office.boxes, "ann@example.com", error)
    office.begin()
    waits, taken = office.deliver("ann@example.com", "bob@example.com")
    assert (waits.verdict, waits.scope, waits.reply[:9], waits.cause) == ("defer", scope, reply, cause)
    assert taken.verdict == "delivered"


@pytest.mark.parametrize("what", ["write", "fsync", "link"])
def test_a_disk_without_room_is_ours_to_mend(what: str, office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever call says so: mail waits, nothing is left behind, and it is there once when there is room."""
    office.deliver("ann@example.com")
    there = sorted(office.place.rglob("*/mail/*/*"))

    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, what, full)
        [waits] = office.deliver("ann@example.com", id="01JD6Q4Z8K0123456789ABCDEF")
    assert (waits.verdict, waits.scope, waits.reply[:9], waits.cause) == ("defer", "us", "452 4.3.1", Cause.SHORT)
    assert sorted(office.place.rglob("*/mail/*/*")) == there
    assert [*office.place.rglob("*/tmp/*")] == []
    assert office.deliver("ann@example.com", id="01JD6Q4Z8K0123456789ABCDEF")[0].verdict == "delivered"
    assert len(office.has("ann@example.com")) == 2


def test_a_database_without_room_is_ours_to_mend(office: Office) -> None:
    """As a full disk is, for it is one."""
    office.deliver("ann@example.com")
    with office.boxes.of("ann@example.com") as box:
        box.engine.change(lambda rows: rows.run("PRAGMA max_page_count = 1"))
    [waits] = [each for nth in range(40) for each in office.deliver("ann@example.com", content=BODY * 50) if each.verdict != "delivered"][
        :1
    ]
    assert (waits.verdict, waits.scope, waits.reply[:9], waits.cause) == ("defer", "us", "452 4.3.1", Cause.SHORT)


def test_a_frozen_mailbox_takes_its_mail_later(office: Office) -> None:
    """While it is being moved: for as long as that takes, and not longer."""
    with office.boxes.of("ann@example.com", make=True) as box:
        owner = box.owner
    office.boxes.owners.put(owner._replace(state="frozen", until=office.clock.time + 60))
    office.restart()
    [waits] = office.deliver("ann@example.com")
    assert (waits.verdict, waits.reply[:9]) == ("defer", "451 4.2.1")
    office.clock.time += 61
    assert office.deliver("ann@example.com")[0].verdict == "delivered"


class LostUsers(MemoryUsers):
    """Users of whom nobody can say for now who they are."""

    async def find(self, addresses: Sequence[str]) -> Sequence[User | None]:
        raise Problem("the database of users is busy", "try-again")


def test_where_users_cannot_be_looked_up_mail_waits(office: Office) -> None:
    """Nobody is taken for nobody."""
    office.users = LostUsers([])
    assert [(each.verdict, each.reply[:9]) for each in office.deliver("ann@example.com", "bob@example.com")] == [("defer", "451 4.3.0")] * 2


def test_whoever_wants_to_know_hears_that_it_has_arrived(office: Office) -> None:
    """Nobody after us will say so. RFC 3461 §5.2.2"""
    office.deliver("ann@example.com", "nobody@example.com", "bob@example.com", asked=lambda: Request.read({"notify": "SUCCESS"}))
    assert office.session.unconfirmed == ((0, "delivered"), (2, "delivered"))
    office.deliver("ann@example.com", asked=lambda: Request.read({"notify": "FAILURE"}))
    assert office.session.unconfirmed == ()


class Counting:
    """Mailboxes that note how many messages came with each put, and let the first wait for `go`."""

    def __init__(self, boxes: Mailboxes, monkeypatch: pytest.MonkeyPatch) -> None:
        self.portions: list[int] = []
        self.go = Event()
        ready = OwnMailbox.ready

        def noted(box: OwnMailbox, news: Sequence[NewMail], *rest: Any) -> Any:
            self.portions.append(len(news))
            assert self.go.wait(60)
            return ready(box, news, *rest)

        monkeypatch.setattr(OwnMailbox, "ready", noted)


async def together(office: Office, many: int, when: Callable[[], None], **more: Any) -> list[list[Outcome]]:
    """So many messages for one mailbox at once, of which the first waits until `when` was called."""
    sessions = [office.courier.session(lambda: None) for _ in range(many)]
    tasks = [asyncio.ensure_future(session.deliver(office.load("bob@example.com", **more), lambda: None)) for session in sessions]
    for _ in range(10):  # each turn of the loop brings all of them further, and none waits for anything else
        await asyncio.sleep(0)
    when()
    return await asyncio.gather(*tasks)


def test_what_waits_for_one_mailbox_is_put_together(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was there first, and then all that came meanwhile at once."""
    office.users = MemoryUsers([User("bob@example.com")])
    counting = Counting(office.boxes, monkeypatch)
    outcomes = asyncio.run(together(office, 20, counting.go.set))
    assert (sum(counting.portions), len(counting.portions) <= 2) == (20, True)
    assert [each.verdict for [each] in outcomes] == ["delivered"] * 20
    assert len(office.has("bob@example.com")) == 20


def test_what_waits_for_several_mailboxes_is_put_together(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """All that came while nobody was there, with one wait for the disk; each mailbox has its own."""
    monkeypatch.setattr(writers, "SLOW", 60.0)
    people = [f"user{nth}@example.com" for nth in range(5)]
    office.users = MemoryUsers([User(address) for address in people])
    office.deliver(*people)
    kept: list[int] = []
    put = FileBodies.put

    def noted(bodies: FileBodies, those: Sequence[NewBody]) -> None:
        kept.append(len(those))
        put(bodies, those)

    monkeypatch.setattr(FileBodies, "put", noted)
    counting = Counting(office.boxes, monkeypatch)

    async def deliver() -> list[Outcome]:
        session = asyncio.ensure_future(office.session.deliver(office.load(*people), lambda: None))
        await asyncio.sleep(0)
        counting.go.set()
        return await session

    assert [each.verdict for each in asyncio.run(deliver())] == ["delivered"] * 5
    assert sum(kept) == 5 > len(kept)
    assert all(len(office.has(address)) == 2 for address in people)


def test_a_mailbox_that_another_process_writes_keeps_nobody_waiting(office: Office) -> None:
    """Others get their mail while it is being written, and it gets its own when it can be."""
    people = ["ann@example.com", "bob@example.com", "carl@example.com"]
    office.deliver(*people)
    with office.boxes.of("ann@example.com") as box:
        other = sqlite3.connect(box.engine.path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")

    async def deliver() -> None:
        sessions = [office.courier.session(lambda: None) for _ in people]
        tasks = [
            asyncio.ensure_future(each.deliver(office.load(address), lambda: None)) for each, address in zip(sessions, people, strict=True)
        ]
        await asyncio.wait_for(asyncio.gather(*tasks[1:]), 4)
        assert not tasks[0].done()
        other.execute("ROLLBACK")
        assert [outcome.verdict for [outcome] in await asyncio.gather(*tasks)] == ["delivered"] * 3

    asyncio.run(deliver())
    other.close()
    assert [len(office.has(address)) for address in people] == [2, 2, 2]


def test_where_not_all_fit_those_that_do_are_put(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """One after the other, until the quota is used up, of which the owner gets notice."""
    size = len(BODY) + len(b"Return-Path: <eve@elsewhere.example>\r\nDelivered-To: bob@example.com\r\n")
    office.users = MemoryUsers([User("bob@example.com", quota=5 * size)])
    counting = Counting(office.boxes, monkeypatch)
    outcomes = asyncio.run(together(office, 8, counting.go.set))
    assert sorted(each.verdict for [each] in outcomes) == ["defer"] * 3 + ["delivered"] * 5
    found = office.has("bob@example.com")
    assert [content.endswith(BODY) for content in found] == [True] * 5 + [False]
    assert b"Subject: Your mailbox is full\r\n" in found[-1]


def test_what_keeps_notice_from_being_given_keeps_no_mail(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told, and the message is there."""
    office.users = MemoryUsers([User("bob@example.com", quota_messages=1)])
    told: list[Exception] = []

    def fail(*_: object) -> int:
        raise Problem("the disk is full", "io-error")

    monkeypatch.setattr(QuotaNotices, "after", fail)
    office.courier = LocalCourier(office.boxes, lambda: office.users, office.filing, office.clock, lambda: 3 * DAY, told.append)
    office.session = office.courier.session(lambda: None)
    assert office.deliver("bob@example.com")[0].verdict == "delivered"
    assert (len(office.has("bob@example.com")), [str(each) for each in told]) == (1, ["the disk is full"])


class Rules:
    """A filing that puts what has a tag into the folder of that name, and throws away what is for the tag ``none``."""

    def plain(self, mailbox: Mailbox, letter: MailboxLetter) -> NewMail | None:
        return None if letter.detail else new_of(letter, "INBOX")

    def file(self, mailbox: Mailbox, letter: MailboxLetter) -> Sequence[PutMail]:
        if letter.detail == "bug":
            raise RuntimeError("an error in the rules")
        return [] if letter.detail == "none" else mailbox.put([new_of(letter, letter.detail or "INBOX")], letter.quota)


def test_a_filing_says_where_a_letter_goes(office: Office) -> None:
    """Also that it goes nowhere, which is as well; an error in it is one letter's trouble."""
    office.filing = Rules()
    office.begin()
    outcomes = office.deliver("ann+none@example.com", "ann+lists@example.com", "ann@example.com", "ann+bug@example.com")
    assert [each.verdict for each in outcomes] == ["delivered", "delivered", "delivered", "defer"]
    assert (len(office.has("ann@example.com")), len(office.has("ann@example.com", "lists"))) == (1, 1)


def test_what_is_large_is_looked_at_beside_the_loop(office: Office) -> None:
    """It arrives whole, and goes by its header all the same."""
    large = b"X-Spam-Flag: YES\r\n" + BODY + b"x" * 70 + b"\r\n" * (1 << 18)
    assert office.deliver("ann@example.com", content=large)[0].verdict == "delivered"
    assert office.has("ann@example.com", "Junk")[0].endswith(large)


def test_who_was_removed_this_moment_gets_nothing(office: Office) -> None:
    """His mail is tried again, and refused then; a mailbox that has his address only stays empty. Postmaster needs no user."""

    class Leaving(MemoryUsers):
        """He is there when he is looked up, and not when his mailbox is open."""

        def is_gone(self, address: str) -> bool:
            return True

    office.users = Leaving([User("bob@example.com")])
    [outcome] = office.deliver("bob@example.com")
    assert (outcome.verdict, office.has("bob@example.com")) == ("defer", [])
    assert "was removed this moment" in outcome.reply
    [outcome] = office.deliver("postmaster@example.com")
    assert outcome.verdict == "delivered"
