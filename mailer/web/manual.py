"""What mailer-api(7) says of the endpoints, of refusals and of limits: printed from the table, so that it is what the program does.

Used by `mailer.manual`. Pure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mailer import roff
from mailer.config.manual import item
from mailer.config.sections.doors import Api

from .openapi import WITH_KEY, WORDS
from .table import JSON, TABLE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .endpoint import EndpointParameter, WebEndpoint

PLACES: Final = {"path": "in the path", "query": "query", "header": "header field"}


def endpoints(table: Iterable[WebEndpoint] = TABLE) -> str:
    """Each endpoint: what it is for, which scope it needs, what it takes and what it answers."""
    return "".join(part for endpoint in table for part in _endpoint(endpoint))


def _endpoint(endpoint: WebEndpoint) -> Iterator[str]:
    yield roff.heading(f"{endpoint.method} {endpoint.path.replace(':path}', '}')}", "SS")
    needs = f"Scope {roff.bold(endpoint.scope)}." if endpoint.scope else "It needs no key."
    yield f"{roff.sentence(endpoint.summary)} {needs}\n"
    if endpoint.takes:
        yield f".br\nTakes {', '.join(map(roff.bold, endpoint.takes))}.\n"
    for status, given in endpoint.gives.items():
        kinds = " or ".join(kind for kind in given.bodies if kind != JSON)
        also = f", {'also ' if JSON in given.bodies else ''}as {roff.text(kinds)}" if kinds else ""
        yield f".br\n{roff.bold(str(status))}: {roff.text(given.sentence)}{also}.\n"
    if refusals := sorted({*endpoint.refusals, *(WITH_KEY if endpoint.scope else ())}):
        yield f".br\nRefusals besides those of every request: {', '.join(map(str, refusals))}.\n"
    yield from map(_parameter, endpoint.parameters)


def _parameter(parameter: EndpointParameter) -> str:
    return roff.item(f"{roff.bold(parameter.name)} ({PLACES[parameter.where]})", roff.sentence(parameter.sentence))


def refusals() -> str:
    """Each status that a refusal has, and what it means."""
    return "".join(roff.item(f".B {status}", roff.sentence(words)) for status, words in WORDS.items())


def limits() -> str:
    """Each setting of ``[api]``."""
    return "".join(map(item, Api.settings))


BLOCKS: Final = {"endpoints": endpoints, "refusals": refusals, "limits": limits}
"""By the names that the page has for them."""
