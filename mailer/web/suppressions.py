"""Suppressions: ``GET``, ``PUT`` and ``DELETE /suppressions/{address}``, ``GET /suppressions``.

A key that sends mail of a stream has a say about that stream, and no other; one with the scope operator, or without a stream, about all.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from starlette.responses import JSONResponse, Response

from mailer.compose.payload import strict
from mailer.mail.dates import parse_rfc3339
from mailer.mail.text import one_line
from mailer.operate import suppression as operate
from mailer.suppression.api import ALL, Reason, SuppressionEntry, SuppressionFilter, stream_name
from mailer.suppression.table import as_json

from .answer import NDJSON, ApiRefusal, array, lines, refuse_unknown
from .desk import Desk
from .look import MOST, PAGE, moment

if TYPE_CHECKING:
    from starlette.requests import Request

    from mailer.accounts.api import ApiKey

QUERY: Final = ("address", "scope", "reason", "since", "limit", "after")
LONGEST: Final = 4096  # octets of what is said with a PUT


async def one(request: Request) -> Response:
    """What keeps an address from being mailed with mail of the scope. Raises `ApiRefusal`."""
    desk, (address, scope) = Desk.of(request), _named(request)
    found = await operate.why(desk.suppressions, address, scope, desk.clock.now())
    if found.holds is None:
        raise ApiRefusal(404, "not_found", "nothing keeps this address from being mailed")
    return JSONResponse(as_json(found.holds))


async def put(request: Request) -> Response:
    """Put an address on the list; the answer is the entry that stands then. Raises `ApiRefusal`."""
    desk, (address, scope), said = Desk.of(request), _named(request), await _said(request)
    key: ApiKey = request.scope["state"]["key"]
    until = said.get("until")
    try:
        ends = None if until is None else parse_rfc3339(until)
    except ValueError:
        raise ApiRefusal(400, "bad_request", 'until is a time, as "2030-01-31T12:00:00Z"', "until") from None
    why = operate.reason(said.get("reason") or Reason.MANUAL.value)
    note, class_ = one_line(said.get("note") or ""), one_line(said.get("class") or "")
    entry = SuppressionEntry(address, scope, why, class_, "api", "", desk.clock.now(), ends, str(key.principal), note)
    done = await desk.suppressions.add([entry])
    return JSONResponse(as_json(done.entries[0] or entry))


async def delete(request: Request) -> Response:
    """Take an address off the list, for one scope. Raises `ApiRefusal`."""
    desk, (address, scope) = Desk.of(request), _named(request)
    key: ApiKey = request.scope["state"]["key"]
    done = await desk.suppressions.remove([(address, scope)], by=str(key.principal), at=desk.clock.now())
    if done.entries == [None]:
        raise ApiRefusal(404, "not_found", "this address is not on the list for that scope")
    return Response(status_code=204)


async def many(request: Request) -> Response:
    """List who is on the list, by address; ``Link`` has where the list goes on (RFC 8288 §3). Raises `ApiRefusal`."""
    desk, query = Desk.of(request), request.query_params
    refuse_unknown(query, QUERY)
    now = desk.clock.now()
    limit = query.get("limit", str(PAGE))
    if not (limit.isascii() and limit.isdigit() and len(limit) < 6 and 1 <= int(limit) <= MOST):
        raise ApiRefusal(400, "bad_request", f"limit is a number from 1 to {MOST}", "limit")
    to, why = query.get("address", ""), query.get("reason", "")
    scope = _scope(request, "")
    to = to if "*" in to or not to else operate.key(to)
    why = why and operate.reason(why).value
    wanted = SuppressionFilter(now, to, scope, why, since=moment(query.get("since", ""), now))
    found = await desk.suppressions.listing(after=_after(query.get("after", "")), limit=int(limit), wanted=wanted)
    documents = map(as_json, found)
    in_lines = NDJSON in request.headers.get("accept", "")
    body = lines(documents) if in_lines else array(documents)
    headers = {}
    if len(found) == int(limit):
        cursor = urlsafe_b64encode("\0".join(found[-1].key).encode()).decode().rstrip("=")
        rest = urlencode([*((name, value) for name, value in query.multi_items() if name != "after"), ("after", cursor)])
        headers["Link"] = f'</suppressions?{rest}>; rel="next"'
    return Response(body, media_type=NDJSON if in_lines else "application/json", headers=headers)


def _named(request: Request) -> tuple[str, str]:
    """The address and the scope that are meant. Raises `ApiRefusal`, `Problem`."""
    refuse_unknown(request.query_params, ("scope",))
    key: ApiKey = request.scope["state"]["key"]
    return operate.key(request.path_params["address"]), _scope(request, stream_name(key.stream) or ALL)


def _scope(request: Request, otherwise: str) -> str:
    """The scope of the query. Raises `ApiRefusal` for one that is not the key's to speak of, `Problem` for what is none."""
    key: ApiKey = request.scope["state"]["key"]
    own = "" if "operator" in key.scopes else stream_name(key.stream)
    text = request.query_params.get("scope")
    scope = (own or otherwise) if text is None else operate.scope(text)
    if own and scope != own:
        raise ApiRefusal(
            403, "forbidden", f"this key speaks for the stream {own} alone; one with the scope operator speaks for all", "scope"
        )
    return scope


async def _said(request: Request) -> dict[str, Any]:
    """The members of the body, which need not be there. Raises `ApiRefusal`."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > LONGEST:
            raise ApiRefusal(413, "too_large", f"the body takes at most {LONGEST} octets")
    if not body.strip():
        return {}
    try:
        found = strict(body)
    except ValueError as error:
        raise ApiRefusal(400, "bad_json", f"the body is no JSON that is taken: {one_line(str(error), 200)}") from None
    members = ("reason", "until", "note", "class")
    if not isinstance(found, dict):
        raise ApiRefusal(400, "bad_request", "the body is an object, or there is none")
    for name, value in found.items():
        short = one_line(name, 40)
        if name not in members:
            raise ApiRefusal(400, "bad_request", f"there is no {short!r}; there are {', '.join(members)}", short)
        if not isinstance(value, str | None):
            raise ApiRefusal(400, "bad_request", f"{name} is a text", name)
    return found


def _after(text: str) -> tuple[str, str]:
    if not text:
        return "", ""
    try:
        address, mark, scope = urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode().partition("\0")
    except ValueError:
        mark = ""
    if not mark or len(text) > LONGEST:
        raise ApiRefusal(400, "bad_request", "after is what Link has named", "after")
    return address, scope
