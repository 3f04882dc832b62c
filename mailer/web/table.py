"""The endpoints: each with its method, its path, the scope that a key has to have, and who answers. The routes are made of this table."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import Response

from . import health

Handler = Callable[[Request], Awaitable[Response]]


class WebEndpoint(NamedTuple):
    """One endpoint: `scope` is empty where nobody has to say who asks."""

    method: str
    path: str
    handler: Handler
    scope: str = ""


TABLE: tuple[WebEndpoint, ...] = (
    WebEndpoint("GET", "/health", health.health),
    WebEndpoint("GET", "/ready", health.ready),
)
