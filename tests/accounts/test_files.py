"""Keys in a file: whose it is, what is wrong with one, and that a reader always sees a whole one."""

from __future__ import annotations

import asyncio
import os
import threading
from pathlib import Path

import pytest

from mailer.accounts.api import ApiKey
from mailer.accounts.files import FileApiKeys
from mailer.config.secret import keeper_of
from mailer.mail.problem import Problem

SHOP = ApiKey("shop", "SHOPSHOP", "a" * 64, frozenset({"send"}))
GOOD = f'[[key]]\nname = "shop"\nid = "SHOPSHOP"\nsha256 = "{"a" * 64}"\nscopes = ["send"]\nsenders = ["*"]\n'


def at(tmp_path: Path, text: str | None = None, mode: int = 0o600) -> FileApiKeys:
    path = tmp_path / "api-keys.toml"
    if text is not None:
        path.write_text(text)
        path.chmod(mode)
    return FileApiKeys(str(path), keeper_of(str(tmp_path)))


def found(keys: FileApiKeys) -> list[str]:
    return [key.name for key in asyncio.run(keys.all())]


def test_the_file_is_for_nobody_else(tmp_path: Path) -> None:
    """Whatever the umask says; and one that others can read is refused, with what mends it."""
    keys = at(tmp_path)
    before = os.umask(0)
    try:
        asyncio.run(keys.put([SHOP]))
    finally:
        os.umask(before)
    path = tmp_path / "api-keys.toml"
    assert path.stat().st_mode & 0o777 == 0o600
    assert os.listdir(tmp_path) == ["api-keys.toml"]
    path.chmod(0o640)
    with pytest.raises(Problem, match="chmod 600") as caught:
        found(keys)
    assert caught.value.kind == "bad-config"
    path.chmod(0o600)
    assert found(keys) == ["shop"]


def test_what_another_process_has_changed_is_seen(tmp_path: Path) -> None:
    """At the next question."""
    reader, writer = at(tmp_path), at(tmp_path)
    assert found(reader) == []
    asyncio.run(writer.put([SHOP]))
    assert asyncio.run(reader.find(["SHOPSHOP"])) == [SHOP]
    asyncio.run(writer.put([SHOP._replace(disabled=True)]))
    assert asyncio.run(reader.find(["SHOPSHOP"])) == [SHOP._replace(disabled=True)]
    asyncio.run(writer.remove(["shop"]))
    assert asyncio.run(reader.find(["SHOPSHOP"])) == [None]


def test_what_many_write_at_once_is_all_there(tmp_path: Path) -> None:
    """No change is lost to another one."""
    names = [f"k{number}" for number in range(20)]

    def put(number: int) -> None:
        asyncio.run(at(tmp_path).put([SHOP._replace(name=names[number], id=f"{number:08d}")], new=True))

    threads = [threading.Thread(target=put, args=(number,)) for number in range(len(names))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found(at(tmp_path)) == sorted(names)


def test_a_link_stays_one(tmp_path: Path) -> None:
    """Where the file is kept elsewhere, it is changed there."""
    (tmp_path / "there").mkdir()
    (tmp_path / "api-keys.toml").symlink_to(tmp_path / "there" / "keys")
    (tmp_path / "there" / "keys").touch(0o600)
    keys = at(tmp_path)
    asyncio.run(keys.put([SHOP]))
    assert (tmp_path / "api-keys.toml").is_symlink()
    assert found(keys) == ["shop"]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (("[[key]]", "[[key"), "Expected"), (('name = "shop"\n', ""), "it has no 'name'"), (('"shop"', '"a b"'), "no name of a key"),
        (("SHOPSHOP", "SHOP"), "has not 8 symbols"), (("aaaa", "AAAA"), "sha256 of the key 'shop' is none"),
        (('"send"', '"all"'), "the scope 'all'"), (('["send"]', '"send"'), "scopes of the key 'shop' is no list"),
        (("senders", "sender"), "a member 'sender' that nobody knows"), (("name", 'networks = ["1.2"]\nname'), "1.2"),
        (("name", 'rate = "often"\nname'), "no rate"), (("name", "disabled = 1\nname"), "true or false"),
        (("name", 'expires = "soon"\nname'), "timestamp"), (("", GOOD), "two keys of one name"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_file_is_said(tmp_path: Path, change: tuple[str, str], why: str) -> None:
    """In one line, with the file's name, and no key holds: a limit that was misspelt would not."""
    with pytest.raises(Problem, match=why) as caught:
        found(at(tmp_path, GOOD.replace(*change, 1)))
    assert caught.value.kind == "bad-config"
    assert str(tmp_path / "api-keys.toml") in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_without_end_is_refused(tmp_path: Path) -> None:
    """Before it is read whole."""
    with pytest.raises(Problem, match="is larger than"):
        found(at(tmp_path, "#" * ((4 << 20) + 1)))
