"""SpamAssassin's daemon, by the protocol SPAMC/1.5 (spamd/PROTOCOL in its source).

With TELL spamd is told what a message is, and learns it: where it was started with --allow-tell.

A request is a verb, its fields and the message; the answer has a line with a number, ``Spam: True ; 6.3 / 5.0``, and behind an empty line
what the verb asks for: with CHECK nothing, with SYMBOLS the names of what was found, with HEADERS the message's new header. Its end is the
end of the connection: it does not say a length with each verb.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .opinion import Opinion, ScanError, plain

if TYPE_CHECKING:
    from typing import Literal

    from .opinion import Class

    Verb = Literal["CHECK", "SYMBOLS", "HEADERS"]

MOST = 1 << 18  # octets of an answer
TESTS = 100  # names of what was found that are kept
LARGEST = 1_000_000.0  # a score

PING = b"PING SPAMC/1.5\r\n\r\n"


def request(length: int, verb: Verb = "SYMBOLS", user: str = "") -> bytes:
    """What is sent ahead of a message of so many octets, behind which our side of the connection is closed."""
    name = "".join(char for char in user if char.isascii() and char.isprintable())
    asked = f"User: {name}\r\n" if name else ""
    return f"{verb} SPAMC/1.5\r\nContent-length: {length}\r\n{asked}\r\n".encode()


def lesson(length: int, known: Class) -> bytes:
    """What is sent ahead of a message of so many octets that spamd is to learn as spam or ham; it unlearns by itself what it was before."""
    return f"TELL SPAMC/1.5\r\nContent-length: {length}\r\nMessage-class: {known}\r\nSet: local\r\n\r\n".encode()


def learned(data: bytes) -> bool:
    """Whether spamd has learned from the message; if not, it knew it already. Raises `ScanError` for an answer that says that it cannot."""
    first, *fields = data[:MOST].partition(b"\r\n\r\n")[0].split(b"\r\n")
    if not data.partition(b"\r\n")[1] or b"TELL commands are not enabled" in first:
        raise ScanError("spamd hung up within its answer" if b"TELL" not in first else "spamd was started without --allow-tell")
    _refuse_failure(first)
    return any(field[:7].lower() == b"didset:" for field in fields)


def is_pong(data: bytes) -> bool:
    """Whether `data` answers a `PING`."""
    return data.startswith(b"SPAMD/") and b" 0 PONG" in data[:40]


def read(data: bytes, verb: Verb = "SYMBOLS", weight: float = 1.0) -> Opinion:
    """What the whole answer `data` to `verb` says; its score counts `weight` times. Raises `ScanError` for what is none."""
    if len(data) > MOST:
        raise ScanError(f"spamd says more than {MOST} octets")
    head, blank, body = data.partition(b"\r\n\r\n")
    first, *fields = head.split(b"\r\n")
    _refuse_failure(first)
    said = next((field for field in fields if field[:5].lower() == b"spam:"), None)
    if said is None or not blank:
        raise ScanError("spamd hung up within its answer")
    score, limit = _score(said[5:])
    tests = _tests(body) if verb == "SYMBOLS" else ()
    return Opinion(score=score * weight, reason=f"{score:g} of {limit:g}", tests=tests)


def _refuse_failure(line: bytes) -> None:
    """``SPAMD/1.1 0 EX_OK``. The numbers are those of sysexits(3)."""
    words = line.split()
    if len(words) < 2 or not words[0].startswith(b"SPAMD/") or not words[1].isdigit():
        raise ScanError(f"spamd says {plain(line, 60)!r}" if line else "spamd hung up without an answer")
    if words[1].strip(b"0"):
        raise ScanError(f"spamd fails: {plain(b' '.join(words[1:]), 60)}")


def _score(value: bytes) -> tuple[float, float]:
    """``True ; 6.3 / 5.0``: the score, and from which one on spamd calls it spam."""
    found, semicolon, numbers = value.partition(b";")
    score, slash, limit = numbers.partition(b"/")
    if found.strip().lower() not in (b"true", b"false", b"yes", b"no") or not semicolon or not slash:
        raise ScanError(f"spamd says Spam:{plain(value, 60)}")
    return _number(score), _number(limit)


def _number(text: bytes) -> float:
    try:
        number = float(text[:20])
    except ValueError:
        raise ScanError(f"spamd has the score {plain(text, 30)!r}") from None
    if not abs(number) <= LARGEST:  # "nan" is neither
        raise ScanError(f"spamd has the score {plain(text, 30)!r}")
    return number


def _tests(body: bytes) -> tuple[str, ...]:
    names = body[: 64 * TESTS].replace(b"\r\n", b",").split(b",")
    return tuple(name for each in names[:TESTS] if (name := plain(each, 60)))
