"""Header fields from what people write: addresses with names, free text, further fields by name."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from mailer.mail import address, address_list
from mailer.mail.mime import MAX_WORD, WIDTH, encoded, field, phrase

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from mailer.mail.address_list import Box


OURS = frozenset({"from", "to", "cc", "reply-to", "subject", "mime-version"})
HIDDEN = frozenset({"bcc", "resent-bcc"})
STRUCTURED = frozenset({
    "date", "message-id", "in-reply-to", "references", "sender", "list-unsubscribe", "list-unsubscribe-post", "x-priority", "importance",
})  # fmt: skip
"""Fields that stand once and are read by programs, most of them of RFC 5322 §3.6; no encoded word may stand there."""

PRIORITIES = {"highest": ("1", "high"), "high": ("2", "high"), "normal": ("3", "normal"), "low": ("4", "low"), "lowest": ("5", "low")}
"""How soon it should be read: the values of X-Priority, which everybody invented, and of Importance, RFC 4021 §2.1.54."""

SHORT = 320  # characters of an address that is remembered for a while

_BARE = "bare.invalid"  # stands for the domain that an address without one gets from submission


class EmailError(ValueError):
    """`str()` is one line that says what is wrong; `part` is where: a field's name, ``text``, ``html`` or ``attachment``."""

    def __init__(self, part: str, problem: str) -> None:
        super().__init__(part, problem)
        self.part = part
        self.problem = problem

    def __str__(self) -> str:
        return self.problem


class NamedMailbox(NamedTuple):
    """One address with its display name, RFC 5322 §3.4."""

    display: str
    address: str

    def __str__(self) -> str:
        return f"{phrase(self.display)} <{self.address}>" if self.display else self.address


def mailboxes(name: str, texts: Iterable[str], most: int = 0, bad: list[str] | None = None) -> list[NamedMailbox]:
    """All addresses of `texts`, those of groups, too; at most `most` of them unless that is 0. Raises `EmailError`.

    With `bad`, what is no address is added to that, as it was written, and raises nothing.
    """
    found = [box for _, members in _groups(name, texts, bad) for box in members]
    _check_number(name, len(found), most)
    return found


def addresses(name: str, texts: Iterable[str], most: int = 0, bad: list[str] | None = None) -> Iterator[str]:
    """The field with all addresses of `texts`, or nothing if there is none. A group stays one, also without members, RFC 6854 §2.

    `bad` is as for `mailboxes`.
    """
    shown, number = [], 0
    for group, members in _groups(name, texts, bad):
        listed, number = ", ".join(map(str, members)), number + len(members)
        shown.append(f"{phrase(group)}: {listed};" if group else listed)
    _check_number(name, number, most)
    if value := ", ".join(filter(None, shown)):
        yield field(name, value)


def _check_number(name: str, number: int, most: int) -> None:
    if most and number > most:
        raise EmailError(name, f"{name} takes one address, not {number}")


def _groups(name: str, texts: Iterable[str], bad: list[str] | None) -> Iterator[tuple[str, Sequence[NamedMailbox]]]:
    """The addresses in order: each group under its name, those between groups under none."""
    for text in texts:
        if len(text) <= SHORT and (known := _alone(text)) is not None:
            yield "", known
            continue
        value = checked(name, text)
        groups = [*address_list.groups(value)] or ([("", [(value, 0, 0, 0, 0)])] if value else [])
        for group, boxes in groups:
            yield _unquoted(group), [*_mailboxes(name, value, boxes, bad)]


@lru_cache(1024)
def _alone(text: str) -> tuple[NamedMailbox] | None:
    """The mailbox of a text that is one and nothing else; None for every other. A message reads each of its addresses some times."""
    try:
        found = [*address_list.groups(checked("", text))]
        if len(found) != 1 or found[0][0] or len(found[0][1]) != 1:
            return None
        [box] = _mailboxes("", checked("", text), found[0][1], None)
    except EmailError:
        return None
    return (box,)


def _mailboxes(name: str, value: str, boxes: Iterable[Box], bad: list[str] | None) -> Iterator[NamedMailbox]:
    """Each with the display name that stands before its bracket in `value`, or in a comment behind it: the older way, RFC 5322 §3.4."""
    for text, start, _, first, last in boxes:
        try:
            parsed = address.parse(text, _BARE)
        except address.AddressError as error:
            if bad is None:
                raise EmailError(name, f"{name}: {error}") from None
            bad.append(text)
        else:
            display = value[first : start - 1] if start > first else address_list.comment(value, last)
            yield NamedMailbox(_unquoted(display.strip()), parsed.local if parsed.domain == _BARE else parsed.path)


