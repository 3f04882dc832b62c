"""Users hand in mail: as whom they are, to anywhere, within bounds; and 250 says that it is on disk."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from mailer.accounts.users.api import User
from mailer.accounts.users.memory import MemoryUsers
from mailer.events import Alarm, LoggedIn, TakenIn, TurnedAway
from mailer.mail.problem import Problem
from mailer.smtpd.submission import MOST_AUTHORS
from tests.smtpd.house import Client
from tests.smtpd.submission_house import ANN, MAIL, PHONE, SECRET, SubmissionHouse, brought, played


def test_what_is_answered_with_250_is_in_the_spool(tmp_path: Path) -> None:
    """Completed as all mail of our own users is, and it says whose it is; not where he was."""

    async def play(house: SubmissionHouse) -> None:
        async with house.client() as client:
            content = b"To: carl@example.net\r\nBcc: dora@example.net\r\n\r\nbody\r\n"
            *_, said = await brought(client, content, "carl@example.net", "bob@example.com")
        [entry] = house.entries()
        assert said == f"250 2.0.0 taken as {entry.id}"
        envelope, content = entry.envelope, house.spool.content(entry.id)
        assert envelope.sender == "ann@example.com"
        assert [one.address for one in envelope.recipients] == ["carl@example.net", "bob@example.com"]
        assert envelope.submitter["principal"] == "smtp:ann@example.com"
        assert content.startswith(b"Received: by mx.example.com (mailer) with ESMTPA id " + entry.id.encode())
        assert all(field in content for field in (b"\r\nFrom: ann@example.com\r\n", b"\r\nDate: ", b"\r\nMessage-ID: <"))
        assert b"dora" not in content
        assert b"127.0.0.1" not in content
        [taken] = house.heard(TakenIn)
        assert (taken.id, taken.sender, taken.recipients) == (entry.id, "ann@example.com", ["carl@example.net", "bob@example.com"])
        assert (taken.arrival.user, taken.arrival.ip, taken.arrival.door) == ("ann@example.com", "127.0.0.1", "submission")

    played(SubmissionHouse(tmp_path), play)


def test_what_only_we_write_is_cut_out(tmp_path: Path) -> None:
    """A user does not write our Authentication-Results either, nor what filters say; what other hosts found stays as it is."""

    async def play(house: SubmissionHouse) -> None:
        async with house.client() as client:
            theirs = b"Authentication-Results: list.example;\r\n\tdkim=pass header.d=example.net\r\n"
            forged = b"Authentication-Results: MX.example.com;\r\n dmarc=pass\r\nX-Spam-Flag: NO\r\n"
            await brought(client, forged + theirs + forged + MAIL, "carl@example.net")
        [entry] = house.entries()
        content = house.spool.content(entry.id)
        assert theirs in content
        assert b"dmarc=pass" not in content
        assert b"X-Spam" not in content

    played(SubmissionHouse(tmp_path), play)


def test_nobody_hands_in_anything_before_he_has_logged_in(tmp_path: Path) -> None:
    """Whatever he calls himself, and wherever it is to go."""

    async def play(house: SubmissionHouse) -> None:
        async with Client.of(house.port, hello="EHLO mx.example.com") as client:
            for sender in ("ann@example.com", "", "postmaster@example.com"):
                assert (await client(f"MAIL FROM:<{sender}>")).startswith("530 5.7.0")
            assert (await client("RCPT TO:<ann@example.com>")).startswith("503")
        assert house.entries() == []

    played(SubmissionHouse(tmp_path), play)


@pytest.mark.parametrize(
    ("sender", "good"),
    [
        ("ann@example.com", True),
        ("ANN@Example.COM", True),
        ("", True),
        ("ann+list@example.com", True),
        ("ann.smith@example.com", True),
        ("sales@example.com", True),
        ("anything@all.example", True),
        ("x@shop.example", True),
        ("bob@example.com", False),
        ("team@example.com", False),
        ("out@example.com", False),
        ("nobody@example.com", False),
        ("ann@example.net", False),
        ("x@sub.shop.example", False),
        ("*@shop.example.com", False),
        ("postmaster@example.com", False),
    ],
)
def test_the_envelope_and_the_header_belong_to_the_user(tmp_path: Path, sender: str, good: bool) -> None:
    """His address, with a tag, by an alias, by a catch-all, and as what he was given; and nobody else's."""

    async def play(house: SubmissionHouse) -> None:
        async with house.client() as client:
            assert (await client(f"MAIL FROM:<{sender}>")).startswith("250" if good else "550 5.7.1")
            await client("RSET")
            content = f"From: {sender or 'ann@example.com'}\r\n\r\nx\r\n".encode()
            assert (await brought(client, content, "carl@example.net"))[-1].startswith("250" if good else "550 5.7.1")
        assert len(house.entries()) == good
        assert len(house.heard(TurnedAway)) == 2 * (not good)

    played(SubmissionHouse(tmp_path), play)


