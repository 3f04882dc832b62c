r"""Reads the part of a report that programs read: message/delivery-status, RFC 3464 §2, and its form beyond ASCII, RFC 6533 §3.

A block of fields is about the message, each further one about a recipient. They come with and without the empty line between them,
with two, with fields missing, folded, commented, or of another order, and all of these are read: what begins a recipient is its
name, and what stands before any is about the message. An address in the ``utf-8`` type has its characters as ``\x{…}``, or as they are.
"""

from __future__ import annotations

import re
from dataclasses import replace
from io import BytesIO
from typing import TYPE_CHECKING

from mailer.mail import text as words

from .classes import classify
from .reported import Reported

if TYPE_CHECKING:
    from collections.abc import Iterator

LOOKED = 2_500_000  # octets of the part that are read field by field
RECIPIENTS = 10_000  # of a report; what is beyond is counted
DIAGNOSTIC = 500  # characters
ADDRESS = 320  # characters; RFC 5321 §4.5.3.1 has 64 and 255
VALUE = 4000  # octets of a field that are looked at

ACTIONS = frozenset({"failed", "delayed", "delivered", "relayed", "expanded"})
NAMING = (b"final-recipient", b"original-recipient")
KNOWN = frozenset({
    b"original-envelope-id", b"reporting-mta", b"x-postfix-sender", b"x-mailer-sender", b"x-sender", b"original-mail-from",
    *NAMING, b"action", b"status", b"remote-mta", b"diagnostic-code", b"x-actual-recipient", b"x-display-name",
})  # fmt: skip

ENHANCED = re.compile(r"(?<![\w.])([245])\.(\d{1,3})\.(\d{1,3})(?!\.?\d)")
CODE = re.compile(r"(?<![\w.:/-])([245][0-5]\d)(?=[ \t:;#,)\]-]|$)")
_HEX = re.compile(r"\\x\{([0-9A-Fa-f]{2,6})\}")

Fields = dict[bytes, str]


def fields_of(body: bytes) -> tuple[Fields, list[Fields]]:
    """The fields about the message, and those about each of at most `RECIPIENTS` recipients. Names in lower case."""
    message: Fields = {}
    recipients: list[Fields] = []
    current, fresh = message, True
    for name, value in _fields(body[:LOOKED]):
        if not name:
            fresh = True
            continue
        begins = name in NAMING and (current is message or name in current or (fresh and _named(current)))
        if begins:
            if len(recipients) == RECIPIENTS:
                break
            current = {}
            recipients.append(current)
        fresh = False
        current.setdefault(name, value)
    return message, recipients


def _named(fields: Fields) -> bool:
    return NAMING[0] in fields or (NAMING[1] in fields and b"action" in fields)


def beyond(data: bytes, start: int, end: int, read: int) -> int:
    """How many recipients a part at this place names beyond those that were `read`; counted only where there may be some."""
    if read < RECIPIENTS and end - start <= LOOKED:
        return 0
    return max(
        sum(data.count(name, start, end) for name in (b"\nFinal-Recipient:", b"\nFinal-recipient:", b"\nfinal-recipient:")) - read, 0
    )


def _fields(body: bytes) -> Iterator[tuple[bytes, str]]:
    """(name in lower case, unfolded value) of each field that is known, and an empty name for each empty line."""
    name, value = b"", b""
    for line in BytesIO(body):
        if line[:1] in (b" ", b"\t") and line.strip():
            if len(value) < VALUE:
                value += b" " + line.strip()[:VALUE]
            continue
        if name:
            yield name, value.decode("utf-8", "replace").strip()
        name = b""
        before, colon, after = line[:VALUE].partition(b":")
        if not line.strip():
            yield b"", ""
        elif colon and (small := before.strip().lower()) in KNOWN:
            name, value = small, after
    if name:
        yield name, value.decode("utf-8", "replace").strip()


def reported(fields: Fields, text: str = "") -> Reported:
    """The recipient that `fields` are about. `text` is the letter to the person, which may say what the fields do not."""
    final = address_of(fields.get(b"final-recipient", "")) or address_of(fields.get(b"x-actual-recipient", ""))
    original = address_of(fields.get(b"original-recipient", ""))
    given = fields.get(b"action", "").partition("(")[0].strip().lower()
    diagnostic = _typed(fields.get(b"diagnostic-code", ""))
    status = enhanced_in(fields.get(b"status", ""), good=True) or enhanced_in(diagnostic)
    action = _action(given, status)
    address = original if "@" in original or not final else final
    if action in ("delivered", "relayed", "expanded"):
        return Reported(address, original, final, action, status, one_line(diagnostic), _host(fields.get(b"remote-mta", "")))
    return judged(Reported(address, original, final), action, status, diagnostic, _host(fields.get(b"remote-mta", "")), text)


