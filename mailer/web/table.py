"""The endpoints: each with its method, its path, the scope that a key has to have, who answers, and what it takes and gives.

The routes are made of this table, and so is the OpenAPI document: what is not here does not exist.
"""

from __future__ import annotations

from mailer.journal.api import TYPES
from mailer.mail.history import LATER, SCHEDULED, STATUSES
from mailer.suppression.api import REASONS

from . import act, health, look, openapi, send, stream, suppressions
from .answer import NDJSON
from .endpoint import EndpointAnswer, EndpointParameter, WebEndpoint
from .schemas import ADDRESS, LINK, REQUEST_ID, TEXT, ref

JSON = "application/json"
KEY_FIELD = EndpointParameter(
    "Idempotency-Key", "header", REQUEST_ID, "What the request is called, so that it is made once; as request_id."
)
NAME = EndpointParameter("id", "path", TEXT, "The message: its ID, its request id, or its Message-ID.")
SUPPRESSED = EndpointParameter("address", "path", TEXT, "An address, or @domain for all of a domain.")
SCOPE = EndpointParameter("scope", "query", TEXT, "A stream, or * for all mail; without it the stream of the key, or all.")
SUPPRESSIONS = {"type": "array", "items": ref("Suppression")}
ID = {"type": "string", "pattern": "^[0-9A-HJKMNP-TV-Z]{26}$"}
STATES = [*dict.fromkeys((*STATUSES, *LATER, SCHEDULED))]
RESULT = {"anyOf": [ref("Accepted"), ref("Error")]}
RESULTS = {"type": "array", "items": RESULT}
MESSAGES = {"type": "array", "items": ref("Message")}
REPLAYED = {"Idempotent-Replayed": "true, where the request was made before"}

BESIDE = (
    EndpointParameter("list_unsubscribe", "query", LINK, "A link with which its one recipient leaves the stream of the key (RFC 8058)."),
    EndpointParameter("ignore_suppression", "query", {"type": "boolean"}, "Also to who is on the suppression list; with the scope manage."),
)

