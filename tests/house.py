"""The house in numbers: how large it is, whether it has circles, which names mean two things, and how long a message's road is.

    python -m tests.house [--no-trace] [PACKAGE]

PACKAGE is the directory of the package to look at, ours if none is given; the trace runs the package that is installed.

- A *circle* is a set of modules of which each imports all others, itself or through them. It is counted three times: with the imports
  that run when a module is imported, with those in functions too, and with those that only a type checker reads.
- The *road* is counted in a pass of ``mailer run --once`` over 300 messages, less one over 100, through 200: the calls of our own
  functions, in all threads, and the files whose functions are called for each message.
"""

from __future__ import annotations

import argparse
import ast
import collections
import json
import statistics
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

import mailer
from mailer.cli import main as run_mailer
from mailer.testing import SinkThread

SMALL = 60  # lines of a file that is hardly one of its own
FEW, MANY = 100, 300  # messages of the two passes
CIRCLES = (
    ("at import", {"import"}),
    ("with imports in functions", {"import", "function"}),
    ("with types", {"import", "function", "types"}),
)
CONFIG = """
[mailer]
spool = "{place}/spool"
hostname = "mail.example.org"
[relay.out]
host = "127.0.0.1"
port = {port}
tls = "none"
[[route]]
match = "*"
via = ["relay:out"]
[log]
file = "{place}/log"
"""


class Source:
    """One module: its path, its dotted name, its syntax tree and its text."""

    def __init__(self, path: Path, package: Path) -> None:
        self.path = path
        parts = path.relative_to(package.parent).with_suffix("").parts
        self.name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        self.package = ".".join(parts[:-1])
        self.text = path.read_text(encoding="utf-8")
        self.tree = ast.parse(self.text)

    def imports(self, names: set[str]) -> Iterator[tuple[str, str]]:
        """(``"import"``, ``"function"`` or ``"types"``, the module of `names` that is imported), in the order of the text."""
        for how, node in _imports(self.tree, "import"):
            for full in self.called(node):
                found = full if full in names else full.rpartition(".")[0]
                if found in names and found != self.name:
                    yield how, found

    def called(self, node: ast.Import | ast.ImportFrom) -> list[str]:
        """The dotted names of what a statement imports."""
        if isinstance(node, ast.Import):
            return [alias.name for alias in node.names]
        base = self.package.split(".")[: len(self.package.split(".")) - node.level + 1] if node.level else []
        module = ".".join([*base, *([node.module] if node.module else [])])
        return [f"{module}.{alias.name}" for alias in node.names]


def _imports(tree: ast.AST, how: str) -> Iterator[tuple[str, ast.Import | ast.ImportFrom]]:
    for node in ast.iter_child_nodes(tree):
        inner = how
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            inner = "types"
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) and how == "import":
            inner = "function"
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield how, node
        yield from _imports(node, inner)


def circles(sources: list[Source], kinds: set[str]) -> list[list[str]]:
    """The circles of modules, each sorted, by imports of these `kinds` (Tarjan's strongly connected components)."""
    names = {source.name for source in sources}
    edges = {source.name: sorted({to for how, to in source.imports(names) if how in kinds}) for source in sources}
    number: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(name: str) -> None:
        number[name] = low[name] = len(number)
        stack.append(name)
        for other in edges[name]:
            if other not in number:
                visit(other)
                low[name] = min(low[name], low[other])
            elif other in stack:
                low[name] = min(low[name], number[other])
        if low[name] == number[name]:
            at = stack.index(name)
            circle = sorted(stack[at:])
            del stack[at:]
            if len(circle) > 1:
                found.append(circle)

    sys.setrecursionlimit(10_000)
    for name in edges:
        if name not in number:
            visit(name)
    return found


def classes(sources: list[Source]) -> dict[str, list[str]]:
    """The class names that several modules define, with those modules."""
    where: dict[str, list[str]] = collections.defaultdict(list)
    for source in sources:
        for node in ast.walk(source.tree):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                where[node.name].append(source.name)
    return {name: modules for name, modules in sorted(where.items()) if len(modules) > 1}


def renamed(sources: list[Source]) -> list[str]:
    """Classes of ours that are given another name where they are imported: ``module: Name as Other``."""
    known = {node.name for source in sources for node in ast.walk(source.tree) if isinstance(node, ast.ClassDef)}
    return [
        f"{source.name}: {alias.name} as {alias.asname}"
        for source in sources
        for node in ast.walk(source.tree)
        if isinstance(node, ast.ImportFrom) and (node.level or (node.module or "").startswith("mailer"))
        for alias in node.names
        if alias.asname and alias.asname != alias.name and alias.name in known
    ]


