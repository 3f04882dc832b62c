"""Which messages were told as recent to nobody."""

from __future__ import annotations

import pytest

from mailer.mailbox.api import NoFolder

from .premises import Premises, put


def test_what_is_claimed_is_claimed_once(premises: Premises) -> None:
    """Up to where somebody was told; that has no MODSEQ, and what goes counts no more."""
    with premises.ann() as box:
        put(box, many=3)
        before = box.folder("INBOX")
        assert before is not None
        assert (box.recent(1), box.claim(1, 3), box.recent(1), box.claim(1, 3), box.claim(1, 4), box.recent(1)) == (3, 1, 1, 3, 3, 0)
        assert box.folder("INBOX") == before._replace(recent=4)
        put(box, many=2)
        box.expunge(1, ((4, 4),), marked=False)
        assert box.recent(1) == 1


def test_what_is_copied_is_recent_there(premises: Premises) -> None:
    """RFC 3501 §6.4.7."""
    with premises.ann() as box:
        put(box)
        box.claim(1, 2)
        copied = box.copy(1, ((1, 1),), "Archive")
        assert (box.recent(1), box.recent(copied.folder)) == (0, 1)


def test_a_folder_that_is_gone_has_nothing_to_claim(premises: Premises) -> None:
    """It says so."""
    with premises.ann() as box:
        with pytest.raises(NoFolder):
            box.claim(99, 2)
        with pytest.raises(NoFolder):
            box.recent(99)
