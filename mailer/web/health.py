"""``GET /health`` and ``GET /ready``, for whoever watches this process or shares out requests.

The first says that the process answers; the second whether it is of use to send it mail: its spool can be written, and the disk has room.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from starlette.responses import JSONResponse, Response

from mailer.spool.files.layout import shortage

from .desk import RETRY, Desk

if TYPE_CHECKING:
    from starlette.requests import Request


async def health(_request: Request) -> Response:
    """The process answers."""
    return JSONResponse({"status": "ok"})


async def ready(request: Request) -> Response:
    """Whether mail can be taken: 200, or 503 with what is in the way."""
    desk = Desk.of(request)
    lack = "this process is about to end" if desk.stopping else await desk.work(what_is_missing, desk)
    if not lack:
        return JSONResponse({"status": "ready"})
    return JSONResponse({"status": "unavailable", "reason": lack}, 503, {"Retry-After": str(RETRY)})


def what_is_missing(desk: Desk) -> str:
    """Why no mail can be taken, without saying where on this machine things are; empty if it can."""
    submission, spool = desk.config.submission, desk.config.spool
    if not all(os.access(f"{spool}/{name}", os.W_OK | os.X_OK) for name in ("tmp", "queued")):
        return "the spool cannot be written"
    lack = shortage(spool, submission.min_free_space, submission.min_free_inodes, 0)
    return f"the disk of the spool has {lack}" if lack else ""
