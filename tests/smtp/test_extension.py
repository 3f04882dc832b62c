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
