"""The way from a request to its endpoint, and what becomes of what an endpoint raises.

A path without parameters is looked up, and its endpoint called at once. Starlette's routes are for the others, and for what is no endpoint:
it asks one route after the other, in four layers that each hand on the answer, which costs more than to read a request. Either way an
endpoint is called alike, and what it raises has the same answer.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any, Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from mailer.mail.problem import Problem

from .answer import ApiRefusal, error, refusal_of
from .desk import RETRY, Desk, TooBusy

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from starlette.types import Receive, Scope, Send

    from .asked import WebRequest
    from .endpoint import Handler, WebEndpoint

CODES: Final = {404: "no_such_path", 405: "method_not_allowed", 413: "too_large"}


class Routes:
    """The application (ASGI) that finds the way to `endpoints`; `table` is what the description of the API lists of them."""

    def __init__(self, desk: Desk, endpoints: Iterable[WebEndpoint], table: Sequence[WebEndpoint]) -> None:
        handlers = [(each, _answering(each)) for each in endpoints]
        self._straight = {(each.method, each.path): handler for each, handler in handlers if "{" not in each.path}
        routes = [Route(each.path, handler, methods=[each.method], name=f"{each.method} {each.path}") for each, handler in handlers]
        self._others = Starlette(routes=routes, exception_handlers={**HANDLERS, Exception: _broken})
        self._others.state.desk, self._others.state.table = desk, table

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        handler = self._straight.get((scope["method"], scope["path"]))
        if handler is None:
            await self._others(scope, receive, send)
            return
        scope["app"], scope["path_params"] = self._others, {}
        request = Request(scope, receive, send)
        try:
            response = await handler(request)
        except Exception as refused:
            known = next((HANDLERS[kind] for kind in type(refused).__mro__ if kind in HANDLERS), None)
            response = await (known or _broken)(request, refused)
            if known is None:
                await response(scope, receive, send)
                raise
            refused.__traceback__ = None  # some of them are raised again and again, and would keep all that they went through
        await response(scope, receive, send)


def _answering(endpoint: WebEndpoint) -> Handler:
    """What calls the endpoint for whoever may."""

    async def answered(request: Request) -> Response:
        state = request.scope["state"]
        asked: WebRequest = state["asked"]
        asked.endpoint = endpoint.path
        if endpoint.scope:
            desk = Desk.of(request)
            fields = request.headers.getlist("authorization")
            query = request.query_params if request.scope["query_string"] else {}
            key = state["key"] = await desk.gate.admit(endpoint.scope, fields, query, state["client"])
            asked.key = key.name
            with desk.share(key.name):
                return await endpoint.handler(request)
        return await endpoint.handler(request)

    return answered


async def _refused(_request: Request, refused: Exception) -> Response:
    assert isinstance(refused, HTTPException)
    status = refused.status_code
    return JSONResponse(error(CODES.get(status, "refused"), _WORDS.get(status, refused.detail)), status, refused.headers)


async def _told(request: Request, refused: Exception) -> Response:
    """What an endpoint refuses; what is wrong on this machine is told in the log."""
    if isinstance(refused, Problem):
        refused = refusal_of(refused)
    assert isinstance(refused, ApiRefusal)
    request.scope["state"]["asked"].reason = refused.reason
    return refused.response()


async def _busy(_request: Request, _busy: Exception) -> Response:
    words = "too many requests wait for the disk already"
    return JSONResponse(error("busy", words), 503, {"Retry-After": str(RETRY)})


_WORDS: Final = {404: "there is no such path", 405: "there is no such method of this path; Allow has those that there are"}

HANDLERS: Final[dict[Any, Any]] = {HTTPException: _refused, TooBusy: _busy, ApiRefusal: _told, Problem: _told}


async def _broken(request: Request, _bug: Exception) -> Response:
    """What a client is told of an exception that nobody expected; Starlette raises it again behind the answer."""
    asked: WebRequest = request.scope["state"]["asked"]
    asked.ref = secrets.token_hex(4)
    return JSONResponse(error("internal", f"this is a fault of the server; its log has it as {asked.ref}"), 500)
