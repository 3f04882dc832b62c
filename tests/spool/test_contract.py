"""What every spool does that a daemon or an operator may meet: one contract, on files and in memory."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest

from mailer.mail import principal
from mailer.mail.outcome import Outcome
from mailer.mail.problem import Conflict, Problem
from mailer.spool.api import (
    Changes,
    Defer,
    Done,
    Drop,
    Due,
    End,
    Entry,
    Fail,
    GiveBack,
    How,
    Lease,
    New,
    NoSuchMessage,
    Note,
    Put,
    Reserve,
    Retention,
    Spool,
    Trouble,
)  # fmt: skip
from mailer.spool.files.message_file import parse, parse_records
from mailer.spool.files.spool import FileSpool
from mailer.spool.files.store import SpoolDirectory
from mailer.spool.files.sweep import STANDS
from mailer.spool.memory import MemorySpool
from mailer.spool.suspensions import Suspension
from tests.fakes.mail import BODY, NOW, envelope, outcome

DAY = 86400.0


@pytest.fixture(params=["files", "memory"])
def spool(request: pytest.FixtureRequest, tmp_path: Path) -> Spool:
    """Each of them, empty."""
    if request.param == "memory":
        return MemorySpool()
    directory = SpoolDirectory(str(tmp_path))
    directory.prepare()
    return FileSpool(directory, 10)


def run(scenario: Coroutine[Any, Any, None]) -> None:
    async def in_time() -> None:
        async with asyncio.timeout(60):
            await scenario

    asyncio.run(in_time())


def new(*recipients: str, content: bytes = BODY, due: float = 0.0, request: tuple[str, str] | None = None, **more: Any) -> New:
    letter = envelope(*recipients, **more)
    return New(letter.id, letter.to_line(), content, request, due)


async def put(spool: Spool, *recipients: str, **more: Any) -> str:
    [done] = await spool.put([letter := new(*recipients, **more)])
    assert done == Put(letter.id)
    return letter.id


async def loaded(spool: Spool, id: str) -> Entry:
    [entry] = await spool.load([id])
    assert isinstance(entry, Entry), entry
    return entry


async def leased(spool: Spool, id: str) -> Lease:
    [lease] = await spool.lease([await loaded(spool, id)])
    assert isinstance(lease, Lease), lease
    return lease


async def state(spool: Spool, id: str) -> str:
    [found] = await spool.find([id])
    return found.state if found else ""


async def settle(spool: Spool, lease: Lease, then: Any, outcomes: list[Outcome] | None = None, **more: Any) -> Done | Trouble:
    [done] = await spool.settle([End(lease, outcomes or [], then, **more)])
    return done


async def waits(spool: Spool, **more: Any) -> list[Due | Trouble]:
    return sorted([each async for portion in spool.due(lambda _: False, **more) for each in portion])  # type: ignore[type-var]


# In


def test_what_is_put_is_there_with_all_that_it_is(spool: Spool) -> None:
    """Due now, or when its sender wants it; several at once; what is known is not put again."""

    async def scenario() -> None:
        letters = [new("a@example.com", "b@example.com"), new(due=time.time() + 60)]
        assert await spool.put(letters) == [Put(letter.id) for letter in letters]
        assert await spool.put(letters) == [Put(letter.id, known=True) for letter in letters]
        now, later = await spool.find([letter.id for letter in letters])
        assert now == Due(letters[0].id, "queued")
        assert later is not None
        assert (later.state, later.due) == ("deferred", pytest.approx(letters[1].due, abs=0.01))
        entry = await loaded(spool, letters[0].id)
        assert (entry.size, entry.arrived, entry.damaged, entry.notes) == (len(BODY), NOW, False, entry.notes)
        assert [each.address for each in entry.envelope.recipients] == ["a@example.com", "b@example.com"]
        assert await spool.content(entry) == BODY
        assert entry.total > len(BODY)
        assert await spool.counts() == {"queued": 1, "deferred": 1, "held": 0, "failed": 0, "corrupt": 0}

    run(scenario())


def test_a_request_is_put_once(spool: Spool) -> None:
    """Whoever makes it again gets the ID from then; another message under it is refused, and the others are put."""

    async def scenario() -> None:
        first = new(request=("r-1", "0" * 64))
        assert await spool.put([first]) == [Put(first.id)]
        again, other, free = new(request=("r-1", "0" * 64)), new(request=("r-1", "1" * 64)), new()
        [known] = await spool.put([again])
        assert known == Put(first.id, known=True)
        refused, put = await spool.put([other, free])
        assert isinstance(refused, Problem)
        assert refused.kind == "bad-message"
        assert put == Put(free.id)
        assert await state(spool, other.id) == ""

    run(scenario())


def test_each_principal_has_request_ids_of_its_own(spool: Spool) -> None:
    """The same one by two is two messages, whatever they say; and the owner's is a third."""

    async def scenario() -> None:
        shop, other = principal.parse("key:shop"), principal.parse("amqp:shop")
        letters = [new(request=("r-1", digest * 64))._replace(who=who) for who, digest in ((shop, "0"), (other, "1"), (None, "2"))]
        assert await spool.put(letters) == [Put(each.id) for each in letters]
        [again] = await spool.put([new(request=("r-1", "0" * 64))._replace(who=shop)])
        assert again == Put(letters[0].id, known=True)
        [refused] = await spool.put([new(request=("r-1", "1" * 64))._replace(who=shop)])
        assert isinstance(refused, Conflict)

    run(scenario())


