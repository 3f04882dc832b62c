"""The forms that values have in the program where they are no texts and numbers: read once, and compared and shown as they are.

`str` says each as the file writes it. Each reader raises `ValueError` that says what is wrong and what to write instead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mailer.mail.domain import ascii_domain

from . import values

if TYPE_CHECKING:
    from typing import Literal

UNITS = {"s": 1.0, "min": 60.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
"""The times that a rate may be over; of two that are the same the first one is written."""


class Rate(NamedTuple):
    """A limit of so many things in so many seconds."""

    number: int
    seconds: float

    @classmethod
    def read(cls, value: object) -> Rate:
        """What ``100/min`` says. Raises `ValueError`."""
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

    def __str__(self) -> str:
        if not self.port:
            return self.host
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Via(NamedTuple):
    """One way out: the relay called `name`, or the MX hosts of the domain."""

    kind: Literal["relay", "mx"]
    name: str = ""

    @classmethod
    def read(cls, value: object) -> Via:
        """What ``relay:NAME`` or ``mx`` says. Raises `ValueError`."""
        text = values.text(value)
        kind, _, name = text.partition(":")
        if kind == "relay" and name:
            return cls("relay", name)
        if text != "mx":
            raise ValueError(f'{values.written(value)} is no way out; write "mx" or "relay:NAME"')
        return cls("mx")

    def __str__(self) -> str:
        return f"relay:{self.name}" if self.kind == "relay" else "mx"


class Pattern(NamedTuple):
    """What domains, hosts or a relay a rule holds for: ``*``, ``*.domain``, a domain, or ``relay:NAME``.

    `text` is as the file has it, in lower case and without a dot at the end; `form` is compared: domains are there as in the DNS.
    """

    text: str
    form: str

    @classmethod
    def read(cls, value: object) -> Pattern:
        """One of domains. Raises `ValueError`."""
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
        """One of domains and hosts, or a relay. Raises `ValueError`."""
        text = values.text(value)
        return cls(text, text) if text.startswith(RELAY) and len(text) > len(RELAY) else cls.read(text)

    @property
    def relay(self) -> str:
        """The name of the relay that is meant; empty where domains are."""
        return self.text.removeprefix(RELAY) if self.text.startswith(RELAY) else ""

    def __str__(self) -> str:
        return self.text


RELAY = "relay:"
EVERYTHING = Pattern("*", "*")
