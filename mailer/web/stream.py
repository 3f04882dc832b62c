"""``GET /events``: what happens to mail, as lines that are asked for, or as a stream that goes on (server-sent events, HTML §9.2).

A key hears of the mail that came by it; one with the scope operator hears everything. Who reads goes on behind the ID of the last event
that it has: nothing is kept here of a reader, and a slow one has a page of the journal in memory and no more. One that takes nothing for
``api.idle_timeout`` is hung up on, as everywhere. What the journal does not keep any more is said, and not passed over.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

from starlette.responses import Response, StreamingResponse

from mailer.journal.api import TYPES
from mailer.journal.files import journal_of
from mailer.mail.dates import rfc3339
from mailer.mail.problem import from_os
from mailer.mail.text import one_line
from mailer.operate.events import EventFilter
from mailer.spool import is_id, put_at
from mailer.spool.files.store import SpoolDirectory

from .answer import NDJSON, ApiRefusal, lines, refuse_unknown
from .desk import Desk

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request
    from starlette.types import Receive, Scope, Send

    from mailer.accounts.api import ApiKey
    from mailer.journal.api import Journal, JournalEvent

EVENT_STREAM: Final = "text/event-stream"
PAGE: Final = 500  # events of an answer, unless another number is asked for
MOST: Final = 1000
LOOKED_AT: Final = 20_000  # events of the journal for one answer, whosesoever they are
STREAMS: Final = 4  # of one key
ALL_STREAMS: Final = 64
ALIVE: Final = 15.0  # seconds between two signs of life, at which the key is looked at again
TOGETHER: Final = 50  # events of a stream that are written at once
RETRY: Final = 2000  # milliseconds after which a client calls again

QUERY: Final = ("after", "limit", "type", "message")


async def events(request: Request) -> Response:
    """Events after an ID: a page of them as NDJSON, or, where ``Accept`` has text/event-stream, those and all that come.

    Raises `ApiRefusal`, and `Problem` where the journal cannot be read.
    """
    desk, key = Desk.of(request), request.scope["state"]["key"]
    wanted, after, limit = _asked(request, key)
    journal = journal_of(SpoolDirectory(desk.config.spool), desk.clock.now)
    try:
        first = await journal.first() if after else ""
        missing = put_at(first) if after < first else 0.0
        if EVENT_STREAM in request.headers.get("accept", ""):
            if desk.streams[key.name] >= STREAMS or desk.streams.total() >= ALL_STREAMS:
                words = f"{STREAMS} streams of this key are open, or {ALL_STREAMS} in all; a page of events can be asked for at any time"
                raise ApiRefusal(429, "too_many_streams", words, headers={"Retry-After": str(int(ALIVE))})
            return _Stream(desk, key.name, journal, _told(desk, key, journal, wanted, after or await journal.last(), missing))
        if missing:
            words = (
                f"what happened before {rfc3339(missing)} is not kept any more, so some may be missing: leave after away for all that is"
            )
            raise ApiRefusal(410, "gone", words, "after")
        return await _page(request, journal, wanted, after, limit)
    except OSError as error:
        raise from_os("cannot read the journal", error.filename or "", error) from None


async def _page(request: Request, journal: Journal, wanted: EventFilter, after: str, limit: int) -> Response:
    found: list[JournalEvent] = []
    looked = 0
    while len(found) < limit and looked < LOOKED_AT and (page := await journal.read(after)):
        for event in page:
            after = event.id
            looked += 1
            if wanted.means(event):
                found.append(event)
                if len(found) == limit:
                    break
    query = urlencode([*((name, value) for name, value in request.query_params.multi_items() if name != "after"), ("after", after)])
    headers = {"Link": f'</events?{query}>; rel="next"'} if after else {}
    body = await asyncio.to_thread(lines, (event.as_json() for event in found))
    return Response(body, media_type=NDJSON, headers=headers)


class _Stream(StreamingResponse):
    """A stream that is counted as long as it goes on."""

    def __init__(self, desk: Desk, name: str, journal: Journal, told: AsyncIterator[str]) -> None:
        super().__init__(told, media_type=EVENT_STREAM, headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        self._desk = desk
        self._name = name
        self._journal = journal

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        streams, conversation = self._desk.streams, scope["state"].get("conversation")
        streams[self._name] += 1
        if conversation is not None:
            conversation.endless = True
        try:
            async with self._desk.bell.heard(self._journal):
                await super().__call__(scope, receive, send)
        finally:
            if conversation is not None:
                conversation.endless = False
            streams[self._name] -= 1
            if not streams[self._name]:
                del streams[self._name]


async def _told(desk: Desk, key: ApiKey, journal: Journal, wanted: EventFilter, after: str, missing: float) -> AsyncIterator[str]:
    """The stream: it ends with the process, with the key, or when the journal cannot be read, and the client calls again."""
    yield f"retry: {RETRY}\n\n"
    if missing:
        yield f"event: lost\ndata: {json.dumps({'since': rfc3339(missing)})}\n\n"
    now = asyncio.get_running_loop().time
    told, due = after, now() + ALIVE
    while not desk.stopping:
        seen = desk.bell.rings
        try:
            page = await journal.read(after)
        except OSError:
            return
        for at in range(0, len(page), TOGETHER):  # each part of a stream costs more than an event, and others have their turn in between
            some = page[at : at + TOGETHER]
            after = some[-1].id
            if meant := [event for event in some if wanted.means(event)]:
                told = meant[-1].id
                yield "".join(map(_block, meant))
            await asyncio.sleep(0)
        if now() >= due:
            due = now() + ALIVE
            if not await _holds(desk, key):
                return
            if told != after:  # what is not this client's is passed over for good (an id alone is no event)
                told = after
                yield f"id: {after}\n"
            yield ": nothing new\n\n"
        if not page:
            await _news(desk, seen, due - now())


def _block(event: JournalEvent) -> str:
    return f"id: {event.id}\ndata: {json.dumps(event.as_json(), separators=(',', ':'))}\n\n"


async def _news(desk: Desk, seen: int, seconds: float) -> None:
    """Wait until the bell has rung more often than `seen`, or the process ends, or the time is over."""
    waits = [asyncio.ensure_future(desk.bell.rung(seen)), asyncio.ensure_future(desk.ending.wait())]
    try:
        await asyncio.wait(waits, timeout=max(seconds, 0.0), return_when=asyncio.FIRST_COMPLETED)
    finally:
        for each in waits:
            each.cancel()
        await asyncio.gather(*waits, return_exceptions=True)


async def _holds(desk: Desk, key: ApiKey) -> bool:
    """Whether the key that a stream began with is still good for it."""
    [known] = await desk.gate.keys.find([key.id])
    now = desk.clock.now()
    return known is not None and known.name == key.name and known.holds(now) and known.scopes >= key.scopes & {"events", "operator"}


def _asked(request: Request, key: ApiKey) -> tuple[EventFilter, str, int]:
    """What is wanted, after which ID, and how much of it. Raises `ApiRefusal`."""
    query = request.query_params
    refuse_unknown(query, QUERY)
    limit, types = query.get("limit", str(PAGE)), frozenset(filter(None, query.get("type", "").split(",")))
    if not (limit.isascii() and limit.isdigit() and len(limit) < 6 and 1 <= int(limit) <= MOST):
        raise ApiRefusal(400, "bad_request", f"limit is a number from 1 to {MOST}", "limit")
    if unknown := types.difference(TYPES):
        words = f"there is no event {one_line(min(unknown), 40)!r}; there are {', '.join(TYPES)}"
        raise ApiRefusal(400, "bad_request", words, "type")
    last = request.headers.get("last-event-id", "")
    named = {"Last-Event-ID": last, "after": query.get("after", ""), "message": query.get("message", "")}
    for name, value in named.items():
        if value and not is_id(value):
            raise ApiRefusal(400, "bad_request", f"{name} is an ID of 26 letters and digits", name)
    whose = "" if "operator" in key.scopes else key.name
    return EventFilter(types, message=named["message"], key=whose), last or named["after"], int(limit)
