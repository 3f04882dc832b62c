"""Users with a Dovecot, as a socket says it that a test answers: `tests/peers/test_accounts.py` has the real one."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from mailer.accounts.users import dovecot
from mailer.accounts.users.api import Proved, User
from mailer.accounts.users.dovecot import DovecotUsers
from mailer.mail.problem import Problem

HELLO = b"VERSION\t1\t2\nMECH\tPLAIN\tplaintext\nSPID\t7\nCUID\t1\nCOOKIE\tx\nDONE\n"
ANN = User("ann@example.com")


def asked(place: Path, said: bytes, test: Callable[[DovecotUsers, list[bytes]], Awaitable[None]], *, lookup: bool = False) -> None:
    """Do `test` with users at a socket that answers each question with `said`."""
    heard: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.read(10_000))
        writer.write(said)
        writer.close()

    async def scenario() -> None:
        path = str(place / "s")
        async with await asyncio.start_unix_server(answer, path), asyncio.timeout(60):
            await test(DovecotUsers(path, path if lookup else "", "example.com"), heard)

    asyncio.run(scenario())


def test_a_password_is_checked_by_it(tmp_path: Path) -> None:
    """Without a word of it in anything but the response, and as Dovecot calls the user."""

    async def test(users: DovecotUsers, heard: list[bytes]) -> None:
        assert await users.check("ann", "correct horse", "submission") == Proved(ANN)
        *lines, last = heard[0].decode().splitlines()
        assert lines[0] == "VERSION\t1\t1"
        assert last.startswith("AUTH\t1\tPLAIN\tservice=smtp\tsecured\t")
        assert base64.b64decode(last.partition("resp=")[2]) == b"\0ann\0correct horse"
        assert await users.find(["ANN@example.com", "bob@example.com"]) == [ANN, None]  # he was here

    asked(tmp_path, HELLO + b"OK\t1\tuser=ann@example.com\tnologin\n", test)


@pytest.mark.parametrize(("said", "kind"), [(b"FAIL\t1\tuser=ann\n", ""), (b"FAIL\t1\tuser=ann\ttemp\n", "try-again"), (b"", "try-again")])
def test_a_no_is_a_no_and_trouble_is_none(tmp_path: Path, said: bytes, kind: str) -> None:
    """Who cannot be checked now may come again."""

    async def test(users: DovecotUsers, _: list[bytes]) -> None:
        if not kind:
            assert await users.check("ann", "x", "submission") is None
            return
        with pytest.raises(Problem) as caught:
            await users.check("ann", "x", "submission")
        assert caught.value.kind == kind

    asked(tmp_path, HELLO + said, test)


@pytest.mark.parametrize(
    "said",
    [
        b"VERSION\t2\t0\n", b"\xff\xfe\n" * 2000, b"x" * 20_000, b"HTTP/1.1 400 Bad Request\r\n\r\n", b"OK\t7\tuser=bob\n", b"OK\t1",
        b"CONT\t1\t\n",
    ],
)  # fmt: skip
def test_nonsense_is_trouble(tmp_path: Path, said: bytes) -> None:
    """Nobody gets in by it."""

    async def test(users: DovecotUsers, _: list[bytes]) -> None:
        with pytest.raises(Problem) as caught:
            await users.check("ann", "x", "submission")
        assert caught.value.kind == "try-again"

    asked(tmp_path, said, test)


@pytest.mark.parametrize("name", ["", "ann\tuser=root", "ann\nAUTH\t2", "ann\0", "x" * 5000])
def test_names_that_would_break_its_lines_are_nobodys(tmp_path: Path, name: str) -> None:
    """It is not even asked."""

    async def test(users: DovecotUsers, heard: list[bytes]) -> None:
        assert await users.check(name, "x", "submission") is None
        assert await users.find([name]) == [None]
        assert heard == []

    asked(tmp_path, HELLO + b"OK\t1\tuser=ann\n", test, lookup=True)


@pytest.mark.parametrize(
    ("said", "found"), [(b"USER\t1\tann\tuid=8\n", ANN), (b"USER\t1\tann@example.com\n", ANN), (b"NOTFOUND\t1\n", None)]
)
def test_users_are_looked_up_where_there_is_a_socket_for_it(tmp_path: Path, said: bytes, found: User | None) -> None:
    """By the address, whatever Dovecot calls them."""

    async def test(users: DovecotUsers, heard: list[bytes]) -> None:
        assert await users.find(["ann@example.com"]) == [found]
        assert heard == [b"VERSION\t1\t0\nUSER\t1\tann@example.com\tservice=smtp\n"]

    asked(tmp_path, b"VERSION\t1\t0\nSPID\t7\n" + said, test, lookup=True)


def test_one_that_does_not_answer_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor asked by more than a few at a time; one that is not there is trouble as well."""
    monkeypatch.setattr(dovecot, "SECONDS", 0.2)
    monkeypatch.setattr(dovecot, "MOST", 2)

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async def scenario() -> None:
        path = str(tmp_path / "s")
        async with await asyncio.start_unix_server(hang, path):
            users = DovecotUsers(path)
            found = await asyncio.gather(*(users.check("ann", "x", "submission") for _ in range(3)), return_exceptions=True)
        found += await asyncio.gather(DovecotUsers(str(tmp_path / "none")).check("ann", "x", "submission"), return_exceptions=True)
        words = [str(each) for each in found if isinstance(each, Problem) and each.kind == "try-again"]
        assert ["does not answer" in text for text in words] == [True, True, False, False]
        assert "too many" in words[2]
        assert "No such file" in words[3]

    asyncio.run(scenario())
