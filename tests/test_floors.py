"""The house stands: imports point down, the rules are pure, and what lets input become code or commands is nowhere.

The tests read the source, not the running program, so they also see what no test ever runs.
"""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator
from pathlib import Path

from tests.sources import PACKAGE, SOURCES, among, everywhere, nodes, tree

FLOORS = (
    {"mail"},
    {
        "sasl",
        "smtp",
        "pop3",
        "dkim",
        "tlspolicy",
        "dsn",
        "aggregate",
        "compose",
        "proxy",
        "roff",
        "auth",
        "scan",
        "srs",
        "mime",
        "imap",
        "sieve",
    },
    {"io", "events", "rewriting"},
    {
        "config",
        "spool",
        "status",
        "journal",
        "reports",
        "suppression",
        "accounts",
        "mailbox",
        "net",
        "limits",
        "log",
        "metrics",
        "tracing",
        "alarms",
    },
    {"transport", "neighbour", "discovery"},
    {"submit", "routing", "shaping", "bounces", "client", "check", "hooks", "filtering", "filing"},
    {"queue"},
    {"operate", "pages", "serving"},
    {"watch", "sink", "intake", "smtpd", "imapd", "popd", "web", "amqp", "doors"},
    {"__init__", "postbox"},
    {"cli", "service", "access", "demo", "manual", "standards", "testing", "integrations", "__main__"},
)
"""From the ground up. The second floor has a step in it: what all its rooms stand on."""

PICTURE = (Path(__file__).parents[1] / "man" / "mailer-hacking.7").read_text(encoding="ascii")

FLOOR = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}

BESIDE = {
    ("smtp", "sasl"),  # what AUTH carries
    ("imap", "sasl"),  # what AUTHENTICATE does
    ("pop3", "sasl"),  # and AUTH of POP3
    ("sieve", "mime"),  # a Date field has one reader
    ("imap", "mime"),  # what IMAP tells of a message is made from its parts
    ("mime", "imap"),  # what is kept of a message is what IMAP tells of it
    ("mailbox", "spool"),  # the symbols of an ID
    ("mailbox", "reports"),  # whose session with a server is bounded, and imports mail as well
    ("mailbox", "config"),  # whoever has the spool has the mailboxes; keys are read as other secrets are
    ("dsn", "aggregate"),  # what an attachment holds tells which report it is
    ("dsn", "mime"),  # octets become text, and encoded words too, as in all mail that is read
    ("scan", "smtp"),  # a filter has words for the client, which are a reply
    ("auth", "dkim"),  # a seal of a chain is a signature
    ("rewriting", "io"),  # who is of this machine depends on what it is called
    ("accounts", "config"),  # a file of secrets is read as those are that the configuration names
    ("accounts", "spool"),  # the symbols of an ID
    ("reports", "spool"),  # the symbols of an ID, and the room on its disk
    ("reports", "config"),  # which mailboxes there are says a section, and their passwords are secrets
    ("reports", "net"),  # a mailbox is at a server
    ("reports", "limits"),  # one that is in trouble waits
    ("metrics", "suppression"),  # why somebody is not mailed is a label
    ("suppression", "spool"),  # root writes what is beside a spool as its owner
    ("status", "spool"),  # an ID tells the age of its message
    ("alarms", "spool"),  # what other processes have met is a note in the spool
    ("net", "config"),  # where a broker is says a section, and its password is a secret
    ("journal", "spool"),  # IDs of events are made as those of messages are
    ("metrics", "net"),  # figures are served by the accept loop of all servers
    ("metrics", "spool"),  # an ID tells the age of its message
    ("filing", "submit"),  # what rules send goes by the doors that there are
    ("routing", "shaping"),  # a route has the terms of its destination
    ("cli", "service"),  # `mailer run`
    ("cli", "access"),  # `mailer access`
    ("cli", "demo"),  # `mailer demo`
    ("demo", "cli"),  # which starts our own program, and reads its exit codes
    ("__main__", "cli"),  # `python -m mailer`
    ("manual", "cli"),  # the pages are made from the commands' tables
    ("manual", "standards"),  # and one from the source
}
"""Rooms of one floor that may know each other, each with its reason. Everything else goes through the front."""