def test_room_is_asked_with_what_is_to_stay_free(spool: Spool) -> None:
    """There is some."""

    async def scenario() -> None:
        assert await spool.room(Reserve(0, 0)) == ""

    run(scenario())


# What is there


def test_all_that_waits_and_is_not_known_is_due(spool: Spool) -> None:
    """Not what is held or failed; with when it came there, if somebody asks."""

    async def scenario() -> None:
        ids = sorted([await put(spool) for _ in range(5)])
        await settle(spool, await leased(spool, ids[0]), Defer(NOW + 60), [outcome(0, "defer", due=NOW + 60)])
        await spool.act("hold", [ids[1]], NOW)
        await spool.act("cancel", [ids[2]], NOW)
        found = await waits(spool)
        assert [(each.id, getattr(each, "state", "")) for each in found] == [(ids[0], "deferred"), (ids[3], "queued"), (ids[4], "queued")]
        assert all(isinstance(each, Due) and time.time() - each.changed < 60 for each in await waits(spool, dated=True))
        unknown = [each.id async for portion in spool.due({ids[0], ids[3]}.__contains__) for each in portion]
        assert unknown == [ids[4]]

    run(scenario())


def test_what_is_not_there_is_gone(spool: Spool) -> None:
    """For whoever looks for it, loads it, reads it or acts on it."""

    async def scenario() -> None:
        id = envelope().id
        assert await spool.find([id, "nonsense", ""]) == [None, None, None]
        [trouble] = await spool.load([id])
        assert isinstance(trouble, Trouble)
        assert trouble.kind == "gone"
        with pytest.raises(NoSuchMessage):
            await spool.read(id)
        with pytest.raises(NoSuchMessage):
            await spool.raw(id, 0, 10)
        [acted] = (await spool.act("hold", [id], NOW)).messages
        assert isinstance(acted.problem, NoSuchMessage)

    run(scenario())


def test_a_large_message_is_left_to_who_has_time(spool: Spool) -> None:
    """The others of the batch are read."""

    async def scenario() -> None:
        small, large = await put(spool), await put(spool, content=BODY + b"x" * 300_000)
        entry, trouble = await spool.load([small, large], 200_000)
        assert isinstance(entry, Entry)
        assert isinstance(trouble, Trouble)
        assert trouble.kind == "large"
        whole = await loaded(spool, large)
        assert len(await spool.content(whole)) == len(BODY) + 300_000
        spool.shrink()
        assert len(await spool.content(whole)) == len(BODY) + 300_000
        spool.forget([entry, whole])
        assert len(await spool.content(entry)) == len(BODY)

    run(scenario())


