"""Changing single settings of a configuration file and nothing else in it.

``mailer config set`` replaces the value where it stands, or adds a line where it belongs: below the
commented line that shows the setting, else after the last line of its section, else in a new section
at the end. `tomlkit` sees that one section only, and keeps what it does not change as it was written; of a whole file it would bring
tables together that belong to one list. The new text is validated as a whole before it takes the place of the old file, in one
rename, so a reader sees the old file or the new one.
"""

from __future__ import annotations

import os
import re
import stat
import tomllib
from typing import TYPE_CHECKING, Any

import tomlkit
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import Comment, SingleKey, Table

from mailer.io.durable import begin_new, finish_new, let_go, sync_directory
from mailer.mail.problem import Problem, from_os

from .file import at, config_of, examine
from .kinds import literal, nearest
from .model import LISTED, NAMED, TABLES
from .places import Places

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .places import Path
    from .sections import Setting


def changed(path: str, data: bytes, changes: Iterable[tuple[str, str]]) -> str:
    """The text of the file at `path`, which holds `data`, with each key of `changes` being its value.

    Raises `Problem`: usage for a setting that there is not, bad-config if the new text would be wrong as a whole.
    """
    text = _parsed(path, data)
    for key, value in changes:
        place, setting = find_setting(key)
        text = edited(text, place, understood(setting, value))
    config, problems = examine(path, text.encode())
    if config is None:
        raise Problem(f"nothing was changed, for the file would be wrong: {at(path, problems[0])}", "bad-config")
    return text


def _parsed(path: str, data: bytes) -> str:
    """The text, which has to be TOML already. Raises `Problem` (bad-config)."""
    try:
        text = data.decode()
        tomllib.loads(text)
    except ValueError:
        config_of(path, data)  # says what is wrong
        raise
    return text


def find_setting(key: str) -> tuple[tuple[str, ...], Setting[Any]]:
    """The place in the file and the declaration of ``section.key`` or ``relay.NAME.key``. Raises `Problem` (usage)."""
    section, _, rest = key.partition(".")
    name, dot, last = rest.rpartition(".")
    if section in LISTED:
        raise Problem(f"[[{section}]] is a list; edit the file", "usage")
    cls = NAMED.get(section) if dot else TABLES.get(section)
    if cls is None:
        forms = [*(f"{section}.KEY" for section in TABLES), *(f"{section}.NAME.KEY" for section in NAMED)]
        raise Problem(f"there is no setting {key}; settings are called {', '.join(forms)}", "usage")
    known = {setting.key: setting for setting in cls.settings}
    if last not in known:
        raise Problem(f"there is no setting {key}{nearest(last, known)}", "usage")
    return ((section, name, last) if dot else (section, last)), known[last]


def understood(setting: Setting[Any], text: str) -> Any:
    """The TOML value that `text` from a command line means: as TOML would read it, as plain text, or as a list with commas.

    Raises `Problem` (bad-config).
    """
    problem = ""
    for value in _readings(text):
        try:
            setting.kind.read(value)
        except ValueError as error:
            problem = problem or str(error)
        else:
            return value
    raise Problem(f"{setting.key}: {problem}", "bad-config")


def _readings(text: str) -> Iterator[Any]:
    try:
        value = tomllib.loads(f"x = {text}")
    except ValueError:
        pass
    else:
        if len(value) == 1:  # and not a second line that was smuggled in
            yield value["x"]
    yield text
    yield [part.strip() for part in text.split(",")]


def edited(text: str, path: Path, value: Any) -> str:
    """`text` with the setting at `path` being `value`. Raises `Problem` (bad-config) where that takes a person."""
    places = Places(text)
    if path in places.keys or path[:-1] in places.tables:
        start, end = _span(text, places, path)
        try:
            made = text[:start] + _section_with(text[start:end], path, value) + text[end:]
        except (KeyError, TypeError, ValueError, TOMLKitError):
            made = text
    elif all(isinstance(name, str) for name in path):
        made = _ended(text) + ("\n" if text else "") + _section_of(path, value)
    else:
        made = text  # a member of a list that has no header of its own
    if not _only_changed(text, made, path, value):
        raise Problem(f"cannot change {'.'.join(map(str, path))} in a file that is written like this; edit it by hand", "bad-config")
    return made


