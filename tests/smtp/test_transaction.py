"""One transaction: what it says, and what it makes of what it hears. The dialogs show most of it; here is the rest."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.mail.delivery_options import Request, Wanted
from mailer.smtp.client import Client, ClientState
from mailer.smtp.command import Command
from mailer.smtp.data import BLOCK
from mailer.smtp.extension import NONE, Extensions
from mailer.smtp.reply import ProtocolError, Reply
from mailer.smtp.transaction import CHUNK, ONE_FLIGHT, Transaction
from tests.smtp.test_client import ready

CONTENT = b"Subject: x\r\n\r\nhello\r\n"


def test_a_sender_that_no_command_can_carry() -> None:
    """A sender with a control character is refused by us for everybody; nothing is said."""
    transaction = Transaction("a\r\nRCPT TO:<x@y.example>@b.example", ["c@d.example", "e@f.example"], CONTENT, NONE)
    assert transaction.envelope(ready()) == []
    assert [(a.kind, a.reply.code, a.reply.enhanced) for a in transaction.answers()] == [("local", 553, "5.1.7")] * 2


def test_a_recipient_that_no_command_can_carry() -> None:
    """A recipient with a control character is refused by us; the others are asked about."""
    transaction = Transaction("a@b.example", ["c@d.example", "x\n@y.example"], CONTENT, NONE)
    assert [said.verb for said in transaction.envelope(ready("PIPELINING"))] == ["MAIL", "RCPT", "DATA"]
    assert transaction.answers()[1].reply.enhanced == "5.1.3"


def test_nobody_left_to_ask_about() -> None:
    """Where every recipient is refused by us, nothing is said at all."""
    transaction = Transaction("a@b.example", ["ü@d.example"], CONTENT, NONE)
    assert transaction.envelope(ready("PIPELINING")) == []
    assert [(a.kind, a.reply.enhanced) for a in transaction.answers()] == [("local", "5.6.7")]


@pytest.mark.parametrize("offer", [(), ("SMTPUTF8",)])
def test_only_a_domain_beyond_ascii_needs_no_smtputf8(offer: tuple[str, ...]) -> None:
    """The domain goes in A-labels, whoever wrote it, for a host further on may lack it; what was asked for a recipient still counts."""
    client = ready("DSN", *offer)
    wanted = Request(recipients={"c@bücher.example": Wanted("NEVER")})
    transaction = Transaction("a@bücher.example", ["c@bücher.example", "ü@d.example"], CONTENT, client.extensions, request=wanted)
    mail, rcpt, *rest = (said.line.decode() for said in transaction.envelope(ready("PIPELINING")))
    assert mail.startswith("MAIL FROM:<a@xn--bcher-kva.example>")
    assert rcpt == "RCPT TO:<c@xn--bcher-kva.example> NOTIFY=NEVER\r\n"
    assert ("RCPT TO:<ü@d.example>\r\n" in rest) == bool(offer)


def test_each_recipient_is_named_where_that_is_wanted() -> None:
    """By the address as it goes over the wire."""
    wanted = Request(recipients={"c@d.example": Wanted("NEVER")}, named=True)
    transaction = Transaction("a@b.example", ["c@d.example", "c@b\xfccher.example"], CONTENT, ready("DSN").extensions, request=wanted)
    _, *rest = (said.line.decode() for said in transaction.envelope(ready("PIPELINING")))
    assert rest[:2] == [
        "RCPT TO:<c@d.example> NOTIFY=NEVER ORCPT=rfc822;c@d.example\r\n",
        "RCPT TO:<c@xn--bcher-kva.example> ORCPT=rfc822;c@xn--bcher-kva.example\r\n",
    ]


def test_a_large_message_comes_in_blocks() -> None:
    """A large message is said in blocks, the last of which ends it; only that one has an answer."""
    content = b"Subject: x\r\n\r\n" + (b"x" * 98 + b"\r\n") * 3000
    client = ready("PIPELINING")
    transaction = Transaction("a@b.example", ["c@d.example"], content, client.extensions)
    client.send(transaction.envelope(client))
    for answered in client.feed(b"250 ok\r\n250 ok\r\n354 ok\r\n"):
        transaction.hear(*answered)
    said = list(transaction.content())
    assert [part.verb for part in said] == ["BLOCK"] * (len(said) - 1) + ["CONTENT"]
    assert len(said) == len(content) // BLOCK + 1
    assert b"".join(part.line for part in said) == content + b".\r\n"


def test_eight_bit_may_be_told() -> None:
    """A caller that knows whether the message is 8-bit is believed: nobody looks again."""
    offered = Extensions(eight_bit=True)
    said = Transaction("a@b.example", ["c@d.example"], CONTENT, offered, eight_bit=True).envelope(ready())
    assert said[0].line == b"MAIL FROM:<a@b.example> BODY=8BITMIME\r\n"


def test_the_next_one_can_be_prepared_while_the_first_ends() -> None:
    """The envelope of the next message may go with the end of this one: no RSET is needed if all goes well."""
    client = ready("PIPELINING")
    first = Transaction("a@b.example", ["c@d.example"], CONTENT, client.extensions)
    client.send(first.envelope(client))
    for answered in client.feed(b"250 ok\r\n250 ok\r\n354 ok\r\n"):
        first.hear(*answered)
    client.send(first.content())
    second = Transaction("a@b.example", ["c@d.example"], CONTENT, client.extensions)
    assert [said.verb for said in second.envelope(client)] == ["MAIL", "RCPT", "DATA"]


codes = st.sampled_from([250, 251, 354, 421, 450, 451, 452, 503, 550, 552, 554])
spoken = st.builds(Reply, codes, st.sampled_from(["", "4.5.3", "5.5.3", "4.7.1", "5.1.1"]), st.just(("said",)))


@given(st.integers(1, 6), st.booleans(), st.booleans(), st.lists(spoken, min_size=30, max_size=30))
def test_every_recipient_has_one_answer(count: int, pipelining: bool, chunking: bool, replies: list[Reply]) -> None:
    """Whatever a server answers: one answer each, delivered only by a 2xx at the end, to those alone who were accepted."""
    client = ready(*["PIPELINING"] * pipelining, *["CHUNKING"] * chunking)
    transaction = Transaction("a@b.example", [f"r{n}@d.example" for n in range(count)], CONTENT, client.extensions)
    accepted: list[bool] = []
    final = None
    script = iter(replies)
    while commands := transaction.envelope(client) or (list(transaction.content()) if client.state is ClientState.CONTENT else []):
        client.send(commands)
        while client.unanswered:
            waiting = client.unanswered[0]
            reply = next(script)
            try:
                answered = client.feed(f"{reply}\r\n".encode())
            except ProtocolError:
                transaction.broken("protocol", "mail", Reply.own(451, "4.5.0", "nonsense"))
                break
            for command, heard in answered:
                transaction.hear(command, heard)
            if waiting.verb == "RCPT":
                accepted.append(reply.positive)
            if waiting.verb in ("CONTENT", "BDAT LAST"):
                final = reply
    answers = transaction.answers()
    assert [answer.to for answer in answers] == list(range(count))
    for answer in answers:
        delivered = answer.phase == "body" and answer.kind == "reply" and answer.reply.positive
        assert not answer.reply.positive or delivered
        if delivered:
            assert accepted[answer.to]
            assert final is not None
            assert final.code // 100 == 2
        if answer.kind == "again":
            assert any(accepted[: answer.to])


def test_broken_changes_nothing_that_is_known() -> None:
    """When a session breaks, who has an answer keeps it."""
    client: Client = ready("PIPELINING")
    transaction = Transaction("a@b.example", ["c@d.example", "e@f.example"], CONTENT, client.extensions)
    client.send(transaction.envelope(client))
    for answered in client.feed(b"250 ok\r\n550 5.1.1 no\r\n"):
        transaction.hear(*answered)
    transaction.broken("timeout", "rcpt", Reply.own(451, "4.4.2", "silence"))
    assert [(a.kind, a.reply.code) for a in transaction.answers()] == [("reply", 550), ("timeout", 451)]


@pytest.mark.parametrize("size", [100, 101])
def test_size_at_the_limit(size: int) -> None:
    """A message as large as the limit is sent, one octet more is not."""
    content = b"x" * (size - 2) + b"\r\n"
    transaction = Transaction("a@b.example", ["c@d.example"], content, Extensions(size=100, sizes=True))
    assert bool(transaction.envelope(ready())) is (size <= 100)


@pytest.mark.parametrize("pipelining", [True, False])
def test_a_large_binary_message_comes_in_chunks(pipelining: bool) -> None:
    """A large binary message is said chunk by chunk, once somebody is accepted, each when the one before was taken."""
    content = b"Content-Transfer-Encoding: binary\r\n\r\n" + b"\0\n" * CHUNK
    client = ready("CHUNKING", "BINARYMIME", *["PIPELINING"] * pipelining)
    transaction = Transaction("a@b.example", ["c@d.example"], content, client.extensions)
    said: list[Command] = []
    while commands := transaction.envelope(client):
        said += commands
        client.send(commands)
        for answered in client.feed(b"250 ok\r\n" * len(commands)):
            transaction.hear(*answered)
    assert [command.verb for command in said] == ["MAIL", "RCPT", "BDAT", "BDAT", "BDAT LAST"]
    assert b"".join(command.line.partition(b"\r\n")[2] for command in said[2:]) == content
    assert [(answer.phase, answer.reply.code) for answer in transaction.answers()] == [("body", 250)]


def test_a_binary_message_that_is_encoded_has_its_header_put_right() -> None:
    """A bare LF in it would go out in the chunk as it is, for only DATA looks at it again."""
    content = b"Subject: a\nContent-Transfer-Encoding: binary\r\n\r\nb\r\n"
    client = ready("CHUNKING", "PIPELINING")
    said = Transaction("a@b.example", ["c@d.example"], content, client.extensions).envelope(client)
    chunk = said[-1].line.partition(b"\r\n")[2]
    assert chunk.startswith(b"Subject: a\r\n")
    assert chunk.count(b"\n") == chunk.count(b"\r\n")


def test_a_refused_chunk_ends_it() -> None:
    """After a chunk that was refused no other is said, RFC 3030 §2."""
    content = b"Content-Transfer-Encoding: binary\r\n\r\n" + b"\0\n" * CHUNK
    client = ready("CHUNKING", "BINARYMIME", "PIPELINING")
    transaction = Transaction("a@b.example", ["c@d.example"], content, client.extensions)
    replies = iter([b"250 ok\r\n250 ok\r\n", b"452 4.3.1 no room\r\n"])
    while commands := transaction.envelope(client):
        client.send(commands)
        for answered in client.feed(next(replies)):
            transaction.hear(*answered)
    assert [(answer.phase, answer.kind, answer.reply.code) for answer in transaction.answers()] == [("body", "reply", 452)]
    assert Transaction("a@b.example", ["c@d.example"], CONTENT, client.extensions).envelope(client)[0].verb == "RSET"


def test_a_message_too_large_for_one_flight() -> None:
    """A large message waits until somebody is accepted, and DATA carries it best."""
    client = ready("CHUNKING", "PIPELINING")
    for size, last in ((ONE_FLIGHT, "BDAT LAST"), (ONE_FLIGHT + 1, "DATA")):
        content = b"x" * (size - 2) + b"\r\n"
        assert Transaction("a@b.example", ["c@d.example"], content, client.extensions).envelope(client)[-1].verb == last


@given(st.integers(1, 6), st.booleans(), st.booleans(), st.lists(spoken, min_size=30, max_size=30))
def test_every_recipient_has_one_answer_in_lmtp(count: int, pipelining: bool, chunking: bool, replies: list[Reply]) -> None:
    """Whatever a server of LMTP answers: one answer each, and each who was accepted has a final reply of their own."""
    client = ready(*["PIPELINING"] * pipelining, *["CHUNKING"] * chunking)
    client.lmtp = True
    transaction = Transaction("a@b.example", [f"r{n}@d.example" for n in range(count)], CONTENT, client.extensions)
    accepted: list[int] = []
    finals: list[Reply] = []
    asked = 0
    script = iter(replies)
    while commands := transaction.envelope(client) or (list(transaction.content()) if client.state is ClientState.CONTENT else []):
        client.send(commands)
        while client.unanswered:
            waiting = client.unanswered[0]
            reply = next(script)
            try:
                answered = client.feed(f"{reply}\r\n".encode())
            except ProtocolError:
                transaction.broken("protocol", "mail", Reply.own(451, "4.5.0", "nonsense"))
                break
            for command, heard in answered:
                transaction.hear(command, heard)
            if waiting.verb == "RCPT":
                accepted += [asked] if reply.positive else []
                asked += 1
            if waiting.verb in ("CONTENT", "BDAT LAST"):
                finals.append(reply)
    answers = transaction.answers()
    assert [answer.to for answer in answers] == list(range(count))
    for answer in answers:
        if answer.reply.positive:
            assert answer.phase == "body"
            assert finals[accepted.index(answer.to)].code // 100 == 2
