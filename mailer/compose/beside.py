"""What a payload asks for beside the message that it describes: a link to unsubscribe, and mail to who is on the suppression list.

It is no part of the email, but of its envelope, and each that takes payloads says who may ask for it.
"""

from __future__ import annotations

from .fields import EmailError

LINK, IGNORE = "list_unsubscribe", "ignore_suppression"
"""Members of a payload, and options of an envelope, of the same names."""


def apart(payload: object) -> tuple[object, dict[str, object]]:
    """`payload` without what is asked beside the message, and that as options of an envelope. Raises `EmailError`."""
    if not isinstance(payload, dict) or not (LINK in payload or IGNORE in payload):
        return payload, {}
    rest = {**payload}
    link, ignore = rest.pop(LINK, None), rest.pop(IGNORE, None)
    if link not in (None, "auto"):
        raise EmailError(LINK, f'{LINK} is "auto", or is not there')
    if not (ignore is None or isinstance(ignore, bool)):
        raise EmailError(IGNORE, f"{IGNORE} is true or false")
    asked: dict[str, object] = {LINK: link, IGNORE: ignore}
    return rest, {name: value for name, value in asked.items() if value}
