"""A `Composition` from an object of JSON: what an API or a message queue is handed.

Its members are called as the options of ``mailer send`` and the fields of `Composition` are: ``from`` ``to`` ``cc`` ``bcc``
``reply_to`` ``subject`` ``text`` ``html`` ``headers`` ``priority`` ``in_reply_to`` ``references`` ``message_id`` ``request_id``, and
``attachments``: objects with ``filename``, ``content_type`` and ``data_base64``, or with ``filename`` and ``download_url``, which
becomes a link in the body. A picture that the HTML shows has a ``content_id``, too. The names ``from_address`` ``reply_to_address``
``to_addresses`` ``cc_addresses`` ``bcc_addresses`` ``body_plain`` ``body_html`` say the same.

A member that is null is one that is not there. One that nobody knows is refused, with the name that was probably meant: a
misspelt ``bcc_adresses`` must not lose its recipients. So is a value of another kind than it should be.
"""

from __future__ import annotations

import json
import re
from binascii import Error as Base64Error
from binascii import a2b_base64
from typing import TYPE_CHECKING, Any

from mailer.mail.address import printable

from .attachment import Attachment
from .fields import EmailError
from .parts import Link

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

TEXT = {
    "request_id": "request_id", "from": "from_", "subject": "subject", "text": "text", "html": "html", "priority": "priority",
    "message_id": "message_id", "in_reply_to": "in_reply_to",
}  # fmt: skip
LISTS = {"to": "to", "cc": "cc", "bcc": "bcc", "reply_to": "reply_to", "references": "references"}
"""Member → field of `Composition`."""

OLD = {
    "from_address": "from", "reply_to_address": "reply_to", "to_addresses": "to", "cc_addresses": "cc", "bcc_addresses": "bcc",
    "body_plain": "text", "body_html": "html",
}  # fmt: skip
"""Another name of a member → the member."""

ATTACHMENT = ("filename", "content_type", "data_base64", "download_url", "content_id")


LARGEST_SKELETON = 1 << 19  # octets of JSON beside its strings: ten thousand recipients have a tenth of that
_IN_STRING = re.compile(rb'(?:[^"\\]++|\\.)*+', re.DOTALL)
PIECE = 1 << 18  # octets that are looked at, or decoded, at a time: while that goes on no other thread has its turn


def load(text: bytes) -> object:
    """What `text` says as JSON. Raises `ValueError`, and `RecursionError`.

    Brackets and commas become objects of many times their size, strings do not: so there are limits to what is no string.
    """
    _refuse_bulk(text)
    return json.loads(text)


def _refuse_bulk(text: bytes) -> None:
    if len(text) <= LARGEST_SKELETON:
        return
    skeleton, at, strings = 0, 0, 0
    while skeleton + strings // 2 <= LARGEST_SKELETON:  # between two strings there is something
        start = text.find(b'"', at)
        if start < 0:
            skeleton += len(text) - at
            break
        skeleton, at, strings = skeleton + start - at, _end_of_string(text, start + 1), strings + 1
    if skeleton + strings // 2 > LARGEST_SKELETON:
        raise ValueError(f"it has too much beside its texts: more than {LARGEST_SKELETON} bytes")


def _end_of_string(text: bytes, at: int) -> int:
    """Where the string ends, behind its quotation mark, in which `at` is; the end of the text, if it does not."""
    while at < len(text):
        found = _IN_STRING.match(text, at, at + PIECE)
        assert found
        at = found.end()
        if text.startswith(b'"', at):
            return at + 1
        if text.startswith(b"\\", at):  # what it escapes is in the next piece
            at += 2
    return len(text)


def strict(text: bytes) -> object:
    """What `text` says as JSON that all readers read alike: UTF-8, each member once, no NaN, no half of a character (RFC 8259 §4, §8).

    Raises `ValueError`; what is nested too deeply as well.
    """
    try:
        said = text.decode()
    except UnicodeDecodeError as error:
        raise ValueError(f"octet {error.start} is no UTF-8") from None
    _refuse_bulk(text)
    try:
        found = json.loads(said, object_pairs_hook=_once, parse_constant=_no_number)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if "\\u" in said and whole(found)[1]:
        raise ValueError("it has half of a character, a surrogate that is alone")
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        twice = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise ValueError(f"the member {printable(twice)!r} stands twice")
    return found


def _no_number(word: str) -> None:
    raise ValueError(f"{word} is no JSON")