@pytest.mark.parametrize(
    ("header", "good"),
    [
        ("From: ann@example.com\nFrom: bob@example.com", False),
        ("From: ann@example.com, bob@example.com", False),
        ("From: ann@example.com, ann.smith@example.com", True),
        ("From: us: ann@example.com, bob@example.com;", False),
        ("From: us: ann@example.com;", True),
        ("From: undisclosed:;", False),
        ("From: nonsense", False),
        ("From: bob@example.com (ann@example.com)", False),
        ('From: "ann@example.com" <bob@example.com>', False),
        ("From: <@ann@example.com:bob@example.com>", False),
        ("From: ann@example.com\nSender: bob@example.com", False),
        ("From: ann@example.com\nSender: sales@example.com", True),
        ("From: ann@example.com\nResent-From: bob@example.com", False),
        ("From: ann@example.com\nResent-Sender: bob@example.com", False),
        ("From: ann@example.com\nResent-From: ann@example.com\nResent-To: x@example.net", True),
        ("from : bob@example.com\nFrom: ann@example.com", False),
        ("From: ann@example.com\nReply-To: bob@example.com", True),
        ("From:\n bob@example.com", False),
        ("From: =?utf-8?q?ann=40example.com?= <bob@example.com>", False),
    ],
)
def test_whoever_a_message_says_it_is_from_is_the_user(tmp_path: Path, header: str, good: bool) -> None:
    """Each of them, in each field that says so, however it is written."""

    async def play(house: SubmissionHouse) -> None:
        async with house.client() as client:
            content = header.replace("\n", "\r\n").encode() + b"\r\n\r\nbody\r\n"
            said = (await brought(client, content, "carl@example.net"))[-1]
        assert said.startswith("250") is good, said
        assert good or said == "550 5.7.1 that is not an address of yours", said
        assert len(house.entries()) == good

    played(SubmissionHouse(tmp_path), play)


def test_a_message_with_very_many_authors_is_refused(tmp_path: Path) -> None:
    """Before anybody looks each of them up, also where all were the user's."""

    async def play(house: SubmissionHouse) -> None:
        names = ", ".join(f"ann+{number}@example.com" for number in range(MOST_AUTHORS + 1))
        async with house.client() as client:
            assert (await brought(client, f"From: {names}\r\n\r\nx\r\n".encode(), "carl@example.net"))[-1].startswith("550 5.7.1")

    played(SubmissionHouse(tmp_path), play)


def test_what_is_not_the_message_is_no_way_around(tmp_path: Path) -> None:
    """A header that begins with a blank, or a line of no field, is a body to all who read it after us."""

    async def play(house: SubmissionHouse) -> None:
        async with house.client() as client:
            for content in (b" x\r\nFrom: bob@example.com\r\n\r\nx\r\n", b"x\r\nFrom: bob@example.com\r\n\r\nx\r\n"):
                assert (await brought(client, content, "carl@example.net"))[-1].startswith("250")
        for entry in house.entries():
            head = house.spool.content(entry.id).partition(b"\r\n\r\n")[0]
            assert b"From: ann@example.com" in head
            assert b"bob" not in head

    played(SubmissionHouse(tmp_path), play)


