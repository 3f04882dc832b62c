"""Mail of strangers in the queue: it leaves as it came, passed on with a sender of ours, signed by nobody here, and never answered where
nobody has proven who sent it."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailer.auth.arc import verify
from mailer.auth.results import MethodResult, write
from mailer.bounces import OwnReports
from mailer.dkim.verify import SignedMessage
from mailer.mail.envelope import Recipient
from mailer.net.aside import LARGE
from mailer.queue.signing import Signer
from mailer.spool.files.enqueue import put as spool_put
from mailer.srs import day_of, reverse
from mailer.transport.return_path import ReturnPaths, SenderRewriting
from tests.auth.answers import World, found
from tests.dkim.keys import key
from tests.fakes.mail import BODY, NOW, envelope

from .post import DAY, Post, play
from .test_signing import key_file, mail, section, signers
from .test_suppressed import entry, listed

SECRET = b"0123456789abcdef"
STRANGER = "ann@elsewhere.example"
MX: dict[str, object] = {"via": "mx", "ip": "192.0.2.1"}
PROVEN = MX | {"proven": True}


@pytest.fixture
def post(tmp_path: Path) -> Post:
    """A post office that rewrites senders, and warns them after an hour."""
    post = Post(tmp_path)
    rewriting = SenderRewriting(SECRET, "", {"example.com"})
    reports = OwnReports("host.example", "postmaster@host.example", delay_warning=3600.0)
    post.change(returns=ReturnPaths("bounces@example.com", bytes(32), rewriting=rewriting), reports=reports)
    return post


def bring(
    post: Post,
    *recipients: Recipient,
    sender: str = STRANGER,
    submitter: dict[str, object] = MX,
    body: bytes = BODY,
    options: dict[str, object] | None = None,
) -> str:
    """A stranger's message is in the spool; its ID."""
    letter = envelope(sender=sender, submitter=submitter, at=post.clock.now(), options=options)
    letter.recipients = [*recipients]
    id = spool_put(post.spool.root, letter.id, letter.to_line(), body)
    post.look([id])
    return id


def onward(address: str, behalf: str = "sales@example.com") -> Recipient:
    """Somebody elsewhere, to whom an address of ours passes it on."""
    return Recipient(address, behalf=behalf)


def reports(post: Post) -> list[str]:
    """The messages in the spool that are from the null sender to the stranger."""
    found = [post.spool.read(id).envelope for state in ("queued", "deferred", "held", "failed") for id in post.spool.ids(state)]
    return [each.id for each in found if not each.sender and [to.address for to in each.recipients] == [STRANGER]]


def test_each_address_that_passes_it_on_has_a_transaction_of_its_own(post: Post) -> None:
    """With its own sender and mark; whoever lives here gets it as it came, from whom it came. All have it after one attempt."""
    people = [onward("a@example.net"), Recipient("bob@example.net"), onward("b@example.net", "info@example.com"), onward("c@example.net")]

    async def scenario() -> None:
        async with post.running():
            await post.settled(bring(post, *people), None)

    play(scenario())
    courier = post.courier
    left = zip((tuple(to) for _, to in courier.tried), courier.senders, courier.contents, strict=True)
    got = {to: (sender, content) for to, sender, content in left}
    assert set(got) == {("a@example.net", "c@example.net"), ("bob@example.net",), ("b@example.net",)}
    assert got["bob@example.net",] == (STRANGER, BODY)
    for to, behalf in ((("a@example.net", "c@example.net"), b"sales"), (("b@example.net",), b"info")):
        sender, content = got[to]
        assert reverse(sender, [SECRET], day_of(NOW)) == STRANGER
        assert content == b"Delivered-To: %b@example.com\r\n%b" % (behalf, BODY)