def test_what_is_no_envelope_is_corrupt_and_set_aside(spool: Spool) -> None:
    """It stops nothing else, and is kept."""

    async def scenario() -> None:
        letter = new()
        await spool.put([letter._replace(envelope=b'{"id":"x"}\n')])
        good = await put(spool)
        trouble, entry = await spool.load([letter.id, good])
        assert isinstance(trouble, Trouble)
        assert trouble.kind == "corrupt"
        assert isinstance(entry, Entry)
        assert letter.id in await spool.set_aside(letter.id)
        assert await state(spool, letter.id) == ""
        counts = await spool.counts()
        assert (counts["queued"], counts["corrupt"]) == (1, 1)

    run(scenario())


# Ours to change


def test_a_message_is_leased_to_one(spool: Spool) -> None:
    """Until it is given back; the lease has the entry itself."""

    async def scenario() -> None:
        id = await put(spool)
        first, second = await loaded(spool, id), await loaded(spool, id)
        [lease] = await spool.lease([first])
        assert isinstance(lease, Lease)
        assert lease.entry is first
        assert lease.valid()
        [busy] = await spool.lease([second])
        assert isinstance(busy, Trouble)
        assert busy.kind == "busy"
        assert await spool.content(first) == BODY
        assert await settle(spool, lease, GiveBack()) == Done()
        assert not lease.valid()
        assert await state(spool, id) == "queued"
        await settle(spool, await leased(spool, id), GiveBack())

    run(scenario())


def test_what_has_changed_since_it_was_read_is_not_leased(spool: Spool) -> None:
    """Held, gone, or written to and given back: what was read of it no longer holds."""

    async def scenario() -> None:
        for change in ("hold", "drop", "record"):
            id = await put(spool, "a@example.com", "b@example.com")
            entry = await loaded(spool, id)
            if change == "hold":
                await spool.act("hold", [id], NOW)
            else:
                lease = await leased(spool, id)
                if change == "record":
                    assert await spool.record([(lease, [outcome(0)])]) == [Done()]
                await settle(spool, lease, Drop() if change == "drop" else GiveBack())
            [trouble] = await spool.lease([entry])
            assert isinstance(trouble, Trouble)
            assert trouble.kind == "gone", change

    run(scenario())


def test_each_end_leaves_the_message_where_it_belongs(spool: Spool) -> None:
    """With what was learned, and free; after a drop, without a trace."""

    async def scenario() -> None:
        ids = [await put(spool) for _ in range(4)]
        leases = [await leased(spool, id) for id in ids]
        late = outcome(0, "defer", text="later, please", due=NOW + 60)
        ends = [
            End(leases[0], [late], Defer(NOW + 60)),
            End(leases[1], [outcome(0, "fail")], Fail()),
            End(leases[2], [], Drop()),
            End(leases[3], [], GiveBack()),
        ]
        assert await spool.settle(ends) == [Done()] * 4
        assert [await state(spool, id) for id in ids] == ["deferred", "failed", "", "queued"]
        assert (leases[0].entry.state, leases[0].entry.due) == ("deferred", NOW + 60)
        assert not any(lease.valid() for lease in leases)
        again = await loaded(spool, ids[0])
        assert (again.due, again.history.last[0].text, again.history.last[0].due) == (NOW + 60, "later, please", NOW + 60)
        assert (await spool.read(ids[1])).status == "failed"
        [trouble] = await spool.load([ids[1]])
        assert isinstance(trouble, Trouble)
        assert trouble.kind == "gone"

    run(scenario())


