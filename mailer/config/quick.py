"""The few settings that ``mailer send`` needs, read without the cost of a TOML parser.

`submission` reads the tables ``[mailer]`` and ``[submission]`` of a file whose lines are plain:
``key = "text"``, ``key = 42``, ``key = true``, ``key = ["text", "text"]``, comments, blank lines; and the tables below them that
are a setting themselves, such as ``[submission.aliases]``. Wherever anything is not plain (an escape, a
list of several lines, a key that it does not know, a value that is refused) it gives up and the full reader decides, so
there is one TOML and one wording of errors: what this accepts, the full reader accepts with the same
values. A mistake in another table is not looked for on either way: mail can be queued while the daemon's
part of the file is being mended.

Nothing is imported here that a bare interpreter has not loaded; `tests/config/test_quick.py` measures it.
"""

from __future__ import annotations

import os

from mailer.mail.failure import BAD_CONFIG, Failure

from . import defaults, values

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .model import Config

LARGEST_FILE = 2**20  # a configuration beyond this is no configuration

READERS: dict[str, dict[str, Callable[[object], object]]] = {
    "mailer": {"hostname": values.hostname, "spool": values.path, "postmaster": values.address},
    "submission": {
        "default_domain": values.optional_domain,
        "max_message_size": values.size,
        "max_recipients": values.count,
        "from_address": values.address,
        "request_id_ttl": values.duration,
        "aliases": values.aliases,
        "aliases_file": values.optional_path,
        "authors": values.authors,
        "replace_every_author": values.switch,
        "masquerade": values.domains,
        "masquerade_except": values.kept,
        "strict": values.switch,
        "max_header_size": values.size,
        "min_free_space": values.size,
        "min_free_inodes": values.count,
        "max_attachments": values.count,
        "max_attachment_size": values.size,
        "max_subject_length": values.count,
    },
}
"""The settings of the two tables; a test holds that `model` has the same."""

ANY: dict[str, Callable[[object], object]] = {}
"""Stands for the readers of a table whose keys are anybody's: they are read when all of them are there."""

BELOW = {"submission.aliases": "aliases", "submission.authors": "authors"}
"""Settings that are tables, by the header that may stand for them."""

_BARE = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-")


class SubmissionSettings:
    """What submission has to know: paths and names, limits in bytes and recipients, `request_id_ttl` in seconds."""

    __slots__ = (
        "aliases",
        "aliases_file",
        "authors",
        "config_path",
        "default_domain",
        "from_address",
        "hostname",
        "masquerade",
        "masquerade_except",
        "max_attachment_size",
        "max_attachments",
        "max_header_size",
        "max_message_size",
        "max_recipients",
        "max_subject_length",
        "min_free_inodes",
        "min_free_space",
        "replace_every_author",
        "request_id_ttl",
        "spool",
        "strict",
    )

    spool: str
    hostname: str
    default_domain: str
    max_message_size: int
    max_recipients: int
    from_address: str
    request_id_ttl: float
    min_free_space: int
    min_free_inodes: int
    aliases: tuple[tuple[str, tuple[str, ...]], ...]
    aliases_file: str
    authors: tuple[tuple[str, str], ...]
    replace_every_author: bool
    masquerade: tuple[str, ...]
    masquerade_except: tuple[str, ...]
    strict: bool
    max_header_size: int
    max_attachments: int
    max_attachment_size: int
    max_subject_length: int
    config_path: str
    """The file that was read; empty if there is none."""

    def __init__(self, found: Mapping[str, object], config_path: str) -> None:
        get = found.get
        self.spool = get("spool") or defaults.spool()  # type: ignore[assignment]
        if not self.spool:
            raise defaults.nowhere()
        self.hostname = get("hostname") or defaults.hostname()  # type: ignore[assignment]
        self.default_domain = get("default_domain", defaults.DEFAULT_DOMAIN)  # type: ignore[assignment]
        self.max_message_size = get("max_message_size") or values.size(defaults.MAX_MESSAGE_SIZE)  # type: ignore[assignment]
        self.max_recipients = get("max_recipients", defaults.MAX_RECIPIENTS)  # type: ignore[assignment]
        self.from_address = get("from_address", defaults.FROM_ADDRESS)  # type: ignore[assignment]
        ttl = get("request_id_ttl")
        self.request_id_ttl = values.duration(defaults.REQUEST_ID_TTL) if ttl is None else ttl  # type: ignore[assignment]
        self.aliases = get("aliases", ())  # type: ignore[assignment]
        self.aliases_file = get("aliases_file", "")  # type: ignore[assignment]
        self.authors = get("authors", ())  # type: ignore[assignment]
        self.replace_every_author = get("replace_every_author", False)  # type: ignore[assignment]
        self.masquerade = get("masquerade", ())  # type: ignore[assignment]
        self.masquerade_except = get("masquerade_except", ())  # type: ignore[assignment]
        self.strict = get("strict", False)  # type: ignore[assignment]
        self.max_header_size = get("max_header_size") or values.size(defaults.MAX_HEADER_SIZE)  # type: ignore[assignment]
        self.min_free_space = get("min_free_space") or values.size(defaults.MIN_FREE_SPACE)  # type: ignore[assignment]
        self.min_free_inodes = get("min_free_inodes", defaults.MIN_FREE_INODES)  # type: ignore[assignment]
        self.max_attachments = get("max_attachments", defaults.MAX_ATTACHMENTS)  # type: ignore[assignment]
        self.max_attachment_size = get("max_attachment_size") or values.size(defaults.MAX_ATTACHMENT_SIZE)  # type: ignore[assignment]
        self.max_subject_length = get("max_subject_length", defaults.MAX_SUBJECT_LENGTH)  # type: ignore[assignment]
        self.config_path = config_path

    @property
    def rules(self) -> bool:
        """Whether there are rules that may change addresses that are whole."""
        return bool(self.aliases or self.aliases_file or self.authors or self.masquerade)

    def sender(self) -> str:
        """The sender of mail that names none: `from_address`, or the user's name at the default domain or host."""
        return defaults.sender(self.from_address, self.default_domain, self.hostname)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SubmissionSettings) and all(getattr(self, n) == getattr(other, n) for n in self.__slots__)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"SubmissionSettings({', '.join(f'{n}={getattr(self, n)!r}' for n in self.__slots__)})"


