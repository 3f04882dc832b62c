"""The kinds of values that settings have besides those in `values`: how each is read, how it is written, what the manual calls it.

What a kind reads has its final form, here `Rate`, `HostPort`, `Via` and `Pattern` besides texts and numbers: no text of the configuration
is read a second time, and `str` says each form as the file writes it. Each reader raises `ValueError` that says what is wrong and what
to write instead, as do the checks of numbers that a program hands in.
"""

from __future__ import annotations

import re
from math import inf
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

from mailer.mail.domain import ascii_domain
from mailer.proxy.place import ProxyPlace

from . import values
from .sections import ALIASES, AUTHORS, DOMAINS, DURATION, KEPT, SIZE, TEXT, Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from typing import Literal

    from mailer.auth.blocklist import CodePattern

T = TypeVar("T")

UNITS = {"s": 1.0, "min": 60.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
"""The times, in seconds, that a rate may be over; of two that are alike the first one is written."""

RELAY = "relay:"
MAILDIR = "maildir:"
LOCAL: Final = "local"

NEVER = "never"

MOST_SCORE = 1_000_000

_SELECTOR = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)(?:\.(?!-)[a-z0-9-]{1,63}(?<!-))*")

_LISTEN = re.compile(r"(\[[^][]+\]|[^][:]+):([0-9]{1,5})")


class Rate(NamedTuple):
    """A limit of so many things in so many seconds."""

    number: int
    seconds: float

    @classmethod
    def read(cls, value: object) -> Rate:
        """The rate that a text such as ``100/min`` says."""
        text = values.text(value)
        number, _, unit = text.partition("/")
        if not (number.isascii() and number.isdigit() and len(number) < 12 and int(number) and unit in UNITS):
            raise ValueError(f'{values.written(text)} is no rate; write "10/s", "100/min", "2000/h" or "50000/d"')
        return cls(int(number), UNITS[unit])

    def __str__(self) -> str:
        return f"{self.number}/{next(unit for unit, seconds in UNITS.items() if seconds == self.seconds)}"


class HostPort(NamedTuple):
    """A host, by name or address, and a port there; 0 where the usual one is meant."""

    host: str
    port: int = 0

    @classmethod
    def read(cls, value: object) -> HostPort:
        """The place that ``host``, ``host:port``, ``2001:db8::1`` or ``[2001:db8::1]:53`` says."""
        text = values.text(value)
        host, colon, port = text.rpartition(":")
        if not colon or text.endswith("]") or (":" in host and not (host.startswith("[") and host.endswith("]"))):
            return cls(_host(text))
        if not port.isascii() or not port.isdigit():
            raise ValueError(f"{values.written(value)} has no port behind the colon")
        return cls(_host(host), _port(int(port[:9])))

    def __str__(self) -> str:
        if not self.port:
            return self.host
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Via(NamedTuple):
    """One way that mail goes: the relay called `name`, the MX hosts of the domain, our own mailboxes (``local``), or the Maildirs at the
    path `name`, a template."""

    kind: Literal["relay", "mx", "local", "maildir"]
    name: str = ""

    @classmethod
    def read(cls, value: object) -> Via:
        """The way that ``relay:NAME`` or ``mx`` says."""
        text = values.text(value)
        name = text.removeprefix(RELAY)
        if name and name != text:
            return cls("relay", name)
        if text != "mx":
            raise ValueError(f'{values.written(value)} is no way out; write "mx" or "relay:NAME"')
        return cls("mx")

    @classmethod
    def read_home(cls, value: object) -> Via:
        """The way to mailboxes that ``local``, ``relay:NAME`` or ``maildir:PATH`` says, where the path has ``{user}`` in it, or
        ``{address}``."""
        text = values.text(value)
        if text == LOCAL:
            return OURS
        name = text.removeprefix(MAILDIR)
        if name == text and text.startswith(RELAY):
            return cls.read(text)
        if name == text:
            raise ValueError(
                f'{values.written(value)} leads to no mailbox; write "local", "relay:NAME" or "maildir:/srv/mail/{{domain}}/{{user}}"'
            )
        rest = name.replace("{user}", "").replace("{domain}", "").replace("{address}", "")
        if "{" in rest or "}" in rest:
            raise ValueError(f"{values.written(value)} has braces that stand for nothing; there are {{user}}, {{domain}} and {{address}}")
        if "{user}" not in name and "{address}" not in name:
            raise ValueError(f'{values.written(value)} is the same for everybody; write "maildir:/srv/mail/{{domain}}/{{user}}"')
        return cls("maildir", values.path(name))

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}" if self.name else self.kind


