"""The way to an endpoint: whether its path has parameters or not, it is called alike, and what it raises has the same answer."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import httpx
import pytest
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from mailer.mail.problem import Problem
from mailer.web.answer import ApiRefusal
from mailer.web.app import application
from mailer.web.desk import TooBusy
from mailer.web.endpoint import WebEndpoint

if TYPE_CHECKING:
    from starlette.requests import Request

    from mailer.web.asked import WebRequest

    from .api import Api

PATHS = ("/straight", "/by/{name:path}")


def asked(
    api: Api, method: str, path: str, raised: Exception | None = None, scope: str = "", key: str = ""
) -> tuple[httpx.Response, WebRequest]:
    """What an endpoint at this path says to GET, or what becomes of what it raises; and the request as the log has it."""
    told: list[WebRequest] = []

    async def endpoint(request: Request) -> Response:
        if raised is not None:
            raise raised
        return JSONResponse({"path": request.url.path, "query": [*request.query_params.items()], "named": request.path_params})

    async def scenario() -> httpx.Response:
        app = application(api.desk, told.append, [WebEndpoint("GET", path, endpoint, scope)])
        way = httpx.ASGITransport(app, raise_app_exceptions=False, client=("127.0.0.1", 1))
        async with httpx.AsyncClient(transport=way, base_url="http://localhost") as caller:
            headers = {"Authorization": f"Bearer {key}"} if key else {}
            return await caller.request(method, path.replace("{name:path}", "x") + "?a=1", headers=headers)

    answer = asyncio.run(scenario())
    [one] = told
    return answer, one


@pytest.mark.parametrize("path", PATHS)
def test_an_endpoint_has_the_request(api: Api, path: str) -> None:
    """Its path, its query, and what the path names."""
    answer, one = asked(api, "GET", path)
    place = path.replace("{name:path}", "x")
    assert answer.json() == {"path": place, "query": [["a", "1"]], "named": {"name": "x"} if place != path else {}}
    assert (one.endpoint, one.status, one.path) == (path, 200, place)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    ("raised", "status", "code"),
    [
        (ApiRefusal(418, "odd", "it is odd", headers={"X-Odd": "very"}), 418, "odd"),
        (Problem("there is none", "no-such"), 404, "not_found"),
        (HTTPException(404), 404, "no_such_path"),
        (TooBusy(), 503, "busy"),
        (ZeroDivisionError(), 500, "internal"),
    ],
    ids=lambda given: type(given).__name__,
)
def test_what_it_raises_has_its_answer(api: Api, path: str, raised: Exception, status: int, code: str) -> None:
    """A fault of ours has a number, by which the log knows it."""
    answer, one = asked(api, "GET", path, raised)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert answer.headers.get("X-Odd", "") == ("very" if status == 418 else "")
    assert (one.status, one.bug) == (status, raised if code == "internal" else None)
    assert one.ref == (answer.json()["error"]["message"].split()[-1] if code == "internal" else "")


@pytest.mark.parametrize("path", PATHS)
def test_a_key_is_asked_for(api: Api, path: str) -> None:
    """One that is good for it."""
    assert asked(api, "GET", path, scope="status")[0].status_code == 401
    assert asked(api, "GET", path, scope="events", key=api.shop)[0].status_code == 403
    answer, one = asked(api, "GET", path, scope="status", key=api.shop)
    assert (answer.status_code, one.key) == (200, "shop")


@pytest.mark.parametrize("path", PATHS)
def test_another_method_is_told_what_there_is(api: Api, path: str) -> None:
    """HEAD is GET without its body."""
    answer, _ = asked(api, "POST", path)
    assert answer.status_code == 405
    assert "GET" in answer.headers["Allow"]
    assert asked(api, "HEAD", path)[0].status_code == 200
