"""The receiving state machine: what it asks, what it says, and what it never takes for a command."""

from __future__ import annotations

from base64 import b64encode
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.smtp import question as ask
from mailer.smtp.reply import Reply, ReplyReader
from mailer.smtp.server import MAX_COMMAND, MAX_RESPONSE, Server, Service, State
from mailer.smtp.server_state import WHEN

TRANSACTION = b"MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\n"
LOGIN = Service(mechanisms=("PLAIN", "LOGIN"), clear_auth=True)
WELCOME = Reply.own(235, "2.7.0", "welcome")


class Talk:
    """A session whose questions get the usual answers, but for those in `answers` (phase → reply)."""

    def __init__(self, service: Service | None = None, answers: dict[str, Reply] | None = None, tls: str = "") -> None:
        self.server = Server(service or Service(), tls)
        self.answers = answers or {}
        self.asked: list[ask.Question] = []
        self.pump()

    def pump(self) -> None:
        while (question := self.server.next()) is not None:
            self.asked.append(question)
            self.server.answer(self.answers.get(question.phase))

    def say(self, *pieces: bytes) -> list[Reply]:
        """Feed `pieces`; returns all replies since the last time."""
        for piece in pieces:
            self.server.feed(piece)
            self.pump()
        return ReplyReader().feed(self.server.take())

    def code(self, data: bytes) -> int:
        """The code of the last reply to `data`."""
        return self.say(data)[-1].code

    def bodies(self) -> list[ask.Body]:
        return [question for question in self.asked if isinstance(question, ask.Body)]


def ready(service: Service | None = None, answers: dict[str, Reply] | None = None, tls: str = "") -> Talk:
    """A session after EHLO."""
    talk = Talk(service, answers, tls)
    talk.say(b"EHLO client.example\r\n")
    return talk


def codes(replies: list[Reply]) -> list[int]:
    return [reply.code for reply in replies]


# -- sessions


def test_a_session_asks_for_each_decision_once_and_in_order() -> None:
    """Greeting, EHLO, MAIL, RCPT, DATA, the message and QUIT are put as questions, each with what was said."""
    talk = Talk()
    talk.say(b"EHLO c.example\r\n" + TRANSACTION + b"Subject: x\r\n\r\n..dot\r\n.\r\nQUIT\r\n")
    assert [question.phase for question in talk.asked] == ["greeting", "ehlo", "mail", "rcpt", "data", "body", "quit"]
    assert talk.bodies() == [ask.Body("a@b.example", ("c@d.example",), b"Subject: x\r\n\r\n.dot\r\n", {})]
    assert talk.server.state is State.CLOSED


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
    service = Service(name="mx.example", max_size=1000, starttls=True, hide=frozenset({"8BITMIME"}), offer=("DSN", "SIZE 5"))
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
    talk = ready(Service(hide=frozenset({"ENHANCEDSTATUSCODES"})))
    assert talk.say(b"MAIL FROM:<a@b.example>\r\n") == [Reply(250, "", ("sender ok",))]


def test_a_reply_of_several_lines_has_its_code_on_each() -> None:
    """RFC 2034 §4: the enhanced code stands on every line."""
    talk = ready(answers={"mail": Reply(550, "5.7.1", ("no", "really not"))})
    talk.server.feed(b"MAIL FROM:<a@b.example>\r\n")
    talk.pump()
    assert talk.server.take() == b"550-5.7.1 no\r\n550 5.7.1 really not\r\n"


# -- who may say what, and when

REACH: dict[State, bytes] = {
    State.STRANGER: b"",
    State.READY: b"EHLO x\r\n",
    State.SENDER: b"EHLO x\r\nMAIL FROM:<a@b.example>\r\n",
    State.RECIPIENTS: b"EHLO x\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\n",
}
SAY = {
    "EHLO": b"EHLO x", "HELO": b"HELO x", "MAIL": b"MAIL FROM:<a@b.example>", "RCPT": b"RCPT TO:<c@d.example>", "DATA": b"DATA",
    "RSET": b"RSET", "NOOP": b"NOOP", "VRFY": b"VRFY x", "HELP": b"HELP", "QUIT": b"QUIT", "STARTTLS": b"STARTTLS", "AUTH": b"AUTH LOGIN",
}  # fmt: skip


