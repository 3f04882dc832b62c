"""BODY is BODYSTRUCTURE without what came later to it."""

from __future__ import annotations

import pytest

from mailer.imap.body import body
from mailer.imap.bodystructure import bodystructure
from mailer.mail.entity import MAX_PARTS
from mailer.mime.tree import parsed
from tests.fakes.chance import examples
from tests.mime.test_bombs import BOMBS

from .letters import letter
from .trees import value


def both(content: bytes) -> tuple[bytes, bytes]:
    """Made of the structure with extension data, and made of the message."""
    root = parsed(content)
    return body(bodystructure(content, root)), bodystructure(content, root, extended=False)


def test_it_is_what_would_be_made_of_the_message() -> None:
    """Of messages of all shapes, octet by octet."""
    for seed in range(examples(300)):
        made, wanted = both(letter(seed))
        assert made == wanted
        value(made)


@pytest.mark.parametrize("name", [name for name in BOMBS if "50 MB" not in name and "line ends" not in name])
def test_of_hostile_messages_too(name: str) -> None:
    """However deep, wide, or ill written they are."""
    made, wanted = both(BOMBS[name]())
    assert made == wanted


def test_strings_of_all_forms_are_passed_over() -> None:
    """Quotes, backslashes, and literals with parentheses in them."""
    content = b'Content-Type: text/plain; a="\\\\\\"(x"; b*=utf-8\'\'%29%22\r\nContent-Description: \xc3\xbc ((\r\nContent-MD5: (\r\n\r\nx'
    made, wanted = both(content)
    assert made == wanted
    assert b"{" in made


@pytest.mark.slow
def test_the_last_part_that_is_read_is_told_as_a_file_if_it_is_a_message() -> None:
    """Nobody reads the message in it, and a message is told with its ENVELOPE (RFC 9051 §9, body-type-msg)."""
    content = b"Content-Type: multipart/digest; boundary=b\r\n\r\n" + b"--b\r\n\r\n\r\nx\r\n" * MAX_PARTS
    made, wanted = both(content)
    assert made == wanted
    assert made.count(b'"message" "rfc822"') == (MAX_PARTS - 1) // 2
    assert b'"application" "octet-stream"' in made
