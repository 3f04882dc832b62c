"""Unsubscribing: ``GET /u/{token}`` shows a form, ``POST /u/{token}`` does it. RFC 8058

A GET changes nothing: filters of mail follow every link (RFC 8058 §1). A POST, by the form or by the program of a mailbox operator, puts
the address on the suppression list for the stream, and is answered when that is on the disk. The token is all that is asked for; the
answer does not tell whether the address was on the list already, or ever got anything. What is no token of ours has the same status, 200,
and a page for people that says so: nobody whose program cut a link believes that he is unsubscribed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.responses import HTMLResponse, Response

from mailer.mail.problem import Problem
from mailer.operate.suppression import unsubscribed
from mailer.pages.page import HEADERS, Pages
from mailer.suppression.unsubscribe import PATH, keys_of, opened

from .desk import Desk
from .endpoint import WebEndpoint

if TYPE_CHECKING:
    from starlette.requests import Request

    from mailer.suppression.unsubscribe import UnsubscribeToken

ADVICE = "Nothing has changed. Open the link from the message once more; some programs cut long links. Or answer the message and say so."
LATER = "Nothing has changed. Please try it again in a few minutes; the link stays good."


class UnsubscribePage:
    """The page, drawn by `pages`."""

    def __init__(self, pages: Pages) -> None:
        self.pages = pages
        self.endpoints = (WebEndpoint("GET", f"{PATH}{{token}}", self.show), WebEndpoint("POST", f"{PATH}{{token}}", self.leave))

    async def show(self, request: Request) -> Response:
        """The form."""
        try:
            found = _token(request)
        except Problem:
            return self._page("unsubscribe_not.html", 503, what="This is not possible right now", advice=LATER)
        if found is None:
            return self._page("unsubscribe_not.html", what="This link is not whole", advice=ADVICE)
        return self._page("unsubscribe.html", done=False, address=found.address, stream=found.stream)

    async def leave(self, request: Request) -> Response:
        """Put the address on the list."""
        desk = Desk.of(request)
        try:
            found = _token(request)
            if found is None:
                return self._page("unsubscribe_not.html", what="This link is not whole", advice=ADVICE)
            await unsubscribed(desk.suppressions, found, desk.clock.now())
        except Problem as problem:
            request.scope["state"]["asked"].reason = str(problem)
            answer = self._page("unsubscribe_not.html", 503, what="This is not possible right now", advice=LATER)
            answer.headers["Retry-After"] = "60"
            return answer
        return self._page("unsubscribe.html", done=True, address=found.address, stream=found.stream)

    def _page(self, template: str, status: int = 200, **what: Any) -> Response:
        headers = {**HEADERS, "Referrer-Policy": "no-referrer", "X-Robots-Tag": "noindex"}
        return HTMLResponse(self.pages.draw(template, **what), status, headers)


def _token(request: Request) -> UnsubscribeToken | None:
    """What the link says. Raises `Problem` where the key cannot be read."""
    return opened(request.path_params["token"], keys_of(Desk.of(request).config.spool))
