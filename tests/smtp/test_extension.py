"""What a server offers."""

from __future__ import annotations

from mailer.smtp.extension import NONE, Extensions
from mailer.smtp.reply import Reply


def offers(*lines: str) -> Extensions:
    """What a server offers that answers EHLO with these lines."""
    return Extensions.parse(Reply(250, "", ("mx.example.com", *lines)))


def test_everything() -> None:
    """Each extension that we use is one field, whatever the case of its keyword."""
    found = offers(
        "Pipelining", "SIZE 1000", "8bitmime", "SMTPUTF8", "STARTTLS", "ENHANCEDSTATUSCODES", "DSN", "CHUNKING", "AUTH plain LOGIN"
    )
    assert found.pipelining
    assert found.size == 1000
    assert found.sizes
    assert found.eight_bit
    assert found.smtputf8
    assert found.starttls
    assert found.enhanced
    assert found.dsn
    assert found.chunking
    assert found.mechanisms == {"PLAIN", "LOGIN"}


def test_nothing() -> None:
    """A server whose reply is one line offers nothing."""
    assert offers() == NONE


def test_size_without_a_number() -> None:
    """SIZE may come without a limit, with 0 for none, or with nonsense; in all cases it may be said with MAIL."""
    for line in ("SIZE", "SIZE 0", "SIZE lots", "SIZE -1", "SIZE " + "9" * 21, "SIZE \u0663"):
        assert (offers(line).size, offers(line).sizes) == (0, True)


def test_mechanisms_of_both_kinds() -> None:
    """AUTH=LOGIN, the old way to write it, adds to the proper line."""
    assert offers("AUTH=LOGIN", "AUTH PLAIN").mechanisms == {"LOGIN", "PLAIN"}


def test_the_first_line_is_a_name() -> None:
    """A server that is called like an extension does not offer it."""
    assert not Extensions.parse(Reply(250, "", ("PIPELINING",))).pipelining


def test_unknown_keywords_are_kept() -> None:
    """What we do not know is there for those who ask."""
    assert offers("XCLIENT NAME ADDR").keywords["XCLIENT"] == "NAME ADDR"


def test_limits() -> None:
    """LIMITS names what may be known to us or not; a value that is no number limits nothing, RFC 9422 §3."""
    found = offers("LIMITS RCPTMAX=20 mailmax=5 RCPTDOMAINMAX=1 OTHER=7")
    assert (found.max_recipients, found.max_mails, found.max_domains) == (20, 5, 1)
    found = offers("LIMITS RCPTMAX MAILMAX=-1 RCPTDOMAINMAX=x")
    assert (found.max_recipients, found.max_mails, found.max_domains) == (0, 0, 0)


def test_what_a_message_may_ask_for() -> None:
    """What comes with a value may come without, or with nonsense: then it limits nothing, or is not offered."""
    found = offers("REQUIRETLS", "DELIVERBY 240", "MT-PRIORITY MIXER", "FUTURERELEASE 86400 2026-12-31T00:00:00Z", "CHUNKING", "BINARYMIME")
    assert (found.require_tls, found.deliver_by, found.least_by, found.priority, found.binary) == (True, True, 240, True, True)
    assert (found.hold_seconds, found.hold_until) == (86400, 1798675200.0)
    found = offers("DELIVERBY", "FUTURERELEASE soon", "BINARYMIME")
    assert (found.deliver_by, found.least_by, found.hold_seconds, found.binary) == (True, 0, 0, False)
