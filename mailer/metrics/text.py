"""The figures of hosts as text, in the format of Prometheus: ``text/plain; version=0.0.4``.

With fifty hosts these are some five thousand lines, of which the library makes objects first, at ten times what it costs to write
them down. It writes all other families.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from .row import Buckets, HostRow

TYPE = "text/plain; version=0.0.4; charset=utf-8"


def escaped(value: str) -> str:
    """A label's value between its quotation marks."""
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def number(value: float) -> str:
    """A sample's value, as short as it can be."""
    return str(int(value)) if value == int(value) else repr(value)


def family(name: str, kind: str, about: str, samples: Iterable[tuple[str, float]]) -> Iterator[str]:
    """One family: `samples` are pairs of labels, as they stand in braces, and a value."""
    yield f"# HELP {name} {about}\n# TYPE {name} {kind}\n"
    for labels, value in samples:
        yield f"{name}{{{labels}}} {number(value)}\n"


def histogram(name: str, about: str, rows: Iterable[HostRow], which: Callable[[HostRow], Buckets]) -> Iterator[str]:
    """A histogram with one row for each host that has anything in it."""
    yield f"# HELP {name} {about}\n# TYPE {name} histogram\n"
    for row in rows:
        buckets = which(row)
        counts = buckets.counts[:]
        if not any(counts):
            continue
        host = f'host="{escaped(row.label)}"'
        total = 0
        for bound, count in zip(buckets.bounds, counts, strict=False):
            total += count
            yield f'{name}_bucket{{{host},le="{bound}"}} {total}\n'
        total += counts[-1]
        yield f'{name}_bucket{{{host},le="+Inf"}} {total}\n{name}_sum{{{host}}} {number(buckets.sum)}\n{name}_count{{{host}}} {total}\n'