def _span(text: str, places: Places, path: Path) -> tuple[int, int]:
    """Where the section with the setting at `path` begins, and where what is said in it ends; behind that it may be about the next."""
    place = places.keys.get(path) or places.tables[path[:-1]]
    start = max((table.start for table in places.tables.values() if table.start <= place.start), default=0)
    end = min((table.start for table in places.tables.values() if table.start > place.start), default=len(text))
    said = [each.end for each in (*places.keys.values(), place) if start <= each.start < end]
    shown = _shown(path).search(text, start, end)
    newline = text.find("\n", max(*said, shown.end()) if shown else max(said))
    return start, newline + 1 if newline >= 0 else len(text)


def _shown(path: Path) -> re.Pattern[str]:
    """The comment that shows a setting, as those of the example file."""
    return re.compile(rf"^#\s?{re.escape(str(path[-1]))}\s*=.*$", re.MULTILINE)


def _section_with(text: str, path: Path, value: Any) -> str:
    """The text of one section, with the setting where it stands, or below the comment that shows it, or behind all others."""
    document = tomlkit.parse(_ended(text))
    table: Any = document
    for name in path[:-1]:
        table = table[name if isinstance(name, str) else 0]
    key, item = str(path[-1]), tomlkit.value(literal(value))
    body = table.value.body if key not in table and isinstance(table, Table) else []
    found = (at for at, (_, each) in enumerate(body[:-1], 1) if isinstance(each, Comment) and _shown(path).match(each.as_string()))
    if at := next(found, 0):
        table.value._insert_at(at, SingleKey(key), item)  # there is no public way to say where
    else:
        table[key] = item
    return document.as_string()


def _section_of(path: Path, value: Any) -> str:
    """A section of its own with one setting."""
    section: Any = {str(path[-1]): tomlkit.value(literal(value))}
    for depth, name in enumerate(reversed(path[:-1])):
        table = tomlkit.table(is_super_table=depth > 0)
        table.update(section)
        section = {str(name): table}
    return tomlkit.dumps(section)


def _ended(text: str) -> str:
    return text if not text or text.endswith("\n") else text + "\n"


def _only_changed(before: str, after: str, path: Path, value: Any) -> bool:
    """Whether `after` says what `before` says but for the one setting: the proof that the edit hit what it meant."""
    wanted = tomllib.loads(before)
    table: Any = wanted
    try:
        for name in path[:-1]:
            table = table[int(name)] if isinstance(table, list) else table.setdefault(name, {})
        table[path[-1]] = value
        return tomllib.loads(after) == wanted
    except (AttributeError, TypeError, ValueError):  # what should be a table is something else, or `after` is no TOML
        return False


def save(path: str, text: str) -> None:
    """Put `text` in the place of the file at `path`, with its mode; a symbolic link stays one. Raises `Problem`."""
    target = os.path.realpath(path)
    scratch = f"{target}.{os.getpid()}.new"
    try:
        about = os.stat(target)
        fd = begin_new(scratch, [text.encode()])
        try:
            if os.geteuid() == 0:  # the file itself: its name may lead elsewhere by now, if the directory is somebody else's
                os.fchown(fd, about.st_uid, about.st_gid)
            os.fchmod(fd, stat.S_IMODE(about.st_mode))
        except OSError:
            let_go(fd)
            os.unlink(scratch)
            raise
        finish_new(scratch, fd)
        try:
            os.rename(scratch, target)
        except OSError:
            os.unlink(scratch)
            raise
        sync_directory(os.path.dirname(target))
    except OSError as error:
        raise from_os("cannot write the configuration", path, error) from None
