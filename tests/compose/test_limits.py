"""How much a message may be composed of."""

from __future__ import annotations

import pytest

from mailer.compose import Attachment, Composition, EmailError, EmailLimits

LIMITS = EmailLimits(attachments=2, attachment_size=10, subject_length=5)


def test_up_to_the_limits() -> None:
    """All of it may be used."""
    LIMITS.check(Composition(subject="äöüäö", files=[Attachment(b"x" * 10), Attachment(b"")]))
    EmailLimits().check(Composition())


@pytest.mark.parametrize(
    ("email", "part", "words"),
    [
        (Composition(subject="123456"), "Subject", "longer than 5 characters (submission.max_subject_length)"),
        (Composition(files=[Attachment(b"")] * 3), "attachment", "3 attachments are more than 2 (submission.max_attachments)"),
        (
            Composition(files=[Attachment(b"x" * 11, "a.bin")]),
            "attachment",
            "'a.bin' is larger than 10 bytes (submission.max_attachment_size)",
        ),
    ],
)
def test_beyond_them(email: Composition, part: str, words: str) -> None:
    """Refused, with the setting that says so."""
    with pytest.raises(EmailError) as caught:
        LIMITS.check(email)
    assert caught.value.part == part
    assert words in str(caught.value)
