"""What the operator has written down: one TOML file, read once, checked whole, and then a plain value.

``load(path, spool)`` finds the file (`values`), reads and validates it (`file`) and returns a `Config` (`model`): one member a
section, in which every value has its final type: durations are seconds (`float`), sizes are bytes (`int`), paths are absolute,
a rate is a number and seconds (`kinds`). A mistake in the file is one `Problem` (bad-config) with file and line.

``mailer send`` does not pay for that: `quick` reads the two tables that it needs and imports nothing.

Each setting is declared once, in the file of its room (`sections`), with its kind, its sentence and its default. From that come
the two readers, the example file and `mailer-config(5)` (`manual`), ``mailer config show`` (`model`) and
``mailer config set`` (`edit`). Secrets never stand in the file: it names where each is (`secret`).
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
