"""The framing of requests: where in the octets of a connection each begins and ends, and what is refused before anybody reads it.

It is stricter than a library has to be: whatever two readers of HTTP may understand differently (request smuggling) ends the
connection. RFC 9112 leaves a server that choice nearly everywhere; where it would have to be more liberal the place says so.

A `Framing` is fed what came and gives back the octets of one body and no more; what stood before that is its `RequestHead`. It is a machine
without clock and network.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

TARGET: Final = 8000  # octets of a request target; RFC 9112 §3 wants that many to be understood
METHOD: Final = 20
CHUNK_LINE: Final = 256  # octets of a chunk's size with its extensions
SMALL: Final = 64  # octets: chunks that are smaller than this on the average are refused beyond the first `MANY`
MANY: Final = 4000

_LINE_ENDS: Final = re.compile(rb"\r(?!\n)|(?<!\r)\n|\0")
_METHOD: Final = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_TARGET: Final = re.compile(rb"[\x21\x24-\x3b\x3d\x3f-\x5b\x5d\x5f\x61-\x7a\x7c\x7e]+")  # what RFC 3986 lets stand in one, and [ ] |
_HOST: Final = re.compile(rb"[0-9A-Za-z._~%!$&'()*+,;=-]*(?::[0-9]{0,5})?|\[[0-9A-Fa-f:.]+\](?::[0-9]{0,5})?")
_ABSOLUTE: Final = re.compile(rb"https?://([^/?#]*)(.*)", re.IGNORECASE)
_CONTROL: Final = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_HEX: Final = frozenset(b"0123456789abcdefABCDEF")
_ONCE: Final = frozenset(
    {
        b"host", b"content-length", b"content-type", b"content-encoding", b"transfer-encoding", b"expect", b"authorization",
        b"idempotency-key", b"last-event-id",
    }
)  # fmt: skip
"""Fields of which there can be one: whoever sends two means one of them, and nobody knows which."""


class WebRefusal(Exception):
    """A request is refused, and its connection is at an end: `status` is that of the answer, `code` says what it is to a program."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


class FramingLimits(NamedTuple):
    """The most octets of a header and of a body, and the most fields."""

    header: int = 16384
    fields: int = 100
    body: int = 35_000_000


class RequestHead(NamedTuple):
    """The header of a request that is taken: the names of `fields` are in lower case, `target` is a path, with its query.

    `persists`: the connection may have another request behind it (RFC 9112 §9.3). `expects`: the client waits with the body until it is
    asked for (RFC 9110 §10.1.1).
    """

    method: bytes
    target: bytes
    version: bytes
    fields: list[tuple[bytes, bytes]]
    persists: bool
    expects: bool


