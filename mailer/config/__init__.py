"""What the operator has written down: one TOML file, read once, checked whole, and then a plain value.

``load(path, spool)`` returns a `Config`: one member a section, in which every value has its final type: durations are seconds (`float`),
sizes are bytes (`int`), paths are absolute, a rate is a number and seconds. A mistake in the file is one `Problem` (bad-config) with file
and line. Each setting is declared once, with its kind, its sentence and its default; all else comes from that. Secrets never stand in the
file: it names where each is.

============  ================================================================================================
`sections`    the settings, a file for each room that goes by them
`kinds`       the kinds of values: how each is read, written, and called
`values`      readers of single values; where configuration and spool are if nothing says so
`file`        the file, found, parsed, and validated as a whole
`places`      where each setting stands in its text
`model`       `Config`, and what is in force, as ``mailer config show`` prints it
`quick`       the two sections that ``mailer send`` needs, read without a parser of TOML
`edit`        ``mailer config set``: one setting is changed, and nothing else
`manual`      the example file and `mailer-config(5)`
`providers`   the providers that are known by name, and where they give out tokens
`advice`      what a configuration that is right in itself still leaves to worry about
`secret`      passwords and private keys, and whose they are
`expression`  expressions that are looked for in the words of a stranger
============  ================================================================================================
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
