"""The OpenAPI document (3.1.0) of the endpoints, made of their table: ``GET /openapi.json``, and ``mailer api openapi``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from starlette.responses import JSONResponse, Response

from .schemas import SCHEMAS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.requests import Request

    from .endpoint import EndpointAnswer, EndpointParameter, WebEndpoint

VERSION: Final = "1.0"  # of the API: its second part grows with what it has more, its first with what is not there any more
WORDS: Final = {
    400: "what is asked for makes no sense, or there is something wrong with the message",
    401: "no valid key",
    403: "the key is not for this: its scopes, its networks or its senders say so",
    404: "there is no such message of this key",
    405: "there is no such method",
    408: "the request took too long to come",
    409: "it was used for another message, or the message is in another state",
    410: "what was asked for is not kept any more",
    413: "larger than may be",
    415: "another media type, or a body that is packed",
    421: "this server is not called so",
    429: "too many requests of this key, in a time or at a time, or wrong keys of this address",
    431: "too long a header",
    500: "a fault of the server, with the number under which its log has it",
    503: "not this moment: too many wait, or the disk is full",
}
RETRIED: Final = (429, 503)
EVERYWHERE: Final = (400, 408, 421, 431, 500, 503)
WITH_KEY: Final = (401, 403, 429)


def document(table: Iterable[WebEndpoint]) -> dict[str, Any]:
    """The document of `table`. It is the same whatever is configured."""
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in table:
        paths.setdefault(endpoint.path.replace(":path}", "}"), {})[endpoint.method.lower()] = _operation(endpoint)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "mailer",
            "version": VERSION,
            "description": "Hand mail in, and learn what became of it. What is answered with 202 is on the disk. See mailer-api(7).",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": SCHEMAS,
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer", "description": "a key that `mailer api key add` has made"}},
            "headers": {"Retry-After": {"description": "seconds after which to come again", "schema": {"type": "integer", "minimum": 0}}},
        },
    }


async def answer(request: Request) -> Response:
    """The document of the application that is asked."""
    return JSONResponse(document(request.app.state.table))


def _operation(endpoint: WebEndpoint) -> dict[str, Any]:
    name = "_".join(part.strip("{}").partition(":")[0].partition(".")[0] for part in endpoint.path.strip("/").split("/"))
    found: dict[str, Any] = {
        "operationId": f"{endpoint.method.lower()}_{name}",
        "summary": endpoint.summary,
        "responses": _responses(endpoint),
    }
    if endpoint.scope:
        found["security"] = [{"key": []}]
        found["description"] = f"The key needs the scope {endpoint.scope}."
    if endpoint.parameters:
        found["parameters"] = [*map(_parameter, endpoint.parameters)]
    if endpoint.takes:
        found["requestBody"] = {"required": not endpoint.bare, "content": _content(endpoint.takes)}
    return found


def _responses(endpoint: WebEndpoint) -> dict[str, Any]:
    refusals = {*EVERYWHERE, *endpoint.refusals, *(WITH_KEY if endpoint.scope else ())}.difference(endpoint.gives)
    found = {status: _given(given) for status, given in endpoint.gives.items()}
    found |= {status: _refusal(status) for status in refusals}
    return {str(status): found[status] for status in sorted(found)}


def _given(given: EndpointAnswer) -> dict[str, Any]:
    found: dict[str, Any] = {"description": given.sentence, "content": _content(given.bodies)}
    if given.headers:
        found["headers"] = {name: {"description": words, "schema": {"type": "string"}} for name, words in given.headers.items()}
    return found


def _refusal(status: int) -> dict[str, Any]:
    found: dict[str, Any] = {
        "description": WORDS[status],
        "content": _content({"application/json": {"$ref": "#/components/schemas/Error"}}),
    }
    if status in RETRIED:
        found["headers"] = {"Retry-After": {"$ref": "#/components/headers/Retry-After"}}
    if status == 401:
        found["headers"] = {"WWW-Authenticate": {"description": "Bearer (RFC 6750 §3)", "schema": {"type": "string"}}}
    return found


def _parameter(parameter: EndpointParameter) -> dict[str, Any]:
    found = {"name": parameter.name, "in": parameter.where, "description": parameter.sentence, "schema": parameter.schema}
    return {**found, "required": True} if parameter.where == "path" else found


def _content(bodies: dict[str, dict[str, Any]]) -> dict[str, Any]:
    return {media_type: {"schema": schema} for media_type, schema in bodies.items()}
