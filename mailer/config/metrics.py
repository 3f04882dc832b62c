"""Figures of the daemon for a monitoring system: whether there are any, and where."""

from __future__ import annotations

from dataclasses import dataclass

from . import values
from .kinds import HOST, PORT, Kind
from .setting import setting


def _listen(value: object) -> str:
    """An address and a port, or nothing: ``127.0.0.1:9925``, ``[::1]:9925``."""
    text = values.text(value)
    if not text:
        return ""
    host, colon, port = text.rpartition(":")
    bare = ":" in host and not (host.startswith("[") and host.endswith("]"))
    if not colon or not host or bare or not port.isascii() or not port.isdigit() or len(port) > 5:
        raise ValueError(f'{values.written(value)} is no address to listen on; write "127.0.0.1:9925" or "[::1]:9925"')
    name = HOST.read(host)
    return f"{f'[{name}]' if ':' in name else name}:{PORT.read(int(port))}"


LISTEN = Kind("host:port", _listen)


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
    """Figures of the daemon for Prometheus, or whatever else reads its format.

    This needs the library prometheus-client: pip install 'mailer[metrics]'. See mailer-delivery(7) for the figures.
    """

    listen: str = setting(
        LISTEN,
        "Where they are served, by HTTP. Without it nothing is counted. Whoever gets there may read them, without a password: they name "
        "no address and no domain, but say how much mail there is.",
        "",
        example="127.0.0.1:9925",
    )
