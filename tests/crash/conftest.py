"""Victims that start alike each time: with compiled modules of their own, which nobody writes while they run."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fakes import warm

from . import victim, wreck
from .injected import Victim

SCRIPT = Path(victim.__file__)
warm.SCRIPTS.add(str(SCRIPT))


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The interpreter and its options. A first run has filled its cache of compiled modules."""
    start = [sys.executable, "-I", "-S", "-X", f"pycache_prefix={tmp_path_factory.mktemp('pycache')}"]
    root = wreck.prepared(tmp_path_factory.mktemp("warm"))
    assert Victim([*start, SCRIPT, "put_once", root], root / "trace").run().code == 0
    return [*start, "-B"]


@pytest.fixture
def victim_at(compiled: list[str]) -> Callable[..., Victim]:
    """``victim_at(operation, root, *more)``: that operation on the spool at `root`."""
    start = compiled if warm.COLD else [sys.executable]
    return lambda operation, root, *more: Victim([*start, SCRIPT, operation, root, *more], root / "trace")