@pytest.mark.parametrize("state", REACH)
@pytest.mark.parametrize("verb", SAY)
def test_the_table_says_which_command_is_in_order(state: State, verb: str) -> None:
    """A command is carried out in the states of the table, and is a 503 (DATA without recipients: 554) in all others."""
    talk = Talk(Service(starttls=True, mechanisms=("LOGIN",), clear_auth=True))
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
    assert talk.server.state is State.CLOSED


def test_the_driver_can_end_a_session_while_a_question_stands_open() -> None:
    """`hang_up` says its reply and closes, open question or not."""
    server = Server(Service())
    assert server.next() is not None
    server.hang_up(Reply.own(421, "4.4.2", "timeout"))
    assert server.take() == b"421 4.4.2 timeout\r\n"
    assert server.next() is None


def test_an_answer_without_a_question_is_our_bug() -> None:
    """`answer` raises where nothing was asked."""
    talk = ready()
    with pytest.raises(RuntimeError):
        talk.server.answer()


# -- the grammar of commands


@pytest.mark.parametrize(
    ("line", "sender"),
    [
        (b"MAIL FROM:<a@b.example>", "a@b.example"),
        (b"mail from: <a@b.example>  ", "a@b.example"),
        (b"MAIL FROM:<>", ""),
        (b"MAIL FROM:<@x.example,@y.example:a@b.example>", "a@b.example"),
        (b'MAIL FROM:<"a>b c"@b.example>', '"a>b c"@b.example'),
        (b'MAIL FROM:<"a\\">"@b.example> SIZE=1', '"a\\">"@b.example'),
        (b"MAIL FROM:<a@[192.0.2.1]>", "a@[192.0.2.1]"),
        (b"MAIL FROM:<postmaster>", "postmaster@localhost"),
        (b"MAIL FROM:<\xc3\xbc@b.example> SMTPUTF8", "ü@b.example"),
    ],
)
def test_senders_that_are_taken(line: bytes, sender: str) -> None:
    """What RFC 5321 §4.1.2 allows is taken; source routes are dropped, and Postmaster needs no domain."""
    talk = ready()
    assert talk.code(line + b"\r\n") == 250
    assert talk.server.sender == sender


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"MAIL", 501),
        (b"MAIL a@b.example", 501),
        (b"MAIL FROM:a@b.example", 501),
        (b"MAIL FROM:<a@b.example", 501),
        (b"MAIL FROM:<a@b.example>x", 501),
        (b"MAIL TO:<a@b.example>", 501),
        (b'MAIL FROM:<"a@b.example>', 501),
        (b"MAIL FROM:<a>", 553),
        (b"MAIL FROM:<a b@c.example>", 553),
        (b"MAIL FROM:<a@-b.example>", 553),
        (b"MAIL FROM:<\xc3\xbc@b.example>", 553),
        (b"MAIL FROM:<\xfc@b.example>", 500),
        (b"MAIL FROM:<a@b.example> X=1", 555),
        (b"MAIL FROM:<a@b.example> SIZE=x", 501),
        (b"MAIL FROM:<a@b.example> SIZE=1 SIZE=1", 501),
        (b"MAIL FROM:<a@b.example> SIZE=" + b"9" * 21, 501),
        (b"MAIL FROM:<a@b.example> BODY=BINARYMIME", 501),
        (b"MAIL FROM:<a@b.example> SMTPUTF8=1", 501),
        (b"MAIL FROM:<a@b.example> RET=FULL", 555),
        (b"MAIL FROM:<a\tb@c.example>", 500),
        (b"MAIL FROM:<a\x00@b.example>", 500),
        (b"MAIL FROM:<a\rRCPT TO:<x@y.example>@b.example>", 500),
        ("MAIL FROM:<a\u2028@b.example>".encode(), 500),
        (b"EHLO", 501),
        (b"EHLO a b", 501),
        (b"RSET now", 501),
        (b"QUIT now", 501),
        (b"EXPN list", 500),
        (b"", 500),
        (b"XYZZY", 500),
    ],
)
def test_commands_that_are_refused(line: bytes, code: int) -> None:
    """What no standard allows gets a 5xx and changes nothing."""
    talk = ready()
    (reply,) = talk.say(line + b"\r\n")
    assert (reply.code, talk.server.state) == (code, State.READY)


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"RCPT TO:<>", 501),
        (b"RCPT TO:<c>", 553),
        (b"RCPT FROM:<c@d.example>", 501),
        (b"RCPT TO:<\xc3\xbc@d.example>", 553),
        (b"RCPT TO:<c@d.example> SIZE=1", 555),
        (b"RCPT TO:<Postmaster>", 250),
    ],
)
def test_recipients(line: bytes, code: int) -> None:
    """A recipient is an address; the empty one is none, and Postmaster is one without a domain."""
    talk = ready()
    talk.say(b"MAIL FROM:<a@b.example>\r\n")
    assert talk.code(line + b"\r\n") == code


