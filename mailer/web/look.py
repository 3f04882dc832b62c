"""Looking: ``GET /status/{id}``, ``GET /status``, ``GET /explain/{id}``. A key sees the mail that came by it; of other mail, that there is
none."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, cast
from urllib.parse import urlencode

from starlette.responses import JSONResponse, Response

from mailer.config.values import duration
from mailer.mail.dates import parse_rfc3339
from mailer.mail.history import LATER, SCHEDULED, STATUSES
from mailer.mail.text import one_line
from mailer.operate.explain import diagnose
from mailer.operate.program_view import ProgramView
from mailer.spool import is_id
from mailer.spool.files.store import SpoolDirectory
from mailer.status.api import Filter

from .answer import NDJSON, ApiRefusal, array, lines, refuse_unknown
from .desk import Desk

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

    from mailer.accounts.api import ApiKey
    from mailer.mail.history import Word
    from mailer.status.record import Record

PAGE: Final = 100  # messages of a list, unless more are asked for
MOST: Final = 1000
STORIES: Final = 2  # that are told at a time: each may wait for the DNS

QUERY: Final = ("recipient_email", "from", "state", "since", "limit", "after")


async def one(request: Request) -> Response:
    """What became of one message, by its ID, its request id or its Message-ID."""
    return await Desk.of(request).work(lambda: JSONResponse(_named(request, lambda _, record: record.as_json())))


async def many(request: Request) -> Response:
    """What became of those messages that the query means, newest first; ``Link`` has where the list goes on (RFC 8288 §3)."""
    wanted, limit, after = _asked(request)
    in_lines = NDJSON in request.headers.get("accept", "")

    def read() -> tuple[bytes, str]:
        with mail_of(request) as mail:
            page = mail.page(wanted, after, limit)
            documents = (record.as_json() for record in page.items)
            return lines(documents) if in_lines else array(documents), page.cursor

    body, cursor = await Desk.of(request).work(read)  # not in the loop: a message may have thousands of recipients
    headers = {}
    if cursor:
        query = urlencode([*((name, value) for name, value in request.query_params.multi_items() if name != "after"), ("after", cursor)])
        headers["Link"] = f'</status?{query}>; rel="next"'
    return Response(body, media_type=NDJSON if in_lines else "application/json", headers=headers)


async def explain(request: Request) -> Response:
    """The whole story of one message, and what holds it up."""
    desk = Desk.of(request)

    def told(mail: ProgramView, record: Record) -> dict[str, object]:
        return asyncio.run(diagnose(mail.view, record, desk.config)).as_json()

    async with _stories:
        return await desk.work(lambda: JSONResponse(_named(request, told)))


_stories = asyncio.Semaphore(STORIES)


def mail_of(request: Request) -> ProgramView:
    """The mail of the key that asks."""
    key: ApiKey = request.scope["state"]["key"]
    return ProgramView(SpoolDirectory(Desk.of(request).config.spool), key.principal)


def found(mail: ProgramView, name: str) -> Record:
    """The one message that `name` means. Raises `ApiRefusal`."""
    records = mail.find(name) if len(name) <= MOST else []
    if not records:
        raise ApiRefusal(404, "not_found", "no message of that name is known")
    if len(records) > 1:
        ids = " ".join(record.id for record in records[:20])
        raise ApiRefusal(409, "ambiguous", f"that is the name of {len(records)} messages: {ids}")
    return records[0]


def _named(request: Request, read: Callable[[ProgramView, Record], dict[str, object]]) -> dict[str, object]:
    """What `read` says of the message that is named in the path. Raises `ApiRefusal`."""
    with mail_of(request) as mail:
        return read(mail, found(mail, request.path_params["id"]))


def _asked(request: Request) -> tuple[Filter, int, str]:
    """The filter of a query, how many messages are wanted, and behind which one. Raises `ApiRefusal`."""
    query = request.query_params
    refuse_unknown(query, QUERY)
    states = frozenset(filter(None, query.get("state", "").split(",")))
    if unknown := states.difference((*STATUSES, *LATER, SCHEDULED)):
        words = f"there is no state {one_line(min(unknown), 40)!r}; there are {', '.join(dict.fromkeys((*STATUSES, *LATER, SCHEDULED)))}"
        raise ApiRefusal(400, "bad_request", words, "state")
    limit, after = query.get("limit", str(PAGE)), query.get("after", "")
    if not (limit.isascii() and limit.isdigit() and len(limit) < 6 and 1 <= int(limit) <= MOST):
        raise ApiRefusal(400, "bad_request", f"limit is a number from 1 to {MOST}", "limit")
    if after and not is_id(after):
        raise ApiRefusal(400, "bad_request", "after is the ID of a message", "after")
    wanted = Filter(
        to=query.get("recipient_email", ""),
        sender=query.get("from", ""),
        states=cast("frozenset[Word]", states),
        since=moment(query.get("since", ""), Desk.of(request).clock.now()),
    )
    if not wanted.possible:
        raise ApiRefusal(400, "bad_request", "an address is printable, and has less than a thousand characters")
    return wanted, int(limit), after


def moment(text: str, now: float) -> float:
    """The time that `text` means: one of RFC 3339, or how long ago, as ``2h``. Raises `ApiRefusal`."""
    if not text:
        return 0.0
    try:
        return parse_rfc3339(text.replace(" ", "+"))  # which a + of its zone has become in an address
    except ValueError:
        pass
    try:
        return max(0.0, now - duration(text))
    except ValueError:
        raise ApiRefusal(400, "bad_request", 'since is a time, as "2030-01-31T12:00:00Z", or how long ago, as "2h"', "since") from None
