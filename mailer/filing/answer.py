"""Whether mail may be answered by a machine, and what the answer is: RFC 3834, RFC 5230 §4.6.

An answer that goes to a list, to another machine, or to somebody who never wrote makes trouble for many, so there is none where anything
says so: the null reverse-path, a sender who is no person, fields of lists and of machines, mail that was not for the owner by name.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Final

from mailer.mail.address_key import key_of
from mailer.mail.address_list import in_header
from mailer.mail.message import header_end, normalise
from mailer.sieve.meanings import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mailer.mail.message import Message
    from mailer.sieve import Vacation

MACHINES: Final = frozenset({
    "mailer-daemon", "postmaster", "listserv", "majordomo", "noreply", "no-reply", "no_reply", "do-not-reply", "donotreply", "do_not_reply",
    "bounce", "bounces", "root", "daemon", "nobody", "abuse",
})  # fmt: skip
"""Local parts of those who are no persons, RFC 3834 §2."""

BEGINS: Final = ("owner-", "bounce-", "bounces-", "bounces+", "noreply-", "no-reply-", "noreply+", "no-reply+", "srs0=prvs", "prvs=")
ENDS: Final = ("-request", "-owner", "-relay", "-bounces", "-bounce", "-noreply", "-no-reply", "-admin-bounces")

LISTS: Final = (
    b"list-id",
    b"list-help",
    b"list-subscribe",
    b"list-unsubscribe",
    b"list-post",
    b"list-owner",
    b"list-archive",
    b"mailing-list",
)
NAMED: Final = (b"to", b"cc", b"bcc", b"resent-to", b"resent-cc", b"resent-bcc")

_SUPPRESSED: Final = frozenset({"all", "oof", "autoreply"})


def objection(header: Message, sender: str, own: Iterable[str]) -> str:
    """Why mail of `sender` to somebody whose addresses are `own` gets no answer; empty if it may."""
    mine = {key_of(address) for address in own}
    local = key_of(sender).rpartition("@")[0]
    if not sender:
        return "it has the null reverse-path"
    if local in MACHINES or local.startswith(BEGINS) or local.endswith(ENDS):
        return f"{sender} is no person"
    if key_of(sender) in mine:
        return "its sender is the owner"
    return _marked(header) or _unnamed(header, mine)


def _marked(header: Message) -> str:
    """What its header says of where it is from."""
    for value in header.values(b"auto-submitted"):
        submitted = value.partition(";")[0].strip().lower()
        if submitted not in ("", "no"):
            return f"a machine has written it (Auto-Submitted: {submitted[:40]})"  # RFC 3834 §2
    if any(value.strip().lower().startswith(("bulk", "list", "junk")) for value in header.values(b"precedence")):
        return "it is bulk mail (Precedence)"
    if (header.value(b"content-type") or "").strip().lower().startswith("multipart/report"):
        return "it is a report (multipart/report)"  # RFC 3834 §2
    for name in LISTS:
        if header.value(name) is not None:
            return f"it is of a list ({name.decode().title()})"  # RFC 5230 §4.6
    suppressed = {word.strip().lower() for word in (header.value(b"x-auto-response-suppress") or "").split(",")}
    return "its sender wants no answer (X-Auto-Response-Suppress)" if suppressed & _SUPPRESSED else ""


def _unnamed(header: Message, mine: set[str]) -> str:
    """Whether the owner is one of those that it says it is for. RFC 5230 §4.5"""
    for name in NAMED:
        for value in header.values(name):
            if any(key_of(address) in mine for address in in_header(value)):
                return ""
    return "no address of the owner is in To or Cc"


def handle_of(vacation: Vacation) -> str:
    """What tells this answer from others: its handle, or else all that it says. RFC 5230 §4.2"""
    what = [vacation.handle] if vacation.handle else [vacation.subject, vacation.from_, str(vacation.mime), vacation.reason]
    return sha256("\0".join(what).encode("utf-8", "surrogatepass")).hexdigest()[:32]


def reply(vacation: Vacation, header: Message, sender: str, owner: str, subject: str) -> bytes:
    """The answer to `sender`, with the fields that tell machines what it is; `subject` is that of the message as people read it."""
    message_id = (header.value(b"message-id") or "").strip()
    references = f"{header.value(b'references') or ''} {message_id}".split()[-20:]
    lines = [
        f"From: {vacation.from_ or owner}",
        f"To: {sender}",
        f"Subject: {vacation.subject or _auto(subject)}",
        *([f"In-Reply-To: {message_id}"] if _is_id(message_id) else []),  # RFC 5230 §5.8
        *([f"References: {' '.join(each for each in references if _is_id(each))}"] if _is_id(message_id) else []),
        "Auto-Submitted: auto-replied (vacation)",  # RFC 3834 §5
        "X-Auto-Response-Suppress: All",
        "Precedence: bulk",
    ]
    if vacation.mime:
        return normalise(_with_entity(lines, vacation.reason.encode()))
    lines += ["MIME-Version: 1.0", "Content-Type: text/plain; charset=utf-8", "Content-Transfer-Encoding: 8bit", "", vacation.reason]
    return normalise("\r\n".join(lines).encode("utf-8", "replace") + b"\r\n")


def _with_entity(lines: list[str], entity: bytes) -> bytes:
    """The fields with those of an entity that describe what it is, and its body: RFC 5230 §4.4. Others are ours to write."""
    from mailer.mail.message import Message

    entity = normalise(entity)
    head = Message(entity[: header_end(entity)], b"")
    own = b"".join(field for name, field in head.fields() if name.startswith(b"content-"))
    body = entity[header_end(entity) :]
    top = "".join(f"{line}\r\n" for line in [*lines, "MIME-Version: 1.0"]).encode("utf-8", "replace")
    return top + own + (body if body.startswith(b"\r\n") else b"\r\n" + body)


def _auto(subject: str) -> str:
    """RFC 5230 §4.3"""
    text = one_line(subject)[:200]
    return f"Auto: {text}" if text else "Automated reply"


def _is_id(text: str) -> bool:
    """Whether it can stand as a message ID in a field of ours."""
    return len(text) < 500 and text.startswith("<") and text.endswith(">") and text.isascii() and text.isprintable() and " " not in text