class Framing:
    """The octets of one connection, from the first.

    `begun`: some of a request has come. `headed`: its header is complete, and `head` what it says. `whole`: all of it has come; what comes
    then is the next request's, and waits until `again` is called.
    """

    def __init__(self, limits: FramingLimits) -> None:
        self.limits = limits
        self.again()

    def again(self) -> None:
        """Begin with the next request."""
        self.begun = self.headed = self.whole = self._emptied = False
        self.head: RequestHead | None = None
        self._held = b""
        self._looked = 0  # of what is held
        self._left = 0  # of the body, or of the chunk
        self._part = ""  # of a chunked body: size, data, end (of the data), trailer; empty where it has a length
        self._chunks = self._size = self._trailer = self._fields = 0

    def feed(self, data: bytes) -> tuple[bytes, bytes]:
        """What came of the body, and what belongs to the next request. Raises `WebRefusal`."""
        if self.whole:
            return b"", data
        if self.headed:
            return self._body(data)
        self._held += data
        if not self._emptied and self._held.startswith(b"\r\n"):  # RFC 9112 §2.2: one empty line before a request is ignored
            self._held, self._looked, self._emptied = self._held[2:], 0, True
        self.begun = self.begun or bool(data)
        end = self._held.find(b"\r\n\r\n", max(0, self._looked - 3))
        head = self._held if end < 0 else self._held[: end + 4]
        if len(head) > self.limits.header:
            raise WebRefusal(431, "header_too_large", f"the header is longer than {self.limits.header} octets")
        flaw = _LINE_ENDS.search(head, max(0, self._looked - 1))
        if flaw and not (flaw[0] == b"\r" and flaw.end() == len(head)):  # its LF may still come
            raise WebRefusal(400, "bad_request", "a line of the header ends otherwise than with CR LF, or has a NUL in it")
        if end < 0:
            self._looked = len(head)
            if head.count(b"\r\n") > self.limits.fields + 1:
                raise self._too_many()
            return b"", b""
        rest, self._held = self._held[end + 4 :], b""
        self.head = self._head(head)
        self.whole = not self._part and not self._left
        self.headed = True
        return (b"", rest) if self.whole or not rest else self._body(rest)

    # -- the header

    def _head(self, head: bytes) -> RequestHead:
        """What the header says."""
        line, *lines = head[:-4].split(b"\r\n")
        if len(lines) > self.limits.fields:
            raise self._too_many()
        method, target, version = _request_line(line)
        fields = [*map(_field, lines)]
        found: dict[bytes, bytes] = {}
        for name, value in fields:
            if name in _ONCE and name in found:
                raise WebRefusal(400, "bad_request", f"the field {name.decode('ascii')} stands twice")
            found[name] = value
        host = _host(found, version)
        if absolute := _ABSOLUTE.fullmatch(target):  # RFC 9112 §3.2.2
            if absolute[1].lower() != host.lower():
                raise WebRefusal(400, "bad_request", "the target of the request and its Host field name two hosts")
            path = absolute[2].partition(b"#")[0]
            target = path if path.startswith(b"/") else b"/" + path
        elif not target.startswith(b"/") and not (target == b"*" and method == b"OPTIONS"):
            raise WebRefusal(400, "bad_request", "the target of a request begins with /")
        self._begin_body(found, version)
        said = b",".join(value for name, value in fields if name == b"connection").lower()
        persists = version != b"HTTP/1.0" and b"close" not in [token.strip(b" \t") for token in said.split(b",")]
        expects = b"expect" in found and version != b"HTTP/1.0"
        return RequestHead(method, target, version, fields, persists, expects)

    def _begin_body(self, found: dict[bytes, bytes], version: bytes) -> None:
        """How long the body is. RFC 9112 §6.3"""
        length, coding = found.get(b"content-length"), found.get(b"transfer-encoding")
        if length is not None and coding is not None:
            raise WebRefusal(400, "bad_request", "a request has Content-Length or Transfer-Encoding, not both")
        if coding is not None:
            if coding.lower() != b"chunked":
                raise WebRefusal(501, "not_implemented", "the only Transfer-Encoding that is known here is chunked")
            if version == b"HTTP/1.0":
                raise WebRefusal(400, "bad_request", "HTTP/1.0 knows no Transfer-Encoding")
            self._part = "size"
        elif length is not None:
            if not length.isdigit() or len(length) > 18:
                raise WebRefusal(400, "bad_request", "Content-Length is no plain number")
            self._left = int(length)
            if self._left > self.limits.body:
                raise self._too_large()
        expected = found.get(b"expect")
        if expected is not None and expected.lower() != b"100-continue":
            raise WebRefusal(417, "expectation_failed", "the only thing to Expect is 100-continue")

    # -- the body

    def _body(self, data: bytes) -> tuple[bytes, bytes]:
        if self._part:
            return self._chunked(data)
        mine, rest = data[: self._left], data[self._left :]
        self._left -= len(mine)
        self.whole = not self._left
        return mine, rest

    def _chunked(self, data: bytes) -> tuple[bytes, bytes]:
        """All data that came. RFC 9112 §7.1; trailer fields say nothing that is listened to here."""
        self._held += data
        data, self._held = self._held, b""
        at, found = 0, []
        while at < len(data) and not self.whole:
            if self._part == "data":
                piece = data[at : at + self._left]
                found.append(piece)
                at += len(piece)
                self._left -= len(piece)
                if not self._left:
                    self._part = "end"
                continue
            end = data.find(b"\n", at, at + CHUNK_LINE + 2)
            if end < 0:
                if len(data) - at > CHUNK_LINE:
                    raise WebRefusal(400, "bad_request", "a line of the chunked body is too long")
                if self._part == "end" and not b"\r\n".startswith(data[at:]):
                    raise WebRefusal(400, "bad_request", "a chunk is longer than its size says")
                self._held = data[at:]
                break
            if data[end - 1 : end] != b"\r" or end == at:
                raise WebRefusal(400, "bad_request", "a line of the chunked body ends otherwise than with CR LF")
            self._line(data[at : end - 1])
            at = end + 1
        return b"".join(found), data[at:] if self.whole else b""

    def _line(self, line: bytes) -> None:
        if _CONTROL.search(line):
            raise WebRefusal(400, "bad_request", "a line of the chunked body has a control character in it")
        if self._part == "size":
            self._begin_chunk(line)
        elif self._part == "end":
            if line:
                raise WebRefusal(400, "bad_request", "a chunk is longer than its size says")
            self._part = "size"
        elif not line:
            self.whole = True
        else:
            _field(line)
            self._fields += 1
            self._trailer += len(line) + 2
            if self._fields > self.limits.fields or self._trailer > self.limits.header:
                raise self._too_many()

    def _begin_chunk(self, line: bytes) -> None:
        digits, semicolon, _ = line.partition(b";")
        if semicolon:
            digits = digits.rstrip(b" \t")
        if not digits or len(digits) > 8 or not _HEX.issuperset(digits):
            raise WebRefusal(400, "bad_request", "the size of a chunk is no plain hexadecimal number")
        self._left = int(digits, 16)
        self._size += self._left
        self._chunks += 1
        if self._size > self.limits.body:
            raise self._too_large()
        if self._chunks > MANY + self._size // SMALL:
            raise WebRefusal(400, "bad_request", "the body comes in too many chunks that are too small")
        self._part = "data" if self._left else "trailer"

    def _too_many(self) -> WebRefusal:
        return WebRefusal(431, "header_too_large", f"the header has more than {self.limits.fields} fields")

    def _too_large(self) -> WebRefusal:
        return WebRefusal(413, "too_large", f"the body is larger than {self.limits.body} octets (api.max_body)")