DSN = Service(offer=("DSN",), mechanisms=("PLAIN",), clear_auth=True)


@pytest.mark.parametrize(
    ("parameters", "found"),
    [
        (b"size=12 body=8bitmime", {"SIZE": "12", "BODY": "8BITMIME"}),
        (b"AUTH=<>", {"AUTH": ""}),
        (b"AUTH=e+3Dmc2@example.com", {"AUTH": "e=mc2@example.com"}),
        (b"RET=hdrs ENVID=QQ+2B1", {"RET": "HDRS", "ENVID": "QQ+1"}),
    ],
)
def test_parameters_are_decoded(parameters: bytes, found: dict[str, str]) -> None:
    """Keywords have no case, and xtext is read (RFC 3461 §4)."""
    talk = ready(DSN)
    assert talk.code(b"MAIL FROM:<a@b.example> " + parameters + b"\r\n") == 250
    assert talk.asked[-1] == ask.Mail("a@b.example", found)


@pytest.mark.parametrize(
    "parameter",
    [
        b"ENVID=+0D+0A",
        b"ENVID=a+00",
        b"ENVID=a+0",
        b"ENVID=a+2b",
        b"ENVID=+C3+BC",
        b"ENVID=" + b"x" * 101,
        b"ENVID=",
        b"AUTH=+0D@b.example",
        b"AUTH=nobody",
    ],
)
def test_no_encoded_line_end_gets_in(parameter: bytes) -> None:
    """What xtext decodes to is checked again: control characters, odd digits and lengths are a 501."""
    assert ready(DSN).code(b"MAIL FROM:<a@b.example> " + parameter + b"\r\n") == 501


@pytest.mark.parametrize(
    ("parameter", "code"),
    [
        (b"NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;c@d.example", 250),
        (b"NOTIFY=NEVER", 250),
        (b"NOTIFY=NEVER,DELAY", 501),
        (b"NOTIFY=", 501),
        (b"ORCPT=rfc822;a+0Ab@d", 501),
        (b"ORCPT=rfc822", 501),
        (b"ORCPT=;x", 501),
        (b"ORCPT=rfc822;" + b"x" * 600, 501),
    ],
)
def test_parameters_of_recipients(parameter: bytes, code: int) -> None:
    """NOTIFY and ORCPT are known where DSN is offered, and checked."""
    talk = ready(DSN)
    talk.say(b"MAIL FROM:<a@b.example>\r\n")
    assert talk.code(b"RCPT TO:<c@d.example> " + parameter + b"\r\n") == code


# -- the end of a message (SMTP smuggling)

VECTORS = [
    b"\n.\n", b"\n.\r", b"\r.\n", b"\r.\r", b"\n.\r\n", b"\r.\r\n", b"\r\n.\r\r\n", b"\r\r\n.\r\r\n",
    b"\r\n\x00.\r\n", b"\r\n.\n", b"\r\n.\r", b"\n\n.\r\n", b"\r\n.\x00\r\n", b"\r\n\r.\r\n",
]  # fmt: skip
SMUGGLED = b"MAIL FROM:<evil@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\nSubject: smuggled\r\n\r\nx"


@pytest.mark.parametrize("vector", VECTORS)
@pytest.mark.parametrize("mend", [False, True])
def test_nothing_but_the_end_ends_a_message(vector: bytes, mend: bool) -> None:
    """A look-alike of CRLF.CRLF, in every split over two segments, gives one message or one refusal, never two."""
    data = TRANSACTION + b"Subject: first\r\n\r\nx" + vector + SMUGGLED + b"\r\n.\r\n"
    for cut in range(len(TRANSACTION), len(data) - len(SMUGGLED)):
        talk = ready(Service(normalise=mend))
        replies = talk.say(data[:cut], data[cut:])
        assert codes(replies) == [250, 250, 354, 250 if mend else 554]
        assert [body.sender for body in talk.bodies()] == (["a@b.example"] if mend else [])
        for body in talk.bodies():
            assert b"evil" in body.content
            assert body.content.count(b"\r") == body.content.count(b"\n") == body.content.count(b"\r\n")
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
    assert talk.server.state is State.CLOSED


