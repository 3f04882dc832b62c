"""Sockets that listen."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from mailer.net.listening import tcp_sockets, unix_socket


def test_all_addresses_of_a_name_are_listened_on() -> None:
    """Of this machine's own name as of an address; what cannot be is an `OSError`, and nothing is left open."""

    async def run() -> None:
        made = await tcp_sockets("localhost", 0)
        assert {each.getsockname()[0] for each in made} <= {"127.0.0.1", "::1"}
        port = made[0].getsockname()[1]
        with pytest.raises(OSError, match="in use"):
            await tcp_sockets(made[0].getsockname()[0], port)
        with pytest.raises(OSError, match="assign"):
            await tcp_sockets("192.0.2.1", 0)
        for each in made:
            each.close()

    asyncio.run(run())


def test_a_unix_socket_replaces_what_had_its_name(tmp_path: Path) -> None:
    """In a directory with a path of any length; where there is no directory, the error names the path."""
    place = tmp_path / ("x" * 200)
    place.mkdir()
    (place / "door").write_bytes(b"left over")
    with unix_socket(str(place), "door", 0o640):
        assert (place / "door").stat().st_mode & 0o777 == 0o640
    with pytest.raises(OSError, match="nowhere"):
        unix_socket(str(tmp_path / "nowhere"), "door", 0o600)


def test_places_are_shared_with_those_who_share_them() -> None:
    """Two who say so have one place; whoever does not gets none of it, before or after."""

    async def run() -> None:
        [first] = await tcp_sockets("127.0.0.1", 0, shared=True)
        port = first.getsockname()[1]
        [second] = await tcp_sockets("127.0.0.1", port, shared=True)
        with pytest.raises(OSError, match="in use"):
            await tcp_sockets("127.0.0.1", port)
        first.close()
        second.close()
        [alone] = await tcp_sockets("127.0.0.1", 0)
        with pytest.raises(OSError, match="in use"):
            await tcp_sockets("127.0.0.1", alone.getsockname()[1], shared=True)
        alone.close()

    asyncio.run(run())