def whole(payload: object) -> tuple[object, bool]:
    """`payload` with U+FFFD for each half of a character, and whether there was one: what is left of one that was cut in two.

    JSON can say a half (RFC 8259 §8.2), and no mail can.
    """
    if isinstance(payload, str):
        try:
            payload.encode()
        except UnicodeEncodeError:
            return payload.encode("utf-16", "surrogatepass").decode("utf-16", "replace"), True
        return payload, False
    if isinstance(payload, list):
        made = [whole(one) for one in payload]
        return [one for one, _ in made], any(half for _, half in made)
    if isinstance(payload, dict):
        pairs = [(whole(name), whole(one)) for name, one in payload.items()]
        return {name: one for (name, _), (one, _) in pairs}, any(a or b for (_, a), (_, b) in pairs)
    return payload, False


def parts(payload: object) -> dict[str, Any]:
    """The fields of the `Composition` that `payload` describes. Raises `EmailError`."""
    members = _members(payload, (*TEXT, *LISTS, "attachments", "headers", *OLD), "the payload")
    said: dict[str, str] = {}  # member → the name that it was given by
    for name in members:
        if (first := said.setdefault(OLD.get(name, name), name)) != name:
            raise EmailError(name, f"{first} and {name} are the same; say one of them")
    found: dict[str, Any] = {TEXT[one]: _text(name, members[name]) for one, name in said.items() if one in TEXT}
    for one, field in LISTS.items():
        name = said.get(one, one)
        if one in ("to", "cc", "bcc") or name in members:
            value = members.get(name, ())
            found[field] = value if one == "reply_to" and isinstance(value, str) else [_text(name, each) for each in _list(name, value)]
    found["headers"] = _headers(members.get("headers", {}))
    files = [_members(one, ATTACHMENT, "an attachment") for one in _list("attachments", members.get("attachments", ()))]
    found["files"] = [_file(one) for one in files if "download_url" not in one]
    found["links"] = [_link(one) for one in files if "download_url" in one]
    return found


def _members(value: object, known: Iterable[str], what: str) -> Mapping[str, Any]:
    """The members of an object that are there. Raises `EmailError` for one that is not `known`."""
    if not isinstance(value, dict):
        raise EmailError("payload", f"{what} is no object")
    for name in value:
        if name not in known:
            from difflib import get_close_matches

            near = get_close_matches(str(name), known, 1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
            raise EmailError("payload", f"{what} has no member {printable(str(name))!r}; {hint}")
    return {name: one for name, one in value.items() if one is not None}


def _text(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise EmailError(name, f"{name} is no text")
    return value


def _list(name: str, value: object) -> list[Any] | tuple[Any, ...]:
    """A list; one address alone stands for a list of it."""
    if isinstance(value, str) and OLD.get(name, name) in LISTS:
        return [value]
    if not isinstance(value, list | tuple):
        raise EmailError(name, f"{name} is no list")
    return value


def _headers(value: object) -> dict[str, str]:
    if not isinstance(value, dict):
        raise EmailError("headers", "headers is no object")
    return {str(name): _text(f"the header {printable(str(name))}", one) for name, one in value.items()}


def _file(members: Mapping[str, Any]) -> Attachment:
    if "data_base64" not in members:
        raise EmailError("attachment", "an attachment needs data_base64, or a download_url")
    text = "".join(_text("data_base64", members["data_base64"]).split())
    try:
        data = _decoded(text)
    except (Base64Error, ValueError):
        raise EmailError("attachment", f"the data_base64 of the attachment {_name(members)!r} is no base 64") from None
    return Attachment(data, _name(members), _text("content_type", members.get("content_type", "")), _content_id(members))


def _decoded(text: str) -> bytes:
    """The octets that base 64 writes, in pieces. Raises `ValueError`, of which `Base64Error` is one."""
    if 0 <= text.find("=") < len(text) - 2:
        raise ValueError("there is something behind the end")
    return b"".join(a2b_base64(text[at : at + PIECE], strict_mode=True) for at in range(0, len(text), PIECE))


def _link(members: Mapping[str, Any]) -> Link:
    if "data_base64" in members:
        raise EmailError("attachment", f"the attachment {_name(members)!r} has both data_base64 and a download_url")
    return Link(_name(members), _text("download_url", members["download_url"]))


def _name(members: Mapping[str, Any]) -> str:
    return _text("filename", members.get("filename", ""))


def _content_id(members: Mapping[str, Any]) -> str:
    return _text("content_id", members.get("content_id", ""))