OURS = Via(LOCAL)
"""The way to our own mailboxes."""


class Pattern(NamedTuple):
    """A pattern of what a rule holds for, domains, hosts or a relay: ``*``, ``*.domain``, a domain, or ``relay:NAME``.

    `text` is as the file has it, in lower case and without a dot at the end; `form` is compared: domains are there as in the DNS.
    """

    text: str
    form: str

    @classmethod
    def read(cls, value: object) -> Pattern:
        """A pattern of domains."""
        text = values.text(value).lower().removesuffix(".")
        wild = "*." if text.startswith("*.") else ""
        if text == "*":
            return EVERYTHING
        values.domain(text.removeprefix(wild))
        try:
            return cls(text, wild + ascii_domain(text.removeprefix(wild)))
        except ValueError:  # what no DNS has leads nowhere, which is found out on the way
            return cls(text, text)

    @classmethod
    def read_target(cls, value: object) -> Pattern:
        """A pattern of domains and hosts, or a relay."""
        text = values.text(value)
        return cls(text, text) if text.startswith(RELAY) and len(text) > len(RELAY) else cls.read(text)

    @property
    def relay(self) -> str:
        """The name of the relay that is meant; empty where domains are."""
        return self.text.removeprefix(RELAY) if self.text.startswith(RELAY) else ""

    def __str__(self) -> str:
        return self.text


EVERYTHING = Pattern("*", "*")

NUMBERS: dict[str, Any] = {"int": int, "float": (int, float), "int | None": (int, type(None)), "float | None": (int, float, type(None))}
"""What a value may be, by the type that its field is declared with."""


def check_numbers(settings: Any) -> None:
    """Raises `ValueError` for a field of the dataclass `settings` that is declared a number and has none.

    Numbers come out of environments and files as texts, and of ``port="2525"`` Python says some calls later that it cannot be compared.
    """
    for name, field in settings.__dataclass_fields__.items():
        wanted, value = NUMBERS.get(field.type), getattr(settings, name)
        if wanted and (not isinstance(value, wanted) or isinstance(value, bool) or value != value):  # noqa: PLR0124 - not a number
            raise ValueError(f"{name} is {'a whole number' if field.type.startswith('int') else 'a number'}, not {value!r}")


def check_port(port: object) -> None:
    """Raises `ValueError` for what is no port; 0 stands for one that is chosen elsewhere."""
    if not isinstance(port, int) or isinstance(port, bool) or not 0 <= port <= 65535:
        raise ValueError(f"port is a whole number from 0 to 65535, not {port!r}")


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


def _share(value: object) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= 1:
        raise ValueError(f"{values.written(value)} is no share; write a number from 0 to 1")
    return float(value)


def _secret_path(value: object) -> str:
    """The error does not repeat the value: it may be the password itself."""
    try:
        return values.optional_path(value)
    except ValueError:
        raise ValueError("this is no whole path; begin it with / or ~/") from None


def _host(value: object) -> str:
    """A host name, or an IP address with or without brackets. A dot at its end, as Kubernetes has it, falls away: the name is whole."""
    text = values.text(value)
    bare = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    if ":" in bare or bare.replace(".", "").isdigit():  # else it is no address, and what knows them need not be loaded
        from ipaddress import ip_address

        try:
            return str(ip_address(bare))
        except ValueError:
            pass
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
    """An IP address, or one with a port."""
    from ipaddress import ip_address

    text = values.text(value)
    try:
        place = HostPort.read(text)
        ip_address(place.host)
        if text.count("[") == text.count("]"):
            return place
    except ValueError:
        pass
    raise ValueError(f'{values.written(value)} is no name server; write "192.0.2.1" or "192.0.2.1:53"')


def _server(value: object) -> HostPort | None:
    """A host with or without a port, or nothing."""
    return HostPort.read(value) if value != "" else None


