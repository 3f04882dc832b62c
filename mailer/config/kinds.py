"""The kinds of values that settings have: how each is read, how it is written, what the manual calls it.

A `Kind` turns the TOML value into the program's value and back: a duration is ``"5m"`` in the file and 300.0
in the program. `name` stands beside the setting in `mailer-config(5)`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from . import values
from .defaults import expanded

if TYPE_CHECKING:
    from collections.abc import Callable


_SELECTOR = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)(?:\.(?!-)[a-z0-9-]{1,63}(?<!-))*")


def _same(value: Any) -> Any:
    return value


@dataclass(frozen=True, slots=True)
class Kind:
    """`read` raises `ValueError`; `write` gives a TOML value; `words` are all that there are."""

    name: str
    read: Callable[[object], Any]
    write: Callable[[Any], Any] = _same
    words: tuple[str, ...] = ()


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


def refuse_port(text: str) -> None:
    """Raises `ValueError` that says where a port belongs which stands behind a host, or what of a URL is one."""
    place = text.partition("://")[2].partition("/")[0] or text
    host, _, port = place.rpartition(":")
    if host and port.isascii() and port.isdigit() and (":" not in host or host.endswith("]")):
        host = host.removeprefix("[").removesuffix("]")
        raise ValueError(f"{values.written(text)} is a host with a port; write host = {values.written(host)} and port = {port[:9]}")
    if place != text:
        raise ValueError(f"{values.written(text)} is no host; write host = {values.written(place)}")


def _nameserver(value: object) -> str:
    """An IP address, or one with a port: ``192.0.2.1``, ``192.0.2.1:53``, ``2001:db8::1``, ``[2001:db8::1]:53``."""
    from ipaddress import ip_address

    text = values.text(value)
    host, port = _split(text)
    try:
        ip_address(host)
        if not port.isascii() or not port.isdigit():
            raise ValueError
        _port(int(port[:9]))
    except ValueError:
        raise ValueError(f'{values.written(value)} is no name server; write "192.0.2.1" or "192.0.2.1:53"') from None
    return text


def _split(text: str) -> tuple[str, str]:
    """The host and the port in ``host:port`` and ``[address]:port``; the port of DNS if there is none."""
    if text.startswith("["):
        host, colon, port = text[1:].rpartition("]:")
        return (host, port) if colon else (text[1:].removesuffix("]") if text.endswith("]") else "", "53")
    host, colon, port = text.rpartition(":")
    return (host, port) if colon and ":" not in host else (text, "53")


def _server(value: object) -> str:
    """A host with or without a port, or nothing."""
    text = values.text(value)
    if not text:
        return ""
    host, colon, port = text.rpartition(":")
    if not colon or ":" in host:
        return _host(text)
    if not port.isascii() or not port.isdigit():
        raise ValueError(f"{values.written(value)} has no port behind the colon")
    return f"{_host(host)}:{_port(int(port[:9]))}"


def _pattern(value: object) -> str:
    """``*``, ``*.domain`` or a domain; in lower case and without a dot at the end."""
    text = values.text(value).lower().removesuffix(".")
    if text != "*":
        values.domain(text.removeprefix("*."))
    return text


def _hop(value: object) -> str:
    text = values.text(value)
    if text != "mx" and not (text.startswith("relay:") and len(text) > len("relay:")):
        raise ValueError(f'{values.written(value)} is no way out; write "mx" or "relay:NAME"')
    return text


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
    return tuple(expanded(word) if word.startswith("~/") else word for word in words)


def _selector(value: object) -> str:
    """One or more labels of the DNS, RFC 6376 §3.1, in lower case."""
    text = values.text(value).lower()
    if not _SELECTOR.fullmatch(text):
        raise ValueError(f"{values.written(value)} is no selector; use letters, digits and -")
    return text


def _moment(value: object) -> str:
    """A time as RFC 3339 has it, or nothing."""
    from mailer.mail.when import parse_rfc3339, rfc3339

    text = values.text(value)
    return rfc3339(parse_rfc3339(text)) if text else ""


def _fingerprint(value: object) -> str:
    from mailer.trust.requirement import fingerprint

    return fingerprint(values.text(value))


def _source(value: object) -> str:
    """An IP address of ours, or nothing."""
    from ipaddress import ip_address

    text = values.text(value)
    return str(ip_address(text)) if text else ""


def choice(*names: str) -> Kind:
    """One of a few words."""
    shown = " | ".join(names)

    def read(value: object) -> str:
        if value not in names or not isinstance(value, str):
            raise ValueError(f"{values.written(value)} is none of {shown}")
        return value

    return Kind(shown, read, words=names)


def several(kind: Kind, *, least: int = 0) -> Kind:
    """A list of one kind, at least so many; a tuple in the program."""

    def read(value: object) -> tuple[Any, ...]:
        if not isinstance(value, list):
            raise ValueError(f"{values.written(value)} is no list; write it in square brackets")
        if len(value) < least:
            raise ValueError("the list is empty")
        return tuple(kind.read(item) for item in value)

    return Kind(f"list of {kind.name}", read, lambda items: [kind.write(item) for item in items])


def one_or_several(kind: Kind) -> Kind:
    """The same, where one may stand alone."""
    listed = several(kind, least=1)

    def read(value: object) -> tuple[Any, ...]:
        return (kind.read(value),) if isinstance(value, str) else tuple(listed.read(value))

    return Kind(f"{listed.name}, or one of them", read, listed.write)


def _table(pairs: Any) -> dict[str, Any]:
    """As the file writes it: one target as a text, several as a list."""
    return {name: (value[0] if len(value) == 1 else [*value]) if isinstance(value, tuple) else value for name, value in pairs}


TEXT = Kind("text", values.text)
ALIASES = Kind("table of addresses", values.aliases, _table)
AUTHORS = Kind("table of addresses", values.authors, _table)
DOMAINS = Kind("list of domain", values.domains, list)
KEPT = Kind("list of name", values.kept, list)
MAILBOX = Kind("address", values.mailbox)
HOST = Kind("host", _host)
VARIABLE = Kind("name", _variable)
HOSTNAME = Kind("domain", values.hostname)
DOMAIN = Kind("domain", values.domain)
SELECTOR = Kind("name", _selector)
MOMENT = Kind("time", _moment)
OPTIONAL_DOMAIN = Kind("domain", values.optional_domain)
ADDRESS = Kind("address", values.address)
PATH = Kind("path", values.path)
OPTIONAL_PATH = Kind("path", values.optional_path)
SECRET_PATH = Kind("path", _secret_path)
COUNT = Kind("number", values.count)
DURATION = Kind("duration", values.duration, _duration)
PERIOD = Kind("duration", _period, _duration)
SIZE = Kind("size", values.size, _size)
SWITCH = Kind("true | false", values.switch)
PORT = Kind("port", _port)
FRACTION = Kind("fraction", _fraction)
NAMESERVER = Kind("host[:port]", _nameserver)
SERVER = Kind("host[:port]", _server)
PATTERN = Kind("pattern", _pattern)
FINGERPRINT = Kind("text", _fingerprint)
SOURCE = Kind("text", _source)
HOP = Kind("mx | relay:NAME", _hop)
COMMAND = Kind("command", _command, list)