def test_bare_line_ends_are_put_right(tmp_path: Path) -> None:
    """Programs send them; nothing but CRLF.CRLF ends the message."""

    async def play(house: SubmissionHouse) -> None:
        async with house.client() as client:
            content = MAIL.replace(b"body", b"one\ntwo\r.\nthree\0")
            assert (await brought(client, content, "carl@example.net"))[-1].startswith("250")
        [entry] = house.entries()
        assert house.spool.content(entry.id).endswith(b"\r\n\r\none\r\ntwo .\r\nthree \r\n")

    played(SubmissionHouse(tmp_path), play)


def test_recipients_of_ours_who_are_nobody_are_refused(tmp_path: Path) -> None:
    """The others of the message get it; elsewhere nobody is asked."""

    async def play(house: SubmissionHouse) -> None:
        async with house.client() as client:
            said = await brought(client, MAIL, "nobody@example.com", "carl@example.net", "sales@example.com")
        assert [reply[:9] for reply in said] == ["250 2.1.0", "550 5.1.1", "250 2.1.5", "250 2.1.5", "354 go ah", "250 2.0.0"]
        [entry] = house.entries()
        assert [one.address for one in entry.envelope.recipients] == ["carl@example.net", "sales@example.com"]

    played(SubmissionHouse(tmp_path), play)


def test_what_is_asked_of_those_who_carry_it_goes_along(tmp_path: Path) -> None:
    """Of the message, and of each recipient."""

    async def play(house: SubmissionHouse) -> None:
        async with house.client() as client:
            more = " RET=HDRS ENVID=QQ+2B314 HOLDFOR=3600 BY=7200;NT MT-PRIORITY=4"
            recipients = ("<carl@example.net> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;Carl@example.net", "<bob@example.com>")
            assert (await brought(client, MAIL, *recipients, more=more))[-1].startswith("250")
        [entry] = house.entries()
        expected = {"ret": "HDRS", "envid": "QQ+314", "hold": 3600, "by": 7200, "by_return": False, "by_trace": True, "priority": 4}
        each = {"carl@example.net": {"notify": "SUCCESS,DELAY", "orcpt": "rfc822;Carl@example.net"}}
        assert entry.envelope.options == {**expected, "recipients": each}
        assert entry.envelope.priority == "high"

    played(SubmissionHouse(tmp_path), play)


def test_a_chunk_at_a_time_is_a_message_too(tmp_path: Path) -> None:
    """With BDAT; a large one goes its own way to the disk."""

    async def play(house: SubmissionHouse) -> None:
        body = MAIL + b"0123456789abcde\r\n" * 10_000
        async with house.client() as client:
            await client("MAIL FROM:<ann@example.com>")
            await client("RCPT TO:<carl@example.net>")
            await client.say(f"BDAT {len(MAIL)}\r\n".encode() + MAIL)
            assert (await client.hear()).startswith("250")
            await client.say(f"BDAT {len(body) - len(MAIL)} LAST\r\n".encode() + body[len(MAIL) :])
            assert (await client.hear()).startswith("250")
        [entry] = house.entries()
        assert house.spool.content(entry.id).endswith(body[-100_000:])

    played(SubmissionHouse(tmp_path), play)


def test_another_password_is_no_business_of_who_is_logged_in_without_it(tmp_path: Path) -> None:
    """A program whose password is the same goes on when the user's own is changed, and he goes on when a program's is taken away."""

    async def play(house: SubmissionHouse) -> None:
        async with house.client(password=PHONE) as phone, house.client() as own:
            await house.users.put([ANN._replace(password="{SCRYPT}other", keys=None)])
            assert (await phone("MAIL FROM:<ann@example.com>")).startswith("250")
            await house.users.put([ANN._replace(app_passwords=())])
            assert (await own("MAIL FROM:<ann@example.com>")).startswith("250")

    played(SubmissionHouse(tmp_path), play)