OUTSIDE = {
    "asyncio", "fcntl", "getpass", "glob", "http", "io", "logging", "multiprocessing", "os", "pathlib", "pwd", "random", "secrets",
    "select", "selectors", "shutil", "signal", "socket", "sqlite3", "ssl", "subprocess", "sys", "tempfile", "threading", "time",
    "urllib", "uuid",
}  # fmt: skip
"""What touches the world: files, clock, network, chance, other processes."""

INSIDE = {"io.BytesIO"}
"""What is called so all the same, and is memory."""

NEVER = {"pickle", "cPickle", "marshal", "shelve", "yaml", "dill", "imp"}
"""Modules that turn data into objects or code."""

SHELLS = {"system", "popen", "getoutput", "getstatusoutput", "create_subprocess_shell"}


def room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def for_types(node: ast.AST) -> bool:
    """Whether it is an ``if TYPE_CHECKING:``."""
    names = (getattr(part, "id", getattr(part, "attr", "")) for part in ast.walk(node.test)) if isinstance(node, ast.If) else ()
    return "TYPE_CHECKING" in names


def at_run_time(tree: ast.AST) -> Iterator[ast.AST]:
    """All statements, those apart that only a type checker reads."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.expr) or for_types(node):
            continue
        yield node
        yield from at_run_time(node)


@functools.cache
def imports(path: Path) -> tuple[str, ...]:
    """The full names of the modules that `path` imports at run time, anywhere in it."""
    return tuple(imported(path))


def imported(path: Path) -> Iterator[str]:
    here = ("mailer", *path.relative_to(PACKAGE).with_suffix("").parts)
    for node in at_run_time(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(here[: -node.level]) if node.level else ""
            module = ".".join(part for part in (base, node.module) if part)
            yield from (f"{module}.{alias.name}" for alias in node.names)


@functools.cache
def calls(path: Path) -> tuple[tuple[str, ast.Call], ...]:
    """(the last name of what is called, the call) for each call in `path`."""
    return tuple((getattr(node.func, "attr", getattr(node.func, "id", "")), node) for node in nodes(path) if isinstance(node, ast.Call))


@functools.cache
def texts(path: Path) -> frozenset[str]:
    """All strings in `path`."""
    return frozenset(node.value for node in nodes(path) if isinstance(node, ast.Constant) and isinstance(node.value, str))


def test_the_picture_of_the_floors_is_so() -> None:
    """What mailer-hacking(7) draws is what is held here."""
    drawn = {int(floor): set(rooms.split()) for floor, rooms in re.findall(r"^ ?(\d+)  (.+)$", PICTURE, re.MULTILINE)}
    assert drawn == dict(enumerate(FLOORS))


@everywhere
def test_imports_point_down(path: Path) -> None:
    """A room imports from lower floors and from itself; who sits beside whom is written down, with a reason."""
    for name in imports(path):
        package, _, rest = name.partition(".")
        if package == "mailer":
            other = rest.partition(".")[0]
            other = other if other in FLOOR else "__init__"
            assert other == room(path) or FLOOR[other] < FLOOR[room(path)] or (room(path), other) in BESIDE, f"{room(path)} imports {name}"


@among(path for path in SOURCES if FLOOR.get(room(path), 9) < 2)
def test_words_and_rules_are_pure(path: Path) -> None:
    """Floors 0 and 1 neither read a clock, a file or the network, nor throw dice: all that comes in as an argument."""
    assert not {name.partition(".")[0] for name in set(imports(path)) - INSIDE} & OUTSIDE
    assert not {name for name, call in calls(path) if isinstance(call.func, ast.Name)} & {"open", "input", "print"}


@among(path for path in SOURCES if "rules" in path.parts)
def test_rules_of_checks_are_pure(path: Path) -> None:
    """What is said of answers neither looks anything up nor knows what does."""
    names = set(imports(path))
    assert not {name.partition(".")[0] for name in names} & OUTSIDE
    own = {name for name in names if name.startswith("mailer.check.") and ".rules" not in name}
    assert {name.split(".")[2] for name in own} <= {"finding", "situation"}
    assert not any(name.startswith(("mailer.net", "mailer.config")) for name in names)


NOT_LISTED = {"", "cli"}
"""The front, and the room whose files are its commands."""

ROOMS = {str(path.parent.relative_to(PACKAGE)).removeprefix("."): path for path in SOURCES if path.name == "__init__.py"}


@among(path for name, path in ROOMS.items() if name not in NOT_LISTED)
def test_a_rooms_text_lists_its_files(path: Path) -> None:
    """Each with its noun, so that who looks for something reads one page."""
    text = ast.get_docstring(tree(path)) or ""
    files = {file.stem for file in path.parent.glob("*.py")} - {"__init__"}
    assert files <= set(re.findall(r"`(\w+)`", text))
    assert set(re.findall(r"^`(\w+)`  ", text, re.MULTILINE)) <= files | {file.name for file in path.parent.iterdir()}


BEHIND = {"bounces", "client", "dkim", "limits", "net", "queue", "routing", "shaping", "tlspolicy", "transport"}
"""Rooms whose work the command line has done by `operate`, as every other door does."""


@among(path for path in SOURCES if room(path) == "cli")
def test_the_command_line_parses_asks_and_prints(path: Path) -> None:
    """What is asked and done stands in `operate`, where other doors find it, too."""
    rooms = {name.split(".")[1] for name in imports(path) if name.startswith("mailer.")}
    assert not rooms & BEHIND


@among(path for path in SOURCES if room(path) == "operate")
def test_what_the_doors_ask_prints_nothing(path: Path) -> None:
    """How a result looks is each door's own affair."""
    assert not {name for name, call in calls(path) if isinstance(call.func, ast.Name)} & {"print", "input"}
    assert not {name for name in imports(path) if name in ("sys", "rich") or name.startswith(("sys.", "rich."))}


