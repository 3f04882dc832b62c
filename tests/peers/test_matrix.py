"""Every kind of message through every way into every kind of server: what arrives is byte for byte what was meant."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Sequence

import pytest

from mailer.smtp.transaction import RecipientAnswer
from mailer.tlspolicy import Requirement
from mailer.transport.connection import Connection, Parcel
from mailer.transport.errors import SessionError
from mailer.transport.route import Endpoint

from .letters import LATER, READERS, letter
from .matrix import KEYWORDS, ME, PEERS, POSTS, auth, peers, rows
from .servers import Servers


async def session(endpoint: Endpoint) -> Connection:
    """As far as MAIL, on the terms of `endpoint`."""
    said: list[bytes] = []
    connection = await Connection.open(endpoint, "127.0.0.1", watch=lambda _, command, reply: said.append(command.line))
    if endpoint.login and endpoint.login.mechanism:
        assert any(line.startswith(b"AUTH %s" % endpoint.login.mechanism.encode()) for line in said)
    assert connection.hop.tls == ("" if endpoint.requirement.mode == "none" else "TLSv1.3 verified")
    return connection


def deliver(endpoint: Endpoint, sender: str, users: Sequence[str], *contents: bytes) -> list[list[RecipientAnswer]]:
    """One session, one transaction for each content."""

    async def run() -> list[list[RecipientAnswer]]:
        connection = await session(endpoint)
        try:
            recipients = [f"{user}@peer.example" for user in users]
            return [await connection.deliver(Parcel(sender, recipients, content)) for content in contents]
        finally:
            await connection.close()

    return asyncio.run(run())


def expected(user: str, offers: str, sender: str = ME) -> int:
    """The first digit of the answer for `user`."""
    if user in LATER:
        return 4
    if user not in READERS or ("SMTPUTF8" not in offers and not (user + sender).isascii()):
        return 5
    return 2


@pytest.mark.parametrize(("name", "door", "title"), rows())
def test_what_arrives_is_what_was_meant(servers: Servers, name: str, door: str, title: str) -> None:
    """Whoever has a mailbox gets the message once and unchanged, and each recipient has an answer that is true."""
    post, mailboxes, offers = POSTS[title], servers[name].mailboxes, PEERS[name].offers
    mark, content = letter(post.letter)
    endpoint = servers.endpoint(name, door)
    if not servers.handshakes(name, door):
        with pytest.raises(SessionError) as caught:
            deliver(endpoint, post.sender, post.to, content)
        assert caught.value.kind == "tls"
        return
    (answers,) = deliver(endpoint, post.sender, post.to, content)
    codes = {user: answer.reply.code // 100 for user, answer in zip(post.to, answers, strict=True)}
    assert codes == {user: expected(user, offers, post.sender) for user in post.to}
    takers = [user for user, code in codes.items() if code == 2]
    assert mailboxes.arrived(mark, takers) == {user: [content] for user in takers}


@pytest.mark.parametrize(("name", "door"), peers())
def test_we_see_what_a_peer_offers(servers: Servers, name: str, door: str) -> None:
    """The extensions of the table are those that we read out of the answer to EHLO."""

    async def offered() -> frozenset[str]:
        connection = await session(servers.endpoint(name, door))
        await connection.close()
        return frozenset(connection.extensions.keywords)

    assert asyncio.run(offered()) & KEYWORDS == set(PEERS[name].offers.split())


@pytest.mark.parametrize(("name", "door"), peers())
def test_a_session_serves_many_messages(servers: Servers, name: str, door: str) -> None:
    """Six messages in one session, each with a recipient who is refused, and each arrives once."""
    letters = [letter(name) for name in ("1 KB", "dots", "8 bit", "the end of data, quoted", "long lines", "1 KB")]
    answers = deliver(servers.endpoint(name, door), ME, ["nobody", "ann"], *(content for _, content in letters))
    assert [[answer.reply.code // 100 for answer in one] for one in answers] == [[5, 2]] * len(letters)
    for mark, content in letters:
        assert servers[name].mailboxes.arrived(mark, ["ann"]) == {"ann": [content]}


@pytest.mark.parametrize(("name", "door"), auth())
def test_a_wrong_password_is_a_mistake_of_ours(servers: Servers, name: str, door: str) -> None:
    """Every mechanism fails with a wrong secret, permanently, before MAIL, and as what it is."""
    with pytest.raises(SessionError) as caught:
        deliver(servers.endpoint(name, door, secret="open-barley"), ME, ["ann"], letter("1 KB")[1])
    assert (caught.value.kind, caught.value.phase, caught.value.reply.code) == ("auth", "auth", 535)


@pytest.mark.parametrize(("name", "door"), auth())
def test_who_says_no_name_is_refused(servers: Servers, name: str, door: str) -> None:
    """What goes through a door with AUTH was let in because of AUTH: without, there is no mail."""
    endpoint = dataclasses.replace(servers.endpoint(name, door), login=None)
    ((answer,),) = deliver(endpoint, ME, ["ann"], letter("1 KB")[1])
    assert (answer.kind, answer.reply.code // 100) == ("reply", 5)


@pytest.mark.parametrize(("name", "door"), peers(plain=True))
def test_a_host_that_is_not_known_gets_mail_by_whatever_tls_it_has(servers: Servers, name: str, door: str) -> None:
    """Opportunistic TLS: used where it works, a certificate of anybody's; left out where the handshake fails."""
    endpoint = dataclasses.replace(servers.endpoint(name, door), requirement=Requirement("opportunistic", verify=False))
    mark, content = letter("dots")

    async def run() -> tuple[str, list[RecipientAnswer]]:
        connection = await Connection.open(endpoint, "127.0.0.1")
        answers = await connection.deliver(Parcel(ME, ["ann@peer.example"], content))
        await connection.close()
        return connection.hop.tls, answers

    tls, (answer,) = asyncio.run(run())
    assert (answer.reply.code, tls) == (250, "TLSv1.3 unverified" if servers.handshakes(name, "starttls") else "")
    assert servers[name].mailboxes.arrived(mark, ["ann"]) == {"ann": [content]}
