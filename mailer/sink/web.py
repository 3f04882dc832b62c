"""The page of what came: a list that is live, each message as HTML, text, header and source, its attachments, deleting with a way back.

It is for the person who develops on this machine. So it answers only who asks for a name of this machine (a page of somebody else
whose name leads here gets 421: DNS rebinding), and takes what changes something only from its own pages (``Sec-Fetch-Site``,
``Origin``). The HTML of a message has an origin of its own (``sandbox``), runs no script, and loads nothing from elsewhere until that
is asked for.

Beside the pages: ``GET /api/messages[?q=]``, ``GET`` and ``DELETE /api/messages/ID``, ``DELETE /api/messages``, for tests in any language.
"""

from __future__ import annotations

import asyncio
import ipaddress
import time
from collections.abc import AsyncIterator
from email.utils import parseaddr
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlsplit

from starlette.applications import Starlette
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from mailer.mail.dates import rfc3339
from mailer.pages.page import HEADERS, STATIC, Pages, own

from . import reading
from .box import Box, Boxed

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import ASGIApp, Receive, Scope, Send

PAGE: Final = 50  # messages of one page of the list
ALIVE: Final = 15.0  # seconds between two comments on a stream without news
FRAME: Final = (
    "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; img-src {images}; style-src 'unsafe-inline'; "
    "font-src data:; base-uri 'none'; form-action 'none'; frame-ancestors {self}"
)
FILES: Final = {"style.css": "text/css", "common.js": "text/javascript", "sink.js": "text/javascript", "icon.svg": "image/svg+xml"}


