"""A relay that takes one author only."""

from __future__ import annotations

import pytest

from mailer.mail.message import Change
from mailer.rewriting import relayed, reverse_path

REST = b"Reply-To: c@example.org\r\nTo: root, d@example.org\r\n\r\nFrom: body\r\n"
MESSAGE = b"From: Anna <anna@example.org>\r\nSender: bob@example.org\r\n" + REST


def test_it_leaves_as_the_only_author() -> None:
    """From has his name and address, Sender his address; where answers go, recipients and body stay."""
    changes: list[Change] = []
    made = relayed(MESSAGE, "Our shop <me@example.com>", changes)
    assert made == b"From: Our shop <me@example.com>\r\nSender: me@example.com\r\n" + REST
    assert [change.what for change in changes] == ["From", "Sender"]


def test_what_is_his_already_stays_to_the_byte() -> None:
    """Also with another name."""
    for data in (b"From: Me <me@example.com>\r\n\r\nx\r\n", b"From: me@example.com\r\n\r\n"):
        assert relayed(data, "me@example.com") == data


@pytest.mark.parametrize(("sender", "path"), [("a@example.org", "me@example.com"), ("", "")])
def test_reports_go_to_him(sender: str, path: str) -> None:
    """For the relay takes no other sender either; a report itself has none."""
    assert reverse_path(sender, "Our shop <me@example.com>") == path
