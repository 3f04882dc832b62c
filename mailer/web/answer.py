"""Answers: the JSON that clients get, of a message and of what is wrong; each kind of `Problem` has its status here, and nowhere else.

An error is ``{"error": {"code", "message", "member"}}``: a word for programs, a sentence for people, and which member of the request
is meant, where one is. What is wrong on this machine is told in the log; a client learns that it may come again.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from starlette.responses import JSONResponse, Response

from mailer.mail.document import queued_recipient
from mailer.mail.problem import Conflict, Forbidden
from mailer.mail.text import one_line

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from starlette.datastructures import QueryParams

    from mailer.mail.problem import Kind, Problem
    from mailer.submit import Prepared

NDJSON: Final = "application/x-ndjson"
AGAIN: Final = 5  # seconds after which a client may come again

KINDS: Final[dict[Kind, tuple[int, str]]] = {
    "usage": (400, "bad_request"),
    "bad-message": (400, "bad_message"),
    "no-such": (404, "not_found"),
    "unavailable": (503, "unavailable"),
    "bug": (500, "internal"),
    "cannot-create": (503, "unavailable"),
    "io-error": (503, "unavailable"),
    "try-again": (503, "try_again"),
    "no-permission": (503, "unavailable"),
    "bad-config": (503, "unavailable"),
}
"""Whose trouble it is, as HTTP says it: what the client can mend is 4xx; a file or a setting of ours is 503."""


class JsonAnswer(JSONResponse):
    """A body of JSON as `JSONResponse` has it, by a writer that is made once."""

    def render(self, content: Any) -> bytes:
        """The body."""
        return _WRITER.encode(content).encode()


_WRITER: Final = json.JSONEncoder(ensure_ascii=False, allow_nan=False, check_circular=False, separators=(",", ":"))


class ApiRefusal(Exception):
    """A request that is refused: the answer is `status`, with an error of `code`, `message` and `member`, and `headers`.

    `reason` is for the log alone.
    """

    def __init__(
        self, status: int, code: str, message: str, member: str = "", headers: Mapping[str, str] | None = None, reason: str = ""
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.member = member
        self.headers = headers
        self.reason = reason

    def as_json(self) -> dict[str, Any]:
        """The body of the answer."""
        return error(self.code, self.message, self.member)

    def response(self) -> Response:
        """The answer."""
        return JSONResponse(self.as_json(), self.status, self.headers)


def error(code: str, message: str, member: str = "") -> dict[str, Any]:
    """The body of every refusal."""
    return {"error": {"code": code, "message": message, **({"member": member} if member else {})}}


def refusal_of(problem: Problem) -> ApiRefusal:
    """The refusal that `problem` is for a client."""
    if isinstance(problem, Conflict):
        return ApiRefusal(409, "conflict", "this request id was used for another message; nothing was queued", "request_id")
    if isinstance(problem, Forbidden):
        return ApiRefusal(403, "forbidden", one_line(str(problem)))
    status, code = KINDS[problem.kind]
    if status < 500:
        return ApiRefusal(status, code, one_line(str(problem)))
    words = "the server cannot do that this moment; nothing was queued, come again"
    return ApiRefusal(status, code, words, headers={"Retry-After": str(AGAIN)}, reason=one_line(str(problem)))


def accepted(prepared: Prepared, header_message_id: str | None = None, suppressed: Collection[int] = ()) -> dict[str, Any]:
    """The body of a 202, of a message that is in the spool, now or since an earlier request.

    `suppressed` are the recipients (numbers in the envelope) who are on the suppression list, and will not get it.
    """
    envelope = prepared.envelope
    recipients = [queued_recipient(each, envelope.created) for each in envelope.recipients]
    return {
        "id": envelope.id,
        "message_id": envelope.id,
        "request_id": envelope.request_id or None,
        "status": "queued",
        "repeat": prepared.repeat,
        "header_message_id": header_message_id or envelope.message_id or None,
        "recipients": [
            {"address": each["address"], "type": each["type"], "status": "suppressed" if to in suppressed else each["status"]}
            for to, each in enumerate(recipients)
        ],
    }


def refuse_unknown(query: QueryParams, known: Sequence[str], repeated: Sequence[str] = ()) -> None:
    """Refuse a query that has what nobody knows, and what stands twice and is none of `repeated`. Raises `ApiRefusal`.

    A parameter that is misspelt must not get lost.
    """
    for name in query:
        short = one_line(name, 40)
        if name not in known:
            raise ApiRefusal(400, "bad_request", f"there is no {short!r}; there are {', '.join(known)}", short)
        if name not in repeated and len(query.getlist(name)) > 1:
            raise ApiRefusal(400, "bad_request", f"{short!r} stands twice", short)


def array(documents: Iterable[object]) -> bytes:
    """Documents as one array of JSON, made one by one: so what is long holds up nobody for long."""
    return f"[{','.join(json.dumps(document, separators=(',', ':')) for document in documents)}]".encode()


def lines(documents: Iterable[object]) -> bytes:
    """Documents as NDJSON."""
    return "".join(json.dumps(document, separators=(",", ":")) + "\n" for document in documents).encode()
