"""What the operator has written down: one TOML file, read once, checked whole, and then a plain value.

``load(path, spool)`` finds the file, reads it and returns a `Config`: a frozen dataclass with one member a
section (`model`), in which every value has its final type: durations are seconds (`float`), sizes are
bytes (`int`), paths are absolute. A mistake in the file is one `Failure` (78) with file and line.

``mailer send`` does not pay for that: `quick` reads the two tables that it needs and imports nothing.

Each setting is declared once, with its sentence, its default and its kind; the example file and
`mailer-config(5)` are printed from that (`manual`). Secrets never stand in the file: it names where
each is (`secret`).
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .file import load
    from .model import Config

__all__ = ["Config", "load"]


def __getattr__(name: str) -> object:
    """The public names, imported when one is asked for: `quick` must not pay for them."""
    if name == "load":
        from .file import load

        return load
    if name == "Config":
        from .model import Config

        return Config
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
