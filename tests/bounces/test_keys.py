"""The keys that sign tokens: made once, two at most, never read in part, and refused where others can read them."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mailer.bounces import keys
from mailer.config.file import config_of
from mailer.mail.problem import Problem

NOW = 1795227329.0


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "bounce.key")


def test_a_key_is_made_when_it_is_needed_first(path: str) -> None:
    """Mode 0600; whoever asks again gets the same."""
    assert keys.read(path) == []
    [key] = keys.present(path, NOW)
    assert (len(key.secret), key.made) == (32, NOW)
    assert keys.present(path, NOW + 60) == keys.read(path) == [key]
    assert os.stat(path).st_mode & 0o777 == 0o600


def test_many_who_make_it_at_once_get_one(path: str, tmp_path: Path) -> None:
    """Nobody signs with a key that nobody else knows."""
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: keys.present(path, NOW)[0].secret, range(32)))
    assert len(set(found)) == 1
    assert os.listdir(tmp_path) == ["bounce.key"]


def test_the_key_before_is_known_until_the_next_but_one(path: str) -> None:
    """The new one signs; a third one needs the first to be old, or force."""
    [first] = keys.present(path, NOW)
    second, before = keys.rotate(path, NOW + 60)
    assert before == first
    with pytest.raises(Problem, match=r"needed for 7\.0 days") as refused:
        keys.rotate(path, NOW + 120)
    assert refused.value.kind == "try-again"
    assert [each.made for each in keys.rotate(path, NOW + 120, force=True)] == [NOW + 120, NOW + 60]
    assert keys.rotate(path, NOW + 120 + keys.NEEDED)[1].made == NOW + 120
    assert second.secret not in keys.secrets_of(keys.read(path))


@pytest.mark.parametrize(
    "text", ["", "x", "00 2026-11-21T00:00:00Z\n", "é", f"{'0' * 64} yesterday\n", f"{'0' * 64} 2026-11-21T00:00:00Z\n" * 3]
)
def test_a_file_that_is_none_says_what_to_do(path: str, text: str) -> None:
    """It is not written over: with it the tokens of before would be lost."""
    Path(path).write_text(text)
    os.chmod(path, 0o600)
    for ask in (keys.read, lambda path: keys.present(path, NOW), lambda path: keys.rotate(path, NOW)):
        with pytest.raises(Problem, match="no key that can be used") as problem:
            ask(path)
        assert problem.value.kind == "bad-config"
    assert Path(path).read_text() == text


def test_a_key_that_others_can_read_is_refused(path: str) -> None:
    """Who can read it can write reports that act."""
    keys.present(path, NOW)
    os.chmod(path, 0o644)
    with pytest.raises(Problem, match="others can read"):
        keys.read(path)


def test_where_it_is() -> None:
    """In the spool, unless the configuration names a place."""
    text = '[mailer]\nspool = "/srv/spool"\n'
    assert keys.place(config_of("c.toml", text.encode())) == "/srv/spool/bounce.key"
    assert keys.place(config_of("c.toml", (text + '[bounce]\nkey_file = "/etc/k"\n').encode())) == "/etc/k"