def _request_line(line: bytes) -> tuple[bytes, bytes, bytes]:
    """Method, target and version. RFC 9112 §3"""
    method, _, rest = line.partition(b" ")
    target, _, version = rest.partition(b" ")
    if not version.startswith(b"HTTP/") or not _METHOD.fullmatch(method):
        raise WebRefusal(400, "bad_request", "the first line is no request of HTTP/1.1")
    if version not in (b"HTTP/1.1", b"HTTP/1.0"):
        raise WebRefusal(505, "version_not_supported", "what is spoken here is HTTP/1.1")
    if len(method) > METHOD:
        raise WebRefusal(501, "not_implemented", "there is no such method")
    if len(target) > TARGET:
        raise WebRefusal(414, "uri_too_long", f"the target of the request is longer than {TARGET} octets")
    if not _TARGET.fullmatch(target):
        raise WebRefusal(400, "bad_request", "the target of the request has characters in it that have to be written as %XX")
    return method, target, version


def _field(line: bytes) -> tuple[bytes, bytes]:
    """The name of a field, in lower case, and its value. RFC 9112 §5"""
    name, colon, value = line.partition(b":")
    if not colon or not _METHOD.fullmatch(name):  # also a blank before the colon, and a line that goes on with the one before
        raise WebRefusal(400, "bad_request", "a line of the header is no field: a name, a colon at once, and a value")
    if _CONTROL.search(value):
        raise WebRefusal(400, "bad_request", "a field of the header has a control character in it")
    return name.lower(), value.strip(b" \t")


def _host(found: dict[bytes, bytes], version: bytes) -> bytes:
    """Whom the client wants. RFC 9112 §3.2"""
    host = found.get(b"host")
    if host is None and version == b"HTTP/1.1":
        raise WebRefusal(400, "bad_request", "there is no Host field")
    if host is not None and not _HOST.fullmatch(host):
        raise WebRefusal(400, "bad_request", "the Host field has no host in it")
    return host or b""
