"""Sources: which one a message leaves from, how many leave from a new one, and what is known of it after a restart."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.config.file import config_of
from mailer.shaping.sources import DAY, Book, Count, Sources, Wait
from mailer.shaping.table import TermsTable
from mailer.spool.api import at_once
from mailer.spool.files.spool import FileSpool
from mailer.spool.files.store import SpoolDirectory
from mailer.tlspolicy import Requirement
from mailer.transport.route import Endpoint, NextHop, Route

MORNING = 20_000 * float(DAY)
NEW_AND_OLD = """
[[source]]
name = "new"
addresses = ["192.0.2.1", "2001:db8::1"]
hello = "new.example.com"
warm_up = [2, 3]
[[source]]
name = "old"
addresses = ["192.0.2.2"]
"""
ONLY_NEW = NEW_AND_OLD.partition('[[source]]\nname = "old"')[0]


def sources(text: str, path: Path, before: Sources | None = None) -> Sources:
    """The sources of a configuration, with the book of a spool."""
    book = before.book if before else Book(FileSpool(SpoolDirectory(str(path))))
    return Sources(TermsTable(config_of("c.toml", text.encode())), book)


def route(key: str = "mx:mx.example.net", *addresses: str) -> Route:
    """To one host."""
    hop = NextHop(
        Endpoint("mx.example.net", 25, Requirement("none"), hello="host.example.com"), addresses or ("198.51.100.1",), relay=False
    )
    return Route(key, (hop,), key.startswith("relay:"))


def names(found: Sources, now: float, times: int, to: Route | None = None) -> list[str]:
    """The source of each of so many messages; ``-`` where one has to wait."""
    made = [found.choose(to or route(), 1, now) for _ in range(times)]
    return ["-" if isinstance(each, Wait) else each[0] for each in made]


def test_as_many_as_the_plan_says_and_the_rest_by_the_next(tmp_path: Path) -> None:
    """Two on the first day, three on the second; then the source is warm. What is more leaves from the other one."""
    found = sources(NEW_AND_OLD, tmp_path)
    assert names(found, MORNING, 4) == ["new", "new", "old", "old"]
    assert names(found, MORNING + DAY, 5) == ["new", "new", "new", "old", "old"]
    assert names(found, MORNING + 2 * DAY, 50) == ["new"] * 50


def test_what_has_to_wait_waits_until_tomorrow_and_knows_why(tmp_path: Path) -> None:
    """Where no other source has room, the next day begins at midnight (UTC)."""
    found = sources(ONLY_NEW, tmp_path)
    names(found, MORNING + 5, 2)
    wait = found.choose(route(), 1, MORNING + 3600)
    assert isinstance(wait, Wait)
    assert wait.until == MORNING + DAY
    assert wait.reason == "source new is being warmed up and has sent its 2 for day 1 to mx:mx.example.net"
    assert names(found, wait.until, 1) == ["new"]


def test_days_are_those_on_which_something_was_sent(tmp_path: Path) -> None:
    """After a holiday the plan goes on where it was."""
    found = sources(ONLY_NEW, tmp_path)
    assert names(found, MORNING, 3) == ["new", "new", "-"]
    assert names(found, MORNING + 30 * DAY, 4) == ["new", "new", "new", "-"]


def test_a_clock_that_is_set_back_opens_no_new_day(tmp_path: Path) -> None:
    """It is the day that it was."""
    found = sources(ONLY_NEW, tmp_path)
    assert names(found, MORNING, 2) == ["new", "new"]
    assert names(found, MORNING - 3 * DAY, 1) == ["-"]


def test_a_clock_that_was_years_ahead_costs_a_day(tmp_path: Path) -> None:
    """What was sent by it was sent today; tomorrow is the next day."""
    found = sources(ONLY_NEW, tmp_path)
    assert names(found, MORNING + 3650 * DAY, 2) == ["new", "new"]
    wait = found.choose(route(), 1, MORNING)
    assert isinstance(wait, Wait)
    assert wait.until <= MORNING + DAY
    found.book.sent("new", "mx:mx.example.net", MORNING, 1)
    assert names(found, MORNING + DAY, 4) == ["new", "new", "new", "-"]


def test_each_place_has_its_plan(tmp_path: Path) -> None:
    """What was sent to one is not counted for another; those that share a section are one place."""
    found = sources(NEW_AND_OLD + '[[shape]]\nmatch = ["*.mail.example"]\nshare = true\nwarm_up = [1]\n', tmp_path)
    assert names(found, MORNING, 2) == ["new", "new"]
    assert names(found, MORNING, 2, route("mx:other.example")) == ["new", "new"]
    assert names(found, MORNING, 1, route("mx:a.mail.example")) == ["new"]
    assert names(found, MORNING, 1, route("mx:b.mail.example")) == ["old"]


def test_a_plan_for_a_destination_does_not_make_a_warm_source_cold(tmp_path: Path) -> None:
    """It takes the place of the plan of those that have one."""
    found = sources(NEW_AND_OLD + '[[shape]]\nmatch = ["*"]\nwarm_up = [1]\nsources = ["old", "new"]\n', tmp_path)
    assert names(found, MORNING, 5) == ["old"] * 5


def test_after_a_restart(tmp_path: Path) -> None:
    """What was saved counts; saving twice, or nothing, does no harm."""
    found = sources(ONLY_NEW, tmp_path)
    names(found, MORNING, 1)
    at_once(found.book.save())
    at_once(found.book.save())
    again = sources(ONLY_NEW, tmp_path)
    assert names(again, MORNING + 60, 2) == ["new", "-"]
    assert [path.name for path in tmp_path.iterdir()] == ["warmup"]
    assert (tmp_path / "warmup").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("text", ["", "{", "[]]", "[1]", '[["a"]]', '[["a","b",1,2,"3"]]', '[["a","b",-1,2,3]]', "[" * 100_000, '{"a": 1}'])
def test_a_book_that_cannot_be_read(tmp_path: Path, text: str) -> None:
    """It is told, and the plans begin anew; whoever wrote it breaks nothing."""
    (tmp_path / "warmup").write_text(text)
    book = Book(FileSpool(SpoolDirectory(str(tmp_path))))
    assert "begins anew" in book.trouble
    assert book.count("a", "b", MORNING) == Count(1, 20_000, 0)
    book.sent("a", "b", MORNING, 1)
    at_once(book.save())
    assert Book(book.spool).trouble == ""


def test_a_disk_that_is_full_is_tried_again(tmp_path: Path) -> None:
    """What could not be written is not taken for written."""
    book = Book(FileSpool(SpoolDirectory(str(tmp_path / "gone"))))
    book.sent("a", "b", MORNING, 1)
    with pytest.raises(OSError, match="gone"):
        at_once(book.save())
    assert book.failed
    (tmp_path / "gone").mkdir()
    at_once(book.save())
    assert not book.failed
    assert Book(book.spool).count("a", "b", MORNING).sent == 1


def test_the_next_try_leaves_from_the_same_source(tmp_path: Path) -> None:
    """Who greylisted us waits for that address; it was counted the first time."""
    found = sources(ONLY_NEW, tmp_path)
    names(found, MORNING, 2)
    assert names(found, MORNING, 1) == ["-"]
    chosen = found.choose(route(), 1, MORNING, last="new")
    assert not isinstance(chosen, Wait)
    assert chosen[0] == "new"
    assert found.book.count("new", "mx:mx.example.net", MORNING).sent == 2


def test_reports_are_not_counted(tmp_path: Path) -> None:
    """They leave also when the day's number is used up."""
    found = sources(ONLY_NEW, tmp_path)
    names(found, MORNING, 2)
    assert not isinstance(found.choose(route(), 0, MORNING), Wait)