def test_a_session_that_somebody_ends_is_over_at_once(tmp_path: Path) -> None:
    """Where the client is waited for, between commands or within a message; another user's goes on, and so does a later one."""

    async def play(house: SubmissionHouse) -> None:
        async with house.client() as idle, house.client() as busy, house.client("bob@example.com", "battery staple") as bob:
            await busy("MAIL FROM:<ann@example.com>")
            await busy("RCPT TO:<carl@example.net>")
            assert (await busy("DATA")).startswith("354")
            assert house.register.occupied == 3
            await house.sessions.end("ANN@example.com", house.desk.now())
            await house.register.look()
            assert [(await client.hear())[:9] for client in (idle, busy)] == ["421 4.7.0"] * 2
            assert [await client.hear() for client in (idle, busy)] == ["", ""]
            assert (await bob("NOOP")).startswith("250")
            async with house.client() as again:
                await house.register.look()
                assert (await again("NOOP")).startswith("250")
        assert house.entries() == []

    played(SubmissionHouse(tmp_path), play)


def test_who_comes_and_goes_is_known(tmp_path: Path) -> None:
    """With the door, the address, and the password that was used."""

    async def play(house: SubmissionHouse) -> None:
        async with house.client(password=PHONE) as client:
            await client("NOOP")
            house.later(2.0)
            await house.register.keep()
            [session] = await house.sessions.open(now=house.desk.now())
            assert (session.user, session.door, session.ip, session.app) == (ANN.address, "submission", "127.0.0.1", "phone")
            assert session.process == "test"
        [event] = house.heard(LoggedIn)
        assert event.app == "phone"
        async with asyncio.timeout(10):
            while house.register.occupied:  # the other side notices that the client has left
                await asyncio.sleep(0)
        await house.register.keep()
        assert await house.sessions.open(now=house.desk.now()) == []

    played(SubmissionHouse(tmp_path), play)


def test_a_user_who_is_switched_off_or_gone_sends_no_more(tmp_path: Path) -> None:
    """Nor one whose password was changed, or is over: at his next message he hears that he has to log in again."""

    async def play(house: SubmissionHouse) -> None:
        other, gone = ANN._replace(password="{SCRYPT}other", keys=None), ANN._replace(app_passwords=())
        over = ANN._replace(app_passwords=(ANN.app_passwords[0]._replace(expires=1.0),))
        changes = [([ANN._replace(disabled=True)], SECRET), ([other], SECRET), ([gone], PHONE), ([over], PHONE), ([], SECRET)]
        for users, password in changes:
            async with house.client(password=password) as client:
                assert (await brought(client, MAIL, "carl@example.net"))[-1].startswith("250")
                await (house.users.put(users) if users else house.users.remove([ANN.address]))
                assert (await client("MAIL FROM:<ann@example.com>")).startswith("421 4.7.0")
                assert await client.hear() == ""
            await house.users.put([ANN])
        assert len(house.entries()) == len(changes)

    played(SubmissionHouse(tmp_path), play)


def test_a_day_has_so_many_messages(tmp_path: Path) -> None:
    """What is beyond is put off, in this session and in another one, and somebody is told."""

    async def play(house: SubmissionHouse) -> None:
        async with house.client() as client:
            assert [(await brought(client, MAIL, "carl@example.net"))[-1][:3] for _ in range(2)] == ["250", "250"]
            assert (await client("MAIL FROM:<ann@example.com>")).startswith("451 4.7.1")
        async with house.client() as client:
            assert (await client("MAIL FROM:<ann@example.com>")).startswith("451 4.7.1")
        async with house.client("bob@example.com", "battery staple") as client:
            assert (await client("MAIL FROM:<bob@example.com>")).startswith("250")
        assert {(alarm.what, alarm.key) for alarm in house.heard(Alarm)} == {("sender", "ann@example.com")}

    played(SubmissionHouse(tmp_path, accounts="messages_per_day = 2"), play)


