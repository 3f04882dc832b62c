"""What a client may do in vain, and how often."""

from __future__ import annotations

from base64 import b64encode

from hypothesis import given
from hypothesis import strategies as st

from mailer.smtp.reply import Reply
from mailer.smtp.server import ServerSettings, ServerState
from tests.smtp.talk import LOGIN, TRANSACTION, Talk, codes, ready

GUESS = b"AUTH PLAIN " + b64encode(b"\0ann\0guess") + b"\r\n"
CHUNKING = ServerSettings(offer=("CHUNKING",), max_size=1000, max_mistakes=0)
LATER = Reply.own(451, "4.7.1", "later")


def test_three_wrong_passwords_end_the_session() -> None:
    """Each of three is answered, so that a client that tries its mechanisms in turn hears why; the next is not looked at."""
    talk = ready(LOGIN)
    assert codes(talk.say(GUESS * 5)) == [535, 535, 535, 421]
    assert [question.phase for question in talk.asked].count("auth") == 3


def test_what_is_no_guess_does_not_count_as_one() -> None:
    """A server that is too busy to look, an exchange that is given up, and one that cannot be read, are no wrong passwords."""
    talk = ready(LOGIN, {"auth": Reply.own(454, "4.7.0", "too busy")})
    assert codes(talk.say(GUESS * 5)) == [454] * 5
    assert codes(ready(LOGIN).say(b"AUTH LOGIN\r\n*\r\n" * 5 + GUESS)) == [334, 501] * 5 + [535]


def test_a_session_has_so_many_messages() -> None:
    """After the last one MAIL ends the session, and what EHLO says of that is LIMITS, RFC 9422."""
    service = ServerSettings(max_messages=2, max_recipients=7, limits=True)
    talk = Talk(service)
    assert "LIMITS MAILMAX=2 RCPTMAX=7" in talk.say(b"EHLO x\r\n")[-1].lines
    assert codes(talk.say((TRANSACTION + b".\r\n") * 2)) == [250, 250, 354, 250] * 2
    assert codes(talk.say(b"MAIL FROM:<>\r\n")) == [421]


def test_chunks_behind_a_refusal_are_forgiven_to_a_point() -> None:
    """A pipelining client may have sent some when it hears that its sender is refused; one that never stops is hung up on."""
    talk = ready(ServerSettings(offer=("CHUNKING",)), {"mail": LATER})
    chunk = b"BDAT 3\r\nab\n"
    assert codes(talk.say(b"MAIL FROM:<a@b.example>\r\n" + chunk * 50)) == [451] + [503] * 50
    assert codes(talk.say(chunk * 200))[-1] == 421


def test_a_chunk_that_is_too_large_is_refused_before_it_comes() -> None:
    """Its length says so; what comes of it is thrown away, and the transaction is over."""
    for size in (1001, 10**19):
        talk = ready(CHUNKING)
        talk.say(b"MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\n")
        assert codes(talk.say(b"BDAT %d LAST\r\n" % size)) == [552]
        assert talk.say(b"QUIT\r\n" * 100) == []
        assert talk.server.waiting == talk.server.arriving == 0
    talk = ready(CHUNKING)
    talk.say(b"MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nBDAT 600\r\n" + b"x" * 600)
    assert codes(talk.say(b"BDAT 600 LAST\r\n" + b"x" * 600 + b"DATA\r\nRSET\r\n")) == [552, 503, 250]


def test_who_cannot_wait_is_noted() -> None:
    """What is said behind EHLO, DATA, AUTH or STARTTLS before their answer, or at all where PIPELINING is not offered."""
    assert Talk().server.hasty == ""
    for said, verb in [
        (b"EHLO x\r\nMAIL FROM:<>\r\n", "EHLO"),
        (b"HELO x\r\nMAIL FROM:<>\r\n", "HELO"),
        (b"NOOP\r\nNOOP\r\n", "NOOP"),
    ]:
        talk = Talk()
        talk.say(said)
        assert talk.server.hasty == verb
    for said, verb in [
        (TRANSACTION, ""),
        (TRANSACTION + b"x", "DATA"),
        (GUESS + b"MAIL FROM:<>\r\n", "AUTH"),
        (b"MAIL FROM:<>\r\nRCPT TO:<c@d.example>\r\nRSET\r\nNOOP\r\n", ""),
    ]:
        talk = ready(LOGIN)
        talk.say(said)
        assert talk.server.hasty == verb


# -- whatever a client says

SAID = [
    b"EHLO x\r\n", b"HELO x\r\n", b"MAIL FROM:<a@b.example>\r\n", b"RCPT TO:<c@d.example>\r\n", b"DATA\r\n", b"x\r\n", b".\r\n",
    b"BDAT 2\r\nab", b"BDAT 2 LAST\r\n\r\n", b"BDAT 0\r\n", b"BDAT 2000\r\n" + b"x" * 2000, b"BDAT x\r\n", b"RSET\r\n", b"NOOP\r\n",
    b"VRFY x\r\n", b"HELP\r\n", b"WHAT\r\n", b"x" * 1001 + b"\r\n", b"a\rb\r\n", b"QUI",
]  # fmt: skip
PHASES = ["mail", "rcpt", "data", "body"]


@given(st.lists(st.sampled_from(SAID), max_size=40), st.fixed_dictionaries({}, optional=dict.fromkeys(PHASES, st.just(LATER))))
def test_a_message_that_was_answered_leaves_no_transaction(said: list[bytes], answers: dict[str, Reply]) -> None:
    """After any answer to a message or a chunk that is no 250, and after one to a whole message, MAIL has to come first; and each
    message is asked about once, with a MAIL of its own."""
    talk = Talk(CHUNKING, answers)
    for line in said:
        before, reading = len(talk.bodies()), talk.server.state
        replies = talk.say(line)
        complete = len(talk.bodies()) > before
        chunk = line.startswith(b"BDAT") and reading is not ServerState.BODY
        refused = reading is ServerState.BODY and replies != []
        if complete or refused or (chunk and replies and not replies[-1].positive):
            assert talk.server.state in (ServerState.READY, ServerState.STRANGER, ServerState.CLOSED)
            assert talk.server.recipients == []
            assert talk.server.arriving == 0
    phases = [question.phase for question in talk.asked]
    for index in [index for index, phase in enumerate(phases) if phase == "body"]:
        since = [*reversed(phases[:index])]
        assert "body" not in since[: since.index("mail")]
