"""Schemas of what the API takes and gives, as JSON Schema: those of ``--json`` where the command line prints the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailer.compose.payload import ATTACHMENT
from mailer.mail.envelope import LONGEST_REQUEST_ID
from mailer.operate.schemas import schema
from mailer.suppression.api import REASONS

if TYPE_CHECKING:
    from .endpoint import Schema

TEXT: Schema = {"type": "string"}
ADDRESS: Schema = {"type": "string", "description": "an address, as anna@example.org or Anna <anna@example.org>"}
ADDRESSES: Schema = {"anyOf": [ADDRESS, {"type": "array", "items": ADDRESS}]}
REQUEST_ID: Schema = {"type": "string", "minLength": 1, "maxLength": LONGEST_REQUEST_ID, "pattern": "^[!-~]([ -~]*[!-~])?$"}

LINK: Schema = {"const": "auto"}


def ref(name: str) -> Schema:
    """What stands for the schema of this name."""
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
        "attachments": {"type": "array", "items": ref("Attachment")},
        "list_unsubscribe": {**LINK, "description": "a link with which its one recipient leaves the stream of the key (RFC 8058)"},
        "ignore_suppression": {"type": "boolean", "description": "send it also to who is on the suppression list; needs the scope manage"},
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
    "Suppression": _plain("suppress list"),
    "Suppressing": {
        "type": "object",
        "properties": {
            "reason": _or_null({"type": "string", "enum": [*REASONS], "description": "manual without it"}),
            "until": _or_null({"type": "string", "format": "date-time", "description": "for ever without it"}),
            "note": _or_null({**TEXT, "description": "a word for whoever wonders why"}),
            "class": _or_null({**TEXT, "description": "the class of a refusal, as unknown-user"}),
        },
        "additionalProperties": False,
    },
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
