"""The messages of a batch, one after the other: out of an mbox, a Maildir, or lines of JSON.

Whatever is wrong with one of them is told in its place, and the next one is read. No more than one message is in memory, and no
more of one than a message may have, a few times: what it is made of is not held line by line, nor value by value.

An mbox divides its messages by lines that begin with ``From `` after an empty line; a line of a message that looks so, or so with
``>`` before it, has one more ``>`` (the form "mboxrd"), which is taken away.
"""

from __future__ import annotations

import os
from typing import IO, TYPE_CHECKING, NamedTuple

from mailer.mail.envelope import is_request_id, queue_priority
from mailer.mail.message import BOM, Change, Message, normalise
from mailer.mail.problem import Problem
from mailer.submit import Submission

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

LINE = 1 << 20  # bytes of an mbox that are looked at together


class Item(NamedTuple):
    """One message of a batch: its request or what is wrong with it, and how far the input is read by then, in bytes."""

    request: Submission | Problem
    read: int


class Wishes(NamedTuple):
    """What holds for all messages of a batch: `largest` in bytes, envelope, options, where each has its request id, the `limits`
    of what is composed, whether nothing is to be mended, and the stream that they are of."""

    largest: int
    sender: str | None = None
    recipients: Sequence[str] = ()
    from_header: bool = True
    request_id_from: str = ""
    options: dict[str, object] | None = None
    limits: Sequence[int] = ()
    strict: bool = False
    stream: str = ""


def open_input(path: str) -> IO[bytes]:
    """The file at `path`, or standard input for nothing. Raises `Problem` (no-such, io-error)."""
    try:
        return open(path, "rb") if path else open(0, "rb", closefd=False)
    except FileNotFoundError:
        raise Problem(f"there is no {path}", "no-such") from None
    except OSError as error:
        raise Problem(f"cannot read {path or 'standard input'}: {error.strerror}", "io-error") from None


def items(path: str, wishes: Wishes) -> Iterator[Item]:
    """The messages of what is at `path`, whichever form it has. Raises `Problem`: bad-message if it has none of them, no-such, io-error."""
    if path and os.path.isdir(path):
        yield from _maildir(path, wishes)
        return
    with open_input(path) as stream:
        try:
            first = stream.readline(LINE).removeprefix(BOM)
            while first and not first.strip():
                first = stream.readline(LINE)
            if first.startswith(b"From "):
                yield from _mbox(stream, wishes)
            elif first.lstrip().startswith(b"{"):
                yield from _json_lines(first, stream, wishes)
            elif first:
                raise Problem(
                    f"{path or 'standard input'} is no batch: an mbox begins with 'From ', lines of JSON with {{; "
                    "send one message without --batch",
                    "bad-message",
                )
        except OSError as error:
            raise Problem(f"cannot read {path or 'standard input'}: {error.strerror}", "io-error") from None


def _maildir(path: str, wishes: Wishes) -> Iterator[Item]:
    """Those of ``new/`` and ``cur/``, as their names are in order, which is that of their age."""
    names = [(name, folder) for folder in ("new", "cur") for name in _listed(f"{path}/{folder}") if not name.startswith(".")]
    if not os.path.isdir(f"{path}/cur"):
        raise Problem(f"{path} is no Maildir: it has no directory cur", "bad-message")
    for at, (name, folder) in enumerate(sorted(names), 1):
        try:
            with open(f"{path}/{folder}/{name}", "rb") as file:
                data = file.read(wishes.largest + 1)
        except OSError as error:
            yield Item(Problem(f"cannot read {folder}/{name}: {error.strerror}", "bad-message"), at)
        else:
            yield Item(_request(data, wishes), at)


def _listed(path: str) -> list[str]:
    try:
        return os.listdir(path)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise Problem(f"cannot read {path}: {error.strerror}", "io-error") from None


def _mbox(stream: IO[bytes], wishes: Wishes) -> Iterator[Item]:
    text = bytearray()  # of this message: its lines apart would take many times their size
    read = 0
    empty, whole = False, True  # the line before, and whether this one begins where a line does
    while line := stream.readline(LINE):
        read += len(line)
        if whole and empty and line.startswith(b"From "):
            yield Item(_request(_whole(text), wishes), read)
            text = bytearray()
        elif len(text) <= wishes.largest:
            text += line[1:] if whole and line.lstrip(b">").startswith(b"From ") and line.startswith(b">") else line
        empty = whole and line in (b"\n", b"\r\n")
        whole = line.endswith(b"\n")
    yield Item(_request(_whole(text), wishes), read)


