"""Where access tokens are kept: the same promise in a file and in memory."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from mailer.net.oauth import TokenFile, TokenMemory, TokenSet, TokenStore

TOKENS = TokenSet("refresh", "0" * 64, "access", 1_800_000_000.0)


@pytest.fixture(params=["file", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> TokenStore:
    """A store of each kind, empty."""
    return TokenFile(str(tmp_path / "tokens")) if request.param == "file" else TokenMemory()


def test_what_was_kept_comes_back(store: TokenStore) -> None:
    """Nothing at first, then what was written last, whoever holds it."""
    with store.held() as hold:
        assert hold.read() == TokenSet()
        hold.write(TOKENS)
        assert hold.read() == TOKENS
    with store.held() as hold:
        assert hold.read() == TOKENS
        hold.write(TokenSet("other", "1" * 64))
    with store.held() as hold:
        assert hold.read() == TokenSet("other", "1" * 64)


def test_one_hand_holds_it_at_a_time(store: TokenStore) -> None:
    """A provider that replaces refresh tokens takes two uses of one for a theft."""
    order: list[str] = []

    def second() -> None:
        with store.held() as hold:
            order.append(hold.read().access)

    with store.held() as hold:
        other = threading.Thread(target=second)
        other.start()
        other.join(0.1)
        hold.write(TOKENS)
        order.append("first")
    other.join(60)
    assert order == ["first", "access"]


def test_a_hand_that_fails_lets_go(store: TokenStore) -> None:
    """And what was kept before is kept."""
    with store.held() as hold:
        hold.write(TOKENS)
    with pytest.raises(OSError, match="lost"), store.held():
        raise OSError("lost")
    with store.held() as hold:
        assert hold.read() == TOKENS