def test_records_are_there_while_the_attempt_goes_on(spool: Spool) -> None:
    """For whoever reads it meanwhile; the rest comes with the end."""

    async def scenario() -> None:
        id = await put(spool, "a@example.com", "b@example.com")
        lease = await leased(spool, id)
        assert await spool.record([(lease, [outcome(0)])]) == [Done()]
        assert (await spool.read(id)).history.pending() == [1]
        await settle(spool, lease, Defer(NOW + 60), [outcome(1, "defer", due=NOW + 60)])
        assert [each.to for each in (await spool.read(id)).history.outcomes] == [0, 1]

    run(scenario())


def test_reports_are_put_before_their_message_moves_and_once(spool: Spool) -> None:
    """Those that are there were put before, and are not told again; notes are kept."""

    async def scenario() -> None:
        id, report, known = await put(spool), new(sender=""), await put(spool, sender="")
        there = new(sender="")._replace(id=known)
        note = Note("warned", NOW)
        done = await settle(
            spool, await leased(spool, id), Defer(NOW + 60), [outcome(0, "defer", due=NOW + 60)], reports=[report, there], notes=[note]
        )
        assert done == Done((report.id,))
        assert await state(spool, report.id) == "queued"
        assert [*(await loaded(spool, id)).notes] == [note]

    run(scenario())


# Operators


def test_operators_act_on_what_nobody_has(spool: Spool) -> None:
    """Held, released, due now, given up; what is being delivered is left alone."""

    async def scenario() -> None:
        id, busy = await put(spool), await put(spool)
        lease = await leased(spool, busy)
        for what, after in (("hold", "held"), ("release", "queued"), ("hold", "held"), ("cancel", "failed")):
            done, refused = (await spool.act(what, [id, busy], NOW)).messages  # type: ignore[arg-type]
            assert (done.id, done.problem, await state(spool, id)) == (id, None, after)
            assert isinstance(refused.problem, Problem)
            assert refused.problem.kind == "try-again"
        entry = await spool.read(id)
        assert (entry.status, entry.history.last[0].text) == ("cancelled", "cancelled by an operator")
        await settle(spool, lease, Defer(NOW + 60), [outcome(0, "defer", due=NOW + 60)])
        [wrong] = (await spool.act("release", [busy], NOW)).messages
        assert isinstance(wrong.problem, Problem)
        assert wrong.problem.kind == "bad-message"
        [retried] = (await spool.act("retry", [busy], NOW)).messages
        assert (retried.was, await state(spool, busy)) == ("deferred", "queued")

    run(scenario())


def test_an_act_can_be_tried_and_taken_up_where_it_ended(spool: Spool) -> None:
    """Dry, it says what would happen and changes nothing; from a cursor, it does the rest."""

    async def scenario() -> None:
        ids = [await put(spool) for _ in range(3)]
        would = await spool.act("hold", ids, NOW, dry=True)
        assert [(each.was, each.problem) for each in would.messages] == [("queued", None)] * 3
        assert [await state(spool, id) for id in ids] == ["queued"] * 3
        rest = await spool.act("hold", ids, NOW, cursor=ids[0])
        assert [each.id for each in rest.messages] == ids[1:]
        assert rest.cursor == ""
        assert [await state(spool, id) for id in ids] == ["queued", "held", "held"]
        await spool.act("cancel", ids, NOW)
        [done] = (await spool.act("hold", ids[:1], NOW, dry=True)).messages
        assert isinstance(done.problem, Problem)

    run(scenario())