def subject(text: str) -> Iterator[str]:
    """The Subject field, if there is a subject."""
    if text:
        yield field("Subject", encoded(checked("Subject", text)))


def identifiers(name: str, ids: Iterable[str]) -> Iterator[str]:
    """A field of message identifiers, each with or without its angle brackets; RFC 5322 §3.6.4."""
    if found := [f"<{_identifier(name, id)}>" for id in ids]:
        yield field(name, " ".join(found))


def _identifier(name: str, text: str) -> str:
    inner = text.strip(" \t").removeprefix("<").removesuffix(">")
    if not inner or len(inner) > MAX_WORD - 2 or not all("!" <= c <= "~" and c not in "<>" for c in inner):
        raise EmailError(name, f"{name} takes message identifiers such as <x@example.org>, not {address.printable(text)!r}")
    return inner


def unsubscribe(uris: Iterable[str], *, one_click: bool) -> Iterator[str]:
    """How a reader leaves the list, RFC 2369 §3.2: addresses of the web or of mail; by one click on the web, RFC 8058 §3.1."""
    found = [_unsubscribe(checked("List-Unsubscribe", uri)) for uri in uris]
    if found:
        yield field("List-Unsubscribe", ", ".join(f"<{uri}>" for uri in found))
    if one_click and any(uri.startswith("https:") for uri in found):
        yield field("List-Unsubscribe-Post", "List-Unsubscribe=One-Click")


def _unsubscribe(uri: str) -> str:
    inner = uri.removeprefix("<").removesuffix(">")
    if (
        not inner.startswith(("https://", "mailto:"))
        or len(inner) > MAX_WORD
        or not all("!" <= c <= "~" and c not in '<>,"' for c in inner)
    ):
        raise EmailError("List-Unsubscribe", f"{address.printable(uri)!r} is no way to unsubscribe; write https://… or mailto:…")
    return inner


def priority(word: str) -> Iterator[str]:
    """The fields that ask a reader to hurry, or not to; what is normal needs no saying. Raises `EmailError`."""
    if word and word not in PRIORITIES:
        raise EmailError("X-Priority", f"there is no priority {address.printable(word)!r}; there are {', '.join(PRIORITIES)}")
    if word in ("", "normal"):
        return
    number, importance = PRIORITIES[word]
    yield field("X-Priority", number)
    yield field("Importance", importance)


def further(headers: Iterable[tuple[str, str]], made: Sequence[str]) -> Iterator[str]:
    """The fields that were asked for by name. Raises `EmailError`, also for one that is `made` already from something else."""
    seen = {line.partition(":")[0].lower() for line in made}
    for name, value in headers:
        key = name.lower()
        if not name or not all("!" <= c <= "~" and c != ":" for c in name) or len(name) > 70:  # RFC 5322 §2.2
            raise EmailError(name, f"{address.printable(name)!r} is no name of a header field")
        if key in HIDDEN:
            raise EmailError(name, f"{name} is no field that others may read; name hidden recipients as bcc")
        if key in OURS or key.startswith("content-"):
            raise EmailError(name, f"the field {name} is made from the other options")
        if key in STRUCTURED and key in seen:
            raise EmailError(name, f"the field {name} may stand once")
        seen.add(key)
        yield field(name, _value(name, checked(name, value)))


def checked(name: str, value: str) -> str:
    """`value` without blanks at its ends, tabs as blanks; what could end a line somewhere is refused. Raises `EmailError`."""
    value = value.replace("\t", " ").strip(" ")
    if value.isascii() and value.isprintable():
        return value
    for char in value:
        if char < " " or "\x7f" <= char <= "\x9f" or char in "\u2028\u2029" or "\ud800" <= char <= "\udfff":
            raise EmailError(name, f"{name} holds the control character U+{ord(char):04X}")
    return value


def _value(name: str, value: str) -> str:
    """`value` as it is where it can stand so; whoever writes an encoded word himself means it."""
    if value.isascii() and max(map(len, value.split(" "))) <= MAX_WORD and " " * WIDTH not in value:
        return value
    if name.lower() in STRUCTURED:
        raise EmailError(name, f"the field {name} holds a character beyond ASCII, or a word too long for a line")
    return encoded(value)


def _unquoted(display: str) -> str:
    """A display name without its quotes and backslashes, blanks run together."""
    if len(display) > 1 and display[0] == display[-1] == '"':
        display = display[1:-1].replace('\\"', '"').replace("\\\\", "\\")
    return " ".join(display.split())
