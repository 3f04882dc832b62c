"""A browser, for as long as this room is tested: Playwright's loop runs in this thread, where others want to run theirs later."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from tests.browser.sight import FLAGS
from tests.fakes.processes import PATIENCE, which


@pytest.fixture(scope="package")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Chromium with nothing of anybody's: its profile and what it keeps are in a directory of the tests."""
    home = tmp_path_factory.mktemp("browser")
    expect.set_options(timeout=PATIENCE * 1000)  # five seconds is what a busy machine may take for a page
    kept = dict.fromkeys(("HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"), str(home))
    with sync_playwright() as playwright:
        made = playwright.chromium.launch(
            executable_path=which("chromium"), args=[*FLAGS], env={**os.environ, **kept}, timeout=PATIENCE * 1000, handle_sighup=False
        )
        yield made
        made.close()


@pytest.fixture
def album(tmp_path: Path) -> Path:
    """Where photographs are put; pytest keeps them where a test has failed, or with ``-o tmp_path_retention_policy=all``."""
    return tmp_path / "album"
