"""The state machine: its tables, and what it does with a peer that keeps to none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.smtp import command
from mailer.smtp.client import LAST, PHASE, THEN, WHEN, Client, ClientState
from mailer.smtp.command import Command
from mailer.smtp.reply import ProtocolError

VERBS = sorted(set(PHASE) - {"CONNECT"})
MAIL, RCPT, END = command.mail("a@b.example"), command.rcpt("c@d.example"), Command("CONTENT", b".\r\n")


def ready(*offers: str) -> Client:
    """A client that has been greeted and has said EHLO."""
    client = Client()
    client.feed(b"220 hello\r\n")
    client.send([command.ehlo("me.example")])
    lines = ["mx.example.com", *offers]
    client.feed("".join(f"250{'-' if line is not lines[-1] else ' '}{line}\r\n" for line in lines).encode())
    assert client.state is ClientState.READY
    return client


def test_the_tables_know_the_same_words() -> None:
    """Every command that may be said has replies, states and a phase; nothing else is in the tables."""
    said = {verb for verbs in WHEN.values() for verb in verbs}
    assert said == set(VERBS)
    assert {verb for verb, _ in THEN} == said - {"BLOCK"} | {"CONNECT"}
    assert set(WHEN) == set(ClientState)
    assert said >= LAST


@pytest.mark.parametrize("state", ClientState)
def test_what_may_not_be_said(state: ClientState) -> None:
    """A command that has no cell for a state is refused before a byte of it is written."""
    for verb in VERBS:
        client = Client()
        client.feed(b"220 hello\r\n")
        client.state = state
        assert client.may(verb) is (verb in WHEN[state]), verb
        if verb not in WHEN[state]:
            with pytest.raises(RuntimeError):
                client.send([Command(verb, b"x\r\n")])


def test_nothing_before_the_greeting() -> None:
    """Who speaks before the greeting is taken for a spammer, RFC 5321 §3.1."""
    with pytest.raises(RuntimeError):
        Client().send([command.ehlo("me.example")])


def test_no_pipelining_without_an_offer() -> None:
    """Without PIPELINING a command waits for the reply to the one before."""
    client = ready()
    with pytest.raises(RuntimeError, match="before MAIL is answered"):
        client.send([MAIL, RCPT])


@pytest.mark.parametrize("last", [command.DATA, command.NOOP, command.QUIT])
def test_nothing_after_the_last_of_a_group(last: Command) -> None:
    """What follows DATA, NOOP or QUIT depends on their replies, RFC 2920 §3.1."""
    client = ready("PIPELINING")
    client.send([MAIL, RCPT, last])
    with pytest.raises(RuntimeError):
        client.send([command.RSET])


def test_the_next_envelope_may_follow_the_message() -> None:
    """The end of a message may be the first of a group, RFC 2920 §3.1; replies still find their commands."""
    client = ready("PIPELINING")
    client.send([MAIL, RCPT, command.DATA])
    client.feed(b"250 ok\r\n250 ok\r\n354 ok\r\n")
    assert client.send([END, MAIL, RCPT, command.DATA]).startswith(b".\r\nMAIL FROM")
    answered = client.feed(b"250 taken\r\n451 later\r\n503 x\r\n503 x\r\n")
    assert [(a.command.verb, a.reply.code) for a in answered] == [("CONTENT", 250), ("MAIL", 451), ("RCPT", 503), ("DATA", 503)]
    assert client.state is ClientState.READY


def test_replies_are_paired_in_order() -> None:
    """A reply belongs to the oldest command that has none."""
    client = ready("PIPELINING")
    client.send([MAIL, RCPT, RCPT, command.DATA])
    answered = client.feed(b"250 1\r\n550 2\r\n") + client.feed(b"250 3\r\n354 4\r\n")
    assert [(a.command, a.reply.text) for a in answered] == [(MAIL, "1"), (RCPT, "2"), (RCPT, "3"), (command.DATA, "4")]
    assert not client.unanswered


def test_reset() -> None:
    """RSET ends a transaction, and may stand in front of the next one."""
    client = ready("PIPELINING")
    client.send([MAIL])
    client.feed(b"250 ok\r\n")
    client.send([command.RSET, MAIL, RCPT])
    client.feed(b"250 ok\r\n250 ok\r\n250 ok\r\n")
    assert client.state is ClientState.RECIPIENTS


def test_noop_changes_nothing() -> None:
    """NOOP is answered, and all is as before."""
    client = ready()
    client.send([command.NOOP])
    assert [a.command for a in client.feed(b"250 ok\r\n")] == [command.NOOP]
    assert client.state is ClientState.READY


def test_quit() -> None:
    """After QUIT the session is over, whatever the server says to it."""
    client = ready()
    client.send([command.QUIT])
    client.feed(b"500 never\r\n")
    assert client.over
    assert client.feed(b"221 really\r\n") == []


@pytest.mark.parametrize("unasked", [b"250 ok\r\n", b"421 idle too long\r\n", b"2", b"\0"])
def test_what_nobody_asked_for(unasked: bytes) -> None:
    """A byte that nobody asked for ends the session: from then on any reply might belong to something else."""
    client = ready()
    with pytest.raises(ProtocolError):
        client.feed(unasked)
    assert client.over


def test_refused_before_the_end() -> None:
    """A server may refuse a message in the middle; that is its answer, and the end of the session."""
    client = ready()
    for said, heard in ((MAIL, b"250 ok\r\n"), (RCPT, b"250 ok\r\n"), (command.DATA, b"354 ok\r\n")):
        client.send([said])
        client.feed(heard)
    client.send([Command("BLOCK", b"x" * 100)])
    (answered,) = client.feed(b"552 5.3.4 too much\r\n")
    assert (answered.command.verb, answered.reply.code, client.over) == ("CONTENT", 552, True)


def test_accepted_before_the_end() -> None:
    """A message that is accepted before its end was not delivered: the peer and we disagree about where it ends."""
    client = ready()
    for said, heard in ((MAIL, b"250 ok\r\n"), (RCPT, b"250 ok\r\n"), (command.DATA, b"354 ok\r\n")):
        client.send([said])
        client.feed(heard)
    client.send([Command("BLOCK", b"x" * 100)])
    with pytest.raises(ProtocolError, match="nobody asked for"):
        client.feed(b"250 taken\r\n")


def test_no_handshake_unasked() -> None:
    """TLS begins after the 220 to STARTTLS and at no other time."""
    with pytest.raises(RuntimeError):
        ready().secured()


def test_nothing_from_before_tls_counts() -> None:
    """After the handshake the client is a stranger, and knows of no offers."""
    client = ready("STARTTLS", "AUTH PLAIN", "PIPELINING")
    client.send([command.STARTTLS])
    client.feed(b"220 go\r\n")
    client.secured()
    assert (client.state, client.extensions.mechanisms, client.extensions.pipelining) == (ClientState.GREETED, frozenset(), False)
    assert client.secure


said = st.sampled_from(
    [b"220 ", b"250 ", b"250-", b"354 ", b"421 ", b"452 4.5.3 ", b"503 ", b"550 5.1.1 ", b"235 ", b"334 ", b"x", b"\r\n", b"\n"]
)


@given(st.lists(said | st.binary(max_size=8), max_size=60), st.data())
def test_any_peer(pieces: list[bytes], data: st.DataObject) -> None:
    """Whatever a peer says at whatever time, each reply answers one command, or the session ends with one class of error."""
    client = Client()
    owed = 1
    try:
        for piece in pieces:
            allowed = sorted(verb for verb in VERBS if client.may(verb))
            if allowed and data.draw(st.booleans()):
                verb = data.draw(st.sampled_from(allowed))
                client.send([Command(verb, b"x\r\n")])
                owed += verb != "BLOCK"
            answered = client.feed(piece)
            owed -= len(answered)
            assert owed >= 0 or client.over  # an early refusal answers the message before its end
            client.check()
    except ProtocolError:
        assert client.over