@everywhere
def test_data_never_becomes_code(path: Path) -> None:
    """No pickle and its kin, no eval or exec, and no shell: what comes from outside stays data."""
    assert not {name.partition(".")[0] for name in imports(path)} & NEVER
    for name, call in calls(path):
        assert name not in SHELLS, f"{name}() in line {call.lineno}"
        assert not (isinstance(call.func, ast.Name) and name in {"eval", "exec", "compile"}), f"{name}() in line {call.lineno}"
        shell = next((keyword.value for keyword in call.keywords if keyword.arg == "shell"), ast.Constant(False))
        assert isinstance(shell, ast.Constant), f"shell=… in line {call.lineno}"
        assert not shell.value, f"shell=… in line {call.lineno}"


def is_fixed(node: ast.AST, path: Path) -> bool:
    """Whether an expression is a literal, a constant by its name, a choice of such, or a variable that holds nothing else."""
    if isinstance(node, ast.IfExp):
        return is_fixed(node.body, path) and is_fixed(node.orelse, path)
    if isinstance(node, ast.Subscript):
        return is_fixed(node.value, path)
    if isinstance(node, ast.Name) and not node.id.isupper():
        sources = [*looped(node.id, path), *passed(node.id, path)]
        return bool(sources) and all(is_fixed(source, path) for source in sources)
    return isinstance(node, ast.Constant) or getattr(node, "attr", getattr(node, "id", "")).isupper()


def looped(name: str, path: Path) -> Iterator[ast.AST]:
    """What the loops of `path` give the variable `name`: ``for name in X`` or ``for name, … in ((X, …), …)``."""
    for loop in nodes(path):
        if isinstance(loop, ast.For) and ast.unparse(loop.target) == name:
            yield loop.iter
        elif isinstance(loop, ast.For) and isinstance(loop.target, ast.Tuple) and isinstance(loop.iter, ast.Tuple):
            names = [ast.unparse(target) for target in loop.target.elts]
            if name in names:
                yield from (row.elts[names.index(name)] for row in loop.iter.elts if isinstance(row, ast.Tuple))


