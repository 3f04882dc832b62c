"""How many reports a sender gets in an hour."""

from __future__ import annotations

from mailer.bounces import ReportQuota
from mailer.bounces.reports import worth_telling


def test_a_sender_has_his_quota_each_hour() -> None:
    """Up to the limit nothing is refused; beyond it each is, and counted; the next hour begins with his next report."""
    quota = ReportQuota()
    assert [quota.take("Anna@example.org", 3, 1000.0 + nth) for nth in range(5)] == [0, 0, 0, 1, 2]
    assert quota.take("anna@example.org", 3, 1100.0) == 3
    assert quota.take("bob@example.org", 3, 1100.0) == 0
    assert quota.refused == 3
    assert quota.take("anna@example.org", 3, 1000.0 + 3600.0) == 0


def test_a_report_that_was_not_put_is_given_back() -> None:
    """A full disk uses up nobody's quota; and what was never taken cannot be given back."""
    quota = ReportQuota()
    for _ in range(10):
        assert quota.take("anna@example.org", 1, 1000.0) == 0
        quota.give_back("anna@example.org")
    quota.give_back("nobody@example.org")
    assert quota.take("nobody@example.org", 1, 1000.0) == 0


def test_the_memory_of_a_quota_is_bounded() -> None:
    """A million forged senders take the room of a few; those whose hour is over go first. A clock that is set back ends an hour."""
    quota = ReportQuota(senders=100)
    for nth in range(10_000):
        quota.take(f"{nth}@example.org", 1, 1000.0)
    assert len(quota._hours) <= 100
    assert quota.take("9999@example.org", 1, 1001.0) == 1
    assert quota.take("9999@example.org", 1, 5.0) == 0


def test_a_storm_is_told_in_a_few_lines() -> None:
    """The first, the tenth, the hundredth."""
    assert [over for over in range(1, 10_001) if worth_telling(over)] == [1, 10, 100, 1000, 10_000]
