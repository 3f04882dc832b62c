"""What is in force, setting by setting, and where each value comes from.

As lines that are a configuration themselves, or as rows for JSON. No secret is in either: the
configuration knows only where one is, and of a command for it, whose arguments may tell more, only
the program is shown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from .literal import literal
from .model import TABLES
from .setting import Setting, settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .model import Config


class Section(NamedTuple):
    """One section in force: its header in the file, the start of its keys' names, and its value."""

    header: str
    prefix: str
    value: Any


def sections(config: Config) -> Iterator[Section]:
    """All sections, with every relay, route and key."""
    for name in TABLES:
        yield Section(f"[{name}]", name, getattr(config, name))
    for name, relay in config.relays.items():
        yield Section(f"[relay.{literal(name) if '.' in name else name}]", f"relay.{name}", relay)
    for at, route in enumerate(config.routes):
        yield Section("[[route]]", f"route.{at}", route)
    for at, key in enumerate(config.dkim):
        yield Section("[[dkim]]", f"dkim.{at}", key)
    for at, submitter in enumerate(config.submitters):
        yield Section("[[submitter]]", f"submitter.{at}", submitter)
    for name, rules in (("shape", config.shapes), ("source", config.sources), ("reaction", config.reactions)):
        for at, rule in enumerate(rules):
            yield Section(f"[[{name}]]", f"{name}.{at}", rule)


def rows(config: Config) -> Iterator[dict[str, Any]]:
    """One object a setting: ``key``, ``value`` as the file writes it or null, ``source`` and ``line``."""
    for section in sections(config):
        for setting in settings(section.value):
            key = f"{section.prefix}.{setting.key}"
            source, line = _source(config, key)
            yield {"key": key, "value": _value(setting, section.value), "source": source, "line": line}


def lines(config: Config) -> Iterator[str]:
    """The settings as a file would have them, each with its source in a comment."""
    for at, section in enumerate(sections(config)):
        if at:
            yield ""
        yield section.header
        for setting in settings(section.value):
            source, line = _source(config, f"{section.prefix}.{setting.key}")
            value = _value(setting, section.value)
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


def _value(setting: Setting, section: Any) -> Any:
    """The value as the file writes it; `None` if it is not set."""
    value = getattr(section, setting.key)
    if value in (None, "", ()):
        return None
    if setting.private:
        return [value[0], *("…" for _ in value[1:2])]
    return setting.kind.write(value)
