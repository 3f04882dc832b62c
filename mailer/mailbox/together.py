"""Mail for several mailboxes, put at the same time: for the disk, all of their messages are one wait, and not one each.

A crash argument: nothing else is done than each mailbox does by itself (`mailer.mailbox.putting`), and in that order: the bodies of all are
on the disk before the rows of the first are written, and each mailbox has a transaction of its own.

One mailbox is nobody else's trouble: what keeps it from being put with the others leaves nothing of it behind, and whoever asked puts it
for itself, where it hears why, or waits for as long as that takes. So it is with one that another thread or process is writing this
moment, and with one whose rows are at a server, for whose answers the others would have to wait.

Used by `mailer.transport.writers`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mailer.io.haste import hurrying

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from .api import NewMail, PutMail, Quota
    from .bodies.api import Bodies, NewBody
    from .box import OwnMailbox
    from .putting import ReadyPut


class WantedPut(NamedTuple):
    """What is to be put into `box`."""

    box: OwnMailbox
    news: Sequence[NewMail]
    quota: Quota


class _Begun(NamedTuple):
    """What is ready to be put into `box`, and its bodies as they are kept."""

    box: OwnMailbox
    put: ReadyPut
    bodies: Sequence[NewBody]


def put_all(wanted: Sequence[WantedPut]) -> Mapping[int, Sequence[PutMail]]:
    """Put each. Where its messages are, by its number in `wanted`; one that is not there was not put."""
    with hurrying():
        begun = {nth: each for nth, each in ((nth, _begun(each)) for nth, each in enumerate(wanted)) if each is not None}
        kept = _kept(begun.values())
        done = {nth: _entered(each) for nth, each in begun.items() if id(each.box.bodies.kept) in kept}
    return {nth: puts for nth, puts in done.items() if puts is not None}


def _begun(wanted: WantedPut) -> _Begun | None:
    """Read what is kept of its messages; None for what cannot be put here."""
    if wanted.box.engine.dialect != "sqlite":
        return None
    try:
        put = wanted.box.ready(wanted.news, wanted.quota)
        return _Begun(wanted.box, put, wanted.box.bodies.sealed(put.contents.items()))
    except Exception:
        return None


def _kept(begun: Iterable[_Begun]) -> set[int]:
    """Keep the bodies of all; which of those who keep them have done so. What one has not, it has left nothing of."""
    where: dict[int, tuple[Bodies, list[NewBody]]] = {}
    for each in begun:
        where.setdefault(id(each.box.bodies.kept), (each.box.bodies.kept, []))[1].extend(each.bodies)
    kept = set()
    for which, (bodies, those) in where.items():
        try:
            bodies.put(those)
            kept.add(which)
        except Exception:  # noqa: S110 - each hears why when it is put for itself
            pass
    return kept


def _entered(begun: _Begun) -> Sequence[PutMail] | None:
    """Write its rows; None where that is not done."""
    try:
        return begun.box.enter(begun.put)
    except Exception:
        return None
