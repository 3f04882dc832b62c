"""Whose quota is nearly used up is told: once, again only after he had made room, and whatever the quota says."""

from __future__ import annotations

import pytest

from mailer.mailbox.api import INBOX, NewMail, Quota, Usage
from mailer.mailbox.box import OwnMailbox
from mailer.mailbox.notices import SETTING, NoticesGiven, QuotaNotices, due, percent

from .premises import ANN, NOW, Premises, message, number_of

QUOTA = Quota(messages=100)


def letters(box: OwnMailbox) -> list[str]:
    """The subjects of all notices in the inbox."""
    mails = box.mails([entry.mail for entry in box.entries(number_of(box, INBOX))])
    return [mail.subject for mail in mails if mail is not None and mail.sender.endswith("<postmaster@example.com>")]


def fill(box: OwnMailbox, notices: QuotaNotices, many: int, quota: Quota = QUOTA) -> int:
    """Deliver so many messages, one by one, as a courier does."""
    marks = 0
    for _ in range(many):
        content = message()
        marks += bool(notices.after(box, quota, box.put([NewMail("Archive", content)], quota), len(content)))
    return marks


@pytest.mark.parametrize(
    ("marks", "before", "after", "told", "mark"),
    [
        ((), 79.0, 79.9, (), 0),
        ((), 79.0, 80.0, (80,), 80),
        ((80,), 80.0, 81.0, (80,), 0),
        ((80,), 94.0, 95.0, (80, 95), 95),
        ((), 10.0, 99.0, (80, 95), 95),
        ((80, 95), 86.0, 96.0, (80, 95), 0),
        ((80, 95), 85.0, 96.0, (80, 95), 95),
        ((80, 95), 70.1, 71.0, (80,), 0),
        ((80, 95), 70.0, 71.0, (), 0),
        ((80,), 69.0, 80.0, (80,), 80),
    ],
)
def test_what_is_to_be_told(marks: tuple[int, ...], before: float, after: float, told: tuple[int, ...], mark: int) -> None:
    """The highest mark that was passed, and each again only where the mailbox was ten points below it."""
    then, found = due(NoticesGiven(frozenset(marks), 7), before, after)
    assert (then.marks, then.letters, found) == (frozenset(told), 7 + bool(mark), mark)
    assert NoticesGiven.of(str(then)) == then


def test_what_is_used_up_is_whichever_is_more() -> None:
    """Octets or messages; without a quota nothing is."""
    assert [percent(Usage(50, 9), quota) for quota in (Quota(100, 10), Quota(100), Quota(0, 18), Quota())] == [90.0, 50.0, 50.0, 0.0]


def test_each_mark_is_told_once(premises: Premises) -> None:
    """By one letter in the inbox, also where the mailbox has no room for one."""
    notices = QuotaNotices(lambda: NOW)
    with premises.ann() as box:
        assert fill(box, notices, 79) == 0
        assert fill(box, notices, 1) == 1
        assert fill(box, notices, 13) == 0
        assert letters(box) == ["Your mailbox is 80 percent full"]
        assert fill(box, notices, 1) == 1  # with the letter before it is 95
        assert fill(box, QuotaNotices(lambda: NOW), 3) == 0  # another process knows it
        assert letters(box) == ["Your mailbox is 80 percent full", "Your mailbox is 95 percent full"]


def test_who_makes_room_is_told_again(premises: Premises) -> None:
    """Ten points below the mark, and not before."""
    notices = QuotaNotices(lambda: NOW)
    with premises.ann() as box:
        fill(box, notices, 80)
        archive = number_of(box, "Archive")
        box.expunge(archive, [(1, 5)], marked=False)
        assert fill(box, notices, 6) == 0
        box.expunge(archive, [(1, 30)], marked=False)
        assert fill(box, notices, 30) == 1
        assert letters(box) == ["Your mailbox is 80 percent full"] * 2


def test_a_crash_makes_no_second_letter(premises: Premises) -> None:
    """What was told and not written down is told by the same letter."""
    with premises.ann() as box:
        fill(box, QuotaNotices(lambda: NOW), 80)
        box.keep_setting(SETTING, "")
        assert fill(box, QuotaNotices(lambda: NOW), 1) == 1
        assert letters(box) == ["Your mailbox is 80 percent full"]


def test_a_letter_says_what_there_is_and_what_to_do(premises: Premises) -> None:
    """To whom it concerns, from the postmaster of his domain, and no responder answers it."""
    with premises.ann() as box:
        content = message()
        puts = box.put([NewMail(INBOX, content)])
        QuotaNotices(lambda: NOW).after(box, Quota(len(content), 1), puts, len(content))
        [_, entry] = box.entries(number_of(box, INBOX))
        [mail] = box.mails([entry.mail])
        assert mail is not None
        text = box.read(mail).decode()
        for words in (f"To: {ANN}\r\n", "Auto-Submitted: auto-generated\r\n", "Your mailbox is full", "1 of 1 messages", "make room"):
            assert words in text


def test_nothing_is_told_where_nothing_was_put(premises: Premises) -> None:
    """Nor where there is no quota, or what was put had been before."""
    with premises.ann() as box:
        [put] = box.put([NewMail(INBOX, message())])
        notices = QuotaNotices(lambda: NOW)
        nothing = ((Quota(), [put]), (Quota(1), []), (Quota(1), [put._replace(fresh=False)]))
        assert [notices.after(box, quota, puts, 1) for quota, puts in nothing] == [0] * 3
        assert NoticesGiven.of("[]") == NoticesGiven.of("nothing") == NoticesGiven.of('{"marks": 5}') == NoticesGiven()