def test_a_stolen_password_gets_to_few_new_recipients(tmp_path: Path) -> None:
    """Those to whom the user has written before he can go on writing to, also tomorrow."""

    async def play(house: SubmissionHouse) -> None:
        async with house.client() as client:
            await client("MAIL FROM:<ann@example.com>")
            said = [await client(f"RCPT TO:<{name}@example.net>") for name in ("a", "b", "A", "c", "b", "d")]
        assert [reply[:9] for reply in said] == ["250 2.1.5", "250 2.1.5", "250 2.1.5", "451 4.7.1", "250 2.1.5", "451 4.7.1"]
        assert {turned.reason for turned in house.heard(TurnedAway)} == {"limit"}
        assert len(house.heard(Alarm)) == 2

    house = SubmissionHouse(tmp_path, accounts="new_recipients_per_day = 2")
    played(house, play)
    assert {row.table for row in asyncio.run(house.store.load())} == {"day", "familiar", "recipient", "secret"}


def test_a_message_that_goes_in_circles_ends(tmp_path: Path) -> None:
    """For good, for later it would have come by more."""

    async def play(house: SubmissionHouse) -> None:
        async with house.client() as client:
            said = (await brought(client, b"Received: by x\r\n" * 51 + MAIL, "carl@example.net"))[-1]
        assert said.startswith("554 5.4.6")

    played(SubmissionHouse(tmp_path), play)


def test_what_submission_refuses_is_said_in_one_line(tmp_path: Path) -> None:
    """And the session goes on."""

    async def play(house: SubmissionHouse) -> None:
        async with house.client() as client:
            large = b"X: " + b"x" * 2000 + b"\r\n" + MAIL
            assert (await brought(client, large, "carl@example.net"))[-1].startswith("554 5.6.0 the header of the message is larger")
            assert (await brought(client, MAIL, "carl@example.net"))[-1].startswith("250")

    played(SubmissionHouse(tmp_path, more='[submission]\nmax_header_size = "1KB"'), play)


def test_a_full_disk_puts_mail_off(tmp_path: Path) -> None:
    """Before it comes, where its size is said."""

    async def play(house: SubmissionHouse) -> None:
        async with house.client() as client:
            assert (await client("MAIL FROM:<ann@example.com> SIZE=1000")).startswith("452 4.3.1")

    played(SubmissionHouse(tmp_path, more='[submission]\nmin_free_space = "1000000GB"'), play)


def test_what_cannot_be_known_now_is_not_refused_for_good(tmp_path: Path) -> None:
    """Whether a user is still one, whose an address is, and who a recipient is."""

    class Locked(MemoryUsers):
        locked = 0

        async def find(self, addresses: Sequence[str]) -> Sequence[User | None]:
            self.locked -= 1
            if self.locked == 0:
                raise Problem("it is locked", "try-again")
            return await super().find(addresses)

    async def play(house: SubmissionHouse) -> None:
        users = Locked([ANN])
        house.desk.users = house.reception.residents.users = users
        async with house.client() as client:
            for step, asked in enumerate(("ann@example.com", "ann+x@example.com"), 1):
                users.locked = step
                assert (await client(f"MAIL FROM:<{asked}>")).startswith("451 4.3.0")
            assert (await client("MAIL FROM:<ann@example.com>")).startswith("250")
            users.locked = 1
            assert (await client("RCPT TO:<ann@example.com>")).startswith("451 4.3.0")
            await client("RCPT TO:<carl@example.net>")
            await client("DATA")
            users.locked = 1
            await client.say(b"From: ann+x@example.com\r\n\r\nx\r\n.\r\n")
            assert (await client.hear()).startswith("451 4.3.0")
            assert (await brought(client, MAIL, "carl@example.net"))[-1].startswith("250")

    played(SubmissionHouse(tmp_path), play)
