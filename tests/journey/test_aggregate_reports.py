"""A report in sums on its whole way: from a pipe by the daemon to the command that shows what it says."""

from __future__ import annotations

import gzip
import json
import time

import pytest

from tests.aggregate import letters
from tests.aggregate.letters import attached, row

from .world import World


@pytest.mark.slow
def test_a_report_of_dmarc_is_taken_counted_and_shown(world: World) -> None:
    """Once, however often it comes; what was done with it stands beside it."""
    world.configure(9, more='[bounce]\naddress = "bounces@example.com"\n')
    today = int(time.time()) // 86400 * 86400
    report = attached(gzip.compress(letters.dmarc(row(count=5), row("198.51.100.9", 2, dkim="fail", spf="fail"), begin=today)))
    again = report.replace(b"Subject:", b"X-Again: yes\r\nSubject:")
    for content in (report, again):
        assert world.mailer("bounces", "ingest", input=content).code == 0
    world.once()
    notes = [json.loads(line)["note"] for line in world.mailer("bounces", "reports", "--json").out.splitlines()]
    assert sorted((note["counted"], note["known"]) for note in notes) == [(0, 1), (1, 0)]
    found = [json.loads(line) for line in world.mailer("bounces", "dmarc", "--json").out.splitlines()]
    assert [(each["source"], each["messages"], each["passed"]) for each in found] == [("198.51.100.9", 2, 0), ("192.0.2.1", 5, 5)]
