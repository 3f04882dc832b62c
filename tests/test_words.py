"""Each public name says what it is, in words that stand alone; a function says what it raises.

Read off the source, file by file. What no test can see (whether the words are true, and no riddle) is for the reader of a change.
"""

from __future__ import annotations

import ast
import functools
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.sources import PACKAGE, SOURCES, everywhere, nodes, tree

REFER = {
    "it", "its", "this", "that", "these", "those", "they", "them", "their", "he", "him", "his", "she", "her", "who", "whom", "whose",
    "whoever", "both", "neither", "either", "likewise", "such", "so", "also", "then", "but", "and", "or", "here", "there", "another",
    "others", "nobody",
}  # fmt: skip
"""A sentence that begins with one of these has its noun elsewhere, or none; a docstring is read alone."""

PHRASES = ("the same", "the other", "the rest", "one of them", "each of them", "all of them")

QUIET = {"AssertionError", "NotImplementedError", "StopIteration", "SystemExit"}
"""What a caller does not have to know of: bugs, and the end of a program."""


Function = ast.FunctionDef | ast.AsyncFunctionDef
Named = ast.Module | ast.ClassDef | Function


def public(node: ast.Module | ast.ClassDef, prefix: str = "") -> Iterator[tuple[str, Named]]:
    """What others may use of a module or a class, by its name, and itself."""
    yield prefix.rstrip(".") or "the module", node
    for each in node.body:
        if isinstance(each, ast.ClassDef) and not each.name.startswith("_"):
            yield from public(each, f"{prefix}{each.name}.")
        elif (
            isinstance(each, Function)
            and not each.name.startswith("_")
            and not any(ast.unparse(by).endswith(".setter") for by in each.decorator_list)
        ):
            yield prefix + each.name, each


def raised(node: ast.AST, caught: frozenset[str] = frozenset()) -> Iterator[str]:
    """What is made to be raised in `node`, by name, and not caught there; nested functions are not looked at."""
    if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
        yield from {ast.unparse(node.exc.func).rpartition(".")[2]} - caught - QUIET
    inside = caught
    if isinstance(node, ast.Try):
        inside |= {name.id for handler in node.handlers if handler.type for name in ast.walk(handler.type) if isinstance(name, ast.Name)}
    for field, value in ast.iter_fields(node):
        for each in value if isinstance(value, list) else [value]:
            if isinstance(each, ast.AST) and not isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef):
                yield from raised(each, inside if field == "body" else caught)


def says(node: Named) -> str:
    return ast.get_docstring(node) or ""


def is_command(node: Function) -> bool:
    """Whether it does what a command line says: any may raise `Problem`, as the room says."""
    return any(each.annotation and ast.unparse(each.annotation) == "Given" for each in node.args.args[:1])


@everywhere
def test_a_docstring_stands_alone(path: Path) -> None:
    """There is one, and its first sentence begins with no word that stands for something said elsewhere."""
    found = {name: says(node).partition("\n")[0] for name, node in public(tree(path))}
    begins = {name: (re.match(r"[^\s,;:.]*", text) or [""])[0].lower() for name, text in found.items()}
    assert {name: found[name] for name, word in begins.items() if not word or word in REFER} == {}
    assert {name: text for name, text in found.items() if text.lower().startswith(PHRASES)} == {}


@everywhere
def test_a_function_says_what_it_raises(path: Path) -> None:
    """A function that makes an exception says that it raises; where all of a module do, the module says so."""
    if re.search(r"\b[Rr]aises? `", says(tree(path))):
        return
    functions = {name: node for name, node in public(tree(path)) if isinstance(node, Function) and not is_command(node)}
    found = {name: {*raised(ast.Module(node.body, []))} for name, node in functions.items() if not re.search(r"\b[Rr]aises?\b", says(node))}
    assert {name: errors for name, errors in found.items() if errors} == {}


MENTIONED = re.compile(r"(?<!`)`([A-Za-z_]\w*(?:\.\w+)+)`(?!`)")
"""A name with a dot, as a docstring or a comment mentions a thing of another file."""


@functools.cache
def known(path: Path) -> frozenset[str]:
    """All names that a file has for something."""
    found: set[str] = set()
    for node in nodes(path):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Name | ast.Attribute):
            found.add(node.id if isinstance(node, ast.Name) else node.attr)
    return frozenset(found)


@functools.cache
def homes() -> dict[str, list[Path]]:
    """The files of each module, by every end of its dotted name, and of each class, by its name."""
    found: dict[str, list[Path]] = {}
    for path in SOURCES:
        parts = ("mailer", *path.relative_to(PACKAGE).with_suffix("").parts)
        parts = parts[:-1] if parts[-1] == "__init__" else parts
        for at in range(len(parts)):
            found.setdefault(".".join(parts[at:]), []).append(path)
        for node in nodes(path):
            if isinstance(node, ast.ClassDef):
                found.setdefault(node.name, []).append(path)
    return found


def stands(name: str) -> bool:
    """Whether there is such a module, or such a thing in one or in a class; of other packages nothing is known."""
    if name.partition(".")[0] in sys.stdlib_module_names or name in homes():
        return True
    home, _, thing = name.rpartition(".")
    return any(thing in known(path) for path in homes().get(home, [])) or (home.count(".") > 0 and stands(home))


@everywhere
def test_what_is_mentioned_is_there(path: Path) -> None:
    """A thing that was moved is mentioned where it is now."""
    lines = path.read_text(encoding="utf-8").splitlines()
    found = [f"{number}: {name}" for number, line in enumerate(lines, 1) for name in MENTIONED.findall(line)]
    assert [each for each in found if not stands(each.partition(": ")[2]) and not each.endswith(".toml")] == []
