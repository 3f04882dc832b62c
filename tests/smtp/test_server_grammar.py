"""The receiving state machine's grammar: which commands, senders, recipients and parameters are taken."""

from __future__ import annotations

import pytest

from mailer.smtp import server_events as ask
from mailer.smtp.server import ServerSettings, ServerState
from tests.smtp.talk import DSN, ready


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
    assert (reply.code, talk.server.state) == (code, ServerState.READY)


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"RCPT TO:<>", 501),
        (b"RCPT TO:<c>", 553),
        (b"RCPT TO:<c@d.example.>", 553),
        (b"RCPT FROM:<c@d.example>", 501),
        (b"RCPT TO:<\xc3\xbc@d.example>", 553),
        (b"RCPT TO:<c@d.example> SIZE=1", 555),
        (b"RCPT TO:<Postmaster>", 250),
        (b"RCPT TO:<" + b"c" * 240 + b"@d.example>", 250),
        (b"RCPT TO:<" + b"c" * 250 + b"@d.example>", 553),
    ],
)
def test_recipients(line: bytes, code: int) -> None:
    """A recipient is an address; the empty one is none, and Postmaster is one without a domain."""
    talk = ready()
    talk.say(b"MAIL FROM:<a@b.example>\r\n")
    assert talk.code(line + b"\r\n") == code


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
    assert talk.asked[-1] == ask.MailFrom("a@b.example", found)


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


MORE = ServerSettings(offer=("FUTURERELEASE 3600 2026-12-31T00:00:00Z", "DELIVERBY 60", "MT-PRIORITY", "REQUIRETLS"))


@pytest.mark.parametrize(
    ("parameter", "code"),
    [
        (b"HOLDFOR=3600", 250),
        (b"HOLDFOR=3601", 501),
        (b"HOLDFOR=0", 501),
        (b"HOLDFOR=1e3", 501),
        (b"HOLDUNTIL=2026-12-30T23:59:59Z", 250),
        (b"HOLDUNTIL=2027-01-01T00:00:00Z", 501),
        (b"HOLDUNTIL=tomorrow", 501),
        (b"HOLDFOR=1 HOLDUNTIL=2026-12-30T23:59:59Z", 501),
        (b"BY=60;R", 250),
        (b"BY=59;R", 501),
        (b"BY=0;R", 501),
        (b"BY=-5;NT", 250),
        (b"BY=5;X", 501),
        (b"BY=9999999999;N", 501),
        (b"MT-PRIORITY=-9", 250),
        (b"MT-PRIORITY=10", 501),
        (b"MT-PRIORITY=high", 501),
        (b"REQUIRETLS", 250),
        (b"REQUIRETLS=yes", 501),
    ],
)
def test_what_may_be_asked_for_a_message(parameter: bytes, code: int) -> None:
    """FUTURERELEASE, DELIVERBY, MT-PRIORITY and REQUIRETLS are known where they are offered, within what was offered; elsewhere not."""
    line = b"MAIL FROM:<a@b.example> " + parameter + b"\r\n"
    assert ready(MORE, tls="TLSv1.3").code(line) == code
    assert ready().code(line) == 555


def test_tls_all_the_way_begins_with_tls() -> None:
    """REQUIRETLS is not offered in the clear, RFC 8689 §2."""
    assert ready(MORE).code(b"MAIL FROM:<a@b.example> REQUIRETLS\r\n") == 555


@pytest.mark.parametrize(
    ("said", "read"),
    [
        (rb"rfc822;a+2Bb@d.example", "rfc822;a+b@d.example"),
        (rb"utf-8;\x{E9}lan@d.example", "utf-8;élan@d.example"),
        (rb"UTF-8;\x{1F600}@d.example", "UTF-8;\U0001f600@d.example"),
        ("utf-8;élan@d.example".encode(), "utf-8;élan@d.example"),
        (rb"utf-8;a\x{2B}b\x{5C}@d.example", "utf-8;a+b\\@d.example"),
    ],
)
def test_original_recipients(said: bytes, read: str) -> None:
    """The first address of a recipient is read as its type says, RFC 3461 §4.2 and RFC 6533 §3."""
    talk = ready(DSN)
    talk.say(b"MAIL FROM:<a@b.example> SMTPUTF8\r\n")
    assert talk.code(b"RCPT TO:<c@d.example> ORCPT=" + said + b"\r\n") == 250
    assert talk.asked[-1] == ask.Rcpt("c@d.example", {"ORCPT": read})


@pytest.mark.parametrize(
    "said", [rb"\x{A}", rb"\x{D800}", rb"\x{110000}", rb"\x{e9}", rb"\x{}", rb"\x", rb"a+b", rb"a=b", rb"\x{85}", rb"\x{0000000}"]
)
def test_original_recipients_that_are_none(said: bytes) -> None:
    """A line end, half a character and what is not written as it should be are refused."""
    talk = ready(DSN)
    talk.say(b"MAIL FROM:<a@b.example>\r\n")
    assert talk.code(b"RCPT TO:<c@d.example> ORCPT=utf-8;" + said + b"@d.example\r\n") == 501
