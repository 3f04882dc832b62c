"""Events for programs: a page of them, and the stream that goes on."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from mailer.config.file import config_of
from mailer.journal.api import EventType, JournalEvent
from mailer.journal.files import journal_of
from mailer.operate.api_keys import KeyTerms, add, keys_of
from mailer.spool import first_id
from mailer.spool.files.store import SpoolDirectory
from mailer.web import stream
from tests.fakes import waiting
from tests.web.api import Api, lines_of, refused
from tests.web.served import PLACE, Caller, Served, serving

MESSAGE = "01M7XZE2ZPFN5M9C7PXGDNNSF8"


def event(key: str, type: EventType = "delivered", to: str = "anna@example.net") -> JournalEvent:
    """An event of a message of that key."""
    return JournalEvent("", 1_800_000_000.0, type, MESSAGE, key=key, to=to, code=250, reply="Ok\nthen")


def written(api: Api, *events: JournalEvent) -> list[str]:
    """The IDs of events that are in the journal now."""

    async def write() -> list[str]:
        journal = journal_of(api.spool)
        done = await journal.append(events)
        await journal.close()
        return [each.id for each in done]

    return asyncio.run(write())


@pytest.fixture
def listener(api: Api) -> str:
    return api.key("listener", "events")


# A page of them


def test_a_key_reads_what_happened_to_its_mail(api: Api, listener: str) -> None:
    """Oldest first, as the journal has it, and nobody else's: neither another key's nor an alarm."""
    first, _, _, second = written(api, event("listener", "accepted"), event("shop"), event("", "alarm"), event("listener"))
    answer = api.ask("GET", "/events", listener)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/x-ndjson")
    found = lines_of(answer)
    assert [(each["id"], each["type"], each["key"]) for each in found] == [
        (first, "accepted", "listener"),
        (second, "delivered", "listener"),
    ]
    assert found[0] == {**event("listener", "accepted").as_json(), "id": first}
    refused(api.ask("GET", "/events", api.key("other", "status", "send", "manage")), 403, "missing_scope", "events")


def test_an_operator_reads_everything(api: Api) -> None:
    ids = written(api, event("listener"), event("shop"), event("", "alarm"))
    found = lines_of(api.ask("GET", "/events", api.key("chief", "events", "operator")))
    assert [each["id"] for each in found] == ids


def test_pages_follow_each_other_to_the_end_and_beyond(api: Api, listener: str) -> None:
    """Link leads behind what was looked at, also where nothing of it was this key's."""
    mine = written(api, *(event("listener") for _ in range(5)))
    path, seen = "/events?limit=2", []
    for many in (2, 2, 1, 0):
        answer = api.ask("GET", path, listener)
        found = [each["id"] for each in lines_of(answer)]
        assert len(found) == many
        seen += found
        path = answer.headers["link"].partition(">")[0].removeprefix("<")
    assert seen == mine
    written(api, event("shop"))
    assert api.ask("GET", path, listener).text == ""
    [later] = written(api, event("listener", "failed"))
    assert [each["id"] for each in lines_of(api.ask("GET", path, listener))] == [later]


def test_choosing(api: Api, listener: str) -> None:
    written(api, event("listener", "accepted"), event("listener"), event("listener", "failed")._replace(message=MESSAGE[::-1]))
    assert [each["type"] for each in lines_of(api.ask("GET", "/events?type=failed,accepted", listener))] == ["accepted", "failed"]
    assert [each["type"] for each in lines_of(api.ask("GET", f"/events?message={MESSAGE}", listener))] == ["accepted", "delivered"]
    for query, member in (
        ("type=gone", "type"), ("limit=0", "limit"), ("limit=1001", "limit"), ("after=x", "after"), ("message=1", "message"),
        ("from=a", "from"),
    ):  # fmt: skip
        refused(api.ask("GET", f"/events?{query}", listener), 400, "bad_request", member=member)
    refused(api.ask("GET", "/events", listener, headers={"Last-Event-ID": "x"}), 400, "bad_request", member="Last-Event-ID")