def submission(config_path: str | None = None, spool: str | None = None) -> SubmissionSettings:
    """The settings for submission; `spool`, if given, overrules the file. Raises `Failure` (78)."""
    path, data = find(config_path)
    found = plain(data)
    if found is None:
        from .file import config_of

        return of(config_of(path, data, spool, only=READERS))
    if spool:
        found["spool"] = os.path.abspath(given(spool))
    return SubmissionSettings(found, path)


def of(config: Config) -> SubmissionSettings:
    """The same settings out of a whole `Config`."""
    found = {name: getattr(config.mailer, name) for name in ("spool", "hostname")}
    found |= {name: getattr(config.submission, name) for name in READERS["submission"]}
    return SubmissionSettings(found, config.path)


def find(config_path: str | None = None) -> tuple[str, bytes]:
    """The configuration file in use and what it holds; two times nothing if there is none.

    The one that is given, or that ``$MAILER_CONFIG`` names, has to exist; else the user's own, else the
    machine's. One in a home that is another's, and closed, is not the user's own. Raises `Failure` (78).
    """
    named = given(config_path or os.environ.get("MAILER_CONFIG", ""))
    for path in (named,) if named else defaults.files():
        try:
            with open(path, "rb") as file:
                return path, file.read(LARGEST_FILE + 1)
        except (FileNotFoundError, NotADirectoryError):
            if named:
                why = "" if config_path else " (the environment variable MAILER_CONFIG names it)"
                raise Failure(f"there is no configuration file {path}{why}", BAD_CONFIG) from None
        except OSError as error:
            if not named and isinstance(error, PermissionError) and defaults.is_foreign(path):
                continue
            raise Failure(f"cannot read the configuration {path}: {error.strerror}", BAD_CONFIG) from None
    return "", b""


def given(path: str) -> str:
    """A path of the command line or of the environment, as a shell would have expanded it. Raises `Failure` (78)."""
    try:
        return defaults.expanded(path)
    except ValueError as error:
        raise Failure(f"{path}: {error}", BAD_CONFIG) from None


def plain(data: bytes) -> dict[str, object] | None:
    """The settings of the two tables by name; `None` if something there is not plain."""
    if len(data) > LARGEST_FILE or b"\r" in data or b'"""' in data or b"'''" in data:
        return None
    try:
        lines = data.decode().split("\n")
    except UnicodeDecodeError:
        return None
    found: dict[str, object] = {}
    seen: dict[str, dict[str, object]] = {}
    readers: Mapping[str, Callable[[object], object]] | None = {}  # None: in a table of others
    into = found
    for raw in lines:
        line = raw.strip(" \t")
        if line.startswith("["):
            name = _header(line)
            if name is None or name in seen:
                return None
            readers = READERS.get(name)
            into = found
            if name in BELOW:
                readers, into = ANY, {}
            if readers is not None:
                seen[name] = into
        elif readers is not None and line and not _take(line, readers, into):
            return None
    return found if all(_settle(found, BELOW[name], table) for name, table in seen.items() if name in BELOW) else None


def _settle(found: dict[str, object], key: str, table: dict[str, object]) -> bool:
    """Read the `table` that is the setting `key`; whether that could be done."""
    if key in found:
        return False
    try:
        found[key] = READERS["submission"][key](table)
    except ValueError:
        return False
    return True


def _header(line: str) -> str | None:
    """The name in ``[name]``; empty for a table of others; `None` for what could be anything."""
    header, _, comment = line.partition("#")
    header = header.rstrip(" \t")
    name = header.strip("[]")
    if not _printable(comment) or not name or not _BARE.issuperset(name.replace(".", "")):
        return None
    if header == f"[{name}]" and (name in READERS or name in BELOW):
        return name
    first = name.partition(".")[0]
    return None if first in READERS or header not in (f"[{name}]", f"[[{name}]]") else ""


def _take(line: str, readers: Mapping[str, Callable[[object], object]], found: dict[str, object]) -> bool:
    """Read one line of the two tables into `found`; whether that could be done."""
    if line.startswith("#"):
        return _printable(line)
    key, equals, rest = line.partition("=")
    key = key.rstrip(" \t")
    if readers is ANY:
        key = _key(key)
    if not equals or not key or key in found or (key not in readers and readers is not ANY):
        return False
    value = _value(rest.lstrip(" \t"))
    if value is None:
        return False
    try:
        found[key] = value if readers is ANY else readers[key](value)
    except ValueError:
        return False
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