TABLE: tuple[WebEndpoint, ...] = (
    WebEndpoint(
        "POST",
        "/send_email",
        send.email,
        "send",
        "Hand in one message. It is on the disk when this is answered with 202.",
        (KEY_FIELD,),
        {JSON: ref("Email")},
        {202: EndpointAnswer("the message is in the queue", {JSON: ref("Accepted")}, REPLAYED)},
        (409, 413, 415),
    ),
    WebEndpoint(
        "POST",
        "/send_emails",
        send.emails,
        "send",
        "Hand in many messages, as an array or one a line. Each has its result, in order; what is accepted is on the disk.",
        (KEY_FIELD._replace(sentence="Of the whole; a message without a request_id has this one, a slash and its number, from 0."),),
        {JSON: {"type": "array", "items": ref("Email"), "minItems": 1}, NDJSON: TEXT},
        {202: EndpointAnswer("what became of each", {JSON: RESULTS, NDJSON: TEXT})},
        (413, 415),
    ),
    WebEndpoint(
        "POST",
        "/send_raw",
        send.raw,
        "send",
        "Hand in one message as RFC 5322 has it.",
        (
            EndpointParameter("to", "query", {"type": "array", "items": ADDRESS}, "Who gets it; without that, whom To, Cc and Bcc name."),
            EndpointParameter("from", "query", ADDRESS, "The reverse-path; without it, who sends it by its header."),
            EndpointParameter("priority", "query", {"type": "string", "enum": ["high", "normal", "low"]}, "How soon it leaves."),
            *BESIDE,
            KEY_FIELD,
        ),
        {"message/rfc822": TEXT},
        {202: EndpointAnswer("the message is in the queue", {JSON: ref("Accepted")}, REPLAYED)},
        (409, 413, 415),
    ),
    WebEndpoint(
        "GET",
        "/status",
        look.many,
        "status",
        "What became of messages, the newest first.",
        (
            EndpointParameter("recipient_email", "query", TEXT, "A recipient; * stands for any text."),
            EndpointParameter("from", "query", TEXT, "The reverse-path, <> for none; * stands for any text."),
            EndpointParameter("state", "query", TEXT, f"Some of {', '.join(STATES)}, with commas between."),
            EndpointParameter("since", "query", TEXT, "When it was queued at the earliest: a time (RFC 3339), or how long ago, as 2h."),
            EndpointParameter(
                "limit", "query", {"type": "integer", "minimum": 1, "maximum": look.MOST}, f"How many, {look.PAGE} by default."
            ),
            EndpointParameter("after", "query", ID, "The message behind which to go on."),
        ),
        {},
        {200: EndpointAnswer("the messages", {JSON: MESSAGES, NDJSON: TEXT}, {"Link": "where the list goes on, rel=next (RFC 8288)"})},
    ),
    WebEndpoint(
        "GET",
        "/status/{id:path}",
        look.one,
        "status",
        "What became of one message.",
        (NAME,),
        {},
        {200: EndpointAnswer("the message", {JSON: ref("Message")})},
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
        {200: EndpointAnswer("the story", {JSON: ref("Story")})},
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
        {200: EndpointAnswer("the message as it is then", {JSON: ref("Message")})},
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
        {200: EndpointAnswer("the new message", {JSON: ref("Message")})},
        (404, 409),
    ),
    WebEndpoint(
        "GET",
        "/suppressions",
        suppressions.many,
        "suppress",
        "Who is not to be mailed, by address.",
        (
            EndpointParameter("address", "query", TEXT, "An address, or @domain; * stands for any text."),
            SCOPE,
            EndpointParameter("reason", "query", TEXT, f"One of {', '.join(REASONS)}."),
            EndpointParameter("since", "query", TEXT, "Since when at the earliest: a time (RFC 3339), or how long ago, as 2h."),
            EndpointParameter(
                "limit", "query", {"type": "integer", "minimum": 1, "maximum": look.MOST}, f"How many, {look.PAGE} by default."
            ),
            EndpointParameter("after", "query", TEXT, "Where to go on, as Link has named it."),
        ),
        {},
        {200: EndpointAnswer("the entries", {JSON: SUPPRESSIONS, NDJSON: TEXT}, {"Link": "where the list goes on, rel=next (RFC 8288)"})},
    ),
    WebEndpoint(
        "GET",
        "/suppressions/{address:path}",
        suppressions.one,
        "suppress",
        "What keeps an address from being mailed.",
        (SUPPRESSED, SCOPE),
        {},
        {200: EndpointAnswer("the entry", {JSON: ref("Suppression")})},
        (404,),
    ),
    WebEndpoint(
        "PUT",
        "/suppressions/{address:path}",
        suppressions.put,
        "suppress",
        "Put an address on the list. Where it is there already, what lasts longer stays.",
        (SUPPRESSED, SCOPE),
        {JSON: ref("Suppressing")},
        {200: EndpointAnswer("the entry that stands then", {JSON: ref("Suppression")})},
        (413,),
        bare=True,
    ),
    WebEndpoint(
        "DELETE",
        "/suppressions/{address:path}",
        suppressions.delete,
        "suppress",
        "Take an address off the list, for one scope.",
        (SUPPRESSED, SCOPE),
        {},
        {204: EndpointAnswer("it is off the list", {})},
        (404,),
    ),
    WebEndpoint(
        "GET",
        "/events",
        stream.events,
        "events",
        "What happens to mail, the oldest first: a page as NDJSON, or, as text/event-stream, all that comes.",
        (
            EndpointParameter(
                "after", "query", ID, "The event behind which to go on; a page without it begins with the oldest that is kept."
            ),
            EndpointParameter("Last-Event-ID", "header", ID, "The same, as a client of a stream says it when it calls again."),
            EndpointParameter(
                "limit", "query", {"type": "integer", "minimum": 1, "maximum": stream.MOST}, f"How many, {stream.PAGE} by default."
            ),
            EndpointParameter("type", "query", TEXT, f"Some of {', '.join(TYPES)}, with commas between."),
            EndpointParameter("message", "query", ID, "The ID of the message that they are about."),
        ),
        {},
        {
            200: EndpointAnswer(
                "the events; a stream begins now, unless it is told where",
                {NDJSON: TEXT, stream.EVENT_STREAM: TEXT},
                {"Link": "of a page: where to go on, also later, rel=next (RFC 8288)"},
            )
        },
        (410,),
    ),
    WebEndpoint(
        "GET",
        "/health",
        health.health,
        "",
        "Whether the process answers.",
        gives={200: EndpointAnswer("it does", {JSON: {"type": "object"}})},
    ),
    WebEndpoint(
        "GET",
        "/ready",
        health.ready,
        "",
        "Whether mail can be taken.",
        gives={
            200: EndpointAnswer("it can", {JSON: {"type": "object"}}),
            503: EndpointAnswer("it cannot, and why", {JSON: {"type": "object"}}),
        },
    ),
    WebEndpoint(
        "GET", "/openapi.json", openapi.answer, "", "This document.", gives={200: EndpointAnswer("it", {JSON: {"type": "object"}})}
    ),
)
