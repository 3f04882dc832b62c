"""Headers that are kept beside messages."""

from __future__ import annotations

from mailer.mailbox import heads
from mailer.mailbox.api import NewMail

from .premises import Premises

LONG = b"X-A: " + b"y" * heads.LONGEST + b"\r\n\r\ntext"


def test_a_header_is_kept_as_it_is_written(premises: Premises) -> None:
    """With the fields of its owner before it and the empty line behind it, divided; one that is too long or has a NUL is not."""
    contents = [b"Subject: x\r\n\r\ntext", b"no header", b"", b"Subject: x\n\nbare", b"Subject: no body", LONG, b"X: \0\r\n"]
    with premises.ann() as box:
        box.put([NewMail("INBOX", content, b"To: ann\r\n" if nth % 2 else b"") for nth, content in enumerate(contents)])
        assert [row[1] for row in box.fetched(1, None, ("header",))] == [
            b"Subject\n\r\n\r\0Subject: x\r\n\0\r\n\0", b"To\n\r\0To: ann\r\n\0", b"\r\0",
            b"To\nSubject\n\r\n\r\0To: ann\r\n\0Subject: x\n\0\n\0", b"Subject\0Subject: no body", None, None,
        ]  # fmt: skip


def test_a_header_that_somebody_deleted_is_kept_again(premises: Premises) -> None:
    """By whoever has read it; what is there stays, and what is too long is not kept."""
    with premises.ann() as box:
        mails = [each.mail for each in box.put([NewMail("INBOX", b"Subject: x\r\n\r\ntext"), NewMail("INBOX", LONG)])]
        box.engine.change(lambda rows: rows.change("DELETE FROM head WHERE owner = ?", (box.engine.owner,)))
        assert box.fetched(1, None, ("header",)) == [(1, None), (2, None)]
        box.keep_headers([(mails[0], b"Subject: x\r\n\r\n"), (mails[1], LONG)])
        box.keep_headers([(mails[0], b"another")])
        assert box.fetched(1, None, ("header",)) == [(1, b"Subject\n\r\n\r\0Subject: x\r\n\0\r\n\0"), (2, None)]


def test_it_goes_with_its_message(premises: Premises) -> None:
    """When that is gone for good."""
    with premises.ann() as box:
        box.put([NewMail("INBOX", b"Subject: x\r\n\r\ntext")])
        box.expunge(1, None, marked=False)
        box.sweep(premises.now + 90 * 86400)
        assert box.engine.read(lambda rows: rows.run("SELECT count(*) FROM head WHERE owner = ?", (box.engine.owner,))) == [(0,)]