def test_what_is_not_kept_any_more_is_said(api: Api, listener: str) -> None:
    """Who asks for what came after an event that was deleted learns that there may have been more."""
    [oldest] = written(api, event("listener"))
    refused(api.ask("GET", f"/events?after={first_id(1_000_000_000)}", listener), 410, "gone", "not kept", member="after")
    assert api.ask("GET", f"/events?after={oldest}", listener).text == ""


# The stream


class Listening:
    """A client of a stream."""

    def __init__(self, caller: Caller) -> None:
        self.caller = caller
        self.text = b""

    async def until(self, word: str) -> list[dict[str, str]]:
        """The blocks that have come when `word` has; each by its fields."""
        while word.encode() not in self.text:
            part = await self.caller.reader.read(65536)
            assert part, self.text
            self.text += part
        return self.blocks

    @property
    def blocks(self) -> list[dict[str, str]]:
        """What has come."""
        body = b"".join(line for line in self.text.partition(b"\r\n\r\n")[2].split(b"\r\n") if not _is_size(line))
        found = []
        for block in body.decode().split("\n\n"):
            fields = dict(line.split(": ", 1) if line[0] != ":" else ("", line[2:]) for line in block.split("\n") if line)
            if fields:
                found.append(fields)
        return found

    @property
    def events(self) -> list[dict[str, Any]]:
        """The events that have come."""
        return [json.loads(block["data"]) for block in self.blocks if "data" in block and "event" not in block]


def _is_size(line: bytes) -> bool:
    return not line or all(octet in b"0123456789abcdefABCDEF" for octet in line)


class Office:
    """A server, its journal, and keys."""

    def __init__(self, served: Served) -> None:
        self.served = served
        self.spool = SpoolDirectory(served.config.spool)
        self.spool.prepare()
        self.journal = journal_of(self.spool)
        self.keys = keys_of(served.config)

    async def key(self, name: str, *scopes: str) -> str:
        return (await add(self.keys, name, KeyTerms(scopes), self.served.desk.clock.now())).key

    async def write(self, *events: JournalEvent) -> list[str]:
        return [each.id for each in await self.journal.append(events)]

    async def listen(self, key: str, query: str = "", *fields: str) -> Listening:
        more = "".join(f"{field}\r\n" for field in fields)
        asked = f"GET /events{query} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {key}\r\nAccept: text/event-stream\r\n{more}\r\n"
        return Listening(await self.served.call(asked.encode()))


def with_office(test: Callable[[Office], Awaitable[None]], home: Path, api: str = "") -> None:
    text = f'[mailer]\nspool = "{home}/spool"\n[[listen]]\nkind = "web"\naddress = "{PLACE}"\n[api]\n{api}\n'
    config = config_of(f"{home}/config.toml", text.encode())

    async def run() -> None:
        async with asyncio.timeout(1e5), serving(config) as served:
            office = Office(served)
            await test(office)
            await office.journal.close()

    waiting.run(run())


def ids(found: Sequence[dict[str, Any]]) -> list[str]:
    return [each["id"] for each in found]


def test_a_stream_tells_what_comes_and_goes_on_where_it_was(tmp_path: Path) -> None:
    """From now on, of this key alone; with the ID of the last event that it had, a client misses none and hears none twice."""

    async def test(office: Office) -> None:
        key = await office.key("shop", "events")
        await office.write(event("shop"))
        stream = await office.listen(key)
        await stream.until("retry: 2000")
        assert b"text/event-stream" in stream.text
        first, _, second = await office.write(event("shop", "accepted"), event("other"), event("shop"))
        await stream.until(second)
        assert ids(stream.events) == [first, second]
        assert [block["id"] for block in stream.blocks if "data" in block] == [first, second]
        stream.caller.close()
        [third] = await office.write(event("shop", "failed"))
        again = await office.listen(key, "", f"Last-Event-ID: {first}")
        await again.until(third)
        assert ids(again.events) == [second, third]

    with_office(test, tmp_path)


