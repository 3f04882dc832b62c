"""What SMTP can do besides carrying mail, with real servers: reports, chunks, groups of commands, TLS all the way, LMTP."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import Sequence

import pytest

from mailer.mail.delivery_options import NOTHING, Request, Wanted
from mailer.smtp.transaction import RecipientAnswer
from mailer.transport.connection import Connection, Parcel
from mailer.transport.route import Endpoint

from .letters import letter
from .matrix import ME, marks, peers
from .servers import Servers


def deliver(endpoint: Endpoint, *mails: Parcel, ahead: bool = False) -> list[list[RecipientAnswer]]:
    """All in one session; `ahead`: with the end of each message goes the envelope of the next."""

    async def run() -> list[list[RecipientAnswer]]:
        connection = await Connection.open(endpoint, "127.0.0.1")
        answers = []
        try:
            for mail, after in zip(mails, [*mails[1:], None], strict=True):
                following = (lambda after=after: after) if ahead else None
                answers.append(await connection.deliver(mail, following))
                assert connection.usable
        finally:
            await connection.close()
        return answers

    return asyncio.run(run())


def mail(users: str, content: bytes, request: Request = NOTHING, sender: str = ME) -> Parcel:
    """To those `users` of peer.example."""
    return Parcel(sender, [f"{user}@peer.example" for user in users.split()], content, None, request)


def classes(answers: Sequence[RecipientAnswer]) -> list[int]:
    """The first digits of the replies."""
    return [answer.reply.code // 100 for answer in answers]


@pytest.mark.parametrize(("name", "door"), peers(offering="PIPELINING"))
def test_the_next_envelope_may_follow_a_message_at_once(servers: Servers, name: str, door: str) -> None:
    """MAIL in one segment with the end of the message before, RFC 2920 §3.1: each message arrives once, each answer is its own."""
    letters = [letter(name) for name in ("1 KB", "dots", "5 MB", "8 bit", "the end of data, quoted", "a megabyte", "1 KB")]
    users = ["ann", "nobody ann", "ann bob", "nobody", "bob ann nobody", "ann", "ann"]
    mails = [mail(to, content) for to, (_, content) in zip(users, letters, strict=True)]
    answers = deliver(servers.endpoint(name, door), *mails, ahead=True)
    assert [classes(one) for one in answers] == [[5 if user == "nobody" else 2 for user in to.split()] for to in users]
    for to, (mark, content) in zip(users, letters, strict=True):
        takers = [user for user in to.split() if user != "nobody"]
        assert servers[name].mailboxes.arrived(mark, takers) == {user: [content] for user in takers}


@pytest.mark.parametrize(("name", "door"), peers())
def test_a_message_that_nobody_takes_goes_nowhere(servers: Servers, name: str, door: str) -> None:
    """All recipients refused: in a group, in chunks, or step by step, no byte of it is taken for a command, and the next one arrives."""
    unwanted, (mark, content) = letter("the end of data, quoted"), letter("1 KB")
    refused, (taken,) = deliver(servers.endpoint(name, door), mail("nobody stranger", unwanted[1]), mail("ann", content))
    assert [(answer.phase, answer.reply.code // 100) for answer in refused] == [("rcpt", 5)] * 2
    assert taken.reply.code == 250
    assert servers[name].mailboxes.arrived(mark, ["ann"]) == {"ann": [content]}
    assert servers[name].mailboxes.arrived(unwanted[0], []) == {}


@pytest.mark.parametrize(("door", "chunks"), [("plain", True), ("DATA", False)])
@pytest.mark.parametrize("name", [pytest.param("exim", marks=marks("exim"))])
def test_a_small_message_is_one_chunk(servers: Servers, name: str, door: str, chunks: bool) -> None:
    """Exim writes down that a message came by BDAT; by DATA, where we are told not to use it."""
    mark, content = letter("dots")
    deliver(servers.endpoint(name, door), mail("ann", content))
    servers[name].mailboxes.arrived(mark, ["ann"])
    (line,) = [line for line in servers.exim.log().splitlines() if " <= " in line and mark in line]
    assert (" K " in line) is chunks


REPORT = Request(ret="HDRS", envid="QQ+314=15 x", everybody=Wanted("SUCCESS", "rfc822;anna+list@old.example"))


@pytest.mark.parametrize(
    ("name", "told"),
    [
        pytest.param(
            "postfix",
            ("Original-Envelope-Id: QQ+314=15 x\n", "Original-Recipient: rfc822;anna+list@old.example\n"),
            marks=marks("postfix"),
        ),
        pytest.param(
            "exim",  # which leaves them as they were on the wire
            ("Original-Envelope-ID: QQ+2B314+3D15+20x\n", "Original-Recipient: rfc822;anna+2Blist@old.example\n"),
            marks=marks("exim"),
        ),
        pytest.param("opensmtpd", (), marks=marks("opensmtpd")),
    ],
)
def test_a_report_comes_when_it_is_wanted(servers: Servers, name: str, told: tuple[str, ...]) -> None:
    """NOTIFY=SUCCESS brings one report, with our ENVID and ORCPT in it, and of the message its header alone; NEVER brings none."""
    (wanted, content), (unwanted, other) = letter("1 KB"), letter("1 KB")
    quiet = Request(everybody=Wanted("NEVER"))
    deliver(
        servers.endpoint(name, "plain"),
        mail("ann", other, quiet, sender="bob@peer.example"),
        mail("ann", content, REPORT, sender="bob@peer.example"),
    )
    mailboxes = servers[name].mailboxes
    (report,) = mailboxes.reports(wanted, "bob")
    assert "Action: delivered\n" in report
    for line in told:
        assert line in report
    assert "twenty octets a line" not in report
    mailboxes.arrived(unwanted, ["ann"])
    assert unwanted not in "".join(mailboxes.reports(wanted, "bob"))


@pytest.mark.parametrize("name", [pytest.param("smtp-server", marks=marks("smtp-server"))])
@pytest.mark.parametrize(
    ("title", "request_", "told"),
    [
        ("1 KB", NOTHING, {"bodyType": "7bit", "smtpUtf8": False, "requireTLS": False}),
        ("8 bit", NOTHING, {"bodyType": "8bitmime", "smtpUtf8": False}),
        ("UTF-8 header", NOTHING, {"bodyType": "8bitmime", "smtpUtf8": True}),
        ("1 KB", Request(require_tls=True), {"requireTLS": True}),
        ("1 KB", REPORT, {"dsn": {"ret": "HDRS", "envid": "QQ+314=15 x"}}),
    ],
)
def test_what_is_asked_is_what_a_server_reads(servers: Servers, name: str, title: str, request_: Request, told: dict[str, object]) -> None:
    """smtp-server writes down the envelope as it understood it."""
    mark, content = letter(title)
    ((answer,),) = deliver(servers.endpoint(name, "starttls"), mail("ann", content, request_))
    assert answer.reply.code == 250
    servers[name].mailboxes.arrived(mark, ["ann"])
    envelope = json.loads(servers[name].mailboxes.above(mark, "ann").partition("X-Envelope: ")[2])
    assert {key: envelope[key] for key in told} == told
    if request_ is REPORT:
        assert envelope["rcptTo"][0]["dsn"] == {"notify": ["SUCCESS"], "orcpt": "rfc822;anna+list@old.example"}


@pytest.mark.parametrize("name", [pytest.param("postfix", marks=marks("postfix"))])
def test_a_promise_that_a_host_cannot_keep_is_not_asked_of_it(servers: Servers, name: str) -> None:
    """Postfix has no REQUIRETLS: a message that must have it is refused here, RFC 8689 §4.2.1, and the session is good for the next."""
    (kept, secret), (mark, content) = letter("1 KB"), letter("1 KB")
    (refused,), (taken,) = deliver(servers.endpoint(name, "starttls"), mail("ann", secret, Request(require_tls=True)), mail("ann", content))
    assert (refused.kind, refused.reply.enhanced, taken.reply.code) == ("local", "5.7.30", 250)
    assert servers[name].mailboxes.arrived(mark, ["ann"]) == {"ann": [content]}
    assert servers[name].mailboxes.arrived(kept, []) == {}


@pytest.mark.parametrize("name", [pytest.param("lmtp", marks=marks("lmtp"))])
@pytest.mark.parametrize(("door", "title"), [("plain", "1 KB"), ("DATA", "1 KB"), ("plain", "5 MB")])
def test_lmtp_answers_for_each_recipient_at_the_end(servers: Servers, name: str, door: str, title: str) -> None:
    """Dovecot takes a message for three, refuses a fourth at once, and says only at the end that one of the three has no room."""
    mark, content = letter(title)
    (answers,) = deliver(servers.endpoint(name, door), mail("ann later07 nobody bob", content))
    assert [(answer.phase, answer.reply.code) for answer in answers] == [("body", 250), ("body", 451), ("rcpt", 550), ("body", 250)]
    assert servers[name].mailboxes.arrived(mark, ["ann", "bob"]) == {"ann": [content], "bob": [content]}


@pytest.mark.parametrize("name", [pytest.param("postfix", marks=marks("postfix"))])
def test_a_host_that_loses_patience_has_refused_only_what_it_refused(servers: Servers, name: str) -> None:
    """Postfix says 421 and hangs up after so many strangers: they are refused, everybody else is put off, and nobody got it."""
    mark, content = letter("1 KB")
    users = ["ann", *(f"stranger{number}" for number in range(6)), "bob"]

    async def run() -> tuple[list[RecipientAnswer], bool]:
        endpoint = dataclasses.replace(servers.endpoint(name, "plain"), port=servers[name].ports["strict"])
        connection = await Connection.open(endpoint, "127.0.0.1")
        answers = await connection.deliver(Parcel(ME, [f"{user}@peer.example" for user in users], content))
        usable = connection.usable
        connection.abandon()
        return answers, usable

    answers, usable = asyncio.run(run())
    assert (classes(answers), usable) == ([4, 5, 5, 5, 4, 4, 4, 4], False)
    assert servers[name].mailboxes.arrived(mark, []) == {}