def passed(name: str, path: Path) -> Iterator[ast.AST]:
    """What the functions of `path` that have a parameter `name` are given for it; who knows what a public one is given."""
    for function in nodes(path):
        names = [argument.arg for argument in function.args.args] if isinstance(function, ast.FunctionDef) else []
        if name in names and not function.name.startswith("_"):
            yield function
        elif name in names:
            at = names.index(name) - (names[0] == "self")
            given = (call.args[at] for called, call in calls(path) if called == function.name)
            # one that is handed on under the same name is a parameter too, and is looked at by this very loop
            yield from (node for node in given if not (isinstance(node, ast.Name) and node.id == name))


@everywhere
def test_no_statement_is_built_from_text(path: Path) -> None:
    """SQL is a literal or a named constant, its values are parameters: no f-string, %, + or format reaches execute()."""
    for name, call in calls(path):
        if name in {"execute", "executemany", "executescript"} and call.args:
            assert is_fixed(call.args[0], path), f"{name}() in line {call.lineno} takes {ast.unparse(call.args[0])}"
        if name in {"run", "change", "many"} and room(path) == "mailbox" and ast.unparse(call.func).rpartition(".")[0].endswith("rows"):
            assert is_fixed(call.args[0], path), f"rows.{name}() in line {call.lineno} takes {ast.unparse(call.args[0])}"


STORES = (
    "suppression/sqlite.py",
    "accounts/users/sqlite.py",
    "limits/store/sqlite.py",
    *(f"mailbox/engine/{name}.py" for name in ("sqlite", "sealed", "encrypted_file")),
)
"""Where rows of a file of SQLite become values, besides the status."""


@everywhere
def test_the_database_of_the_status_is_known_in_its_room_only(path: Path) -> None:
    """No sqlite3, no error of it and no place of its file crosses `mailer.status.api`; the place is made once. So it is with the others,
    of `mailer.suppression.api` and of users, which `mailer.io.database` looks after."""
    within = path.relative_to(PACKAGE).as_posix()
    if not within.startswith(("status/sqlite/", "io/database.py", *STORES)):
        assert not {name for name in imports(path) if name.partition(".")[0] in ("sqlite3", "_sqlite3")}
    if not within.startswith("status/sqlite/"):
        assert not {name for name in imports(path) if name.startswith("mailer.status.sqlite.")}
    assert ("status.sqlite3" in texts(path)) == (within == "status/sqlite/__init__.py")
    assert ("suppress.sqlite3" in texts(path)) == (within == "suppression/sqlite.py")


@among(path for path in SOURCES if room(path) == "operate")
def test_what_has_to_wait_is_awaited(path: Path) -> None:
    """A door that has an event loop awaits; the command line makes one."""
    assert not [call.lineno for name, call in calls(path) if name == "run" and ast.unparse(call.func) == "asyncio.run"]


@everywhere
def test_an_outcome_has_two_makers(path: Path) -> None:
    """What became of a recipient is judged in one place, with its cause, and read back from a record in another."""
    made = [call.lineno for name, call in calls(path) if name == "Outcome"]
    assert not made or path.relative_to(PACKAGE).as_posix() in {"mail/outcome.py", "transport/verdict.py"}, f"lines {made}"


@everywhere
def test_a_spool_is_asked_by_its_interface(path: Path) -> None:
    """What a spool has of files stays with it: nobody takes a directory, path, descriptor or inode, but who puts the daemon together."""
    if room(path) in {"spool", "service"}:
        return
    taken = [node for node in nodes(path) if isinstance(node, ast.Attribute) and node.attr in {"root", "path", "fd", "inode"}]
    owners = {f"{ast.unparse(node)}, line {node.lineno}": ast.unparse(node.value).rpartition(".")[2].lstrip("_") for node in taken}
    assert not [where for where, owner in owners.items() if owner in {"spool", "directory", "entry", "lease", "claim"}]
    assert room(path) not in {"queue", "shaping"} or not [name for name in imports(path) if name.startswith("mailer.spool.files")]


@everywhere
def test_a_wildcard_has_one_reader(path: Path) -> None:
    """What ``*`` in a pattern means is for `mailer.mail.pattern` to say: LIKE, GLOB and fnmatch try all ways, and take hours over some."""
    assert "fnmatch" not in {name.partition(".")[0] for name in imports(path)}
    assert not [text for text in texts(path) if "SELECT " in text and (" LIKE " in text or " GLOB " in text)]
