"""One name for one thing, and the names from before."""

from __future__ import annotations

import pytest

from mailer import Email, EmailError, ErrorKind, Rejected, SendResult, SmtpError, SyncSmtpClient
from mailer.sink import Moods
from mailer.testing import MemorySink


def test_a_reply_is_called_so_everywhere() -> None:
    """Of a result, of a recipient who was refused, and of an error; `response` and `text` say the same."""
    sink = MemorySink(Moods(refuse={"nobody@example.net": "550 5.1.1 no such user"}))
    with SyncSmtpClient("mail.test", tls="none", dialer=sink) as client:
        result = client.send(Email(from_="a@example.com", to=["ann@example.net", "nobody@example.net"], text="x"))
        assert isinstance(result, SendResult)
        assert result.reply == result.response
        assert result.reply.startswith("250 ")
        assert result.rejected == (Rejected("nobody@example.net", 550, "5.1.1", "no such user"),)
        assert result.rejected[0].reply == result.rejected[0].text
        with pytest.raises(SmtpError) as caught:
            client.send(Email(from_="a@example.com", to="nobody@example.net", text="x"))
        assert (caught.value.reply, caught.value.text) == ("no such user", "no such user")
        info = client.test_connection()
        assert info.ip == info.address == "memory"
    assert SmtpError(ErrorKind.POOL, "busy", text="why").reply == "why"


def test_what_is_handed_in_is_called_as_the_options_are() -> None:
    """Both names make the same message; one of them has to do."""
    new = {
        "from": "a@example.com", "to": ["b@example.net"], "cc": "c@example.net", "reply_to": "d@example.com", "subject": "s", "text": "t",
        "html": "<p>t</p>", "in_reply_to": "<x@example.com>", "references": ["<w@example.com>"], "message_id": "<y@example.com>",
    }  # fmt: skip
    old = {
        "from": "from_address",
        "to": "to_addresses",
        "cc": "cc_addresses",
        "reply_to": "reply_to_address",
        "text": "body_plain",
        "html": "body_html",
    }
    made = Email.from_payload(new)
    assert made == Email.from_payload({old.get(name, name): value for name, value in new.items()})
    assert (made.from_, made.references, made.message_id) == ("a@example.com", ["<w@example.com>"], "<y@example.com>")
    with pytest.raises(EmailError, match="from and from_address are the same; say one of them"):
        Email.from_payload({"from": "a@example.com", "from_address": "b@example.com"})
    with pytest.raises(EmailError, match="did you mean reply_to"):
        Email.from_payload({"reply-to": "a@example.com"})
