"""An endpoint of HTTP as a value: what it is called by, who answers, and what it takes and gives."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NamedTuple

from starlette.requests import Request
from starlette.responses import Response

Handler = Callable[[Request], Awaitable[Response]]
Schema = dict[str, Any]


class EndpointParameter(NamedTuple):
    """A parameter of a request: `where` is ``query``, ``path`` or ``header``."""

    name: str
    where: str
    schema: Schema
    sentence: str


class EndpointAnswer(NamedTuple):
    """What an answer of one status is: its sentence, and the schema of its body by media type."""

    sentence: str
    bodies: dict[str, Schema]
    headers: dict[str, str] = {}  # noqa: RUF012 - a named tuple is not changed


class WebEndpoint(NamedTuple):
    """One endpoint: `scope` is empty where nobody has to say who asks. `takes` is the body by media type, `gives` the answer by status.
    `bare` says that it may come without a body, too.

    What may go wrong everywhere (a key that is none, a limit) is not listed here; `refusals` are further statuses that are errors.
    """

    method: str
    path: str
    handler: Handler
    scope: str = ""
    summary: str = ""
    parameters: Sequence[EndpointParameter] = ()
    takes: dict[str, Schema] = {}  # noqa: RUF012 - a named tuple is not changed
    gives: dict[int, EndpointAnswer] = {}  # noqa: RUF012
    refusals: Sequence[int] = ()
    bare: bool = False
