"""The receiving state machine: what it asks, what it says, and in which order."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.smtp import server_events as ask
from mailer.smtp.reply import Reply
from mailer.smtp.server import MAX_COMMAND, Server, ServerSettings, ServerState
from mailer.smtp.server_state import WHEN
from tests.smtp.talk import LOGIN, TRANSACTION, Talk, codes, ready

# -- sessions


def test_a_session_asks_for_each_decision_once_and_in_order() -> None:
    """Greeting, EHLO, MAIL, RCPT, DATA, the message and QUIT are put as questions, each with what was said."""
    talk = Talk()
    talk.say(b"EHLO c.example\r\n" + TRANSACTION + b"Subject: x\r\n\r\n..dot\r\n.\r\nQUIT\r\n")
    assert [question.phase for question in talk.asked] == ["greeting", "ehlo", "mail", "rcpt", "data", "body", "quit"]
    assert talk.bodies() == [ask.Body("a@b.example", ("c@d.example",), b"Subject: x\r\n\r\n.dot\r\n", {})]
    assert talk.server.state is ServerState.CLOSED


SESSION = (
    b"EHLO c.example\r\nNOOP\r\nMAIL FROM:<a@b.example> SIZE=20\r\nRCPT TO:<c@d.example>\r\nRCPT TO:<bad>\r\nDATA\r\n"
    b"Subject: x\r\n\r\n..dot\r\n.\r\nMAIL FROM:<>\r\nRCPT TO:<e@f.example>\r\nDATA\r\n.\r\nRSET\r\nWHAT\r\nQUIT\r\n"
)


@given(st.lists(st.integers(0, len(SESSION)), max_size=8))
def test_pieces_make_no_difference(cuts: list[int]) -> None:
    """However a session is cut into segments, the questions and the replies are the same."""
    whole, pieces = Talk(), Talk()
    edges = [0, *sorted(cuts), len(SESSION)]
    assert whole.say(SESSION) == pieces.say(*(SESSION[a:b] for a, b in pairwise(edges)))
    assert whole.asked == pieces.asked


def test_byte_by_byte_makes_no_difference() -> None:
    """A session that arrives in single bytes is the same session."""
    whole, bytewise = Talk(), Talk()
    assert whole.say(SESSION) == bytewise.say(*(SESSION[at : at + 1] for at in range(len(SESSION))))
    assert whole.asked == bytewise.asked


def test_many_messages_in_one_segment() -> None:
    """Pipelining needs no pause between transactions (RFC 2920)."""
    talk = ready()
    replies = talk.say((TRANSACTION + b"x\r\n.\r\n") * 50)
    assert len(talk.bodies()) == 50
    assert codes(replies) == [250, 250, 354, 250] * 50


def test_ehlo_shows_what_is_offered() -> None:
    """The lines of EHLO follow the service; `hide` takes away and `offer` adds or replaces."""
    service = ServerSettings(name="mx.example", max_size=1000, starttls=True, hide=frozenset({"8BITMIME"}), offer=("DSN", "SIZE 5"))
    (reply,) = Talk(service).say(b"EHLO x\r\n")[1:]
    assert reply.lines == ("mx.example", "PIPELINING", "SIZE 5", "SMTPUTF8", "ENHANCEDSTATUSCODES", "STARTTLS", "DSN")


def test_helo_offers_nothing_so_parameters_are_refused() -> None:
    """After HELO the extensions are not there, and neither are their parameters (RFC 5321 §2.2.1)."""
    talk = Talk()
    assert talk.say(b"HELO x\r\n")[-1].lines == ("localhost",)
    assert talk.code(b"MAIL FROM:<a@b.example> SIZE=1\r\n") == 555
    assert talk.code(b"MAIL FROM:<a@b.example>\r\n") == 250


def test_enhanced_codes_are_left_out_where_they_are_hidden() -> None:
    """A service that hides ENHANCEDSTATUSCODES writes none."""
    talk = ready(ServerSettings(hide=frozenset({"ENHANCEDSTATUSCODES"})))
    assert talk.say(b"MAIL FROM:<a@b.example>\r\n") == [Reply(250, "", ("sender ok",))]


def test_a_reply_of_several_lines_has_its_code_on_each() -> None:
    """RFC 2034 §4: the enhanced code stands on every line."""
    talk = ready(answers={"mail": Reply(550, "5.7.1", ("no", "really not"))})
    talk.server.feed(b"MAIL FROM:<a@b.example>\r\n")
    talk.pump()
    assert talk.server.take() == b"550-5.7.1 no\r\n550 5.7.1 really not\r\n"


def test_what_others_have_written_does_not_begin_another_line() -> None:
    """A control character in the text of a reply is shown as a question mark."""
    talk = ready(answers={"mail": Reply.own(550, "5.7.1", "no\r\n250 yes\x85\u2028\udc80end")})
    talk.server.feed(b"MAIL FROM:<a@b.example>\r\n")
    talk.pump()
    assert talk.server.take() == b"550 5.7.1 no??250 yes???end\r\n"


REACH: dict[ServerState, bytes] = {
    ServerState.STRANGER: b"",
    ServerState.READY: b"EHLO x\r\n",
    ServerState.SENDER: b"EHLO x\r\nMAIL FROM:<a@b.example>\r\n",
    ServerState.RECIPIENTS: b"EHLO x\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\n",
}


SAY = {
    "EHLO": b"EHLO x", "HELO": b"HELO x", "MAIL": b"MAIL FROM:<a@b.example>", "RCPT": b"RCPT TO:<c@d.example>", "DATA": b"DATA",
    "RSET": b"RSET", "NOOP": b"NOOP", "VRFY": b"VRFY x", "HELP": b"HELP", "QUIT": b"QUIT", "STARTTLS": b"STARTTLS", "AUTH": b"AUTH LOGIN",
}  # fmt: skip


# -- who may say what, and when


@pytest.mark.parametrize("state", REACH)
@pytest.mark.parametrize("verb", SAY)
def test_the_table_says_which_command_is_in_order(state: ServerState, verb: str) -> None:
    """A command is carried out in the states of the table, and is a 503 (DATA without recipients: 554) in all others."""
    talk = Talk(ServerSettings(starttls=True, mechanisms=("LOGIN",), clear_auth=True))
    talk.say(REACH[state])
    assert talk.server.state is state
    code = talk.code(SAY[verb] + b"\r\n")
    if verb in WHEN[state]:
        assert code < 400
    else:
        assert code in ((503, 554) if verb == "DATA" else (503,))
        assert talk.server.state is state


def test_a_refused_greeting_leaves_only_quit() -> None:
    """RFC 5321 §3.1: after a 554 greeting each command but QUIT is a 503."""
    talk = Talk(answers={"greeting": Reply.own(554, "5.7.1", "no service for you")})
    assert codes(talk.say(b"EHLO x\r\nMAIL FROM:<a@b.example>\r\nQUIT\r\n")) == [554, 503, 503, 221]


def test_refusals_leave_the_state_as_it_was() -> None:
    """A refused sender opens no transaction, and a refused recipient does not make DATA possible."""
    talk = ready(answers={"mail": Reply.own(451, "4.7.1", "later")})
    assert codes(talk.say(TRANSACTION)) == [451, 503, 503]
    talk = ready(answers={"rcpt": Reply.own(550, "5.1.1", "no")})
    assert codes(talk.say(TRANSACTION)) == [250, 550, 554]


def test_a_refused_message_ends_the_transaction_all_the_same() -> None:
    """After the dot the buffers are empty, whatever the answer was (RFC 5321 §4.1.1.4)."""
    talk = ready(answers={"body": Reply.own(554, "5.7.1", "spam")})
    assert codes(talk.say(TRANSACTION + b"x\r\n.\r\nRCPT TO:<c@d.example>\r\n")) == [250, 250, 354, 554, 503]


def test_ehlo_and_rset_end_a_transaction() -> None:
    """Both forget sender and recipients (RFC 5321 §4.1.4); RSET keeps the greeting."""
    for command in (b"EHLO x\r\n", b"RSET\r\n"):
        talk = ready()
        assert codes(talk.say(TRANSACTION[:-6] + command + b"DATA\r\n" + b"MAIL FROM:<a@b.example>\r\n"))[-2:] == [503, 250]
        assert talk.server.recipients == []


def test_421_closes_whatever_it_answered() -> None:
    """A policy that answers 421 has ended the session (RFC 5321 §3.8)."""
    talk = ready(answers={"mail": Reply.own(421, "4.3.2", "closing")})
    assert codes(talk.say(TRANSACTION)) == [421]
    assert talk.server.state is ServerState.CLOSED


def test_the_driver_can_end_a_session_while_a_question_stands_open() -> None:
    """`hang_up` says its reply and closes, open question or not."""
    server = Server(ServerSettings())
    assert server.next() is not None
    server.hang_up(Reply.own(421, "4.4.2", "timeout"))
    assert server.take() == b"421 4.4.2 timeout\r\n"
    assert server.next() is None


def test_an_answer_without_a_question_is_our_bug() -> None:
    """`answer` raises where nothing was asked."""
    talk = ready()
    with pytest.raises(RuntimeError):
        talk.server.answer()


VECTORS = [
    b"\n.\n", b"\n.\r", b"\r.\n", b"\r.\r", b"\n.\r\n", b"\r.\r\n", b"\r\n.\r\r\n", b"\r\r\n.\r\r\n",
    b"\r\n\x00.\r\n", b"\r\n.\n", b"\r\n.\r", b"\n\n.\r\n", b"\r\n.\x00\r\n", b"\r\n\r.\r\n",
]  # fmt: skip


SMUGGLED = b"MAIL FROM:<evil@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\nSubject: smuggled\r\n\r\nx"


# -- the end of a message (SMTP smuggling)


@pytest.mark.parametrize("vector", VECTORS)
@pytest.mark.parametrize("verbatim", [False, True])
def test_nothing_but_the_end_ends_a_message(vector: bytes, verbatim: bool) -> None:
    """A look-alike of CRLF.CRLF, in every split over two segments, gives one message as it came or one refusal, never two."""
    data = TRANSACTION + b"Subject: first\r\n\r\nx" + vector + SMUGGLED + b"\r\n.\r\n"
    for cut in range(len(TRANSACTION), len(data) - len(SMUGGLED)):
        talk = ready(ServerSettings(verbatim=verbatim))
        replies = talk.say(data[:cut], data[cut:])
        assert codes(replies) == [250, 250, 354, 250 if verbatim else 554]
        assert [body.sender for body in talk.bodies()] == (["a@b.example"] if verbatim else [])
        for body in talk.bodies():
            assert body.content == data[len(TRANSACTION) : -3].replace(b"\r\n.", b"\r\n")
            assert not body.normal
        assert codes(talk.say(TRANSACTION + b"next\r\n.\r\n")) == [250, 250, 354, 250]


def test_a_message_without_a_line_is_a_message() -> None:
    """DATA followed by the dot at once is an empty message (RFC 5321 §4.1.1.4)."""
    talk = ready()
    talk.say(TRANSACTION + b".\r\n")
    assert talk.bodies()[0].content == b""


@given(st.binary(max_size=60).map(lambda data: data.replace(b"\r", b"").replace(b"\n", b"\r\n").replace(b"\0", b"")), st.integers(0, 80))
def test_a_stuffed_message_comes_out_as_it_went_in(content: bytes, cut: int) -> None:
    """Whatever lines a message has, dots at their beginning come and go."""
    content += b"\r\n"
    wire = b"\r\n".join(b"." + line if line.startswith(b".") else line for line in content.split(b"\r\n"))
    talk = ready()
    talk.say(TRANSACTION)
    talk.say(wire[:cut], wire[cut:] + b".\r\n")
    assert [body.content for body in talk.bodies()] == [content]


def test_a_command_that_ends_in_a_bare_lf_ends_the_session() -> None:
    """Law 1: such a line is refused with 521 and no command after it is read."""
    talk = Talk()
    assert codes(talk.say(b"EHLO x\nMAIL FROM:<a@b.example>\r\n")) == [220, 521]
    assert talk.server.state is ServerState.CLOSED


# -- limits


def test_a_line_that_is_too_long_is_one_mistake() -> None:
    """It is refused when it ends, its end is not read as a command, and it is not kept in memory."""
    talk = ready()
    talk.say(b"NOOP " + b"x" * MAX_COMMAND)
    for _ in range(100):
        assert talk.say(b"x" * MAX_COMMAND) == []
        assert talk.server.waiting < MAX_COMMAND + 2
    assert codes(talk.say(b"\r", b"\nNOOP\r\n")) == [500, 250]


def test_too_many_mistakes_end_the_session() -> None:
    """421 after the limit; RCPT and DATA behind a refused MAIL are no mistakes of a pipelining client."""
    talk = ready(ServerSettings(max_mistakes=3))
    assert codes(talk.say(b"FOO\r\n" * 10)) == [500, 500, 500, 421]
    talk = ready(ServerSettings(max_mistakes=3), {"mail": Reply.own(451, "4.7.1", "later")})
    assert codes(talk.say(b"MAIL FROM:<>\r\n" + b"RCPT TO:<c@d.example>\r\n" * 10 + b"DATA\r\n")) == [451] + [503] * 11


def test_commands_that_lead_nowhere_end_the_session() -> None:
    """421 after the limit of commands without a recipient; RCPT is bounded by its own limit."""
    assert codes(ready(ServerSettings(max_idle=5)).say(b"NOOP\r\n" * 10)) == [250] * 4 + [421]
    talk = ready(ServerSettings(max_idle=5))
    talk.say((TRANSACTION + b".\r\n") * 20)
    assert len(talk.bodies()) == 20


def test_too_many_recipients_get_a_452_each() -> None:
    """RFC 5321 §4.5.3.1.10: the transaction goes on with those that were taken."""
    talk = ready(ServerSettings(max_recipients=2))
    replies = talk.say(b"MAIL FROM:<>\r\n" + b"".join(b"RCPT TO:<%d@d.example>\r\n" % n for n in range(4)) + b"DATA\r\n.\r\n")
    assert codes(replies) == [250, 250, 250, 452, 452, 354, 250]
    assert talk.bodies()[0].recipients == ("0@d.example", "1@d.example")


def test_a_message_over_the_limit_is_refused_before_or_after() -> None:
    """SIZE= over the limit is refused at MAIL, a message over it after its end, and the session goes on."""
    talk = ready(ServerSettings(max_size=1000))
    assert talk.code(b"MAIL FROM:<> SIZE=1001\r\n") == 552
    assert talk.code(TRANSACTION) == 354
    assert codes(talk.say(*([b"x" * 98 + b"\r\n"] * 11), b".\r\n")) == [552]
    assert codes(talk.say(TRANSACTION + b"x" * 998 + b"\r\n.\r\n")) == [250, 250, 354, 250]


def test_a_browser_is_turned_away() -> None:
    """HTTP at our port ends the session before its body can be read as commands."""
    assert codes(Talk().say(b"POST / HTTP/1.1\r\nHost: x\r\n\r\nEHLO x\r\n")) == [220, 421]


@given(st.lists(st.one_of(st.binary(max_size=40), st.sampled_from([*SAY.values(), b"\r\n", b"\n", b".", TRANSACTION, b"*"])), max_size=30))
def test_garbage_gets_answers_and_nothing_else(pieces: list[bytes]) -> None:
    """Whatever arrives, the machine raises nothing, and every reply is one that can be read."""
    talk = Talk(LOGIN)
    for reply in talk.say(*pieces):
        assert 200 <= reply.code < 600
        assert all(line.isprintable() for line in reply.lines)