def test_a_source_that_rests(tmp_path: Path) -> None:
    """It is passed over until then, also for what it tried before; a reload does not wake it up."""
    found = sources(NEW_AND_OLD, tmp_path)
    assert found.rest("mx:mx.example.net", "new", MORNING + 60, "550 listed", MORNING)
    assert names(found, MORNING, 1) == ["old"]
    again = sources(NEW_AND_OLD, tmp_path, found)
    chosen = again.choose(route(), 1, MORNING, last="new")
    assert not isinstance(chosen, Wait)
    assert chosen[0] == "old"
    assert names(again, MORNING + 60, 1) == ["new"]
    assert not sources(ONLY_NEW, tmp_path).rest("mx:mx.example.net", "new", MORNING + 60, "550 listed", MORNING)


def test_the_last_source_does_not_rest(tmp_path: Path) -> None:
    """What is said about all of them is about the message: the others must not wait for it."""
    found = sources(NEW_AND_OLD, tmp_path)
    assert found.rest("mx:mx.example.net", "new", MORNING + 60, "550 listed", MORNING)
    assert not found.rest("mx:mx.example.net", "old", MORNING + 60, "550 listed", MORNING)
    assert names(found, MORNING, 1) == ["old"]
    assert found.rest("mx:mx.example.net", "old", MORNING + 120, "550 listed", MORNING + 60)


