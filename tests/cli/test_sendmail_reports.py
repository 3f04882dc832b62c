"""What a caller asks of reports stands on the wire: -N, -R and -V of sendmail, NOTIFY, RET, ENVID and ORCPT of -bs."""

from __future__ import annotations

from mailer.testing import Script
from tests.journey.world import World

SESSION = """
    S: 220 mx.example.net
    C: EHLO *
    S: 250-mx.example.net
    S: 250 DSN
    C: MAIL FROM:<a@here.example> RET=HDRS ENVID=id+2B1
    S: 250 ok
    C: RCPT TO:<b@example.net> NOTIFY=DELAY,FAILURE{orcpt}
    S: 250 ok
    C: DATA
    S: 354 go ahead
    MESSAGE
    S: 250 taken
"""
TEXT = b"From: a@here.example\r\nSubject: x\r\n\r\nhello\r\n"


def test_the_options_of_sendmail(world: World) -> None:
    """They arrive as the parameters of RFC 3461 at a server that offers DSN."""
    with Script(SESSION.format(orcpt="*")) as server:
        world.configure(server.port)
        words = ("-N", "delay,failure", "-R", "hdrs", "-V", "id+1", "-f", "a@here.example", "--", "b@example.net")
        assert world.mailer("sendmail", *words, input=TEXT).code == 0
        world.once()
        assert server.messages[0].endswith(b"\r\n\r\nhello\r\n")


def test_the_parameters_of_a_session(world: World) -> None:
    """What a program says to sendmail -bs, sendmail says to the server."""
    said = (
        b"EHLO here\r\nMAIL FROM:<a@here.example> RET=HDRS ENVID=id+2B1\r\n"
        b"RCPT TO:<b@example.net> NOTIFY=DELAY,FAILURE ORCPT=rfc822;old+2Bx@example.net\r\nDATA\r\n" + TEXT + b".\r\nQUIT\r\n"
    )
    with Script(SESSION.format(orcpt=" ORCPT=rfc822;old+2Bx@example.net")) as server:
        world.configure(server.port)
        assert "250 2.0.0 queued as" in world.mailer("sendmail", "-bs", input=said).out
        world.once()
        assert len(server.messages) == 1