def test_many_events_come_in_few_parts(tmp_path: Path) -> None:
    """Each part costs the loop more than an event does; all of them come, in their order."""

    async def test(office: Office) -> None:
        key = await office.key("shop", "events")
        [before] = await office.write(event("shop"))
        found = await office.write(*[event("shop") for _ in range(600)])
        stream = await office.listen(key, f"?after={before}")
        await stream.until(found[-1])
        assert ids(stream.events) == found
        assert sum(_is_size(line) for line in stream.text.partition(b"\r\n\r\n")[2].split(b"\r\n")) < 50

    with_office(test, tmp_path)


def test_signs_of_life(tmp_path: Path) -> None:
    """Every 15 seconds; and what was others' is passed over by an ID without an event, so that it is not looked at again."""

    async def test(office: Office) -> None:
        key = await office.key("shop", "events")
        stream = await office.listen(key)
        await stream.until("retry")
        [theirs] = await office.write(event("other"))
        began = asyncio.get_running_loop().time()
        blocks = await stream.until("nothing new")
        assert asyncio.get_running_loop().time() - began == pytest.approx(15, abs=2)
        assert blocks[-1] == {"id": theirs, "": "nothing new"}
        assert stream.events == []

    with_office(test, tmp_path)


def test_a_key_that_is_gone_hears_no_more(tmp_path: Path) -> None:
    async def test(office: Office) -> None:
        key = await office.key("shop", "events")
        stream = await office.listen(key)
        await stream.until("retry")
        await office.keys.remove(["shop"])
        assert b"nothing new" not in await stream.caller.rest()
        assert office.served.desk.streams == {}

    with_office(test, tmp_path)


def test_a_key_has_so_many_streams(tmp_path: Path) -> None:
    """Another key has its own; who hangs up makes room."""

    async def test(office: Office) -> None:
        shop, other = await office.key("shop", "events"), await office.key("other", "events")
        streams = [await office.listen(shop) for _ in range(stream.STREAMS)]
        for each in streams:
            await each.until("retry")
        one_more = await office.listen(shop)
        answer = await one_more.caller.answer()
        assert (answer.status, answer.error["code"], answer.fields["retry-after"]) == (429, "too_many_streams", "15")
        await (await office.listen(other)).until("retry")
        streams[0].caller.close()
        while office.served.desk.streams["shop"] == stream.STREAMS:
            await asyncio.sleep(0.1)
        await (await office.listen(shop)).until("retry")

    with_office(test, tmp_path)


@pytest.mark.slow
def test_who_does_not_listen_is_cut_off(tmp_path: Path) -> None:
    """Of what one does not take, no more is read than the network holds."""

    async def test(office: Office) -> None:
        key = await office.key("shop", "events")
        deaf = await office.listen(key)
        await deaf.until("retry")
        deaf.caller.reader._transport.pause_reading()  # type: ignore[attr-defined]
        long = event("shop")._replace(reply="x" * 2000)
        for _ in range(20):
            await office.write(*[long] * 500)
        while office.served.desk.streams:
            await asyncio.sleep(1)

    with_office(test, tmp_path, 'idle_timeout = "30s"')


def test_the_end_of_the_process_is_the_end_of_the_stream(tmp_path: Path) -> None:
    """Whole: the client sees the last chunk, and calls again."""

    async def test(office: Office) -> None:
        listening = await office.listen(await office.key("shop", "events"))
        await listening.until("retry")
        office.served.desk.ending.set()
        assert (await listening.caller.rest()).endswith(b"0\r\n\r\n")

    with_office(test, tmp_path)


def test_a_stream_says_what_it_cannot_tell_any_more(tmp_path: Path) -> None:
    """And goes on with what there is."""

    async def test(office: Office) -> None:
        [oldest] = await office.write(event("shop"))
        listening = await office.listen(await office.key("shop", "events"), f"?after={first_id(1_000_000_000)}")
        await listening.until(oldest)
        assert [block.get("event") for block in listening.blocks] == [None, "lost", None]

    with_office(test, tmp_path)