def test_what_a_session_gets(tmp_path: Path) -> None:
    """The addresses and the name of the source; hosts are called only at addresses of a family that it has."""
    found = sources(NEW_AND_OLD, tmp_path)
    both = route("mx:mx.example.net", "198.51.100.1", "2001:db8:9::1")
    chosen = [found.choose(both, 1, MORNING) for _ in range(3)]
    assert not any(isinstance(each, Wait) for each in chosen)
    new, old = chosen[0][1].hops[0], chosen[2][1].hops[0]  # type: ignore[union-attr]
    assert (new.endpoint.source, new.endpoint.source6, new.endpoint.hello) == ("192.0.2.1", "2001:db8::1", "new.example.com")
    assert new.addresses == both.hops[0].addresses
    assert (old.endpoint.source, old.endpoint.source6, old.endpoint.hello) == ("192.0.2.2", "", "host.example.com")
    assert old.addresses == ("198.51.100.1",)
    assert chosen[0][1] is chosen[1][1]  # type: ignore[index]


def test_no_source_can_call_there(tmp_path: Path) -> None:
    """A host with IPv6 only waits where all sources have IPv4 only, and the reason says so."""
    found = sources(NEW_AND_OLD + '[[shape]]\nmatch = ["*"]\nsources = ["old"]\n', tmp_path)
    wait = found.choose(route("mx:mx.example.net", "2001:db8:9::1"), 1, MORNING)
    assert isinstance(wait, Wait)
    assert "family" in wait.reason


def test_relays_have_no_source_unless_one_is_named(tmp_path: Path) -> None:
    """Warming up is for those who judge our address, and a relay knows us."""
    relays = '[relay.out]\nhost = "h.example"\n[relay.in]\nhost = "h.example"\n[[route]]\nmatch = "*"\nvia = ["relay:out"]\n'
    found = sources(relays + NEW_AND_OLD + '[[shape]]\nmatch = ["relay:in"]\nsources = ["old"]\n', tmp_path)
    assert names(found, MORNING, 1, route("relay:out")) == [""]
    assert names(found, MORNING, 1, route("relay:in")) == ["old"]
    assert sources("", tmp_path).choose(route(), 1, MORNING) == ("", route())


@given(st.lists(st.integers(1, 40), min_size=1, max_size=5), st.lists(st.tuples(st.integers(0, 80_000), st.integers(1, 5)), max_size=150))
def test_no_day_has_more_than_its_number(tmp_path_factory: pytest.TempPathFactory, plan: list[int], mail: list[tuple[int, int]]) -> None:
    """However mail comes, and however often the daemon starts anew, no day passes its number by more than one message."""
    path = tmp_path_factory.mktemp("spool")
    text = ONLY_NEW.replace("[2, 3]", str(plan))
    found, now = sources(text, path), MORNING
    sent: dict[int, list[int]] = {}
    for wait, count in mail:
        now += wait
        if not isinstance(found.choose(route(), count, now), Wait):
            sent.setdefault(int(now // DAY), []).append(count)
        if wait % 7 == 0:
            at_once(found.book.save())
            found = sources(text, path)
    for counts, most in zip(sent.values(), plan, strict=False):
        assert sum(counts[:-1]) < most
