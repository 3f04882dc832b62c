"""The source files of the package and their syntax trees, each read when a test first looks at it, and tests of all of them."""

from __future__ import annotations

import ast
import functools
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

import mailer

PACKAGE = Path(mailer.__file__).parent
SOURCES = sorted(PACKAGE.rglob("*.py"))


@functools.cache
def tree(path: Path) -> ast.Module:
    """The syntax tree of `path`."""
    return ast.parse(path.read_text(encoding="utf-8"))


@functools.cache
def nodes(path: Path) -> tuple[ast.AST, ...]:
    """All nodes of it."""
    return tuple(ast.walk(tree(path)))


def named(path: Path) -> str:
    """How `path` is called within the package."""
    return str(path.relative_to(PACKAGE))


def among(paths: Iterable[Path]) -> Callable[[Callable[[Path], None]], Callable[[], None]]:
    """Makes one test of what is held of each of `paths`; it fails with a line for each file of which that is not so."""
    files = tuple(paths)
    assert files

    def held(check: Callable[[Path], None]) -> Callable[[], None]:
        def test() -> None:
            wrong = []
            for path in files:
                try:
                    check(path)
                except AssertionError as error:
                    wrong.append(f"{named(path)}: {error}")
            assert not wrong, "\n".join(wrong)

        test.__doc__, test.__name__, test.__qualname__ = check.__doc__, check.__name__, check.__qualname__
        return pytest.mark.xdist_group("sources")(test)  # so that one process reads them

    return held


everywhere = among(SOURCES)
