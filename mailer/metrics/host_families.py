"""The families of [002] §9.2.1, by the names that they have there, made of the rows of hosts when somebody reads them.

Labels have few values each: `host` as `hosts` says, the words of `row`, `deliveries` and `sessions`, and the mechanisms of AUTH.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .row import RETRIES
from .text import escaped, family, histogram

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from mailer.mail.outcome import BreakerState

    from .counts import Counts
    from .row import HostRow

STATES: dict[BreakerState, int] = {"closed": 0, "half-open": 1, "open": 2}
"""The states of a breaker as numbers."""


def families(counts: Counts, breakers: Iterable[tuple[BreakerState, str, int]]) -> Iterator[str]:
    """The families of hosts, line by line; `breakers` as `QueueFigures.breakers` has them."""
    rows = [*counts.hosts.rows.values(), counts.hosts.other]
    yield from _counters(rows)
    yield from _histograms(rows)
    states = {row.label: 0 for row in rows}
    for state, host, port in breakers:
        label = counts.hosts.label(host, port)
        label = label if label in states else counts.hosts.other.label
        states[label] = max(states[label], STATES[state])
    yield from family(
        "smtp_circuit_breaker_state",
        "gauge",
        "Whether the host is called: 0 closed, it is; 1 half-open, one session finds out; 2 open, it is not.",
        ((_host(label), state) for label, state in states.items()),
    )
    yield from family(
        "smtp_connection_pool_size",
        "gauge",
        "Sessions with the host that are at work (active), and that wait for the next message (idle).",
        _pool(rows, counts.sessions.states()),
    )


def _host(label: str) -> str:
    return f'host="{escaped(label)}"'


def _pool(rows: Iterable[HostRow], open: Mapping[tuple[str, str], int]) -> Iterator[tuple[str, float]]:
    for row in rows:
        for state in ("active", "idle"):
            yield f'{_host(row.label)},state="{state}"', open.get((row.label, state), 0)


def _counters(rows: list[HostRow]) -> Iterator[str]:
    def sent() -> Iterator[tuple[str, float]]:
        for row in rows:
            yield f'{_host(row.label)},status="success"', row.success
            yield f'{_host(row.label)},status="failure"', row.failure

    def failed() -> Iterator[tuple[str, float]]:
        for row in rows:
            for kind, number in row.failed.copy().items():
                yield f'{_host(row.label)},error_kind="{kind}"', number

    def logins() -> Iterator[tuple[str, float]]:
        for row in rows:
            for (method, status), number in row.logins.copy().items():
                yield f'{_host(row.label)},method="{method}",status="{status}"', number

    def tls() -> Iterator[tuple[str, float]]:
        for row in rows:
            for status, number in row.tls.items():
                yield f'{_host(row.label)},status="{status}"', number

    def retries() -> Iterator[tuple[str, float]]:
        for row in rows:
            for attempt, number in zip(RETRIES, row.retries, strict=True):
                yield f'{_host(row.label)},attempt="{attempt}"', number

    limited = ((_host(row.label), row.limited) for row in rows)
    for name, about, samples in (
        ("emails_sent", "Mails that the host was given, in whole transactions, by whether anybody got them.", sent()),
        ("emails_failed", "Those that nobody got, by why: the cause, or permanent (5xx) or temporary (4xx) where none is known.", failed()),
        ("auth_attempts", "Logins, by mechanism and how they ended.", logins()),
        ("tls_upgrades", "TLS handshakes with the host.", tls()),
        ("rate_limit_exceeded", "How often a limit kept mail waiting: one of ours, or the host said that we are too fast.", limited),
        ("retries", "Mails that were tried again, by which retry it was.", retries()),
    ):
        yield from family(f"smtp_{name}_total", "counter", about, samples)


def _histograms(rows: list[HostRow]) -> Iterator[str]:
    yield from histogram("smtp_send_duration_seconds", "From the beginning of an attempt to its last answer.", rows, lambda row: row.sent)
    yield from histogram("smtp_connection_duration_seconds", "How long a session lasted.", rows, lambda row: row.lasted)
    yield from histogram(
        "smtp_connection_acquire_duration_seconds",
        "How long mail waited for a session: for one that waits itself next to nothing, else to connect, greet, encrypt and log in.",
        rows,
        lambda row: row.acquired,
    )
    yield from histogram("smtp_message_size_bytes", "The size of messages that the host was given.", rows, lambda row: row.sizes)
    yield from histogram("smtp_recipients_per_message", "The recipients of one transaction.", rows, lambda row: row.recipients)