def test_what_was_given_up_is_replayed_as_a_new_message(spool: Spool) -> None:
    """Once, unless somebody insists; to those who have not got it, or to others."""

    async def scenario() -> None:
        id = await put(spool, "a@example.com", "b@example.com")
        await settle(spool, await leased(spool, id), Fail(), [outcome(0), outcome(1, "fail")])
        [replayed] = (await spool.act("replay", [id], NOW)).messages
        entry = await loaded(spool, replayed.made)
        assert ([each.address for each in entry.envelope.recipients], entry.envelope.parent) == (["b@example.com"], id)
        assert await spool.content(entry) == BODY
        [again] = (await spool.act("replay", [id], NOW)).messages
        assert isinstance(again.problem, Problem)
        [other] = (await spool.act("replay", [id], NOW, How(recipients=["c@example.com"], again=True))).messages
        assert [each.address for each in (await spool.read(other.made)).envelope.recipients] == ["c@example.com"]
        assert [note.id for note in (await spool.read(id)).notes] == [replayed.made, other.made]

    run(scenario())


def test_destinations_are_suspended_until_they_are_resumed(spool: Spool) -> None:
    """The last word counts; what was suspended by a clock that was set lasts as long as it was to."""

    async def scenario() -> None:
        now = time.time()
        one, two = Suspension("relay:out", now + 60, "moving", now), Suspension("example.com", now + 90, "", now)
        for each in (one._replace(why="?"), one, two):
            await spool.suspend(each)
        known = {each.target: each for each in await spool.suspensions()}
        assert known.keys() == {"relay:out", "example.com"}
        assert known["relay:out"].why == "moving"
        await spool.postpone([known["relay:out"]], 3600.0, now + 3600.0)
        moved = {each.target: each.until for each in await spool.suspensions()}
        assert moved["relay:out"] == pytest.approx(now + 3660, abs=1)
        await spool.resume("relay:out", now + 60)
        with pytest.raises(Problem) as refused:
            await spool.resume("relay:out", now + 60)
        assert refused.value.kind == "no-such"

    run(scenario())


def test_the_raw_message_is_that_of_the_format(spool: Spool) -> None:
    """In parts, with its records; as any spool writes it."""

    async def scenario() -> None:
        id = await put(spool)
        await settle(spool, await leased(spool, id), Fail(), [outcome(0, "fail", text="no such user")])
        data = b"".join([await spool.raw(id, at, at + 50) for at in range(0, 5000, 50)])
        letter, start, end = parse(data, id)
        assert (letter.id, data[start:end]) == (id, BODY)
        [told], _, damaged = parse_records(data[end:])
        assert (told.text, damaged) == ("no such user", False)

    run(scenario())


# What else is kept


def test_what_is_remembered_is_recalled(spool: Spool) -> None:
    """Whole, the last of its name."""

    async def scenario() -> None:
        assert await spool.recall("warmup") is None
        await spool.remember({"warmup": b"[1]"})
        await spool.remember({"warmup": b"[2]"})
        assert await spool.recall("warmup") == b"[2]"

    run(scenario())


def test_what_is_past_its_time_is_swept(spool: Spool) -> None:
    """Failed messages are, whatever still waits is not."""

    async def scenario() -> None:
        failed, waiting = await put(spool), await put(spool)
        await settle(spool, await leased(spool, failed), Fail(), [outcome(0, "fail")])
        now = time.time()
        keep = Retention(2 * DAY, 2 * DAY)
        for days in range(1, 3):  # a new clock has to stand for a while
            await spool.sweep(now + (days - 1) * STANDS, keep)
        assert await state(spool, failed) == "failed"
        swept = await spool.sweep(now + 3 * DAY, keep)
        assert swept.believed
        assert (await state(spool, failed), await state(spool, waiting)) == ("", "queued")

    run(scenario())


def test_whoever_listens_hears_of_changes(spool: Spool) -> None:
    """Of operators' acts and of suspensions; the daemon's own are no news."""

    async def scenario() -> None:
        await spool.listen()
        id = await put(spool)
        heard: list[Changes] = []
        await spool.act("hold", [id], NOW)
        while not any(id in each.ids for each in heard):
            heard.append(await spool.changes())
        await spool.suspend(Suspension("example.com", time.time() + 60, "", time.time()))
        while not heard[-1].suspensions:
            heard.append(await spool.changes())
        await spool.close()

    run(scenario())
