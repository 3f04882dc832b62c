"""The endpoints: each with its method, its path, the scope that a key has to have, who answers, and what it takes and gives.

The routes are made of this table, and so is the OpenAPI document: what is not here does not exist.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NamedTuple

from starlette.requests import Request
from starlette.responses import Response

from mailer.compose.payload import ATTACHMENT
from mailer.mail.envelope import LONGEST_REQUEST_ID
from mailer.mail.history import LATER, SCHEDULED, STATUSES
from mailer.operate.schemas import schema

from . import act, health, look, openapi, send
from .answer import NDJSON

Handler = Callable[[Request], Awaitable[Response]]
Schema = dict[str, Any]


class Parameter(NamedTuple):
    """A parameter of a request: `where` is ``query``, ``path`` or ``header``."""

    name: str
    where: str
    schema: Schema
    sentence: str


class Given(NamedTuple):
    """What an answer of one status is: its sentence, and the schema of its body by media type."""

    sentence: str
    bodies: dict[str, Schema]
    headers: dict[str, str] = {}  # noqa: RUF012 - a named tuple is not changed


class WebEndpoint(NamedTuple):
    """One endpoint: `scope` is empty where nobody has to say who asks. `takes` is the body by media type, `gives` the answer by status.

    What may go wrong everywhere (a key that is none, a limit) is not listed here; `refusals` are further statuses that are errors.
    """

    method: str
    path: str
    handler: Handler
    scope: str = ""
    summary: str = ""
    parameters: Sequence[Parameter] = ()
    takes: dict[str, Schema] = {}  # noqa: RUF012 - a named tuple is not changed
    gives: dict[int, Given] = {}  # noqa: RUF012
    refusals: Sequence[int] = ()


TEXT: Schema = {"type": "string"}
ADDRESS: Schema = {"type": "string", "description": "an address, as anna@example.org or Anna <anna@example.org>"}
ADDRESSES: Schema = {"anyOf": [ADDRESS, {"type": "array", "items": ADDRESS}]}
REQUEST_ID: Schema = {"type": "string", "minLength": 1, "maxLength": LONGEST_REQUEST_ID, "pattern": "^[!-~]([ -~]*[!-~])?$"}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _plain(command: str, nth: int = 0) -> Schema:
    """The schema of a line of a command, without what says of which."""
    found = schema(command)
    found = found["anyOf"][nth] if "anyOf" in found else found
    return {name: value for name, value in found.items() if name not in ("$schema", "title", "description")}


def _or_null(known: Schema) -> Schema:
    return {"anyOf": [known, {"type": "null"}]}


def _email() -> Schema:
    """The payload; all of its members have two names, and may be null."""
    texts = ("request_id", "subject", "text", "html", "body_plain", "body_html", "message_id", "in_reply_to")
    members: dict[str, Schema] = {
        **dict.fromkeys(texts, TEXT),
        "request_id": {**REQUEST_ID, "description": "what makes it once, however often it is asked for; as the field Idempotency-Key"},
        **dict.fromkeys(("from", "from_address"), ADDRESS),
        **dict.fromkeys(("to", "cc", "bcc", "reply_to", "to_addresses", "cc_addresses", "bcc_addresses", "reply_to_address"), ADDRESSES),
        "references": {"type": "array", "items": TEXT},
        "priority": {"type": "string", "enum": ["highest", "high", "normal", "low", "lowest"]},
        "headers": {"type": "object", "additionalProperties": TEXT},
        "attachments": {"type": "array", "items": _ref("Attachment")},
    }
    made = {name: _or_null(each) for name, each in members.items()}
    some = [{"required": [name]} for name in ("from", "from_address")]
    return {"type": "object", "properties": made, "additionalProperties": False, "anyOf": some}


SCHEMAS: dict[str, Schema] = {
    "Email": _email(),
    "Attachment": {
        "type": "object",
        "description": "a file, in data_base64, or a link to one, download_url, which is written into the text and never fetched",
        "properties": dict.fromkeys(ATTACHMENT, _or_null(TEXT)),
        "additionalProperties": False,
    },
    "Accepted": {
        "type": "object",
        "properties": {
            "id": TEXT,
            "message_id": {**TEXT, "description": "the same as id"},
            "request_id": _or_null(TEXT),
            "status": {"const": "queued"},
            "repeat": {"type": "boolean", "description": "whether the request was made before: then this is the message of then"},
            "header_message_id": _or_null({**TEXT, "description": "the Message-ID of its header"}),
            "recipients": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {"address": TEXT, "type": TEXT, "status": TEXT},
                    "required": ["address", "type", "status"],
                },
            },
        },
        "required": ["id", "message_id", "request_id", "status", "repeat", "header_message_id", "recipients"],
    },
    "Message": _plain("status"),
    "Story": _plain("explain"),
    "Error": {
        "type": "object",
        "properties": {
            "error": {
                "type": "object",
                "properties": {"code": TEXT, "message": TEXT, "member": TEXT},
                "required": ["code", "message"],
            },
        },
        "required": ["error"],
    },
}
"""By the names that the document has for them."""

JSON = "application/json"
KEY_FIELD = Parameter("Idempotency-Key", "header", REQUEST_ID, "What the request is called, so that it is made once; as request_id.")
NAME = Parameter("id", "path", TEXT, "The message: its ID, its request id, or its Message-ID.")
STATES = [*dict.fromkeys((*STATUSES, *LATER, SCHEDULED))]
RESULT: Schema = {"anyOf": [_ref("Accepted"), _ref("Error")]}
RESULTS: Schema = {"type": "array", "items": RESULT}
MESSAGES: Schema = {"type": "array", "items": _ref("Message")}
REPLAYED = {"Idempotent-Replayed": "true, where the request was made before"}

TABLE: tuple[WebEndpoint, ...] = (
    WebEndpoint(
        "POST",
        "/send_email",
        send.email,
        "send",
        "Hand in one message. It is on the disk when this is answered with 202.",
        (KEY_FIELD,),
        {JSON: _ref("Email")},
        {202: Given("the message is in the queue", {JSON: _ref("Accepted")}, REPLAYED)},
        (409, 413, 415),
    ),
    WebEndpoint(
        "POST",
        "/send_emails",
        send.emails,
        "send",
        "Hand in many messages, as an array or one a line. Each has its result, in order; what is accepted is on the disk.",
        (KEY_FIELD._replace(sentence="Of the whole; a message without a request_id has this one, a slash and its number, from 0."),),
        {JSON: {"type": "array", "items": _ref("Email"), "minItems": 1}, NDJSON: TEXT},
        {202: Given("what became of each", {JSON: RESULTS, NDJSON: TEXT})},
        (413, 415),
    ),
    WebEndpoint(
        "POST",
        "/send_raw",
        send.raw,
        "send",
        "Hand in one message as RFC 5322 has it.",
        (
            Parameter("to", "query", {"type": "array", "items": ADDRESS}, "Who gets it; without that, whom To, Cc and Bcc name."),
            Parameter("from", "query", ADDRESS, "The reverse-path; without it, who sends it by its header."),
            Parameter("priority", "query", {"type": "string", "enum": ["high", "normal", "low"]}, "How soon it leaves."),
            KEY_FIELD,
        ),
        {"message/rfc822": TEXT},
        {202: Given("the message is in the queue", {JSON: _ref("Accepted")}, REPLAYED)},
        (409, 413, 415),
    ),
    WebEndpoint(
        "GET",
        "/status",
        look.many,
        "status",
        "What became of messages, the newest first.",
        (
            Parameter("recipient_email", "query", TEXT, "A recipient; * stands for any text."),
            Parameter("from", "query", TEXT, "The reverse-path, <> for none; * stands for any text."),
            Parameter("state", "query", TEXT, f"Some of {', '.join(STATES)}, with commas between."),
            Parameter("since", "query", TEXT, "When it was queued at the earliest: a time (RFC 3339), or how long ago, as 2h."),
            Parameter("limit", "query", {"type": "integer", "minimum": 1, "maximum": look.MOST}, f"How many, {look.PAGE} by default."),
            Parameter("after", "query", {"type": "string", "pattern": "^[0-9A-HJKMNP-TV-Z]{26}$"}, "The message behind which to go on."),
        ),
        {},
        {200: Given("the messages", {JSON: MESSAGES, NDJSON: TEXT}, {"Link": "where the list goes on, rel=next (RFC 8288)"})},
    ),
    WebEndpoint(
        "GET",
        "/status/{id:path}",
        look.one,
        "status",
        "What became of one message.",
        (NAME,),
        {},
        {200: Given("the message", {JSON: _ref("Message")})},
        (404, 409),
    ),
    WebEndpoint(
        "GET",
        "/explain/{id:path}",
        look.explain,
        "status",
        "The whole story of one message: each attempt, what holds it up, and when it is tried next.",
        (NAME,),
        {},
        {200: Given("the story", {JSON: _ref("Story")})},
        (404, 409),
    ),
    WebEndpoint(
        "POST",
        "/messages/{id}/cancel",
        act.cancel,
        "manage",
        "Give up what of a message has not left.",
        (NAME,),
        {},
        {200: Given("the message as it is then", {JSON: _ref("Message")})},
        (404, 409),
    ),
    WebEndpoint(
        "POST",
        "/messages/{id}/replay",
        act.replay,
        "manage",
        "Put a message that was given up once more, for those who have not got it.",
        (NAME,),
        {},
        {200: Given("the new message", {JSON: _ref("Message")})},
        (404, 409),
    ),
    WebEndpoint(
        "GET", "/health", health.health, "", "Whether the process answers.", gives={200: Given("it does", {JSON: {"type": "object"}})}
    ),
    WebEndpoint(
        "GET",
        "/ready",
        health.ready,
        "",
        "Whether mail can be taken.",
        gives={200: Given("it can", {JSON: {"type": "object"}}), 503: Given("it cannot, and why", {JSON: {"type": "object"}})},
    ),
    WebEndpoint("GET", "/openapi.json", openapi.answer, "", "This document.", gives={200: Given("it", {JSON: {"type": "object"}})}),
)
