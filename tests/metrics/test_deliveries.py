"""What is counted of deliveries, by host."""

from __future__ import annotations

import re

from mailer.events import Tried
from mailer.limits.window import Window
from mailer.mail.outcome import Cause, Hop, Outcome
from mailer.metrics.counts import Counts
from mailer.metrics.host_families import families
from mailer.queue.destination import Destination
from mailer.tlspolicy import Requirement
from mailer.transport.route import Endpoint, NextHop, Route
from mailer.transport.transcript import Prologue, Transcript
from tests.fakes.mail import NOW, entry_of, outcome

HOP = Hop("mx.example.net", "192.0.2.1", 25)
OTHER = Hop("mx.example.org", "192.0.2.2", 25)


def told(*outcomes: Outcome, before: int = 0, size: int = 2000, people: int = 3) -> dict[str, float]:
    """The samples of hosts after one attempt, which came after so many others."""
    entry = entry_of(*(f"you{number}@example.net" for number in range(people)), size=size)
    for _ in range(before):
        entry.history.add([outcome(to, "defer") for to in range(people)])
    entry.history.add(outcomes)
    counts = Counts()
    counts.told(Tried(NOW, entry, outcomes))
    return samples(counts)


def samples(counts: Counts) -> dict[str, float]:
    """All that is not 0."""
    found = re.findall(r"^(\w+\{.*\}) (\S+)$", "".join(families(counts, [])), re.MULTILINE)
    return {name: float(value) for name, value in found if float(value)}


def transcript(hop: Hop = HOP) -> Transcript:
    """A session that somebody had."""
    return Transcript(Prologue(hop, 1.0, 0.1), 1.0)


def test_a_delivery_is_a_success() -> None:
    """With its time, its size and its recipients."""
    now = told(outcome(hop=HOP, seconds=0.3))
    assert now['smtp_emails_sent_total{host="example.net",status="success"}'] == 1
    assert now['smtp_send_duration_seconds_bucket{host="example.net",le="0.5"}'] == 1
    assert 'smtp_send_duration_seconds_bucket{host="example.net",le="0.25"}' not in now
    assert {now[f'smtp_send_duration_seconds_bucket{{host="example.net",le="{bound}"}}'] for bound in ("1.0", "300.0", "+Inf")} == {1}
    assert now['smtp_send_duration_seconds_sum{host="example.net"}'] == 0.3
    assert now['smtp_message_size_bytes_sum{host="example.net"}'] == 2000
    assert now['smtp_recipients_per_message_sum{host="example.net"}'] == 1
    assert not [name for name in now if "failed" in name or "retries" in name]


def test_a_transaction_is_one_mail() -> None:
    """Somebody got it: a success, of so many recipients; nobody: a failure, of the kind of the first."""
    trace = transcript()
    now = told(outcome(0, "fail", hop=HOP, trace=trace), outcome(1, hop=HOP, trace=trace), outcome(2, hop=HOP, trace=trace))
    assert now['smtp_emails_sent_total{host="example.net",status="success"}'] == 1
    assert now['smtp_recipients_per_message_sum{host="example.net"}'] == 3
    now = told(outcome(0, "fail", hop=HOP, trace=trace, cause=Cause.NO_MAILBOX), outcome(1, "defer", hop=HOP, trace=trace))
    assert now['smtp_emails_sent_total{host="example.net",status="failure"}'] == 1
    assert now['smtp_emails_failed_total{host="example.net",error_kind="no_mailbox"}'] == 1


def test_two_hosts_are_two_mails() -> None:
    """A message whose parts went to different hosts in one attempt."""
    now = told(outcome(0, hop=HOP, trace=transcript()), outcome(1, "defer", hop=OTHER, trace=transcript(OTHER)))
    assert now['smtp_emails_sent_total{host="example.net",status="success"}'] == 1
    assert now['smtp_emails_failed_total{host="example.org",error_kind="temporary"}'] == 1


def test_a_very_long_transaction_is_one_mail() -> None:
    """Its outcomes are told in portions."""
    trace, entry, counts = transcript(), entry_of(*(f"you{number}@example.net" for number in range(4))), Counts()
    for portion in ((0, 1), (2, 3)):
        counts.told(Tried(NOW, entry, [outcome(to, hop=HOP, trace=trace) for to in portion]))
    assert samples(counts)['smtp_emails_sent_total{host="example.net",status="success"}'] == 1


def test_what_was_not_called_is_no_mail() -> None:
    """A breaker was open: nothing was sent. No host was found: that failed, at none."""
    assert not told(outcome(0, "defer", cause=Cause.BREAKER, counts=False, phase=""))
    now = told(outcome(0, "fail", cause=Cause.NO_DOMAIN, phase="dns"))
    assert now['smtp_emails_failed_total{host="none",error_kind="no_domain"}'] == 1


def test_retries_are_counted_by_which_it_was() -> None:
    """The first attempt is none; the fifth and all behind it are one."""
    name = 'smtp_retries_total{{host="example.net",attempt="{}"}}'
    for before, attempt in ((1, "1"), (2, "2"), (5, "5+"), (9, "5+")):
        now = told(outcome(hop=HOP), before=before)
        assert [key for key in now if "retries" in key] == [name.format(attempt)]


def test_too_fast_is_a_limit() -> None:
    """What the host says about our pace counts beside what our own limits do."""
    now = told(outcome(0, "defer", hop=HOP, cause=Cause.TOO_FAST))
    assert now['smtp_rate_limit_exceeded_total{host="example.net"}'] == 1


def test_a_rate_of_ours_is_a_limit() -> None:
    """At the host that is called first there; where nobody wants figures, it costs nothing."""
    endpoint = Endpoint("mx.example.net", 25, Requirement("none"))
    route = Route("mx:mx.example.net", (NextHop(endpoint, ["192.0.2.1"], relay=False),), relay=False)
    destination = Destination(route.key, Window(1, 1, 1), route)
    counts = Counts()
    counts.limited(destination)
    assert samples(counts) == {}
    counts.sessions.counting = True
    counts.limited(destination)
    counts.limited(destination)
    assert samples(counts) == {'smtp_rate_limit_exceeded_total{host="example.net"}': 2}


def test_every_failure_has_its_counter_from_the_start() -> None:
    """Causes, and what is known of replies without one; put off without an attempt is no failure."""
    counts = Counts()
    assert set(counts.failures) == {*(cause.value for cause in Cause), "permanent", "temporary"}
    entry = entry_of("a@x.example", "b@x.example", "c@x.example", "d@x.example")
    outcomes = [
        outcome(0, "fail", hop=HOP, cause=Cause.BLOCKLISTED),
        outcome(1, "fail", hop=HOP),
        outcome(2, "defer", counts=False, cause=Cause.OFFLINE),
        outcome(3, hop=HOP),
    ]
    counts.told(Tried(NOW, entry, outcomes))
    assert {kind: number for kind, number in counts.failures.items() if number} == {"blocklisted": 1, "permanent": 1}