def functions(sources: list[Source]) -> list[int]:
    """How many lines each function has, from its ``def`` to its end, without its docstring."""
    lengths = []
    for source in sources:
        for node in ast.walk(source.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                first = node.body[0]
                text = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str)
                skipped = (first.end_lineno or 0) - first.lineno + 1 if text else 0
                lengths.append((node.end_lineno or 0) - node.lineno + 1 - skipped)
    return sorted(lengths)


def road() -> tuple[float, int]:
    """(calls of our functions, files they are in) for one delivered message."""
    few, many = _traced(FEW), _traced(MANY)
    each = {name: (many[name] - few[name]) / (MANY - FEW) for name in many}
    # what is done once for several messages is no step of each, and a batch has at most 48
    steps = {name: count for name, count in each.items() if count >= 0.5}
    return sum(each.values()), len({name.partition(":")[0] for name in steps})


def _traced(count: int) -> collections.Counter[str]:
    with tempfile.TemporaryDirectory() as place:
        run = subprocess.run(
            [sys.executable, "-m", "tests.house", "--pass", str(count), place], capture_output=True, text=True, check=True, timeout=300
        )
        return collections.Counter(json.loads(run.stdout.splitlines()[-1]))


def _one_pass(count: int, place: Path) -> None:
    """Print, as JSON, how often each function of ours was called while `count` messages were delivered."""
    package = str(Path(mailer.__file__).parent)
    called: collections.Counter[str] = collections.Counter()

    def profile(frame: FrameType, event: str, _argument: object) -> None:
        code = frame.f_code
        if event == "call" and code.co_filename.startswith(package) and code.co_name != "<module>":
            called[f"{code.co_filename[len(package) + 1 :]}:{code.co_qualname}"] += 1

    with SinkThread() as sink:
        config = place / "config.toml"
        config.write_text(CONFIG.format(place=place, port=sink.port))
        mbox = "".join(f"From a@example.org\nTo: b@example.net\nSubject: {number}\n\nhello\n\n" for number in range(count))
        put = [sys.executable, "-m", "mailer", "send", "--batch", "-", "-t", "-f", "a@example.org", "--config", str(config)]
        subprocess.run(put, input=mbox, text=True, check=True, stdout=subprocess.DEVNULL)
        threading.setprofile(profile)
        sys.setprofile(profile)
        try:
            run_mailer(["mailer", "run", "--once", "--config", str(config)])
        finally:
            sys.setprofile(None)
            threading.setprofile(None)
        assert sink.count == count, f"{sink.count} of {count} messages came"
    print(json.dumps(called))


def look(package: Path) -> Iterator[tuple[str, object]]:
    """What can be read off the text of the package: (what, how much)."""
    sources = [Source(path, package) for path in sorted(package.rglob("*.py"))]
    lines = {source.name: source.text.count("\n") for source in sources}
    lengths = functions(sources)
    yield "files", len(sources)
    yield "lines", sum(lines.values())
    yield f"files of at most {SMALL} lines", sum(count <= SMALL for count in lines.values())
    yield "longest file", "{1} lines, {0}".format(*max(lines.items(), key=lambda item: item[1]))
    yield "lines of a function", f"median {statistics.median_low(lengths)}, p95 {lengths[len(lengths) * 95 // 100]}, max {lengths[-1]}"
    for words, kinds in CIRCLES:
        found = circles(sources, kinds)
        yield f"circles of modules {words}", "; ".join([str(len(found)), *(" ".join(circle) for circle in found)])
    yield "type: ignore", sum(source.text.count("# type: ignore") for source in sources)
    twice = classes(sources)
    yield "class names that mean several things", "; ".join([str(len(twice)), *(f"{name} ({len(in_)})" for name, in_ in twice.items())])
    yield "classes renamed on import", "; ".join([str(len(renamed(sources))), *renamed(sources)])


def main() -> None:
    """Print the numbers."""
    reader = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    reader.add_argument("package", nargs="?", type=Path, default=Path(mailer.__file__).parent)
    reader.add_argument("--no-trace", action="store_true", help="only what the text says")
    reader.add_argument("--pass", nargs=2, dest="one_pass", metavar=("COUNT", "PLACE"), help=argparse.SUPPRESS)
    given = reader.parse_args()
    if given.one_pass:
        _one_pass(int(given.one_pass[0]), Path(given.one_pass[1]))
        return
    for what, much in look(given.package):
        print(f"{what}: {much}")
    if not given.no_trace:
        called, files = road()
        print(f"calls for a delivered message: {called:.0f} in {files} files")


if __name__ == "__main__":
    main()
