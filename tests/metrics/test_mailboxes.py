"""What is counted of our own mailboxes."""

from __future__ import annotations

from mailer.metrics.mailbox_families import mailbox_families
from mailer.metrics.mailboxes import MailboxCounts


def samples(counts: MailboxCounts) -> dict[str, float]:
    """What is not 0, but for the bounds: ``name/label`` and the value."""
    found = (sample for family in mailbox_families(counts) for sample in family.samples if "bucket" not in sample.name)
    return {"/".join((each.name, *each.labels.values())): each.value for each in found if each.value}


def test_letters_are_counted_by_what_became_of_them() -> None:
    """And how long each portion took; those that wait are those that came and are not done."""
    counts = MailboxCounts()
    for _ in range(5):
        counts.came()
    counts.done(["put", "put", "there"], 0.2)
    counts.done(["kept_back"], 0.3)
    assert samples(counts) == {
        "mailer_mailbox_letters_total/put": 2,
        "mailer_mailbox_letters_total/there": 1,
        "mailer_mailbox_letters_total/kept_back": 1,
        "mailer_mailbox_put_duration_seconds_count": 2,
        "mailer_mailbox_put_duration_seconds_sum": 0.5,
        "mailer_mailbox_letters_waiting": 1,
    }


def test_what_never_happened_is_there_as_0() -> None:
    """So that growth is seen from the first one on."""
    [letters, *_] = mailbox_families(MailboxCounts())
    assert {sample.labels["status"]: sample.value for sample in letters.samples} == {"put": 0, "there": 0, "kept_back": 0}
