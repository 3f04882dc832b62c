"""A short way to our own modules that are compiled already. The scripts take it, for whom start is most of what they cost.

A module of ours is one file, in the directory of its package, and its compiled form beside it holds for that file as it is: then no
directory has to be listed, no other suffix tried, and three system calls are all. Whatever is otherwise is left to the import system: a
file that was never compiled or was changed since, a package without a file, an archive. Modules of others are none of its business.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec, SourceFileLoader
    from importlib.util import MAGIC_NUMBER
    from os import O_CLOEXEC, O_RDONLY, close, read, stat
    from os import open as open_file
    from types import CodeType, ModuleType

    def _compile_bytecode(data: memoryview, name: str, bytecode_path: str, source_path: str) -> CodeType: ...

else:  # what those are made of: `importlib` and `os` cost more than all that is saved here
    from _frozen_importlib import ModuleSpec
    from _frozen_importlib_external import MAGIC_NUMBER, SourceFileLoader, _compile_bytecode
    from posix import O_CLOEXEC, O_RDONLY, close, read, stat
    from posix import open as open_file

OURS = __name__.partition(".")[0] + "."
SUFFIX = f".{sys.implementation.cache_tag}.pyc"


class Compiled(SourceFileLoader):
    """Finds modules of ours, as a class; loads one, as a value."""

    def __init__(self, name: str, source: str, cached: str, modified: int, size: int) -> None:
        self.name = name
        self.path = source
        self.cached = cached
        self.head = MAGIC_NUMBER + bytes(4) + (modified & 0xFFFFFFFF).to_bytes(4, "little") + (size & 0xFFFFFFFF).to_bytes(4, "little")
        self.enough = 3 * size + 4096

    @classmethod
    def find_spec(cls, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:  # noqa: ARG003
        """Where the module `name` is, in a package that lies at `path`; None where another way has to be gone."""
        if not name.startswith(OURS) or not path:
            return None
        word = name.rpartition(".")[2]
        place, inside = path[0], None
        try:
            try:
                found = stat(source := f"{place}/{word}.py")
            except FileNotFoundError:
                inside = [place := f"{place}/{word}"]
                word = "__init__"
                found = stat(source := f"{place}/__init__.py")
        except OSError:
            return None
        cached = f"{place}/__pycache__/{word}{SUFFIX}"
        spec = ModuleSpec(name, cls(name, source, cached, int(found[8]), found[6]), origin=source)
        spec.submodule_search_locations = inside
        spec.has_location = True
        spec.cached = cached
        return spec

    def get_code(self, fullname: str) -> CodeType | None:
        """What was compiled from the file as it is."""
        try:
            fd = open_file(self.cached, O_RDONLY | O_CLOEXEC)
            try:
                data = read(fd, self.enough)
            finally:
                close(fd)
        except OSError:
            data = b""
        if data.startswith(self.head) and len(data) < self.enough:
            return _compile_bytecode(memoryview(data)[16:], fullname, self.cached, self.path)
        return super().get_code(fullname)


def first() -> None:
    """Let modules be found this way before all others."""
    sys.meta_path.insert(0, Compiled)