def _listen(value: object) -> HostPort | None:
    """An address and a port, or nothing: ``127.0.0.1:9925``, ``[::1]:9925``."""
    text = values.text(value)
    match = _LISTEN.fullmatch(text)
    if match:
        return HostPort(_host(match[1]), _port(int(match[2])))
    if text:
        raise ValueError(f'{values.written(text)} is no address to listen on; write "127.0.0.1:9925" or "[::1]:9925"')
    return None


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
    from mailer.tlspolicy import fingerprint

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


def _patience(value: object) -> float:
    return inf if value == NEVER else _period(value)


def _patience_written(seconds: float) -> str:
    return NEVER if seconds == inf else _duration(seconds)


def _score(value: object) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not abs(value) <= MOST_SCORE:
        raise ValueError(f"{values.written(value)} is no score; write a number such as 5, 0.5 or -2")
    return float(value)


def _scores(value: object) -> tuple[tuple[CodePattern, float], ...]:
    if not isinstance(value, dict):
        raise ValueError(f'{values.written(value)} is no table; write it as {{ "127.0.0.2" = 3 }}')
    from mailer.auth.blocklist import CodePattern

    return tuple((CodePattern.read(code), _score(score)) for code, score in value.items())


def _number(value: float) -> int | float:
    return int(value) if value == int(value) else value


def _scored(pairs: tuple[tuple[CodePattern, float], ...]) -> dict[str, object]:
    return {code.text: _number(score) for code, score in pairs}


def choice(*names: str, name: str = "") -> Kind[str]:
    """The kind of a setting that is one of a few words, which is what the manual calls it, unless it has a `name`."""
    shown = " | ".join(names)

    def read(value: object) -> str:
        if value not in names or not isinstance(value, str):
            raise ValueError(f"{values.written(value)} is none of {shown}")
        return value

    return Kind(name or shown, read, words=names)


def several(kind: Kind[T], *, least: int = 0) -> Kind[tuple[T, ...]]:
    """The kind of a list of `kind`, with at least so many; a tuple in the program."""

    def read(value: object) -> tuple[T, ...]:
        if not isinstance(value, list):
            raise ValueError(f"{values.written(value)} is no list; write it in square brackets")
        if len(value) < least:
            raise ValueError("the list is empty")
        return tuple(kind.read(item) for item in value)

    return Kind(f"list of {kind.name}", read, of=kind)


def one_or_several(kind: Kind[T]) -> Kind[tuple[T, ...]]:
    """The kind of a list as `several` reads it, where one value may stand alone, without brackets."""
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
SHARE = Kind("fraction", _share)
NAMESERVER = Kind("host[:port]", _nameserver)
SERVER = Kind("host[:port]", _server)
LISTEN = Kind("host:port", _listen)
PROXY: Kind[ProxyPlace | None] = Kind("url", ProxyPlace.read)
PATTERN = Kind("pattern", Pattern.read)
TARGET = Kind("pattern | mx | relay:NAME", Pattern.read_target)
RATE = Kind("rate", Rate.read)
FINGERPRINT = Kind("text", _fingerprint)
SOURCE = Kind("text", _source)
HOP = Kind("mx | relay:NAME", Via.read)
HOME = Kind("local | relay:NAME | maildir:PATH", Via.read_home)
COMMAND = Kind("command", _command)
PATIENCE = Kind("duration | never", _patience)
SCORE = Kind("score", _score)
SCORES = Kind("table of scores", _scores)

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
    PATIENCE: _patience_written,
    SCORE: _number,
    SCORES: _scored,
}
"""What makes a TOML value of what these kinds have read; others write the value itself, or what `str` says of it."""


def write(kind: Kind[Any], value: Any) -> Any:
    """`value` as the file has it, as short as it can be said: 300 seconds are ``"5m"``."""
    if kind.of is not None:
        return [write(kind.of, item) for item in value]
    if kind in WRITERS:
        return WRITERS[kind](value)
    return value if isinstance(value, str | int | float | dict | list) else str(value)


def literal(value: Any) -> str:
    """A value as TOML writes it, on one line. Raises `TypeError` for what is no text, number or switch, nor a list or table of those."""
    import tomli_w

    if isinstance(value, list | tuple):
        return f"[{', '.join(map(literal, value))}]"
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{tomli_w.dumps({name: ''}).partition(' = ')[0]} = {literal(item)}" for name, item in value.items()) + " }"
    return tomli_w.dumps({"x": value}).removeprefix("x = ").rstrip("\n")
