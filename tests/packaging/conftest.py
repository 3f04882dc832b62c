"""The package, built once, and a machine for it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from .machine import NoMachine, Throwaway

TREE = Path(__file__).parents[2]


def _cannot(why: str) -> None:
    """Skip, or fail in CI, where everything is there."""
    report = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
    report(why)


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this tree."""
    place = tmp_path_factory.mktemp("wheel")
    subprocess.run([sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", place, TREE], check=True, timeout=600)
    return next(place.glob("mailer_mta-*.whl"))


@pytest.fixture(scope="session")
def package(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    """The package of this tree, not compressed, which takes a third of the time; or one that was built before, in ``DEBIAN_PACKAGE``."""
    if built := os.environ.get("DEBIAN_PACKAGE"):
        return Path(built)
    if subprocess.run(["/usr/bin/python3", "-c", "import ensurepip"], capture_output=True).returncode:
        _cannot("the package needs Debian's python3-venv (`.ci/run` installs it)")
    wheel = request.getfixturevalue("wheel")
    place = tmp_path_factory.mktemp("package")
    env = {**os.environ, "WHEEL": str(wheel), "COMPRESSION": "none"}
    subprocess.run([TREE / "packaging/debian/build", place], env=env, check=True, capture_output=True, timeout=600)
    return next(place.glob("mailer-mta_*.deb"))


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Throwaway]:
    """This machine, to be spoilt by all tests of a module, in their order."""
    home = tmp_path_factory.mktemp("machine")
    try:
        with Throwaway(home) as machine:
            for name in ("etc/mailer", "var/spool/mailer"):  # what root of this machine may have made
                shutil.rmtree(machine.path(name), ignore_errors=True)
            yield machine
    except NoMachine as why:
        _cannot(f"no machine to be thrown away can be made here: {why}")
    shutil.rmtree(home, ignore_errors=True)
