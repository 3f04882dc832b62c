"""``mailer api``: keys, as an operator makes and keeps them."""

from __future__ import annotations

import json
from typing import Any

from mailer.operate.schemas import SCHEMAS
from tests.operate.test_schemas import right

from .home import Home


def told(home: Home, *words: str) -> list[dict[str, Any]]:
    """What a command prints with ``--json``, which is what its schema says."""
    done = home.mailer("api", *words, "--json")
    assert done.returncode == 0, done.stderr
    return right("api " + " ".join(words[:2]), done.stdout.decode())


def test_a_key_from_its_making_to_its_end(home: Home) -> None:
    """It is printed once; of all that is printed and kept besides nothing has its secret."""
    home.configure("")
    assert {f"api key {verb}" for verb in ("add", "list", "disable", "enable", "rotate", "remove")} <= {*SCHEMAS}
    [made] = told(home, "key", "add", "shop", "--scope", "send,status", "--scope", "manage", "--network", "127.0.0.0/8", "--expires", "30d")
    assert set(made) == {"name", "key"}
    [listed] = told(home, "key", "list")
    assert listed["scopes"] == ["send", "status", "manage"]
    assert listed["usable"]
    assert [one["usable"] for verb in ("disable", "enable") for one in told(home, "key", verb, "shop")] == [False, True]
    [again] = told(home, "key", "rotate", "shop", "--keep", "1h")
    [listed] = told(home, "key", "list")
    assert listed["rotating_until"]
    file = home.path / "api-keys.toml"
    kept = file.read_text() + json.dumps(listed) + home.mailer("api", "key", "list").stdout.decode()
    assert file.stat().st_mode & 0o777 == 0o600
    assert not [secret for secret in (made["key"], again["key"]) if secret[12:] in kept]
    told(home, "key", "remove", "shop")
    done = home.mailer("api", "key", "list")
    assert done.stdout == b""
    assert b"mailer api key add" in done.stderr


def test_the_key_alone_is_on_standard_output(home: Home) -> None:
    """So that a script takes it without a reader of JSON."""
    home.configure("")
    done = home.mailer("api", "key", "add", "shop")
    assert done.stdout.startswith(b"mlr_")
    assert len(done.stdout) == 45
    assert b"send, status" in done.stderr


def test_mistakes_are_one_line(home: Home) -> None:
    """With the exit code of their kind."""
    home.configure("")
    home.refused(home.mailer("api", "key", "add"), 64, "one NAME")
    home.refused(home.mailer("api", "key", "add", "a b"), 64, "no name of a key")
    home.refused(home.mailer("api", "key", "add", "a", "--scope", "all"), 64, "no scope 'all'")
    home.refused(home.mailer("api", "key", "add", "a", "--rate", "often"), 64, "--rate")
    home.refused(home.mailer("api", "key", "add", "a", "--expires", "soon"), 64, "--expires")
    home.refused(home.mailer("api", "key", "disable", "a"), 67, "no key 'a'")
    home.refused(home.mailer("api", "key", "liste"), 64, "it has add, list, disable, enable, rotate, remove")
    home.refused(home.mailer("api", "keys"), 64, "it has key")
    (home.path / "api-keys.toml").write_text("")
    (home.path / "api-keys.toml").chmod(0o644)
    home.refused(home.mailer("api", "key", "list"), 78, "chmod 600")