class Web:
    """The application (ASGI) over the messages of `box`; `address` is where the sink takes mail, as its pages say it."""

    def __init__(self, box: Box, address: str) -> None:
        self.box = box
        self.address = address
        self.pages = Pages()
        self._changes = 0
        self._changed = asyncio.Event()
        self._closing = False
        get = ["GET"]
        self.app: ASGIApp = Guard(
            Starlette(
                routes=[
                    Route("/", self.list, methods=get),
                    Route("/events", self.events, methods=get),
                    Route("/static/{name}", _static, methods=get),
                    Route("/messages/{id}", self.message, methods=get),
                    Route("/messages/{id}/html", self.html, methods=get),
                    Route("/messages/{id}/source", self.source, methods=get),
                    Route("/messages/{id}/parts/{number:int}", self.part, methods=get),
                    Route("/messages/{id}/delete", self.delete_one, methods=["POST"]),
                    Route("/delete", self.delete_all, methods=["POST"]),
                    Route("/restore", self.restore, methods=["POST"]),
                    Route("/api/messages", self.api_list, methods=["GET", "DELETE"]),
                    Route("/api/messages/{id}", self.api_one, methods=["GET", "DELETE"]),
                ],
                exception_handlers={404: self._missing},
            )
        )

    def changed(self) -> None:
        """Tell the pages that are open that something came, or left."""
        self._changes += 1
        self._changed.set()
        self._changed = asyncio.Event()

    def close(self) -> None:
        """End the streams."""
        self._closing = True
        self.changed()

    async def list(self, request: Request) -> Response:
        """The list, `PAGE` messages at a time from the one after ``after``."""
        words, after, changes = request.query_params.get("q", ""), request.query_params.get("after", ""), self._changes
        everything = await asyncio.to_thread(self.box.all)
        found = [kept for kept in everything if kept.has(words)]
        start = next((at for at, kept in enumerate(found, 1) if kept.id == after), 0)
        rows = found[start : start + PAGE]
        deleted = request.query_params.get("deleted", "")
        return self._page(
            "sink_list.html",
            q=words,
            rows=[_row(kept) for kept in rows],
            next=rows[-1].id if len(found) > start + PAGE else "",
            total=len(everything),
            shown=len(found),
            unread=sum(kept.unread for kept in everything),
            deleted=int(deleted) if deleted.isdigit() and len(deleted) < 9 else 0,
            address=self.address,
            changes=changes,
        )

    async def message(self, request: Request) -> Response:
        """One message. Its first view is the HTML where there is some."""
        kept = await self._kept(request)
        if kept is None:
            return self._gone()
        mail = await asyncio.to_thread(lambda: reading.read(self.box.see(kept)))
        views = [*(["html"] if mail.html else []), "text", "header", "source"]
        wanted = request.query_params.get("view", views[0])
        view = wanted if wanted in views else views[0]
        remote = request.query_params.get("remote") == "1"
        return self._page("sink_message.html", mail=mail, views=views, view=view, remote=remote)

    async def html(self, request: Request) -> Response:
        """The HTML of a message, for the frame that holds it."""
        kept = await self._kept(request)
        if kept is None:
            return self._gone()
        mail = await asyncio.to_thread(reading.read, kept)
        here = f"{request.url.scheme}://{request.url.netloc}"
        images = f"{here} data:" + (" http: https:" if request.query_params.get("remote") == "1" else "")
        answer = HTMLResponse('<!doctype html><base target="_blank">' + mail.html, headers=HEADERS)
        answer.headers["Content-Security-Policy"] = FRAME.format(images=images, self=here)
        return answer

    async def source(self, request: Request) -> Response:
        """The message as it came, as a file."""
        kept = await self._kept(request)
        if kept is None:
            return self._gone()
        return _download(await asyncio.to_thread(reading.content_of, kept), f"{kept.id}.eml", "message/rfc822")

    async def part(self, request: Request) -> Response:
        """An attachment; a picture that the HTML shows is shown."""
        kept = await self._kept(request)
        found = None if kept is None else await asyncio.to_thread(reading.part_of, kept, request.path_params["number"])
        if found is None:
            return self._gone()
        kind, name, content = found
        if request.query_params.get("inline") == "1" and kind in reading.PICTURES:
            return Response(content, media_type=kind, headers=HEADERS | {"Cross-Origin-Resource-Policy": "cross-origin"})
        return _download(content, name, "application/octet-stream")

    async def delete_one(self, request: Request) -> Response:
        """To the trash."""
        kept = await self._kept(request)
        return await self._delete([kept] if kept else [], "/?")

    async def delete_all(self, request: Request) -> Response:
        """All, or those that match, to the trash."""
        words = request.query_params.get("q", "")
        found = [kept for kept in await asyncio.to_thread(self.box.all) if kept.has(words)]
        return await self._delete(found, f"/?q={quote(words, safe='')}&" if words else "/?")

    async def restore(self, _request: Request) -> Response:
        """What was deleted last is back."""
        await asyncio.to_thread(self.box.restore)
        self.changed()
        return RedirectResponse("/", 303, HEADERS)

    async def events(self, request: Request) -> Response:
        """A line for each change (server-sent events), with which open pages look again; at once where there was one since ``after``."""
        seen = request.query_params.get("after", str(self._changes))
        return StreamingResponse(self._stream(seen), media_type="text/event-stream", headers=HEADERS)

    async def api_list(self, request: Request) -> Response:
        """The list as JSON, newest first; DELETE deletes those that it lists."""
        found = [kept for kept in await asyncio.to_thread(self.box.all) if kept.has(request.query_params.get("q", ""))]
        if request.method == "DELETE":
            many = await asyncio.to_thread(self.box.delete, found)
            self.changed()
            return JSONResponse({"deleted": many}, headers=HEADERS)
        return JSONResponse([_as_json(kept) for kept in found], headers=HEADERS)

    async def api_one(self, request: Request) -> Response:
        """A message as JSON; DELETE deletes it."""
        kept = await self._kept(request)
        if kept is None:
            return JSONResponse({"error": "there is no such message"}, 404, HEADERS)
        if request.method == "DELETE":
            await asyncio.to_thread(self.box.delete, [kept])
            self.changed()
            return JSONResponse({"deleted": 1}, headers=HEADERS)
        mail = await asyncio.to_thread(reading.read, kept)
        files = [{"number": file.number, "name": file.name, "type": file.type, "size": file.size} for file in mail.files]
        return JSONResponse(
            _as_json(kept) | {"header": mail.header, "text": mail.text, "html": mail.html, "attachments": files}, headers=HEADERS
        )

    async def _stream(self, seen: str) -> AsyncIterator[str]:
        yield "retry: 2000\n\n"
        while not self._closing:
            if seen != str(self._changes):
                seen = str(self._changes)
                yield "data: changed\n\n"
                continue
            try:
                async with asyncio.timeout(ALIVE):
                    await self._changed.wait()
            except TimeoutError:
                yield ": nothing new\n\n"

    async def _kept(self, request: Request) -> Boxed | None:
        return await asyncio.to_thread(self.box.get, request.path_params["id"])

    async def _delete(self, kept: list[Boxed], back: str) -> Response:  # type: ignore[valid-type]
        many = await asyncio.to_thread(self.box.delete, kept)
        self.changed()
        return RedirectResponse(f"{back}deleted={many}", 303, HEADERS)

    def _page(self, template: str, status: int = 200, **what: Any) -> Response:
        return HTMLResponse(self.pages.draw(template, **what), status, HEADERS)

    def _gone(self) -> Response:
        advice = "It was deleted, or the sink has been started anew."
        return self._page("problem.html", 404, what="There is no such message", advice=advice)

    async def _missing(self, _request: Request, _error: Exception) -> Response:
        return self._page("problem.html", 404, what="There is no such page", advice="The list has all messages.")


