"""The few settings that ``mailer send`` needs, read without the cost of a TOML parser.

`submission` reads the tables ``[mailer]``, ``[submission]`` and ``[sandbox]`` of a file whose lines are plain:
``key = "text"``, ``key = 42``, ``key = true``, ``key = ["text", "text"]``, comments, blank lines; and the tables below them that
are a setting themselves, such as ``[submission.aliases]``. Wherever anything is not plain (an escape, a
list of several lines, a key that it does not know, a value that is refused) it gives up and the full reader decides, so
there is one TOML and one wording of errors: what this accepts, the full reader accepts with the same
values. A mistake in another table is not looked for on either way: mail can be queued while the daemon's
part of the file is being mended.

Nothing is imported here that a bare interpreter has not loaded; `tests/config/test_quick.py` measures it.
"""

from __future__ import annotations

from mailer.io.system import os

from .sections import Mailer, Sandbox, SubmissionSection, SubmissionSettings
from .values import LARGEST_FILE, find, given

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

SECTIONS = {cls.word: cls for cls in (Mailer, SubmissionSection, Sandbox)}
_OTHERS = "."  # what a table of others is called
_BARE = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-")


def submission(config_path: str | None = None, spool: str | None = None) -> SubmissionSettings:
    """The settings for submission; `spool`, if given, overrules the file. Raises `Problem` (bad-config)."""
    path, data = find(config_path)
    found = plain(data)
    if found is None:
        from .file import config_of

        return config_of(path, data, spool, only=SECTIONS).submitting
    if spool:
        found["spool"] = os.path.abspath(given(spool))
    return SubmissionSettings(path, **found)


def plain(data: bytes) -> dict[str, Any] | None:
    """The settings of the first two tables by name, and the ``sandbox``, if there is one; `None` if something there is not plain."""
    if len(data) > LARGEST_FILE or b"\r" in data or b'"""' in data or b"'''" in data:
        return None
    try:
        lines = data.decode().split("\n")
    except UnicodeDecodeError:
        return None
    tables: dict[str, dict[str, object]] = {"": {}}
    into: dict[str, object] | None = tables[""]  # None: in a table of others
    for raw in lines:
        line = raw.strip(" \t")
        if line.startswith("["):
            name = _header(line)
            if name is None or name in tables:
                return None
            into = None if name == _OTHERS else tables.setdefault(name, {})
        elif into is not None and line and not _take(line, into):
            return None
    if tables.pop(""):
        return None
    boxed = tables.pop(Sandbox.word, None)
    found = _read(tables)
    if found is None or not boxed:
        return found
    sandbox = _sandbox(boxed)
    return None if sandbox is None else {**found, "sandbox": sandbox}


def _sandbox(table: dict[str, object]) -> Sandbox | None:
    """The sandbox that `table` is about; None if anything is wrong with it, so that it never is live by mistake."""
    values = _read({Sandbox.word: table})
    if values is None:
        return None
    made = Sandbox(**values)
    return None if any(made.problems()) else made


def _read(tables: dict[str, dict[str, object]]) -> dict[str, Any] | None:
    """What the tables mean; one such as ``submission.aliases`` is the value of a setting itself."""
    found: dict[str, Any] = {}
    for name, table in tables.items():
        word, _, below = name.partition(".")
        known = {setting.key: setting.kind for setting in SECTIONS[word].settings}
        for key, value in ((below, table),) if below else table.items():
            if key not in known or key in found:
                return None
            try:
                found[key] = known[key].read(value)
            except ValueError:
                return None
    return found


def _header(line: str) -> str | None:
    """The name in ``[name]``; `_OTHERS` for a table of others; `None` for what could be anything."""
    header, _, comment = line.partition("#")
    header = header.rstrip(" \t")
    name = header.strip("[]")
    if not _printable(comment) or not name or name.endswith(".") or not _BARE.issuperset(name.replace(".", "")):
        return None
    if name.partition(".")[0] in SECTIONS:
        return name if header == f"[{name}]" else None
    return _OTHERS if header in (f"[{name}]", f"[[{name}]]") else None


def _take(line: str, into: dict[str, object]) -> bool:
    """Take what one line of these tables says; whether it is plain."""
    if line.startswith("#"):
        return _printable(line)
    key, equals, rest = line.partition("=")
    key = _key(key.rstrip(" \t"))
    value = _value(rest.lstrip(" \t"))
    if not equals or not key or key in into or value is None:
        return False
    into[key] = value
    return True


def _key(text: str) -> str:
    """A key that is bare, or in plain quotes; else nothing."""
    if text.startswith('"') and text.endswith('"') and len(text) > 1:
        text = text[1:-1]
        return text if '"' not in text and "\\" not in text and text.isprintable() else ""
    return text if _BARE.issuperset(text) else ""


def _list(text: str) -> list[object] | None:
    """The plain texts in ``["a", "b"]`` if nothing but a comment follows it, else `None`."""
    inner, bracket, rest = text[1:].partition("]")
    if not bracket or not _ends(rest):
        return None
    pieces = [piece.strip(" \t") for piece in inner.split(",")]
    if not pieces[-1]:
        pieces.pop()
    found = [_value(piece) if piece.startswith('"') and "#" not in piece else None for piece in pieces]
    return None if None in found else [*found]


def _value(text: str) -> str | int | bool | list[object] | None:
    """The value at the start of `text` if nothing but a comment follows it, else `None`."""
    if text.startswith("["):
        return _list(text)
    if text.startswith('"'):
        inner, quote, rest = text[1:].partition('"')
        if not quote or "\\" in inner or not inner.isprintable() or not _ends(rest):
            return None
        return inner
    word, hash_, comment = text.partition("#")
    word = word.rstrip(" \t")
    if not _ends(hash_ + comment):
        return None
    if word in ("true", "false"):
        return word == "true"
    if word.isascii() and word.isdigit() and len(word) < 16 and (word == "0" or word[0] != "0"):
        return int(word)
    return None


def _ends(rest: str) -> bool:
    rest = rest.lstrip(" \t")
    return not rest or (rest.startswith("#") and _printable(rest))


def _printable(comment: str) -> bool:
    """Whether `comment` holds nothing that TOML forbids in one; tabs are allowed."""
    return comment.replace("\t", "").isprintable()
