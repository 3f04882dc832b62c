"""The configuration file: found, parsed, and validated as a whole.

`load` is for everybody who needs settings; `examine` for ``mailer config check``, which shows all that is wrong. Each section is built
from its declaration, and says itself what it must not mean, alone and beside others. All problems are found in
one go, each with its line: whoever mends a file wants the whole list.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from mailer.mail.problem import Problem

from .kinds import nearest
from .model import LISTED, NAMED, SECTIONS, TABLES, Config
from .values import LARGEST_FILE, find, given, nowhere, written

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from .places import Path
    from .sections import Section

REFUSED = {"password": "a password does not stand in the configuration; put it in a file and name that with password_file"}


class Mistake(NamedTuple):
    """One mistake in the file, at `line` from 1; 0 is the whole file."""

    line: int
    text: str


def load(path: str | None = None, spool: str | None = None) -> Config:
    """The configuration in use; `path` and `spool` are what the command line gave.

    Without `path` it is the file that ``$MAILER_CONFIG`` names, else ``$XDG_CONFIG_HOME/mailer/config.toml``, else
    ``/etc/mailer/config.toml``, else the defaults. Raises `Problem` (bad-config) with file and line.
    """
    return config_of(*find(path), spool)


def load_again(given: tuple[str | None, str | None], before: Config, what: str = "process") -> Config:
    """The configuration for a `what` that has gone by `before`; `given` is what the command line said. Raises `Problem` (bad-config).

    Another spool is refused: what is under way, and the lock, are of the one that there was.
    """
    config = load(*given)
    if config.spool != before.spool:
        raise Problem(f"the spool cannot change while the {what} runs; restart it", "bad-config")
    return config


def config_of(path: str, data: bytes, spool: str | None = None, *, only: Collection[str] = ()) -> Config:
    """The configuration in `data`, the content of `path`. Raises `Problem` (bad-config), also where there is no place for a spool.

    With `only`, the other sections are left at their defaults, and neither what is wrong in them matters nor whether there is a spool.
    """
    config, problems = examine(path, data, only=only)
    if config is None:
        rest = f" (and {len(problems) - 1} more; `mailer config check` shows all)" if len(problems) > 1 else ""
        raise Problem(at(path, problems[0]) + rest, "bad-config")
    if spool:
        mailer = config.mailer.but(spool=os.path.abspath(given(spool)))
        config = config.but(mailer=mailer, lines={**config.lines, "mailer.spool": 0})
    if not config.spool and not only:
        raise nowhere()
    return config


def examine(path: str, data: bytes, *, only: Collection[str] = ()) -> tuple[Config | None, list[Mistake]]:
    """The configuration, or what is wrong with it, by line; `only` as for `config_of`."""
    if len(data) > LARGEST_FILE:
        return None, [Mistake(0, f"this is larger than {LARGEST_FILE} bytes; is it the right file?")]
    if not data:
        validation = Validation({}, lambda _: 0)
        return validation.config(path), validation.problems
    import tomllib  # which costs more than all else here, and mostly there is no file

    from .places import Places

    try:
        text = data.decode()
        raw = tomllib.loads(text)
    except UnicodeDecodeError as error:
        return None, [Mistake(1 + data.count(b"\n", 0, error.start), "this is not text in UTF-8")]
    except RecursionError:
        return None, [Mistake(0, "the brackets are nested too deeply")]
    except ValueError as error:
        return None, [_syntax(str(error), text)]
    if only:  # and what is in no section, which was meant for one
        raw = {name: value for name, value in raw.items() if name in only or not isinstance(value, dict | list)}
    validation = Validation(raw, Places(text).line)
    return validation.config(path), validation.problems


def at(path: str, problem: Mistake) -> str:
    """The line that tells a mistake in the file at `path`: where, and what."""
    return f"{path}:{problem.line}: {problem.text}" if problem.line else f"{path}: {problem.text}"


def _syntax(message: str, text: str) -> Mistake:
    """What `tomllib` says, with its line in front."""
    match = re.fullmatch(r"(.*) \(at (?:line (\d+), column \d+|end of document)\)", message, re.DOTALL)
    if match is None:
        return Mistake(0, f"this is no TOML: {message}")
    return Mistake(int(match[2] or 1 + text.rstrip().count("\n")), f"this is no TOML: {match[1]}")


class Validation:
    """The tables `raw`, which stand where `line` says, read as sections; then `problems` and `lines` are complete.

    A section that is wrong in itself is None.
    """

    def __init__(self, raw: Mapping[str, Any], line: Callable[[Path], int]) -> None:
        self.raw = raw
        self.line = line
        self.problems: list[Mistake] = []
        self.lines: dict[str, int] = {}
        self.once: dict[str, Any] = {}
        self.named: dict[str, dict[str, Any]] = {}
        self.listed: dict[str, list[Any]] = {}

    def config(self, path: str) -> Config | None:
        """The configuration, or `None` if there are problems."""
        self._strangers()
        self.once = {word: self._table(cls) for word, cls in TABLES.items() if word in self.raw}
        self.named = {word: self._tables(cls) for word, cls in NAMED.items()}
        self.listed = {word: self._list(cls) for word, cls in LISTED.items()}
        for cls in SECTIONS:
            for place, text in cls.conflicts(self):
                self.wrong(place, text)
        self.problems.sort()
        if self.problems:
            return None
        tables = {TABLES[word].member: section for word, section in self.once.items()}
        named = {cls.member: self.named[word] for word, cls in NAMED.items()}
        lists = {cls.member: tuple(self.listed[word]) for word, cls in LISTED.items()}
        return Config(path=path, lines=self.lines, **tables, **named, **lists)

    def wrong(self, path: Path, text: str) -> None:
        """Note a problem at `path`."""
        self.problems.append(Mistake(self.line(path), text))

    def _strangers(self) -> None:
        """What stands at the top of the file and is no section."""
        sections = (*TABLES, *NAMED, *LISTED)
        for name, value in self.raw.items():
            if name in sections:
                continue
            homes = [word for word, cls in TABLES.items() if name in {setting.key for setting in cls.settings}]
            if isinstance(value, dict | list) or not homes:
                self.wrong((name,), f"there is no section [{written(name)[1:-1]}]{nearest(name, sections, '[{}]')}")
            else:
                self.wrong((name,), f"{name} stands before any section; it belongs below [{homes[0]}]")

    def _table(self, cls: type[Section]) -> Any:
        table = self.raw[cls.word]
        if not isinstance(table, dict):
            self.wrong((cls.word,), f"{cls.word} is a section of its own; write {cls.header} once")
            return None
        return self._section(cls, table, (cls.word,))

    def _tables(self, cls: type[Section]) -> dict[str, Any]:
        """The sections that have names, by these."""
        tables = self.raw.get(cls.word, {})
        if not isinstance(tables, dict) or not all(isinstance(table, dict) for table in tables.values()):
            self.wrong((cls.word,), f"a {cls.word} needs a name; write {cls.header}")
            return {}
        return {name: self._section(cls, table, (cls.word, name), name=name) for name, table in tables.items()}

    def _list(self, cls: type[Section]) -> list[Any]:
        """The sections of a list in their order."""
        tables = self.raw.get(cls.word, [])
        if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
            self.wrong((cls.word,), f"{cls.plural} are a list; write {cls.header} above each")
            return []
        return [self._section(cls, table, (cls.word, number)) for number, table in enumerate(tables)]

    def _section(self, cls: type[Section], table: Mapping[str, Any], path: Path, **more: str) -> Section | None:
        before = len(self.problems)
        known = {setting.key: setting for setting in cls.settings}
        found = {}
        for key, value in table.items():
            if key not in known:
                self.wrong((*path, key), REFUSED.get(key) or f"{_header(path)} has no setting {written(key)[1:-1]}{nearest(key, known)}")
                continue
            try:
                found[key] = known[key].kind.read(value)
            except ValueError as error:
                self.wrong((*path, key), f"{key}: {error}")
            self.lines[".".join(map(str, (*path, key)))] = self.line((*path, key))
        for setting in known.values():
            if setting.required and setting.key not in table:
                self.wrong(path, f'{_header(path)} has no {setting.key}; write {setting.key} = "{setting.example}"')
        if len(self.problems) > before:
            return None
        made = cls(**found, **more)
        for key, text in made.problems():
            self.wrong((*path, key), text)
        return made


def _header(path: Path) -> str:
    """How the file writes the table at `path`."""
    return f"[[{path[0]}]]" if isinstance(path[-1], int) else f"[{'.'.join(map(str, path))}]"