def _whole(text: bytearray) -> bytes:
    """The message; an empty line at its end belongs to the mbox."""
    for end in (b"\r\n", b"\n"):
        if text.endswith(end) and (len(text) == len(end) or text[-len(end) - 1] == 10):
            del text[-len(end) :]
            break
    return bytes(text)


def _json_lines(first: bytes, stream: IO[bytes], wishes: Wishes) -> Iterator[Item]:
    most = 2 * wishes.largest + LINE  # base64 makes four bytes of three, and the lines of JSON have more than that
    line, read = first, 0
    if len(first) == LINE and not first.endswith(b"\n"):
        line += stream.readline(most)
    while line:
        read += len(line)
        if len(line) > most and not line.endswith(b"\n"):
            while line and not line.endswith(b"\n"):
                line = stream.readline(LINE)
                read += len(line)
            yield Item(Problem(f"the line has more than {most} bytes", "bad-message"), read)
        elif line.strip():
            yield Item(_composed(line, wishes), read)
        line = stream.readline(most + 1)


def _request(data: bytes, wishes: Wishes) -> Submission | Problem:
    """The request for a whole message."""
    if len(data) > wishes.largest:
        return Problem(f"the message is larger than {wishes.largest} bytes (submission.max_message_size)", "bad-message")
    if not data.strip():
        return Problem("the message is empty", "bad-message")
    key = ""
    if wishes.request_id_from:
        name = wishes.request_id_from.lower().encode()
        key = Message.split(normalise(data)).value(name) or ""
        if problem := _unfit(key, wishes.request_id_from):
            return problem
    return Submission(
        data,
        sender=wishes.sender,
        recipients=wishes.recipients,
        from_header=wishes.from_header,
        request_id=key,
        options=wishes.options,
        stream=wishes.stream,
    )


def _composed(line: bytes, wishes: Wishes) -> Submission | Problem:
    """The request for what a line of JSON describes."""
    from mailer.compose import Composition, EmailError, EmailLimits, beside
    from mailer.compose.payload import load, whole
    from mailer.mail.text import WESTERN, is_utf8, readable

    try:
        if guessed := not is_utf8(line):
            line = readable(line)[0].encode()
        payload, halves = whole(load(line))
        why = f"it has octets that are no UTF-8, taken for {WESTERN}" if guessed else "it has halves of characters, shown as \ufffd"
        if (guessed or halves) and wishes.strict:
            return Problem(f"{why.partition(', ')[0]}, which is not to be mended (submission.strict)", "bad-message")
        key = _member(payload, wishes.request_id_from)
        payload, own = beside.apart(payload)
        email = Composition.from_payload(payload)
        EmailLimits(*wishes.limits).check(email)
        key = key or email.request_id
        if problem := _unfit(key, wishes.request_id_from) if wishes.request_id_from else None:
            return problem
        bad: list[str] = []
        return Submission(
            email.encode(bad),
            sender=wishes.sender,
            bcc=email.hidden(bad),
            recipients=bad,
            from_header=True,
            request_id=key,
            options={**(wishes.options or {}), **own} or None,
            stream=wishes.stream,
            priority=queue_priority(email.priority),
            changes=[Change("mended", "the line", "", "", why)] if guessed or halves else [],
        )
    except EmailError as error:
        return Problem(str(error), "bad-message")
    except (ValueError, RecursionError) as error:
        return Problem(f"the line is no JSON: {error}", "bad-message")


def _member(payload: object, name: str) -> str:
    """The member of the payload that is its request id; one that is no part of an email is taken out of it."""
    from mailer.compose.payload import TEXT

    if not name or not isinstance(payload, dict):
        return ""
    value = payload.get(name) if name in TEXT else payload.pop(name, None)
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""


def _unfit(key: str, name: str) -> Problem | None:
    if is_request_id(key):
        return None
    if not key:
        return Problem(f"there is no {name} in it, which is to be its request id", "bad-message")
    return Problem(f"{name} is no request id: it takes 1 to 255 printable characters, not {key[:40]!r}", "bad-message")


def total(path: str) -> int:
    """How much there is to be read, in the unit of `Item.read`; 0 where that is not known."""
    if path and os.path.isdir(path):
        return len(_listed(f"{path}/new")) + len(_listed(f"{path}/cur"))
    return os.path.getsize(path) if path and os.path.isfile(path) else 0