# -- TLS


def test_what_came_before_the_handshake_does_not_count_after_it() -> None:
    """Law 2: commands behind STARTTLS are thrown away, however they arrive, and the client is a stranger again."""
    for pieces in ([b"STARTTLS\r\n" + TRANSACTION], [b"STARTTLS\r\nMAI", b"L FROM:<a@b.example>\r\n"], [b"STARTTLS\r\n", TRANSACTION]):
        talk = ready(Service(starttls=True))
        assert codes(talk.say(*pieces)) == [220]
        assert talk.server.state is State.HANDSHAKE
        assert talk.server.discarded == sum(map(len, pieces)) - len(b"STARTTLS\r\n")
        talk.server.secured("TLSv1.3")
        assert talk.server.hello == ""
        assert codes(talk.say(b"MAIL FROM:<a@b.example>\r\n")) == [503]
        assert "STARTTLS" not in talk.say(b"EHLO x\r\n")[-1].lines
        assert codes(talk.say(b"STARTTLS\r\n")) == [503]
        assert codes(talk.say(TRANSACTION)) == [250, 250, 354]


def test_starttls_is_refused_where_it_makes_no_sense() -> None:
    """Not offered, with TLS already, in a transaction, after AUTH, with an argument, before EHLO: refused."""
    assert ready().code(b"STARTTLS\r\n") == 502
    assert ready(Service(starttls=True), tls="TLSv1.3").code(b"STARTTLS\r\n") == 503
    assert ready(Service(starttls=True)).code(b"MAIL FROM:<>\r\nSTARTTLS\r\n") == 503
    assert ready(Service(starttls=True)).code(b"STARTTLS now\r\n") == 501
    assert Talk(Service(starttls=True)).code(b"STARTTLS\r\n") == 503
    talk = ready(Service(starttls=True, mechanisms=("PLAIN",), clear_auth=True), {"auth": WELCOME})
    assert codes(talk.say(b"AUTH PLAIN " + b64encode(b"\0u\0p") + b"\r\nSTARTTLS\r\n")) == [235, 503]


def test_a_refused_starttls_changes_nothing() -> None:
    """After a 454 the session goes on in the clear."""
    talk = ready(Service(starttls=True), {"starttls": Reply.own(454, "4.7.0", "not now")})
    assert codes(talk.say(b"STARTTLS\r\n" + TRANSACTION)) == [454, 250, 250, 354]


def test_mail_may_need_tls_and_authentication_first() -> None:
    """530 until what the service requires has happened."""
    assert ready(Service(require=frozenset({"tls"}))).code(b"MAIL FROM:<>\r\n") == 530
    assert ready(Service(require=frozenset({"tls"})), tls="TLSv1.3").code(b"MAIL FROM:<>\r\n") == 250
    assert ready(Service(require=frozenset({"auth"}))).code(b"MAIL FROM:<>\r\n") == 530


# -- AUTH


@pytest.mark.parametrize(
    "lines",
    [
        [b"AUTH PLAIN " + b64encode(b"\0ann\0secret")],
        [b"auth plain", b64encode(b"\0ann\0secret")],
        [b"AUTH LOGIN", b64encode(b"ann"), b64encode(b"secret")],
        [b"AUTH LOGIN " + b64encode(b"ann"), b64encode(b"secret")],
    ],
)
def test_credentials_are_put_as_a_question(lines: list[bytes]) -> None:
    """PLAIN and LOGIN, with and without an initial response, end in one question, whose repr hides the password."""
    talk = ready(LOGIN, {"auth": WELCOME})
    replies = talk.say(b"".join(line + b"\r\n" for line in lines))
    assert codes(replies) == [334] * (len(lines) - 1) + [235]
    question = talk.asked[-1]
    assert isinstance(question, ask.Auth)
    assert (question.username, question.password) == ("ann", "secret")
    assert "secret" not in repr(question)
    assert talk.server.user == "ann"
    assert talk.code(b"AUTH PLAIN AGEAYg==\r\n") == 503
    assert talk.code(b"MAIL FROM:<a@b.example>\r\n") == 250