class Guard:
    """Lets those ask who are meant: by a name of this machine, and for a change from our own pages or from a program."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or refuse."""
        if scope["type"] != "http":
            return
        header = {name: value.decode("latin-1") for name, value in scope["headers"]}
        host = header.get(b"host", "")
        if not local(host, scope.get("server")):
            answer = Response("this page answers only to a name of its own machine\n", 421, HEADERS, "text/plain")
        elif scope["method"] not in ("GET", "HEAD") and not own(header, host):
            answer = Response("only our own pages change something here\n", 403, HEADERS, "text/plain")
        else:
            await self.app(scope, receive, send)
            return
        await answer(scope, receive, send)


def local(host: str, server: tuple[str, int] | None) -> bool:
    """Whether `host` (of the header field) is this machine by a name that nobody else can have, or the address that was asked."""
    try:
        name = urlsplit(f"//{host}").hostname or ""
        return name == "localhost" or name.endswith(".localhost") or ipaddress.ip_address(name).is_loopback or name == (server or ("",))[0]
    except ValueError:
        return False


def _row(kept: Boxed) -> dict[str, object]:
    now, when = time.localtime(), time.localtime(kept.at)
    form = "%H:%M" if when[:3] == now[:3] else "%-d %b" if when[0] == now[0] else "%d.%m.%Y"
    sender = parseaddr(kept.sender)[0] or kept.sender or kept.reverse_path
    return {
        "id": kept.id, "unread": kept.unread, "sender": sender, "subject": kept.subject, "to": kept.to,
        "size": kept.size, "moment": rfc3339(int(kept.at)), "clock": time.strftime(form, when),
    }  # fmt: skip


def _as_json(kept: Boxed) -> dict[str, object]:
    return {
        "id": kept.id, "at": rfc3339(kept.at), "from": kept.reverse_path, "recipients": [*kept.recipients], "subject": kept.subject,
        "header_from": kept.sender, "header_to": kept.to, "size": kept.size, "unread": kept.unread,
    }  # fmt: skip


def _download(content: bytes, name: str, kind: str) -> Response:
    """A file to be kept, never shown (RFC 6266)."""
    return Response(
        content, media_type=kind, headers=HEADERS | {"Content-Disposition": f"attachment; filename*=UTF-8''{quote(name, safe='')}"}
    )


async def _static(request: Request) -> Response:
    name = request.path_params["name"]
    if name not in FILES:
        return Response("there is no such file\n", 404, HEADERS, "text/plain")
    return FileResponse(STATIC / name, media_type=FILES[name], headers=HEADERS)
