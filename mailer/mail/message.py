"""A message as bytes: its line ends, its header fields, its body.

Used by submission, which completes what is missing and removes what must not travel, and by all who
look up a field. Bytes that need no change are not touched: no field is parsed and written anew, and
the body is never decoded.

The format is RFC 5322; what `normalise` guarantees is what `mailer-spool(5)` promises of a body in
the spool: every line ends in CRLF, no other CR or LF and no NUL is left. That promise is one half of
the answer to SMTP smuggling (CVE-2023-51764 and its kin); `mailer.smtp.dot` is the other.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


PIECE = 1 << 16  # octets that are looked at together, so that they stay in the processor's cache and memory is not taken twice


def is_normal(data: bytes) -> bool:
    """Whether `data` has CRLF line ends only, ends in one, and has no NUL."""
    start, size = 0, len(data)
    while start < size:
        end = start + PIECE
        end += data[end - 1 : end + 1] == b"\r\n"  # which the border would divide
        rest = data[start:end].replace(b"\r\n", b"")
        if b"\r" in rest or b"\n" in rest or b"\0" in rest:
            return False
        start = end
    return data.endswith(b"\r\n")


def normalise(data: bytes) -> bytes:
    """`data` with CRLF line ends only, ending in one.

    LF, or CRLF, ends a line. A CR that no LF follows would end a line for some servers and not for
    others; it becomes a space, and so does NUL, which RFC 5322 §4 no longer allows. Nothing is removed,
    so no two lines become one. What is so already comes back as it is, which for a large message is the usual case.
    """
    if is_normal(data):
        return data
    data = data.replace(b"\r\n", b"\n")
    if b"\r" in data:
        data = data.replace(b"\r", b" ")
    if b"\0" in data:
        data = data.replace(b"\0", b" ")
    if not data.endswith(b"\n"):
        data += b"\n"
    return data.replace(b"\n", b"\r\n")


def has_long_line(data: bytes) -> bool:
    """Whether a line of normalised `data` has more than 998 octets, RFC 5322 §2.1.1."""
    at, end = 0, len(data)
    while end - at > 1000:  # the longest line with its end; what is left is no longer than one
        at = data.rfind(b"\r\n", at, at + 1000) + 2
        if at < 2:
            return True
    return False


class Change:
    """What submission did to a message, for whoever wants to know.

    `action` is ``added``, ``removed``, ``changed`` or ``mended``, or ``left`` for what should have been and could not be, and
    ``relayed`` for what is changed when it leaves; `what` is the name of a field, ``envelope sender``, ``envelope recipient`` or a
    part of the body; then the text before and after, and `why`.
    """

    __slots__ = ("action", "after", "before", "what", "why")

    def __init__(self, action: str, what: str, before: str, after: str, why: str) -> None:
        self.action = action
        self.what = what
        self.before = before
        self.after = after
        self.why = why

    def __str__(self) -> str:
        went = {"added": self.after, "removed": self.before}.get(self.action, f"{self.before} → {self.after}")
        return f"{self.action} {self.what}: {went} ({self.why})" if self.before or self.after else f"{self.action} {self.what}: {self.why}"


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

        Text that begins with no header field is all body (``echo hello | mailer send …``). A line
        within the header that is no field ends it as an empty line would: RFC 5322 has no other
        reading, and a "header" that the next host reads differently is how fields are injected.
        """
        at = 0
        while True:
            end = data.find(b"\r\n", at)
            if end < 0 or end == at:  # the empty line, or the end
                return cls(data[:at], data[at:])
            if not (at and data[at] in b" \t") and not _is_field(data, at, end):
                return cls(data[:at], b"\r\n" + data[at:])
            at = end + 2

    def __bytes__(self) -> bytes:
        return self.header + self.rest

    def __len__(self) -> int:
        return len(self.header) + len(self.rest)

    def fields(self) -> Iterator[tuple[bytes, bytes]]:
        """(lower-case name, the whole field with its folded lines) for each field, in order."""
        for start, end in self._spans():
            name, _, _ = self.header[start:end].partition(b":")
            yield name.rstrip(b" \t").lower(), self.header[start:end]

    def values(self, name: bytes) -> Iterator[str]:
        """The unfolded values of the fields called `name` (lower case).

        Read as UTF-8; a byte that is not becomes U+FFFD.
        """
        for found, field in self.fields():
            if found == name:
                value = field.partition(b":")[2].replace(b"\r\n", b"")
                yield value.decode("utf-8", "replace").strip()

    def value(self, name: bytes) -> str | None:
        """The first value of `name` (lower case), or None."""
        return next(self.values(name), None)

    def without(self, *names: bytes) -> Message:
        """The same message less every field that has one of `names` (lower case)."""
        kept = [field for name, field in self.fields() if name not in names]
        return Message(b"".join(kept), self.rest)

    def with_fields(self, *lines: str) -> Message:
        """The same message with `lines` (no line end) below its own fields, where readers expect them."""
        added = "".join(line + "\r\n" for line in lines).encode()
        return Message(self.header + added, self.rest or b"\r\n")

    def _spans(self) -> Iterator[tuple[int, int]]:
        start = at = 0
        header = self.header
        while at < len(header):
            at = header.index(b"\r\n", at) + 2
            if at == len(header) or header[at] not in b" \t":
                yield start, at
                start = at


def _is_field(data: bytes, at: int, end: int) -> bool:
    """Whether the line ``data[at:end]`` begins a field: printable ASCII but ":", RFC 5322 §2.2.

    Blanks before the colon are the obsolete form of §4.5 and still arrive: ``Bcc :`` is a Bcc.
    """
    colon = data.find(b":", at, end)
    name = data[at:colon].rstrip(b" \t") if colon > at else b""
    return bool(name) and all(33 <= byte <= 126 for byte in name)
