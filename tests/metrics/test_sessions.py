"""What is counted of sessions, as a real pool tells it of real sessions."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from mailer.metrics.counts import Counts
from mailer.metrics.host_families import families
from mailer.tlspolicy import MX, Requirement
from mailer.transport.connection import Parcel
from mailer.transport.errors import SessionError
from mailer.transport.pool import Pool
from mailer.transport.route import Endpoint, Login, Timeouts
from tests.fakes import waiting
from tests.fakes.friendly import Friendly

NONE = Requirement("none")
HERE = ["127.0.0.1"]
PARCEL = Parcel("alice@example.org", ["bob@example.com"], b"Subject: x\r\n\r\nhello\r\n")
PLAIN = b"250-mx.example.com\r\n250 AUTH PLAIN\r\n"


def measured(test: Callable[[Pool, Endpoint], Awaitable[None]], replies: dict[bytes, bytes | None] | None = None, **terms: Any) -> Counts:
    """What is counted while `test` works with a pool."""
    counts = Counts()
    counts.sessions.counting = True

    async def run() -> None:
        async with Friendly(replies) as server:
            pool = Pool(Timeouts(5, 5, 5, 5, 5, 5, 5, 5, 1), meter=counts.sessions)
            await test(pool, Endpoint("mx.example.com", server.port, **{"requirement": NONE, **terms}))
            await pool.close_all()

    waiting.run(run())
    return counts


def samples(counts: Counts) -> dict[str, float]:
    """All that is not 0."""
    found = re.findall(r"^(\w+\{.*\}) (\S+)$", "".join(families(counts, [])), re.MULTILINE)
    return {name: float(value) for name, value in found if float(value)}


def test_a_session_is_active_idle_and_over() -> None:
    """How long it lasted is known then, and each time that somebody got it, how long he waited."""
    seen: list[dict[tuple[str, str], int]] = []

    async def test(pool: Pool, endpoint: Endpoint) -> None:
        for _ in range(2):
            connection = await pool.lend(endpoint, HERE)
            await connection.deliver(PARCEL)
            seen.append(dict(counted[0].sessions.states()))
            pool.give_back(connection)
            seen.append(dict(counted[0].sessions.states()))

    counted = [Counts()]

    async def run() -> None:
        counts = counted[0]
        counts.sessions.counting = True
        async with Friendly() as server:
            pool = Pool(Timeouts(5, 5, 5, 5, 5, 5, 5, 5, 1), meter=counts.sessions)
            await test(pool, Endpoint("mx.example.com", server.port, NONE))
            await pool.close_all()

    waiting.run(run())
    assert seen == [{("example.com", "active"): 1}, {("example.com", "idle"): 1}] * 2
    now = samples(counted[0])
    assert now['smtp_connection_acquire_duration_seconds_count{host="example.com"}'] == 2
    assert now['smtp_connection_duration_seconds_count{host="example.com"}'] == 1
    assert counted[0].sessions.states() == {}


def test_a_session_that_breaks_is_over() -> None:
    """Whoever had it gives it back; so it is with one that was promised a mail."""

    async def test(pool: Pool, endpoint: Endpoint) -> None:
        connection = await pool.lend(endpoint, HERE)
        connection.abandon()
        pool.give_back(connection)
        other = await pool.lend(endpoint, HERE)
        await other.deliver(PARCEL, lambda: PARCEL)
        assert other.expecting
        pool.give_back(other)

    counts = measured(test)
    assert counts.sessions.open == {}
    assert samples(counts)['smtp_connection_duration_seconds_count{host="example.com"}'] == 2


@pytest.mark.parametrize(("reply", "status"), [(b"235 2.7.0 welcome\r\n", "success"), (b"535 5.7.8 no\r\n", "failure")])
def test_a_login_is_counted_by_its_end(reply: bytes, status: str) -> None:
    """With its mechanism, once a session."""

    async def test(pool: Pool, endpoint: Endpoint) -> None:
        with contextlib.suppress(SessionError):
            pool.give_back(await pool.lend(endpoint, HERE))
            pool.give_back(await pool.lend(endpoint, HERE))

    counts = measured(test, {b"EHLO": PLAIN, b"AUTH": reply}, login=Login("me", lambda: "secret", allow_plain=True))
    assert {name: value for name, value in samples(counts).items() if "auth" in name} == {
        f'smtp_auth_attempts_total{{host="example.com",method="plain",status="{status}"}}': 1
    }


def test_a_login_that_is_not_answered_failed() -> None:
    """The host hung up on it."""

    async def test(pool: Pool, endpoint: Endpoint) -> None:
        with pytest.raises(SessionError):
            await pool.lend(endpoint, HERE)

    counts = measured(test, {b"EHLO": PLAIN, b"AUTH": None}, login=Login("me", lambda: "secret", allow_plain=True))
    assert 'smtp_auth_attempts_total{host="example.com",method="unknown",status="failure"}' in samples(counts)


def test_tls_that_comes_to_nothing_is_counted() -> None:
    """Where it has to be, and where mail goes without it in the end; where it is not offered, nothing was tried."""

    async def test(pool: Pool, endpoint: Endpoint) -> None:
        with contextlib.suppress(SessionError):
            pool.give_back(await pool.lend(endpoint, HERE))

    offered: dict[bytes, bytes | None] = {b"EHLO": b"250-mx.example.com\r\n250 STARTTLS\r\n", b"STARTTLS": b"220 go ahead\r\n"}
    name = 'smtp_tls_upgrades_total{host="example.com",status="failure"}'
    assert samples(measured(test, offered, requirement=Requirement("starttls")))[name] == 1
    assert samples(measured(test, offered, requirement=MX))[name] == 1
    assert not [each for each in samples(measured(test, requirement=MX)) if "tls" in each]


def test_nothing_is_counted_where_nobody_wants_to_know() -> None:
    """But what is open is known, should somebody ask later."""
    counts = Counts()

    async def run() -> None:
        async with Friendly() as server:
            pool = Pool(meter=counts.sessions)
            connection = await pool.lend(Endpoint("mx.example.com", server.port, NONE), HERE)
            assert counts.sessions.open == {connection: False}
            pool.give_back(connection)
            await pool.close_all()

    waiting.run(run())
    assert (samples(counts), counts.hosts.rows) == ({}, {})
