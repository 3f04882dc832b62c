"""The kinds of values that settings have besides those in `values`: how each is read, how it is written, what the manual calls it.

What a kind reads has its final form (`forms`): nobody reads a text of the configuration a second time.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TypeVar

from . import values
from .forms import HostPort, Pattern, Rate, Via
from .sections import ALIASES, AUTHORS, DOMAINS, DURATION, KEPT, SIZE, TEXT, Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

T = TypeVar("T")

_SELECTOR = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)(?:\.(?!-)[a-z0-9-]{1,63}(?<!-))*")


def _period(value: object) -> float:
    seconds = values.duration(value)
    if not seconds:
        raise ValueError("it has to be longer than nothing")
    return seconds


def _port(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= 65535:
        raise ValueError(f"{values.written(value)} is no port; write a number from 1 to 65535")
    return value


def _fraction(value: object) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value < 1:
        raise ValueError(f"{values.written(value)} is not between 0 and 1")
    return float(value)


def _secret_path(value: object) -> str:
    """The error does not repeat the value: it may be the password itself."""
    try:
        return values.optional_path(value)
    except ValueError:
        raise ValueError("this is no whole path; begin it with / or ~/") from None


def _host(value: object) -> str:
    """A host name, or an IP address with or without brackets. A dot at its end, as Kubernetes has it, falls away: the name is whole."""
    from ipaddress import ip_address

    text = values.text(value)
    try:
        return str(ip_address(text.removeprefix("[").removesuffix("]")))
    except ValueError:
        refuse_port(text)
        return values.domain(text.removesuffix("."))


def nearest(name: str, known: Collection[str], form: str = "{}") -> str:
    """The end of a sentence that says `name` is unknown: what it may have meant."""
    from difflib import get_close_matches

    near = get_close_matches(name, known, 1)
    return f"; did you mean {form.format(near[0])}?" if near else f"; there are {', '.join(known)}" if known else ""


def refuse_port(text: str) -> None:
    """Raises `ValueError` that says where a port belongs which stands behind a host, or what of a URL is one."""
    place = text.partition("://")[2].partition("/")[0] or text
    host, _, port = place.rpartition(":")
    if host and port.isascii() and port.isdigit() and (":" not in host or host.endswith("]")):
        host = host.removeprefix("[").removesuffix("]")
        raise ValueError(f"{values.written(text)} is a host with a port; write host = {values.written(host)} and port = {port[:9]}")
    if place != text:
        raise ValueError(f"{values.written(text)} is no host; write host = {values.written(place)}")


def _nameserver(value: object) -> HostPort:
    """An IP address, or one with a port: ``192.0.2.1``, ``192.0.2.1:53``, ``2001:db8::1``, ``[2001:db8::1]:53``."""
    from ipaddress import ip_address

    host, port = _split(values.text(value))
    try:
        ip_address(host)
        if port and not (port.isascii() and port.isdigit()):
            raise ValueError
        return HostPort(host, _port(int(port[:9])) if port else 0)
    except ValueError:
        raise ValueError(f'{values.written(value)} is no name server; write "192.0.2.1" or "192.0.2.1:53"') from None


def _split(text: str) -> tuple[str, str]:
    """The host and the port in ``host:port`` and ``[address]:port``; no port if there is none."""
    if text.startswith("["):
        host, colon, port = text[1:].rpartition("]:")
        return (host, port or "0") if colon else (text[1:].removesuffix("]") if text.endswith("]") else "", "")
    host, colon, port = text.rpartition(":")
    return (host, port or "0") if colon and ":" not in host else (text, "")


def _server(value: object) -> HostPort | None:
    """A host with or without a port, or nothing."""
    text = values.text(value)
    if not text:
        return None
    host, colon, port = text.rpartition(":")
    if not colon or ":" in host:
        return HostPort(_host(text))
    if not port.isascii() or not port.isdigit():
        raise ValueError(f"{values.written(value)} has no port behind the colon")
    return HostPort(_host(host), _port(int(port[:9])))


def _variable(value: object) -> str:
    """The name of an environment variable. The error does not repeat it: it may be the password itself."""
    text = values.text(value)
    if not text.isascii() or not text.isidentifier():
        raise ValueError("this is no name of an environment variable; write letters, digits and _")
    return text


def _command(value: object) -> tuple[str, ...]:
    """A program and its arguments; a text is split as a shell would, but no shell runs it. What begins with ``~/`` is a path, as there."""
    from shlex import split

    words = tuple(split(value)) if isinstance(value, str) else several(TEXT).read(value)
    if not words or not words[0]:
        raise ValueError("the command is empty")
    return tuple(values.expanded(word) if word.startswith("~/") else word for word in words)


def _selector(value: object) -> str:
    """One or more labels of the DNS, RFC 6376 §3.1, in lower case."""
    text = values.text(value).lower()
    if not _SELECTOR.fullmatch(text):
        raise ValueError(f"{values.written(value)} is no selector; use letters, digits and -")
    return text


def _name(value: object) -> str:
    text = values.text(value)
    if not text.isascii() or not text.replace("-", "").replace("_", "").replace(".", "").isalnum():
        raise ValueError(f"{values.written(value)} is no name; use letters, digits, - _ and .")
    return text


def _moment(value: object) -> float | None:
    """Seconds since the epoch, from a time as RFC 3339 has it, or nothing."""
    from mailer.mail.dates import parse_rfc3339

    text = values.text(value)
    return parse_rfc3339(text) if text else None


def _fingerprint(value: object) -> str:
    from mailer.tlspolicy.requirement import fingerprint

    return fingerprint(values.text(value))


def _source(value: object) -> str:
    """An IP address of ours, or nothing."""
    from ipaddress import ip_address

    text = values.text(value)
    return str(ip_address(text)) if text else ""


def _rfc3339(moment: float) -> str:
    from mailer.mail.dates import rfc3339

    return rfc3339(moment)


def _duration(seconds: float) -> str:
    """In the largest unit that divides it: ``"5m"``, ``"1.5s"``."""
    for unit, length in reversed(values.SECONDS.items()):
        if seconds and seconds % length == 0:
            return f"{int(seconds // length)}{unit}"
    return f"{seconds:.6f}".rstrip("0").rstrip(".") + "s"


def _size(octets: int) -> int | str:
    """In the largest unit that divides it; plain bytes if none does."""
    for unit, length in sorted(values.BYTES.items(), key=lambda item: -item[1]):
        if length > 1 and octets % length == 0:
            return f"{octets // length}{unit}"
    return octets


def _table(pairs: tuple[tuple[str, str | tuple[str, ...]], ...]) -> dict[str, object]:
    """As the file writes it: one target as a text, several as a list."""
    return {name: (value[0] if len(value) == 1 else [*value]) if isinstance(value, tuple) else value for name, value in pairs}


def choice(*names: str, name: str = "") -> Kind[str]:
    """One of a few words, which is what the manual calls it, unless it has a `name`."""
    shown = " | ".join(names)

    def read(value: object) -> str:
        if value not in names or not isinstance(value, str):
            raise ValueError(f"{values.written(value)} is none of {shown}")
        return value

    return Kind(name or shown, read, words=names)


def several(kind: Kind[T], *, least: int = 0) -> Kind[tuple[T, ...]]:
    """A list of one kind, at least so many; a tuple in the program."""

    def read(value: object) -> tuple[T, ...]:
        if not isinstance(value, list):
            raise ValueError(f"{values.written(value)} is no list; write it in square brackets")
        if len(value) < least:
            raise ValueError("the list is empty")
        return tuple(kind.read(item) for item in value)

    return Kind(f"list of {kind.name}", read, of=kind)


def one_or_several(kind: Kind[T]) -> Kind[tuple[T, ...]]:
    """A list as `several` reads it, where one value may stand alone, without brackets."""
    listed = several(kind, least=1)

    def read(value: object) -> tuple[T, ...]:
        return (kind.read(value),) if isinstance(value, str) else listed.read(value)

    return Kind(f"{listed.name}, or one of them", read, of=kind)


MAILBOX = Kind("address", values.mailbox)
HOST = Kind("host", _host)
VARIABLE = Kind("name", _variable)
SELECTOR = Kind("name", _selector)
NAME = Kind("name", _name)
MOMENT = Kind("time", _moment)
SECRET_PATH = Kind("path", _secret_path)
PERIOD = Kind("duration", _period)
PORT = Kind("port", _port)
FRACTION = Kind("fraction", _fraction)
NAMESERVER = Kind("host[:port]", _nameserver)
SERVER = Kind("host[:port]", _server)
PATTERN = Kind("pattern", Pattern.read)
TARGET = Kind("pattern | mx | relay:NAME", Pattern.read_target)
RATE = Kind("rate", Rate.read)
FINGERPRINT = Kind("text", _fingerprint)
SOURCE = Kind("text", _source)
HOP = Kind("mx | relay:NAME", Via.read)
COMMAND = Kind("command", _command)

WRITERS: dict[Kind[Any], Callable[[Any], Any]] = {
    DURATION: _duration,
    PERIOD: _duration,
    SIZE: _size,
    ALIASES: _table,
    AUTHORS: _table,
    DOMAINS: list,
    KEPT: list,
    COMMAND: list,
    MOMENT: _rfc3339,
}
"""What makes a TOML value of what these kinds have read; others write the value itself, or what `str` says of it."""


def write(kind: Kind[Any], value: Any) -> Any:
    """`value` as the file has it, as short as it can be said: 300 seconds are ``"5m"``."""
    if kind.of is not None:
        return [write(kind.of, item) for item in value]
    if kind in WRITERS:
        return WRITERS[kind](value)
    return value if isinstance(value, str | int | float | dict | list) else str(value)
