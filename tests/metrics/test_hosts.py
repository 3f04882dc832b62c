"""Which hosts have figures of their own: few, and the busiest."""

from __future__ import annotations

import re

import pytest

from mailer.events import Tried
from mailer.mail.outcome import Hop
from mailer.metrics.counts import Counts
from mailer.metrics.host_families import families
from mailer.metrics.hosts import HOUR, LEAST, Hosts, operator
from tests.fakes.mail import NOW, entry_of, outcome

ENTRY = entry_of()


def mail(counts: Counts, host: str, times: int = 1, at: float = NOW) -> None:
    """Mail that a host takes."""
    for _ in range(times):
        counts.told(Tried(at, ENTRY, [outcome(hop=Hop(host, "192.0.2.1", 25), at=at)]))


def labels(counts: Counts) -> set[str]:
    """The hosts on the page."""
    return set(re.findall(r'host="([^"]*)"', "".join(families(counts, []))))


@pytest.mark.parametrize(
    ("host", "whose"),
    [
        ("alt1.ASPMX.l.google.com", "google.com"),
        ("mx.example.co.uk", "example.co.uk"),
        ("mail.protection.outlook.com.", "outlook.com"),
        ("co.uk", "co.uk"),
        ("localhost", "localhost"),
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8::7", "2001:db8::7"),
        ('mx.evil"} 1\nup 0.example', "other"),
        ("", "other"),
    ],
)
def test_a_host_is_its_operators(host: str, whose: str) -> None:
    """What somebody has registered; what the DNS should not have is nobody's, and never a line of its own."""
    assert operator(host) == whose


@pytest.mark.slow
def test_a_hundred_thousand_hosts_are_few_labels() -> None:
    """No more than are configured, and the others; and little is remembered of those."""
    counts = Counts(50)
    for at in range(100_000):
        mail(counts, f"mx.host{at}.example")
    assert len(labels(counts)) == 51
    assert "other" in labels(counts)
    assert len(counts.hosts._outside) <= 2 * LEAST + 1
    page = "".join(families(counts, [("open", f"mx.far{at}.example", 25) for at in range(100)]))
    assert len(set(re.findall(r'host="([^"]*)"', page))) == 51
    assert 'smtp_circuit_breaker_state{host="other"} 2' in page
    assert 'smtp_emails_sent_total{host="other",status="success"} 99950' in page


def test_the_busiest_of_the_day_have_a_row() -> None:
    """Who comes first has one, and loses it to who is busier, once an hour; what was counted together stays so."""
    counts = Counts(2)
    mail(counts, "mx.first.example")
    mail(counts, "mx.second.example", 5)
    mail(counts, "mx.third.example", 3)
    assert labels(counts) == {"first.example", "second.example", "other"}
    mail(counts, "mx.third.example", 1, NOW + HOUR)
    assert labels(counts) == {"second.example", "third.example", "other"}
    assert (counts.hosts.other.success, counts.hosts.rows["third.example"].success) == (3, 1)
    mail(counts, "mx.first.example", 4, NOW + HOUR)
    mail(counts, "mx.third.example", 1, NOW + 2 * HOUR)
    assert labels(counts) == {"first.example", "second.example", "other"}


def test_yesterday_is_forgotten() -> None:
    """Who had much to do a day ago, and nothing since, makes room."""
    counts = Counts(1)
    mail(counts, "mx.once.example", 100)
    for hour in range(1, 30):
        mail(counts, "mx.now.example", 2, NOW + hour * HOUR)
    assert labels(counts) == {"now.example", "other"}


def test_a_clock_that_is_set_back_stops_nothing() -> None:
    """Who is busy is looked at again, by the new time."""
    counts = Counts(1)
    mail(counts, "mx.first.example", 1, NOW)
    mail(counts, "mx.second.example", 9, NOW - 10 * HOUR)
    mail(counts, "mx.second.example", 9, NOW - 8 * HOUR)
    assert labels(counts) == {"second.example", "other"}


def test_a_relay_is_called_by_its_name() -> None:
    """By host and port; another port of the same host is not it. A reload may name it otherwise, or leave less room."""
    hosts = Hosts(5, {("127.0.0.1", 2525): "out"})
    assert (hosts.label("127.0.0.1", 2525), hosts.label("127.0.0.1", 25), hosts.label("", 0)) == ("out", "127.0.0.1", "none")
    assert hosts.row("127.0.0.1", 2525).label == "out"
    assert hosts.row("127.0.0.1", 25).label == "127.0.0.1"
    hosts.change(1, {("127.0.0.1", 2525): "new"})
    assert [hosts.row("127.0.0.1", port).label for port in (2525, 25)] == ["other", "other"]
    hosts.change(2, {("127.0.0.1", 2525): "new"})
    assert hosts.row("127.0.0.1", 2525).label == "new"


def test_without_rows_all_are_others() -> None:
    """``metrics.hosts = 0``: no name of anybody is on the page."""
    counts = Counts(0)
    mail(counts, "mx.first.example")
    mail(counts, "mx.first.example", 1, NOW + HOUR)
    assert labels(counts) == {"other"}
