"""The suppression list does the same wherever it is kept: in SQLite, and in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from mailer.suppression.api import (
    Reason,
    SuppressionEntry,
    SuppressionFilter,
    SuppressionList,
    SuppressionTerms,
)
from mailer.suppression.memory import MemorySuppression
from mailer.suppression.sqlite import SqliteSuppression

DAY = 86400.0
NOW = 1_800_000_000.0
Scenario = Callable[[SuppressionList], Coroutine[Any, Any, None]]


def entry(address: str, scope: str = "*", reason: Reason = Reason.MANUAL, **more: Any) -> SuppressionEntry:
    return SuppressionEntry(address, scope, reason, **{"at": NOW, "by": "unix:1000", **more})


@pytest.fixture(params=["sqlite", "memory"])
def run(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[Scenario], None]:
    """Runs a scenario with an empty list."""

    def ran(scenario: Scenario) -> None:
        async def main() -> None:
            entries = MemorySuppression() if request.param == "memory" else SqliteSuppression(str(tmp_path))
            try:
                await scenario(entries)
            finally:
                await entries.close()

        asyncio.run(main())

    return ran


async def held(entries: SuppressionList, address: str, stream: str = "", at: float = NOW + 1) -> SuppressionEntry | None:
    [found] = await entries.look([(address, stream)], at)
    return found


def test_an_empty_list_keeps_nobody_from_being_mailed(run: Callable[[Scenario], None]) -> None:
    async def scenario(entries: SuppressionList) -> None:
        assert await entries.look([("ann@example.org", "news"), ("bob@example.org", "")], NOW) == [None, None]
        assert await entries.listing() == []
        assert await entries.log() == []
        assert await entries.count() == 0
        assert await entries.is_empty()
        assert (await entries.newest(), await entries.news(0)) == (0, [])
        assert await entries.expire(NOW) == 0
        assert (await entries.remove([("ann@example.org", "*")], by="x", at=NOW)).entries == [None]

    run(scenario)


def test_an_address_is_found_however_it_is_written(run: Callable[[Scenario], None]) -> None:
    """Case, needless quotes, and a domain in letters or A-labels make no difference; another mailbox is another."""

    async def scenario(entries: SuppressionList) -> None:
        await entries.add([entry("ann@example.org"), entry("jürgen@xn--bcher-kva.example"), entry("o.k@example.org")])
        for same in ("ann@example.org", "Ann@EXAMPLE.org", '"ann"@example.org', '"a\\nn"@example.org'):
            assert (await held(entries, same)) is not None, same
        for same in ("Jürgen@bücher.example", "ju\u0308rgen@XN--BCHER-KVA.example", "JÜRGEN@bu\u0308cher.example"):
            assert (await held(entries, same)) is not None, same
        for other in (
            "ann@example.com",
            "ann@sub.example.org",
            "ann+x@example.org",
            "ok@example.org",
            "nn@example.org",
            "@example.org",
            "",
        ):
            assert (await held(entries, other)) is None, other

    run(scenario)


def test_a_stream_is_left_and_others_are_not(run: Callable[[Scenario], None]) -> None:
    """Mail of another stream, and mail without one, still goes; what holds for all holds for each."""

    async def scenario(entries: SuppressionList) -> None:
        await entries.add([entry("ann@example.org", "news"), entry("bob@example.org")])
        assert (await held(entries, "ann@example.org", "news")) == entry("ann@example.org", "news")
        assert (await held(entries, "ann@example.org", "News")) is not None
        assert await held(entries, "ann@example.org", "receipts") is None
        assert await held(entries, "ann@example.org") is None
        assert await held(entries, "bob@example.org", "news") is not None
        assert await held(entries, "bob@example.org") is not None

    run(scenario)


def test_a_domain_stands_for_all_its_addresses_and_the_nearest_entry_is_told(run: Callable[[Scenario], None]) -> None:
    async def scenario(entries: SuppressionList) -> None:
        await entries.add([entry("@example.org", "news"), entry("@example.org", note="all"), entry("ann@example.org", note="she")])
        assert await held(entries, "ann@example.org", "news") == entry("ann@example.org", note="she")
        assert await held(entries, "bob@example.org", "news") == entry("@example.org", "news")
        assert await held(entries, "bob@EXAMPLE.ORG") == entry("@example.org", note="all")
        assert await held(entries, "bob@sub.example.org") is None

    run(scenario)


def test_an_entry_ends_when_its_time_is_over(run: Callable[[Scenario], None]) -> None:
    """Whether or not it was let go of; then it is in the log, and in no list."""

    async def scenario(entries: SuppressionList) -> None:
        await entries.add([entry("ann@example.org", until=NOW + 10), entry("bob@example.org")])
        assert await held(entries, "ann@example.org", at=NOW + 9.9) is not None
        assert await held(entries, "ann@example.org", at=NOW + 10) is None
        assert [each.address for each in await entries.listing(wanted=SuppressionFilter(at=NOW + 10))] == ["bob@example.org"]
        assert await entries.expire(NOW + 10) == 1
        assert await entries.expire(NOW + 10) == 0
        assert [each.address for each in await entries.listing()] == ["bob@example.org"]
        [line, _] = await entries.log("ann@example.org")
        assert (line.act, line.before, line.after) == ("expire", entry("ann@example.org", until=NOW + 10), None)

    run(scenario)


def test_a_bounce_that_comes_again_when_the_first_is_over_lasts_longer(run: Callable[[Scenario], None]) -> None:
    """Two messages that bounce at the same time are one bounce; what an operator has undone was none."""
    terms = SuppressionTerms(30 * DAY, 180 * DAY, None)

    async def bounce(entries: SuppressionList, report: str, at: float) -> SuppressionEntry:
        done = await entries.add([entry("ann@example.org", "news", Reason.HARD, evidence=report, at=at)], terms=terms)
        assert done.entries[0] is not None
        return done.entries[0]

    async def scenario(entries: SuppressionList) -> None:
        assert (await bounce(entries, "R1", NOW)).until == NOW + 30 * DAY
        again = await bounce(entries, "R2", NOW + DAY)
        assert (again.at, again.until) == (NOW, NOW + 31 * DAY)
        later = NOW + 40 * DAY
        assert (await bounce(entries, "R3", later)).until == later + 180 * DAY  # also where nobody has swept in between
        await entries.expire(later + 200 * DAY)
        assert (await bounce(entries, "R4", later + 201 * DAY)).until == later + 381 * DAY
        await entries.add([entry("bob@example.org", "news", Reason.COMPLAINT)], terms=terms)
        assert await held(entries, "bob@example.org", "news", NOW + 3000 * DAY) is not None

    run(scenario)


def test_one_report_acts_once(run: Callable[[Scenario], None]) -> None:
    """Also after a crash, when it comes a second time; and after an operator has taken the address off, who knew better."""

    async def scenario(entries: SuppressionList) -> None:
        bounced = entry("ann@example.org", "news", Reason.HARD, evidence="R1", until=NOW + 10)
        terms = SuppressionTerms(10)
        assert (await entries.add([bounced, bounced], terms=terms)).change == 1
        again = await entries.add([bounced._replace(at=NOW + 5)], terms=terms)
        assert (again.change, again.entries) == (0, [bounced])
        assert len(await entries.log()) == 1
        await entries.remove([bounced.key], by="operator", at=NOW)
        assert (await entries.add([bounced], terms=terms)).entries == [None]
        assert await held(entries, "ann@example.org", "news") is None
        assert (await entries.add([bounced])).entries == [bounced]  # that is somebody's word

    run(scenario)


def test_what_lasts_longer_stays(run: Callable[[Scenario], None]) -> None:
    """A bounce ends no complaint; of two that last alike the first one stays; what is over says nothing."""

    async def scenario(entries: SuppressionList) -> None:
        complaint = entry("ann@example.org", "news", Reason.COMPLAINT, evidence="C")
        await entries.add([complaint])
        done = await entries.add([entry("ann@example.org", "news", Reason.HARD, evidence="B")], terms=SuppressionTerms())
        assert done.entries == [complaint]
        [line, _] = await entries.log()
        assert (line.reason, line.evidence, line.after) == ("hard", "B", complaint)
        assert (await entries.add([entry("ann@example.org", "news", at=NOW + 5)])).entries == [complaint]
        await entries.add([entry("bob@example.org", until=NOW + 1)])
        short = entry("bob@example.org", at=NOW + 2, until=NOW + 3)
        assert (await entries.add([short])).entries == [short]

    run(scenario)


def test_a_change_is_undone_and_what_was_changed_since_is_left(run: Callable[[Scenario], None]) -> None:
    """What it had replaced is there again, what it had added is gone, what it had removed is back; and that can be undone, too."""

    async def scenario(entries: SuppressionList) -> None:
        before = entry("ann@example.org", until=NOW + DAY)
        await entries.add([before])
        wrong = await entries.add([entry(f"{name}@example.org", at=NOW + 1) for name in ("ann", "bob", "cy")])
        await entries.remove([("cy@example.org", "*")], by="x", at=NOW + 2)
        undone = await entries.undo([wrong.change], by="operator", at=NOW + 3)
        assert [each and each.address for each in undone.entries] == [None, "bob@example.org", "ann@example.org"]
        assert await entries.listing() == [before]
        assert (await entries.log("ann@example.org"))[0].note == f"undid change {wrong.change}"
        await entries.undo([undone.change], by="operator", at=NOW + 4)
        assert [each.address for each in await entries.listing()] == ["ann@example.org", "bob@example.org"]
        gone = await entries.remove([("bob@example.org", "*")], by="x", at=NOW + 5)
        await entries.undo([gone.change], by="operator", at=NOW + 6)
        assert await held(entries, "bob@example.org", at=NOW + 7) is not None
        assert (await entries.undo([999], by="operator", at=NOW)).change == 0

    run(scenario)


def test_a_list_is_read_in_pages_and_filtered(run: Callable[[Scenario], None]) -> None:
    async def scenario(entries: SuppressionList) -> None:
        many = [entry(f"u{at}@example.org", scope) for at in range(5) for scope in ("news", "*")]
        await entries.add([*many, entry("x@other.example", reason=Reason.HARD, class_="unknown-user", source="report", at=NOW + 9)])
        first = await entries.listing(limit=4)
        rest = await entries.listing(after=first[-1].key)
        assert [each.key for each in (*first, *rest)] == sorted(each.key for each in (*many, entry("x@other.example")))
        found = {
            "to": SuppressionFilter(to="*@other.example"),
            "reason": SuppressionFilter(reason="hard"),
            "class": SuppressionFilter(class_="unknown-user"),
            "source": SuppressionFilter(source="report"),
            "since": SuppressionFilter(since=NOW + 5),
            "exact": SuppressionFilter(to="x@other.example"),
        }
        for name, wanted in found.items():
            assert [each.address for each in await entries.listing(wanted=wanted)] == ["x@other.example"], name
        assert len(await entries.listing(wanted=SuppressionFilter(scope="news"))) == 5

    run(scenario)


def test_whoever_asks_hears_what_was_added_since(run: Callable[[Scenario], None]) -> None:
    async def scenario(entries: SuppressionList) -> None:
        await entries.add([entry("ann@example.org")])
        assert not await entries.is_empty()
        start = await entries.newest()
        assert await entries.news(start) == []
        await entries.add([entry("bob@example.org", "news"), entry("@example.com")])
        await entries.remove([("ann@example.org", "*")], by="x", at=NOW)
        news = await entries.news(start)
        assert [(line.act, line.address) for line in news] == [
            ("add", "bob@example.org"), ("add", "@example.com"), ("remove", "ann@example.org")
        ]  # fmt: skip
        assert [line.serial for line in news] == [start + 1, start + 2, start + 3]
        assert await entries.news(start, 1) == news[:1]

    run(scenario)


def test_the_log_forgets_what_is_older_than_it_is_to_be_kept(run: Callable[[Scenario], None]) -> None:
    """The entries stay, and a new change has a new number all the same."""

    async def scenario(entries: SuppressionList) -> None:
        await entries.add([entry("ann@example.org"), entry("bob@example.org", at=NOW + 100)])
        await entries.expire(NOW + 150, keep_log=100)
        assert [line.address for line in await entries.log()] == ["bob@example.org"]
        assert await entries.count() == 2

    run(scenario)


def test_many_are_looked_up_at_once(run: Callable[[Scenario], None]) -> None:
    """More than are looked up in the thread of whoever asks."""

    async def scenario(entries: SuppressionList) -> None:
        await entries.add([entry(f"u{at}@example.org") for at in range(0, 1000, 2)])
        found = await entries.look([(f"u{at}@example.org", "") for at in range(1000)], NOW)
        assert [each is not None for each in found] == [at % 2 == 0 for at in range(1000)]

    run(scenario)


def test_what_strangers_make_long_is_cut(run: Callable[[Scenario], None]) -> None:
    async def scenario(entries: SuppressionList) -> None:
        await entries.add([entry("ann@example.org", note="n" * 10_000, evidence="e" * 10_000)])
        [found] = await entries.listing()
        assert (len(found.note), len(found.evidence)) == (500, 998)
        assert await held(entries, "x" * 100_000 + "@example.org") is None

    run(scenario)
