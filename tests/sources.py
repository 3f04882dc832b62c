"""The source files of the package and their syntax trees, each read when a test first looks at it."""

from __future__ import annotations

import ast
import functools
from pathlib import Path

import pytest

import mailer

PACKAGE = Path(mailer.__file__).parent
SOURCES = sorted(PACKAGE.rglob("*.py"))


@functools.cache
def tree(path: Path) -> ast.Module:
    """The syntax tree of `path`."""
    return ast.parse(path.read_text(encoding="utf-8"))


def named(path: Path) -> str:
    """How a test's ID names `path`: within the package."""
    return str(path.relative_to(PACKAGE))


everywhere = pytest.mark.parametrize("path", SOURCES, ids=named)