def judged(whom: Reported, action: str, status: str, diagnostic: str, remote: str, text: str) -> Reported:
    """A recipient that did not get the mail, with its class: what the host said tells it, else what stands around it."""
    said = enhanced_in(diagnostic)
    temporary = action == "delayed" or (status or said).startswith("4.")
    code = code_in(diagnostic)
    found = classify(code, said or status, diagnostic, temporary=temporary)
    if found.name == "other" and said and said != status:
        found = classify(code, status, diagnostic, temporary=temporary)
    if found.name in ("other", "policy") and text and not _says(diagnostic):
        around = classify(code, status, text, temporary=temporary, sure=True)
        found = around if around.name != "other" else found
    if not status:
        status = _unsaid(code, found.status, temporary=temporary)
    return replace(
        whom,
        action=action,
        status=status,
        diagnostic=one_line(diagnostic),
        remote=remote,
        class_=found.name,
        hard=found.hard,
        fault=found.fault,
    )


def _says(diagnostic: str) -> bool:
    """Whether there are words beside the codes."""
    return sum(map(str.isalpha, ENHANCED.sub("", diagnostic)[:200])) > 20


def _unsaid(code: int, status: str, *, temporary: bool) -> str:
    """The status of a report that has none: of its class, and never of another class than the reply."""
    if code >= 400 and status:
        return str(code)[0] + status[1:]
    return status or ("4.0.0" if temporary else "5.0.0")


def _action(given: str, status: str) -> str:
    """What is said, in whatever words, or what the status means. RFC 3464 §2.3.3"""
    if given in ACTIONS:
        return given
    for word, action in (("fail", "failed"), ("delay", "delayed"), ("deliver", "delivered"), ("relay", "relayed"), ("expand", "expanded")):
        if given.startswith(word):
            return action
    return {"2": "delivered", "4": "delayed"}.get(status[:1], "failed")


def address_of(value: str) -> str:
    """The address of a field, without its type, comments and brackets. RFC 3464 §2.1.2, RFC 6533 §3"""
    text = value[:VALUE]
    kind, semicolon, rest = text.partition(";")
    while semicolon and "@" not in kind:  # some write the type twice
        text = rest
        kind, semicolon, rest = text.partition(";")
    if "<" in text and ">" in text[text.index("<") :]:
        text = text[text.index("<") + 1 :].partition(">")[0]
    if "\\x{" in text:
        text = _HEX.sub(_character, text)
    text = text.strip(" \t<>\"'").partition(" ")[0] if not text.strip().startswith('"') else text.strip(" \t<>")
    if "@" not in text and "+40" in text:  # RFC 3461 §4, left as it came in ORCPT
        text = text.replace("+40", "@").replace("+2B", "+").replace("+3D", "=")
    return one_line(text, ADDRESS).rstrip(".,;:")


def _character(found: re.Match[str]) -> str:
    number = int(found[1], 16)
    return chr(number) if 0x20 <= number <= 0x10FFFF and not 0xD800 <= number < 0xE000 else "\ufffd"


def _typed(value: str) -> str:
    """What a diagnostic says, without its type, which is a word before a semicolon."""
    kind, semicolon, rest = value.partition(";")
    return rest.strip() if semicolon and len(kind) <= 20 and " " not in kind.strip() else value.strip()


def _host(value: str) -> str:
    """The name of a field ``Remote-MTA``, without its type and comment."""
    name = one_line(_typed(value).partition("(")[0], 255).strip(" .")
    return "" if name.lower() in ("unknown", "none") else name.partition(" ")[0]


def enhanced_in(text: str, *, good: bool = False) -> str:
    """The first enhanced code of a failure in `text`, or nothing; of class 2 with `good`.

    One that says no more than its class counts only where there is no other. RFC 3463 §2
    """
    best = ""
    for found in ENHANCED.finditer(text[:1000]):
        if found[1] == "2" and not good:
            continue
        code = ".".join(str(int(number)) for number in found.groups())
        if not code.endswith(".0.0"):
            return code
        best = best or code
    return best


def code_in(text: str) -> int:
    """The first reply code in `text` that tells of a failure, or 0. RFC 5321 §4.2.1"""
    for found in CODE.finditer(text[:1000]):
        if found[1][0] != "2":
            return int(found[1])
    return 0


def one_line(text: str, limit: int = DIAGNOSTIC) -> str:
    """`text` on one line of at most `limit` characters, without what a terminal would act on."""
    return words.one_line(text[: 4 * limit].replace("\0", " "), limit)
