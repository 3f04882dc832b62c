"""Aliases: the addresses that stand behind a name, from the configuration and from a file in the form of aliases(5).

Only addresses and other names can stand behind a name, and ``/dev/null``, which discards. What sendmail would run, write to or
include (``|command``, ``/file``, ``:include:/file``) is refused when mail would go there, and so is a loop: whoever can write the
file decides where mail goes, and nothing more. A name that stands behind itself, and one with a backslash before it, is not
looked up again.
"""

from __future__ import annotations

from mailer.mail.address import parse
from mailer.mail.address_list import written
from mailer.mail.problem import Problem

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

LARGEST_FILE = 16 << 20
EVERYBODY = "*"
DISCARD = "/dev/null"
"""The one file that mail may go to: there it is gone, as everywhere."""

_REFUSED = {"|": "a command", "/": "a file", ":": "a list in a file"}


class Alias:
    """The addresses that stand behind a name; `where` says it: a setting, or a file and its line."""

    __slots__ = ("targets", "where")

    def __init__(self, targets: Sequence[str], where: str) -> None:
        self.targets = targets
        self.where = where


class Aliases:
    """The aliases of the configuration, and of a file that is read when a name is looked up which the configuration does not know."""

    __slots__ = ("_file", "_found", "_path")

    def __init__(self, listed: Sequence[tuple[str, Sequence[str]]], path: str) -> None:
        self._found = {name: Alias(_one_by_one(targets), "submission.aliases") for name, targets in listed}
        self._file: dict[str, Alias] | None = None if path else {}
        self._path = path

    def get(self, key: str, *, local: bool) -> Alias | None:
        """The alias `key` (lower case); a `local` one may also be in the file. Raises `Problem` (bad-config)."""
        found = self._found.get(key)
        if found is None and local:
            if self._file is None:
                self._file = dict(read(self._path))
            found = self._file.get(key)
        return found


def read(path: str, *, strict: bool = False) -> Iterator[tuple[str, Alias]]:
    """The aliases of a file, each with its name in lower case. Raises `Problem` (bad-config).

    A line that is none says nothing, or, where reading is `strict`, is such a problem: it may be what a name was lost with.
    """
    try:
        with open(path, "rb") as file:
            data = file.read(LARGEST_FILE + 1)
    except OSError as error:
        raise Problem(f"cannot read the aliases in {path}: {error.strerror}", "bad-config") from None
    if len(data) > LARGEST_FILE:
        raise Problem(f"{path} is larger than {LARGEST_FILE} bytes; is it a file of aliases?", "bad-config")
    for line, text in _entries(data.decode("utf-8", "surrogateescape")):
        name, *targets = _divided(text)
        if name and targets:
            yield name.lower(), Alias(targets, f"{path}:{line}")
        elif strict:
            raise Problem(f"{path}:{line}: this is no alias; write name: address, address", "bad-config")


def refusal(target: str) -> str:
    """Why mail cannot go to `target`; nothing if it can."""
    if target == DISCARD:
        return ""
    if not target:
        return "stands for nobody"
    if kind := _REFUSED.get(target[:1]):
        return f"leads to {kind}, and mail goes to addresses only"
    try:
        parse(target.removeprefix("\\"), "x.invalid")
    except ValueError as error:
        return f"leads nowhere: {error}"
    return ""


def _entries(text: str) -> Iterator[tuple[int, str]]:
    """The number of its first line and the text of each entry; a line that begins with a blank goes on with the one before."""
    start, entry = 0, ""
    for number, line in enumerate(text.replace("\r\n", "\n").split("\n"), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if line[0] in " \t" and entry:
            entry += " " + line.strip()
            continue
        if entry:
            yield start, entry
        start, entry = number, line.strip()
    if entry:
        yield start, entry


def _divided(entry: str) -> list[str]:
    """The name and the targets of ``name: target, target``; quotes hold together what they enclose, and fall away.

    Addresses without a comma between them are several, as wherever addresses are listed.
    """
    pieces = [""]
    quoted = escaped = False
    for char in entry:
        if escaped:
            pieces[-1] += char
            escaped = False
        elif char == '"':
            quoted = not quoted
        elif char == "\\" and quoted:
            escaped = True
        elif not quoted and (char == "," if len(pieces) > 1 else char == ":"):
            pieces.append("")
        else:
            pieces[-1] += char
    name, *targets = (piece.strip() for piece in pieces)
    return [name, *_one_by_one([*filter(None, targets)])]


def _one_by_one(targets: Sequence[str]) -> list[str]:
    """The targets, several where addresses are written as one; what is no address is one, whatever stands in it."""
    return [one for target in targets for one in ([target] if target[:1] in _REFUSED else written(target))]
