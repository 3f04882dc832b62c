"""A message as bytes: its line ends, its header fields, its body.

Used by submission, which completes what is missing and removes what must not travel, and by all who
look up a field. Bytes that need no change are not touched: no field is parsed and written anew, and
the body is never decoded.

The format is RFC 5322; what `normalise` guarantees is what `mailer-spool(5)` promises of a body in
the spool: every line ends in CRLF, no other CR or LF and no NUL is left. That promise is one half of
the answer to SMTP smuggling (CVE-2023-51764 and its kin); `mailer.smtp.data` is the other.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping


MAX_LINE = 998  # octets without the line end, RFC 5321 §4.5.3.1.6
PIECE = 1 << 16  # octets that are looked at together, so that they stay in the processor's cache and memory is not taken twice


_CR, _LF, _NUL = b"\r\n\0"  # octets, as numbers: whether bytes hold other bytes is asked by way of an exception


def blocks(data: bytes, start: int = 0, end: int | None = None) -> Iterator[bytes]:
    """``data[start:end]`` in pieces of `PIECE` octets, none of which ends within a CRLF."""
    last = len(data) if end is None else end
    while start < last:
        stop = start + PIECE
        stop += data[stop - 1 : stop + 1] == b"\r\n"
        yield data[start : min(stop, last)]
        start = stop


def is_clean(block: bytes) -> bool:
    """Whether `block` has CRLF line ends only, and no NUL."""
    rest = block.replace(b"\r\n", b"")
    return not (_CR in rest or _LF in rest or _NUL in rest)


def is_normal(data: bytes) -> bool:
    """Whether `data` has CRLF line ends only, ends in one, and has no NUL."""
    if len(data) <= PIECE:
        return data.endswith(b"\r\n") and is_clean(data)
    return all(map(is_clean, blocks(data))) and data.endswith(b"\r\n")


UNKNOWN_WORD = b"=?unknown-8bit?"
"""How an encoded word begins whose writer did not know its character set, RFC 1428 §3: no reader shows it."""


def normalise(data: bytes) -> bytes:
    """`data` with CRLF line ends only, ending in one.

    LF, or CRLF, ends a line; where there is none of either, CR does, as some programs still write. Any other CR would end a line for
    some servers and not for others; it becomes a space, and so does NUL, which RFC 5322 §4 no longer allows. Nothing is removed,
    so no two lines become one. What is so already comes back as it is, which for a large message is the usual case.
    """
    if is_normal(data):
        return data
    by_cr = b"\n" not in data
    made = b"".join([_normalised(block, by_cr=by_cr) for block in blocks(data)])
    return made if made.endswith(b"\r\n") else made + b"\r\n"


def _normalised(block: bytes, *, by_cr: bool) -> bytes:
    """A piece of a message, which begins and ends with no half of a CRLF; the interpreter is held no longer than for one."""
    block = block.replace(b"\r", b"\n") if by_cr else block.replace(b"\r\n", b"\n")
    if b"\r" in block:
        block = block.replace(b"\r", b" ")
    if b"\0" in block:
        block = block.replace(b"\0", b" ")
    return block.replace(b"\n", b"\r\n")


BOM = b"\xef\xbb\xbf"


def without_preface(data: bytes) -> bytes:
    """The message without what editors and mailboxes put before one, and what is no header field.

    That is a byte order mark, and the mbox "From " line: programs that read a mailbox leave it in, and those that quote one add another.
    ``From :`` is the field, with a blank before the colon, RFC 5322 §4.5.
    """
    at = len(BOM) if data.startswith(BOM) else 0
    while data.startswith((b"From ", b">From "), at) and data[at + 4 : at + 64].lstrip(b" \t")[:1] != b":":
        at = data.find(b"\n", at) + 1 or len(data)
    return data[at:] if at else data


def has_long_line(data: bytes) -> bool:
    """Whether a line of normalised `data` has more than 998 octets, RFC 5322 §2.1.1. The end of `data` ends a line, too."""
    return long_line(data) < len(data)


def long_line(data: bytes, start: int = 0, end: int | None = None) -> int:
    """Where the next line of more than 998 octets begins; `end` if there is none. `start` is where a line begins."""
    last = len(data) if end is None else end
    while last - start > MAX_LINE:
        after = data.rfind(b"\r\n", start, min(start + MAX_LINE + 2, last)) + 2  # no more than the longest line with its end
        if after < 2:
            return start
        start = after
    return last


MIXED = b"multipart/mixed"  # RFC 2046 §5.1.3
NEAR = 16384  # bytes of a message that are looked through for it


def is_mixed(content: bytes) -> bool:
    """Whether normalised `content` is of several parts side by side, as a message with attachments is.

    Asked for each message that leaves: nearly always the words are nowhere in its header, and nothing is read.
    """
    end = content.find(b"\r\n\r\n", 0, NEAR)
    head = content[: end + 2 if end >= 0 else NEAR]
    if MIXED not in head.lower():
        return False
    return any(name == b"content-type" and MIXED in field.lower() for name, field in Message.split(head).fields())


def header_end(data: bytes, start: int = 0, end: int | None = None) -> int:
    """Where the header ends that begins at `start` of normalised `data`: behind its last field. All rooms ask here.

    The empty line ends it, and so does a line that is no field, RFC 5322 §2.2: a name of printable ASCII but ":", and a colon. A line
    that begins with a blank goes on with a field, so it is none where there is no field before. Blanks before the colon are the
    obsolete form of §4.5 and still arrive: ``Bcc :`` is a Bcc. `end` is where the message ends that this is the header of.
    """
    at, last = start, len(data) if end is None else end
    while (stop := data.find(b"\r\n", at, last)) > at:
        if data[at] not in _BLANKS or at == start:
            colon = data.find(b":", at, stop)
            if colon <= at or not _is_name(data[at:colon]):
                break
        at = stop + 2
    return at


def is_divided(content: bytes) -> bool:
    """Whether an empty line stands where the header of `content` ends, so that no reader can take it to end elsewhere."""
    return content.startswith(b"\r\n", header_end(content))


def _is_name(text: bytes) -> bool:
    rest = text.translate(None, _NAME)
    return not rest or (text[0] not in _BLANKS and not text.rstrip(b" \t").translate(None, _NAME))


_BLANKS = b" \t"
_NAME = bytes(octet for octet in range(33, 127) if octet != 58)


ONCE = frozenset({
    b"from", b"sender", b"reply-to", b"to", b"cc", b"date", b"message-id", b"in-reply-to", b"references", b"subject", b"mime-version",
    b"content-type", b"content-transfer-encoding", b"content-id", b"content-description", b"content-disposition",
})  # fmt: skip
"""Fields that may stand once, RFC 5322 §3.6, RFC 2045 §3; and Bcc, which does not travel."""

MERGED = frozenset({b"to", b"cc"})
LISTS = frozenset({b"from", b"reply-to", *MERGED})
_FREE = frozenset({b"subject", b"content-description"})


def _ill_written(name: bytes, field: bytes) -> bool:
    """Whether there may be more addresses in `field` than its commas divide, or a domain with a dot behind it."""
    if name not in LISTS:
        return False
    return field.count(b"@") > field.count(b",") + 1 or b".>" in field or b".," in field or field.endswith(b".\r\n")


def says_nothing(name: bytes, field: bytes) -> bool:
    """Whether `field`, which is called `name`, is empty where the grammar has something; ``<>`` is nothing, too."""
    return name not in _FREE and not field.partition(b":")[2].strip(b" \t\r\n<>,;")


class Change:
    """What submission did to a message, for whoever wants to know.

    `action` is ``added``, ``removed``, ``changed`` or ``mended``, or ``left`` for what should have been and could not be, and
    ``relayed`` for what is changed when it leaves, and ``refused`` for who is no address and gets nothing; `what` is the name of a
    field, ``envelope sender``, ``envelope recipient`` or a part of the body; then the text before and after, and `why`.
    """

    __slots__ = ("action", "after", "before", "what", "why")

    def __init__(self, action: str, what: str, before: str, after: str, why: str) -> None:
        self.action = action
        self.what = what
        self.before = before
        self.after = after
        self.why = why

    def as_json(self) -> dict[str, str]:
        """The change in the form that ``mailer send --json`` has."""
        return {name: getattr(self, name) for name in ("action", "what", "before", "after", "why")}

    def __str__(self) -> str:
        if self.action == "refused":
            return f"undeliverable: {self.before}: {self.why}" if not self.after else f"unusable sender: {self.before}: {self.why}"
        went = {"added": self.after, "removed": self.before}.get(self.action, f"{self.before} → {self.after}")
        return f"{self.action} {self.what}: {went} ({self.why})" if self.before or self.after else f"{self.action} {self.what}: {self.why}"


ENVELOPE = (
    ("Bcc", (b"bcc", b"resent-bcc"), "nobody but its recipient may know"),  # RFC 5322 §3.6.3
    ("Return-Path", (b"return-path",), "the host that delivers it says that"),  # RFC 5321 §4.4
)
"""What only the envelope says when mail leaves."""


class Message:
    """A normalised message in two parts: `header`, lines each ending in CRLF, and `rest`.

    `rest` is the empty line and the body, or nothing at all. ``header + rest`` is the message.
    """

    __slots__ = ("header", "rest")

    def __init__(self, header: bytes, rest: bytes) -> None:
        self.header = header
        self.rest = rest

    @classmethod
    def split(cls, data: bytes) -> Message:
        """Divide normalised `data` after its last header field.

        Text that begins with no header field is all body (``echo hello | mailer send …``). Where a line that is no field
        ends the header, an empty line is put before it: a "header" that the next host reads differently is how fields are injected.
        """
        at = header_end(data)
        if at == len(data) or data.startswith(b"\r\n", at) or data.find(b"\r\n", at) < 0:
            return cls(data[:at], data[at:])
        return cls(data[:at], b"\r\n" + data[at:])

    @classmethod
    def head(cls, data: bytes) -> Message:
        """The header of normalised `data` alone: the body, which may be large, is not copied."""
        return cls(data[: header_end(data)], b"")

    def __bytes__(self) -> bytes:
        return self.header + self.rest

    def __len__(self) -> int:
        return len(self.header) + len(self.rest)

    def fields(self) -> Iterator[tuple[bytes, bytes]]:
        """(lower-case name, the whole field with its folded lines) for each field, in order."""
        header, start, at = self.header, 0, 0
        while at < len(header):
            at = header.index(b"\r\n", at) + 2
            if at == len(header) or header[at] not in _BLANKS:
                field = header[start:at]
                yield field.partition(b":")[0].rstrip(b" \t").lower(), field
                start = at

    def is_single(self) -> bool:
        """Whether each field that may stand once does, says something, and surely lacks no comma and has no dot too many."""
        seen = set()
        for name, field in self.fields():
            if name in ONCE:
                if name in seen or says_nothing(name, field) or _ill_written(name, field):
                    return False
                seen.add(name)
        return True

    def values(self, name: bytes) -> Iterator[str]:
        """The unfolded values of the fields called `name` (lower case).

        Read as UTF-8; a byte that is not becomes U+FFFD.
        """
        for start, end in self.places(name):
            value = self.header[start:end].partition(b":")[2].replace(b"\r\n", b"")
            yield value.decode("utf-8", "replace").strip()

    def places(self, name: bytes) -> Iterator[tuple[int, int]]:
        """Where in the header each field called `name` (lower case) begins and ends. Cheap, however many others there are."""
        lines, begin = b"\r\n" + self.header.lower(), b"\r\n" + name
        at = lines.find(begin)
        while at >= 0:
            end = at + len(begin)
            is_it = not lines[end : lines.find(b":", end)].strip(b" \t")
            while (end := lines.find(b"\r\n", end) + 2) < len(lines) and lines[end] in _BLANKS:
                pass
            if is_it:
                yield at, end - 2
            at = lines.find(begin, end - 2)

    def value(self, name: bytes) -> str | None:
        """The first value of `name` (lower case), or None."""
        return next(self.values(name), None)

    def without(self, *names: bytes) -> Message:
        """The message less every field that has one of `names` (lower case)."""
        kept = [field for name, field in self.fields() if name not in names]
        return Message(b"".join(kept), self.rest)

    def with_fields(self, *lines: str) -> Message:
        """The message with `lines` (no line end) below its own fields, where readers expect them."""
        added = "".join(line + "\r\n" for line in lines).encode()
        return Message(self.header + added, self.rest or b"\r\n")


def listed(value: str) -> Iterable[str]:
    """The addresses in the value of a field, as `address_list.in_header` finds them; for one that stands alone it is not imported."""
    from .address import is_plain

    text = value.strip(" \t\r\n")
    if is_plain(text):
        return (text,) if text else ()
    from .address_list import in_header

    return in_header(value)


def without_envelope(message: Message, changes: list[Change]) -> Message:
    """`message` without what only its envelope says when it leaves; what went is added to `changes`."""
    for what, names, why in ENVELOPE:
        if gone := [value for name in names for value in message.values(name)]:
            changes.append(Change("removed", what, ", ".join(gone), "", why))
            message = message.without(*names)
    return message


def completed(message: Message, makers: Mapping[str, Callable[[], str]], changes: list[Change]) -> Message:
    """`message` with each field that it lacks and `makers` makes, at the end of its header; what was added is added to `changes`."""
    have = {name for name, _ in message.fields()}
    added = [Change("added", name, "", make(), "there was none") for name, make in makers.items() if name.lower().encode() not in have]
    changes += added
    return message.with_fields(*(f"{change.what}: {change.after}" for change in added)) if added or not message.rest else message
