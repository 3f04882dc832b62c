"""`mailer.io.compiled`: what is compiled is found the short way, all else the long way, and nobody can tell which it was."""

from __future__ import annotations

import importlib.util
import os
import py_compile
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from mailer.io.compiled import Compiled

ROOT = Path(__file__).parents[2]


def load(place: Path, name: str = "mailer.thing") -> ModuleType:
    """The module below `place`, found the short way and loaded."""
    spec = Compiled.find_spec(name, [str(place)])
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def thing(tmp_path: Path) -> Path:
    """A module with its compiled form."""
    path = tmp_path / "thing.py"
    path.write_text("NUMBER = 1\ndef where(): pass\n")
    py_compile.compile(str(path), doraise=True)
    return path


def cached(path: Path) -> Path:
    return Path(importlib.util.cache_from_source(str(path)))


def test_a_module_is_as_every_other(thing: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It knows its file and its source; the source itself is not read for it."""
    monkeypatch.setattr(Compiled, "get_data", None)
    module = load(thing.parent)
    usual = importlib.util.spec_from_file_location("mailer.thing", thing)
    assert module.NUMBER == 1
    assert usual
    assert module.__spec__
    for name in ("name", "origin", "cached", "parent", "has_location", "submodule_search_locations"):
        assert getattr(module.__spec__, name) == getattr(usual, name)
    assert (module.__file__, module.where.__code__.co_filename) == (str(thing), str(thing))
    monkeypatch.undo()
    assert module.__spec__.loader.get_source("mailer.thing") == thing.read_text()  # type: ignore[union-attr]


def test_a_package_is_one(thing: Path) -> None:
    """It is in a directory, with a path for what is in it."""
    package = thing.parent / "inner"
    package.mkdir()
    thing.rename(package / "__init__.py")
    module = load(thing.parent, "mailer.inner")
    assert (module.__path__, module.__package__, module.NUMBER) == ([str(package)], "mailer.inner", 1)


@pytest.mark.parametrize("how", ["changed", "touched", "missing", "empty", "cut", "of another Python", "moved"])
def test_what_does_not_hold_is_compiled_anew(thing: Path, how: str) -> None:
    """The file is what counts, and its name is where it is now."""
    form, place = cached(thing), thing.parent
    match how:
        case "changed":
            thing.write_text("NUMBER = 1\ndef where(): pass\n# longer\n")
        case "touched":
            os.utime(thing, (1, 1))
        case "missing":
            form.unlink()
        case "empty":
            form.write_bytes(b"")
        case "cut":
            form.write_bytes(form.read_bytes()[:10])
        case "of another Python":
            form.write_bytes(b"\0\0\r\n" + form.read_bytes()[4:])
        case _:
            place = place / "elsewhere"
            shutil.copytree(thing.parent, place)
    module = load(place)
    assert module.NUMBER == 1
    assert module.where.__code__.co_filename == str(place / "thing.py")


def test_others_find_what_is_none_of_ours(tmp_path: Path) -> None:
    """Modules of others, directories without a file, and what is not there."""
    (tmp_path / "bare").mkdir()
    for name, path in [("json", None), ("email.message", [str(tmp_path)]), ("mailer", None)]:
        assert Compiled.find_spec(name, path) is None
    for name in ("mailer.bare", "mailer.no_such"):
        assert Compiled.find_spec(name, [str(tmp_path)]) is None


@pytest.mark.slow
def test_the_whole_program_is_found_so() -> None:
    """Each module of a start comes this way, once it is taken, and what is missing is missing as ever."""
    code = (
        "from mailer.io.compiled import first; first(); import sys, mailer.service, mailer.cli.status\n"
        "ours = [m.__spec__ for n, m in sys.modules.items() if n.startswith('mailer.')]\n"
        "print({type(s.loader).__name__ for s in ours if s.name not in ('mailer.io', 'mailer.io.compiled')}, len(ours) > 50)\n"
        "try:\n    import mailer.no_such\nexcept ModuleNotFoundError as error:\n    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True)
    assert done.stdout.decode() == "{'Compiled'} True\nNo module named 'mailer.no_such'\n"


@pytest.mark.parametrize("script", ["bin/mailer", "mailer/operate/config.py"])
def test_the_scripts_take_it_first(script: str) -> None:
    """The program itself, and what is installed as sendmail: before anything else of ours is imported."""
    found = [
        line
        for line in (ROOT / script).read_text().splitlines()
        if line.startswith(("from mailer.io.compiled", "first()", "from mailer.cli"))
    ]
    assert found == ["from mailer.io.compiled import first", "first()", "from mailer.cli import start"]