@pytest.mark.parametrize("size", [0, LARGE])
def test_nobody_here_signs_what_strangers_wrote(size: int, post: Post, tmp_path: Path) -> None:
    """Whoever it says that it is from: our signature is for whom we know. It is not changed either, however large."""
    post.change(signer=Signer([section(key_file(tmp_path))], post.events.append))
    body = mail() + b"Hello.\r\n" * (size // 8)

    async def scenario() -> None:
        async with post.running():
            for to in (Recipient("bob@example.net"), onward("a@example.net")):
                await post.settled(bring(post, to, body=body), None)
            await post.settled(post.put("a@example.net", body=body), None)

    play(scenario())
    arrived, passed, ours = post.courier.contents
    assert arrived == body
    assert passed == b"Delivered-To: sales@example.com\r\n" + body
    assert signers(ours) == ["s1._domainkey.example.com"]


FOUND = write("mx.example.com", [MethodResult("dmarc", "pass", "", (("header.from", "example.org"),))])


def sealed_by(content: bytes) -> list[str]:
    """The domains whose seals hold; none where the chain does not."""
    world = World({("s1._domainkey.example.com", "TXT"): [key().record]})
    chain = found(verify(SignedMessage(content), NOW), world)
    return [hop.domain for hop in chain.hops] if chain.word == "pass" else []


@pytest.mark.parametrize("size", [0, LARGE])
def test_what_we_have_found_is_sealed(size: int, post: Post, tmp_path: Path) -> None:
    """With the key of the domain that passes it on, however large it is; not what arrives here, nor what the fields of others say."""
    post.change(signer=Signer([section(key_file(tmp_path))], post.events.append), vouches_as="mx.example.com")
    foreign = write("mx.example.org", [MethodResult("dmarc", "pass")])
    plain, judged = (top + mail("x@example.org") + b"Hello.\r\n" * (size // 8) for top in (foreign, FOUND + foreign))

    async def scenario() -> None:
        async with post.running():
            people = (onward("a@example.net"), onward("a@example.net", "ann@sub.example.com"), onward("a@example.net", "ann@other.example"))
            for to in (*people, Recipient("bob@example.net")):
                await post.settled(bring(post, to, body=judged), None)
            await post.settled(bring(post, people[0], body=plain), None)

    play(scenario())
    assert [sealed_by(content) for content in post.courier.contents] == [["example.com"], ["example.com"], [], [], []]
    assert b"ARC-Authentication-Results: i=1; mx.example.com;" in post.courier.contents[0]
    assert post.courier.contents[0].endswith(b"Delivered-To: sales@example.com\r\n" + judged)


def test_what_cannot_be_sealed_leaves_without(post: Post, tmp_path: Path) -> None:
    """A key that cannot be read is an alarm, and holds up no mail of others; nor is anything sealed where that is not wanted."""
    post.change(signer=Signer([section(tmp_path / "rsa.pem")], post._tell), vouches_as="mx.example.com")

    async def scenario() -> None:
        async with post.running():
            await post.settled(bring(post, onward("a@example.net"), body=FOUND + mail()), None)
            post.change(signer=Signer([section(key_file(tmp_path))], post._tell), vouches_as="")
            await post.settled(bring(post, onward("a@example.net"), body=FOUND + mail()), None)

    play(scenario())
    assert post.courier.contents == [b"Delivered-To: sales@example.com\r\n" + FOUND + mail()] * 2
    assert "alarm dkim" in post.told("alarm")


@pytest.mark.parametrize(("submitter", "told"), [(MX, False), (MX | {"via": "lmtp"}, False), (PROVEN, True)])
def test_only_a_proven_sender_hears_that_it_failed(submitter: dict[str, object], told: bool, post: Post) -> None:
    """A forged one is not written to; the message is kept, and one alarm says so of however many."""
    post.courier.script = {"a@example.net": ["fail"]}

    async def scenario() -> None:
        async with post.running():
            for _ in range(2):
                await post.settled(bring(post, Recipient("a@example.net"), submitter=submitter), "failed")
            await post.until("reports have left", lambda: not (told and reports(post)))

    play(scenario())
    to_stranger = [to for _, to in post.courier.tried if to == [STRANGER]]
    assert len(to_stranger) == 2 * told
    assert post.told("alarm").count("alarm unanswered") == (not told)


def test_a_forged_sender_is_not_warned_and_gets_no_receipt(post: Post) -> None:
    """Whatever it asked for: that it waits, that it has arrived, and that time is up are nobody's news."""
    post.courier.script = {"a@example.net": ["defer"]}
    post.courier.unconfirmed = ((0, "relayed"),)
    asked: dict[str, object] = {"notify": "SUCCESS,FAILURE,DELAY", "ret": "FULL"}

    async def scenario() -> None:
        async with post.running():
            late = bring(post, Recipient("a@example.net"), options=asked)
            await post.settled(bring(post, Recipient("b@example.net"), options=asked), None)
            await post.settled(late, "deferred")
            await post.passes(3600.0, "its time is up", lambda: post.spool.find(late) == "failed")
            await post.settled(late, "failed")

    play(scenario())
    assert not reports(post)
    assert [STRANGER] not in [to for _, to in post.courier.tried]


def test_the_null_sender_is_never_answered_and_no_alarm(post: Post) -> None:
    """It is a report itself, and nobody waits for news of it."""
    post.courier.script = {"a@example.net": ["fail"]}

    async def scenario() -> None:
        async with post.running():
            await post.settled(bring(post, Recipient("a@example.net"), sender="", submitter=PROVEN), "failed")

    play(scenario())
    assert "alarm unanswered" not in post.told("alarm")
    assert len(post.courier.tried) == 1


def test_who_is_not_to_be_mailed_may_be_written_to_by_others(post: Post) -> None:
    """The list is about whom we mail. A user of ours who was put on it gets what the world writes to him."""
    listed(post, entry("bob@example.net"))

    async def scenario() -> None:
        async with post.running():
            await post.settled(bring(post, Recipient("bob@example.net")), None)

    play(scenario())
    assert [to for _, to in post.courier.tried] == [["bob@example.net"]]


def test_what_is_old_is_passed_on_from_the_same_sender(post: Post) -> None:
    """It came days ago, and a host that greylists has seen that sender."""
    post.courier.script = {"a@example.net": ["defer", "delivered"]}

    async def scenario() -> None:
        async with post.running():
            id = bring(post, onward("a@example.net"))
            await post.settled(id, "deferred")
            post.advance(DAY)
            await post.settled(id, None)

    play(scenario())
    assert len(post.courier.senders) == 2
    assert len({*post.courier.senders}) == 1
