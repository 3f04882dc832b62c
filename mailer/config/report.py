"""What is in force, setting by setting, and where each value comes from.

As lines that are a configuration themselves, or as rows for JSON. No secret is in either: the
configuration knows only where one is, and of a command for it, whose arguments may tell more, only
the program is shown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import tomli_w

from .kinds import write
from .model import LISTED, NAMED, TABLES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .model import Config
    from .sections import Section, Setting


class InForce(NamedTuple):
    """One section in force: its header in the file, the start of its keys' names, and its value."""

    header: str
    prefix: str
    section: Section


def sections(config: Config) -> Iterator[InForce]:
    """All sections, with every relay, route and key."""
    for word, cls in TABLES.items():
        yield InForce(cls.header, word, getattr(config, cls.member))
    for word, cls in NAMED.items():
        for name, section in getattr(config, cls.member).items():
            yield InForce(f"[{word}.{literal(name) if '.' in name else name}]", f"{word}.{name}", section)
    for word, cls in LISTED.items():
        for at, section in enumerate(getattr(config, cls.member)):
            yield InForce(cls.header, f"{word}.{at}", section)


def literal(value: Any) -> str:
    """A value as TOML writes it, on one line. Raises `TypeError` for what is no text, number or switch, nor a list or table of those."""
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(literal, value))}]"
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{tomli_w.dumps({name: ''}).partition(' = ')[0]} = {literal(item)}" for name, item in value.items()) + " }"
    return tomli_w.dumps({"x": value}).removeprefix("x = ").rstrip("\n")


def rows(config: Config) -> Iterator[dict[str, Any]]:
    """One object a setting: ``key``, ``value`` as the file writes it or null, ``source`` and ``line``."""
    for _, prefix, section in sections(config):
        for setting in section.settings:
            source, line = _source(config, f"{prefix}.{setting.key}")
            yield {"key": f"{prefix}.{setting.key}", "value": _value(setting, section), "source": source, "line": line}


def lines(config: Config) -> Iterator[str]:
    """The settings as a file would have them, each with its source in a comment."""
    for at, (header, prefix, section) in enumerate(sections(config)):
        if at:
            yield ""
        yield header
        for setting in section.settings:
            source, line = _source(config, f"{prefix}.{setting.key}")
            value = _value(setting, section)
            if value is None:
                yield f"# {setting.key} is not set" + (f": {setting.shown}" if setting.shown else "")
            else:
                yield f"{setting.key} = {literal(value)}".ljust(50) + f"  # {source}" + (f":{line}" if line else "")


def _source(config: Config, key: str) -> tuple[str, int | None]:
    """The file and the line, or ``default``, or ``command line``."""
    line = config.lines.get(key)
    if line is None:
        return "default", None
    return (config.path, line) if line else ("command line", None)


def _value(setting: Setting[Any], section: Section) -> Any:
    """The value as the file writes it; `None` if it is not set."""
    value = getattr(section, setting.key)
    if value in (None, "", ()):
        return None
    if setting.private:
        return [value[0], *("…" for _ in value[1:2])]
    return write(setting.kind, value)