def test_the_challenges_are_those_that_clients_expect() -> None:
    """LOGIN asks Username: and Password: in base 64, PLAIN asks nothing."""
    assert [reply.text for reply in ready(LOGIN).say(b"AUTH LOGIN\r\n" + b64encode(b"ann") + b"\r\n")] == ["VXNlcm5hbWU6", "UGFzc3dvcmQ6"]
    assert ready(LOGIN).say(b"AUTH PLAIN\r\n") == [Reply(334, "", ("",))]


def test_nobody_gets_in_by_default() -> None:
    """The usual answer to credentials is 535."""
    talk = ready(LOGIN)
    assert talk.code(b"AUTH PLAIN " + b64encode(b"\0ann\0secret") + b"\r\n") == 535
    assert talk.server.user == ""
    assert talk.server.state is State.READY


@pytest.mark.parametrize(
    ("lines", "code"),
    [
        (b"AUTH PLAIN\r\n*\r\n", 501),
        (b"AUTH PLAIN\r\n!!!!\r\n", 501),
        (b"AUTH PLAIN =\r\n", 501),
        (b"AUTH PLAIN " + b64encode(b"ann") + b"\r\n", 501),
        (b"AUTH PLAIN " + b64encode(b"\0\0secret") + b"\r\n", 501),
        (b"AUTH PLAIN " + b64encode(b"\0a\r\nb\0secret") + b"\r\n", 501),
        (b"AUTH PLAIN " + b64encode(b"\0\xff\0secret") + b"\r\n", 501),
        (b"AUTH LOGIN\r\n" + b64encode(b"a\nb") + b"\r\n", 501),
        (b"AUTH CRAM-MD5\r\n", 504),
        (b"AUTH\r\n", 504),
        (b"AUTH PLAIN\r\n" + b"x" * (MAX_RESPONSE + 1) + b"\r\n", 500),
    ],
)
def test_a_broken_exchange_is_over(lines: bytes, code: int) -> None:
    """Cancelled, unreadable, too long, or a mechanism that is not there: a 5xx, nobody is let in, commands are read again."""
    talk = ready(LOGIN, {"auth": WELCOME})
    assert talk.code(lines) == code
    assert talk.server.user == ""
    assert talk.code(b"NOOP\r\n") == 250


def test_no_password_is_asked_for_in_the_clear() -> None:
    """Without TLS, and unless the service allows it, AUTH is neither offered nor carried out (538)."""
    talk = Talk(Service(mechanisms=("PLAIN",)))
    assert "AUTH" not in " ".join(talk.say(b"EHLO x\r\n")[-1].lines)
    assert talk.code(b"AUTH PLAIN\r\n") == 538
    assert "AUTH PLAIN" in Talk(Service(mechanisms=("PLAIN",)), tls="TLSv1.3").say(b"EHLO x\r\n")[-1].lines
    assert ready().code(b"AUTH PLAIN\r\n") == 502


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
    talk = ready(Service(max_mistakes=3))
    assert codes(talk.say(b"FOO\r\n" * 10)) == [500, 500, 500, 421]
    talk = ready(Service(max_mistakes=3), {"mail": Reply.own(451, "4.7.1", "later")})
    assert codes(talk.say(b"MAIL FROM:<>\r\n" + b"RCPT TO:<c@d.example>\r\n" * 10 + b"DATA\r\n")) == [451] + [503] * 11


def test_commands_that_lead_nowhere_end_the_session() -> None:
    """421 after the limit of commands without a recipient; RCPT is bounded by its own limit."""
    assert codes(ready(Service(max_idle=5)).say(b"NOOP\r\n" * 10)) == [250] * 4 + [421]
    talk = ready(Service(max_idle=5))
    talk.say((TRANSACTION + b".\r\n") * 20)
    assert len(talk.bodies()) == 20


def test_too_many_recipients_get_a_452_each() -> None:
    """RFC 5321 §4.5.3.1.10: the transaction goes on with those that were taken."""
    talk = ready(Service(max_recipients=2))
    replies = talk.say(b"MAIL FROM:<>\r\n" + b"".join(b"RCPT TO:<%d@d.example>\r\n" % n for n in range(4)) + b"DATA\r\n.\r\n")
    assert codes(replies) == [250, 250, 250, 452, 452, 354, 250]
    assert talk.bodies()[0].recipients == ("0@d.example", "1@d.example")


def test_a_message_over_the_limit_is_refused_before_or_after() -> None:
    """SIZE= over the limit is refused at MAIL, a message over it after its end, and the session goes on."""
    talk = ready(Service(max_size=1000))
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
