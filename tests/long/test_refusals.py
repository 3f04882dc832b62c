"""Steps of the spool that are told each error that there is, at each call that they make; the ordinary run tells one."""

from __future__ import annotations

import pytest

from tests.crash import injected
from tests.crash.conftest import compiled, victim_at
from tests.crash.test_adopt import test_an_error_anywhere_in_adopt_loses_nothing_and_doubles_nothing
from tests.crash.test_put import (
    test_a_request_made_again_after_an_error_is_in_the_spool_once,
    test_an_error_anywhere_in_put_is_told_and_leaves_nothing,
)
from tests.crash.test_settle import test_an_error_anywhere_leaves_the_message_before_the_step_or_after_it

__all__ = [
    "compiled",
    "test_a_request_made_again_after_an_error_is_in_the_spool_once",
    "test_an_error_anywhere_in_adopt_loses_nothing_and_doubles_nothing",
    "test_an_error_anywhere_in_put_is_told_and_leaves_nothing",
    "test_an_error_anywhere_leaves_the_message_before_the_step_or_after_it",
    "victim_at",
]

pytestmark = [pytest.mark.peer("strace"), pytest.mark.timeout(900)]


@pytest.fixture(autouse=True)
def each_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is left out."""
    monkeypatch.setattr(injected, "EVERY", True)
