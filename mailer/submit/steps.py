"""The message itself, step by step: what comes in front of it, what stands twice, what does not travel, what is missing, what is mended."""

from __future__ import annotations

import time

from mailer.mail.dates import rfc5322
from mailer.mail.message import UNKNOWN_WORD, Change, has_long_line
from mailer.mail.problem import Problem
from mailer.spool.files import layout

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from mailer.config.sections import SubmissionSettings
    from mailer.mail.message import Message

ENVELOPE = (
    ("Bcc", (b"bcc", b"resent-bcc"), "nobody but its recipient may know"),  # RFC 5322 §3.6.3
    ("Return-Path", (b"return-path",), "the host that delivers it says that"),  # RFC 5321 §4.4
)
"""What only the envelope says when mail leaves."""


def single_fields(message: Message, changes: list[Change], *, strict: bool) -> Message:
    """The message with each field once that may stand once. Raises `Problem` (bad-message) if that is not wanted."""
    from mailer.mail.once import single

    done: list[Change] = []
    message = single(message, done)
    _check_strict(done, strict=strict)
    changes += done
    return message


def without_envelope(message: Message, changes: list[Change]) -> Message:
    """The message without what only its envelope says when it leaves."""
    shown = message.without(*(name for _, names, _ in ENVELOPE for name in names))
    if len(shown.header) < len(message.header):
        for what, names, why in ENVELOPE:
            if gone := [value for name in names for value in message.values(name)]:
                changes.append(Change("removed", what, ", ".join(gone), "", why))
    return shown


def complete(message: Message, author: Callable[[], str], settings: SubmissionSettings, now: float, changes: list[Change]) -> Message:
    """Add what RFC 5322 §3.6 demands or advises and the message lacks; `author` is asked only where nobody is named."""
    have = {name for name, _ in message.fields()}
    added = []
    if b"date" not in have:
        added.append(f"Date: {rfc5322(now, time.localtime(now).tm_gmtoff // 60)}")
    if b"from" not in have:
        added.append(f"From: {author()}")
    if b"message-id" not in have:
        added.append(f"Message-ID: <{layout.new_id(now).lower()}@{settings.hostname}>")
    for line in added:
        name, _, value = line.partition(": ")
        changes.append(Change("added", name, "", value, "there was none"))
    if any(name.startswith(b"resent-") for name in have):
        from mailer.mail.resent import resent

        date = rfc5322(now, time.localtime(now).tm_gmtoff // 60)
        message = resent(message, author, date, f"<{layout.new_id(now).lower()}@{settings.hostname}>", changes)
    return message.with_fields(*added) if added or not message.rest else message


def needs_mending(message: Message) -> bool:
    """Whether not every server would take it as it is, as far as can be seen at once."""
    header, rest = message.header, message.rest
    raw = not (header.isascii() and rest.isascii())
    if b"=?" in header and UNKNOWN_WORD in header.lower():
        return True
    return has_long_line(header) or has_long_line(rest) or (raw and not _says_8bit(message))


def _says_8bit(message: Message) -> bool:
    """Whether 8-bit text says so in as many words, where that can be seen at once."""
    encoding = message.value(b"content-transfer-encoding") or ""
    kind = (message.value(b"content-type") or "").lower()
    labelled = kind.startswith("text/") and "charset=" in kind and "ascii" not in kind and "unknown" not in kind
    return encoding.lower() == "8bit" and labelled and message.header.isascii()


def mended(message: Message, changes: list[Change], *, strict: bool) -> bytes:
    """What not every server would take, in a form that it does. Raises `Problem` (bad-message) if that is not wanted."""
    from mailer.mail.repair import repaired

    done: list[Change] = []
    content = repaired(message, done)
    _check_strict(done, strict=strict)
    changes += done
    return content


def _check_strict(done: list[Change], *, strict: bool) -> None:
    if done and strict:
        raise Problem(f"{done[0].what}: {done[0].why}; nothing was queued, for that is not to be mended (submission.strict)", "bad-message")
