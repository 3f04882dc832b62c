"""The page ``/``: how mail stands, for a person with a browser. It changes nothing.

Whoever wants to see it types a key with the scope status, once, into a form. The browser then has a cookie that no script reads and no page
of others sends (SameSite=Strict), and that stands for the key for `LASTING`, as long as the process runs and the key holds. A
key never stands in an address. It sees the mail that came by it; with the scope operator it sees the whole spool.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import parse_qs

from starlette.responses import FileResponse, HTMLResponse, RedirectResponse, Response

from mailer.accounts.api import digest_of, divided
from mailer.mail.problem import Problem
from mailer.operate.standing import own_standing, whole_standing
from mailer.pages.page import HEADERS, STATIC, Pages, own
from mailer.spool.files.store import SpoolDirectory

from .answer import ApiRefusal
from .desk import Desk, TooBusy
from .endpoint import WebEndpoint

if TYPE_CHECKING:
    from starlette.requests import Request

    from mailer.accounts.api import ApiKey
    from mailer.operate.standing import MailStanding

SCOPE: Final = "status"
LASTING: Final = 12 * 3600.0  # seconds of a session
SESSIONS: Final = 1000  # the one that was used least goes first
FRESH: Final = 2.0  # seconds for which what was read is shown again: it costs as much as there is mail
LONGEST: Final = 4096  # octets of the form
FILES: Final = {"style.css": "text/css", "common.js": "text/javascript", "door.js": "text/javascript", "icon.svg": "image/svg+xml"}
COOKIE: Final = "mailer_session"


class WebSession(NamedTuple):
    """A browser that has shown the key with the public part `id` and a secret of this digest; `until` is by the monotonic clock."""

    id: str
    digest: str
    until: float


class FrontPage:
    """The page, and who has been let in."""

    def __init__(self) -> None:
        self.pages = Pages()
        self.sessions: OrderedDict[str, WebSession] = OrderedDict()
        self.endpoints = (
            WebEndpoint("GET", "/", self.show),
            WebEndpoint("POST", "/login", self.login),
            WebEndpoint("POST", "/logout", self.logout),
            WebEndpoint("GET", "/static/{name}", _static),
        )
        self._known: dict[str, tuple[float, MailStanding]] = {}
        self._turns: dict[str, asyncio.Lock] = {}

    async def show(self, request: Request) -> Response:
        """How mail stands, or the form."""
        key = await self._holder(request)
        if key is None:
            return self._form()
        request.scope["state"]["asked"].key = key.name
        try:
            found = await self._standing(Desk.of(request), key)
        except (Problem, TooBusy):
            advice = "The page asks again by itself. On the machine, `mailer doctor` says what is wrong."
            return self._page("problem.html", 503, what="The spool cannot be read this moment", advice=advice, back="mailer")
        desk = Desk.of(request)
        codes = desk.requests.counts
        figures = {
            "requests": codes.total(),
            "refused": sum(many for (_, status), many in codes.items() if 400 <= status < 500),
            "faults": sum(many for (_, status), many in codes.items() if status >= 500),
            "waiting": desk.waiting,
            "streams": desk.streams.total(),
        }
        return self._page("door.html", key=key.name, seen=found, figures=figures, now=desk.clock.now())

    async def login(self, request: Request) -> Response:
        """Let a browser in that shows a key."""
        if not _is_ours(request):
            return Response("only our own page logs in here\n", 403, HEADERS, "text/plain")
        typed = await _typed(request)
        try:
            gate = Desk.of(request).gate
            key = await gate.admit(SCOPE, [f"Bearer {typed}"], {}, request.scope["state"]["client"])
        except ApiRefusal as refusal:
            words = "This is no valid key." if refusal.status == 401 else f"{refusal.message[:1].upper()}{refusal.message[1:]}."
            answer = self._form(words, refusal.status)
            answer.headers.update({name: value for name, value in (refusal.headers or {}).items() if name == "Retry-After"})
            return answer
        name = secrets.token_urlsafe(32)
        self.sessions[name] = WebSession(key.id, digest_of(divided(typed)[1]), time.monotonic() + LASTING)
        while len(self.sessions) > SESSIONS:
            self.sessions.popitem(last=False)
        request.scope["state"]["asked"].key = key.name
        answer = RedirectResponse("/", 303, HEADERS)
        secure = request.url.scheme == "https" or request.headers.get("origin", "").startswith("https://")  # which TLS a proxy may speak
        answer.set_cookie(COOKIE, name, max_age=int(LASTING), path="/", secure=secure, httponly=True, samesite="strict")
        return answer

    async def logout(self, request: Request) -> Response:
        """Forget the browser."""
        if not _is_ours(request):
            return Response("only our own page logs out here\n", 403, HEADERS, "text/plain")
        self.sessions.pop(request.cookies.get(COOKIE, ""), None)
        answer = RedirectResponse("/", 303, HEADERS)
        answer.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict")
        return answer

    async def _holder(self, request: Request) -> ApiKey | None:
        """The key of the browser that asks, if it has shown one that is still good."""
        name = request.cookies.get(COOKIE, "")
        session = self.sessions.get(name)
        if session is None:
            return None
        key = await Desk.of(request).gate.known(session.id, session.digest, SCOPE, request.scope["state"]["client"])
        if key is None or session.until <= time.monotonic():
            self.sessions.pop(name, None)
            return None
        self.sessions.move_to_end(name)
        return key

    async def _standing(self, desk: Desk, key: ApiKey) -> MailStanding:
        """What the key sees, read at most once in `FRESH` seconds, by one at a time. Raises `Problem`, `TooBusy`."""
        operator = "operator" in key.scopes
        whose = "" if operator else key.name
        async with self._turns.setdefault(whose, asyncio.Lock()):
            known = self._known.get(whose)
            if known is not None and time.monotonic() - known[0] < FRESH:
                return known[1]

            def read() -> MailStanding:
                spool, config, now = SpoolDirectory(desk.config.spool), desk.config, desk.clock.now()
                return whole_standing(spool, config, now) if operator else own_standing(spool, key.principal)

            found = await desk.work(read)
            self._known[whose] = time.monotonic(), found
            return found

    def _form(self, wrong: str = "", status: int = 200) -> Response:
        return self._page("door_login.html", status, wrong=wrong)

    def _page(self, template: str, status: int = 200, **what: Any) -> Response:
        return HTMLResponse(self.pages.draw(template, **what), status, HEADERS)


def _is_ours(request: Request) -> bool:
    fields = {name: value.decode("latin-1") for name, value in request.scope["headers"]}
    return own(fields, fields.get(b"host", ""))


async def _typed(request: Request) -> str:
    """What was typed into the form; empty for anything that is no such form."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > LONGEST:
            return ""
    try:
        return parse_qs(body.decode("ascii"), max_num_fields=4).get("key", [""])[0].strip()
    except ValueError:
        return ""


async def _static(request: Request) -> Response:
    name = request.path_params["name"]
    if name not in FILES:
        return Response("there is no such file\n", 404, HEADERS, "text/plain")
    return FileResponse(STATIC / name, media_type=FILES[name], headers=HEADERS)
