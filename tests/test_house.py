"""The house as `tests.house` measures it: no module goes round to itself, and a class has one name, which no other class has."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.house import CIRCLES, Source, circles, classes, renamed
from tests.sources import PACKAGE, SOURCES

pytestmark = pytest.mark.slow  # all of the source is read at once

IGNORED = 12
"""How many lines a type checker may be told to leave alone."""


@pytest.fixture(scope="module")
def sources() -> list[Source]:
    return [Source(path, PACKAGE) for path in SOURCES]


def room(name: str) -> str:
    """The room of a module."""
    return name.split(".")[1] if "." in name else ""


@pytest.mark.parametrize("kinds", [kinds for _, kinds in CIRCLES], ids=[words for words, _ in CIRCLES])
def test_no_circle(sources: list[Source], kinds: set[str]) -> None:
    """Nor by what only a function imports, or a type checker reads."""
    assert circles(sources, kinds) == []


def test_a_circle_is_found(tmp_path: Path) -> None:
    """One by an import, one by a type."""
    (tmp_path / "house").mkdir()
    for name, text in {
        "a": "from .b import x",
        "b": "def f():\n    from . import c",
        "c": "if TYPE_CHECKING:\n    from .a import y",
    }.items():
        (tmp_path / "house" / f"{name}.py").write_text(text)
    found = [Source(path, tmp_path / "house") for path in sorted((tmp_path / "house").glob("*.py"))]
    assert [len(circles(found, kinds)) for _, kinds in CIRCLES] == [0, 0, 1]


def test_a_class_has_one_name(sources: list[Source]) -> None:
    """No import gives one another name, and no two rooms mean different things by one."""
    assert renamed(sources) == []
    assert classes(sources) == {}


def test_private_names_stay_in_their_room(sources: list[Source]) -> None:
    """What begins with an underscore is imported from no other room."""
    names = {source.name for source in sources}
    taken = [
        f"{source.name}: {module}.{alias.name}"
        for source in sources
        for node in ast.walk(source.tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if alias.name.startswith("_") and alias.name != "__version__"
        for module in [source.called(node)[0].rpartition(".")[0]]
        if module in names and room(module) != room(source.name)
    ]
    assert taken == []


def test_types_are_checked(sources: list[Source]) -> None:
    """Nearly everywhere."""
    assert sum(source.text.count("# type: ignore") for source in sources) <= IGNORED
