"""Other keys for a mailbox, and what was kept encrypted, decrypted or encrypted anew, while it is used.

`rewrap` has the keys of an owner wrapped by the newest master key, and touches nothing else: that is enough where a master key may be known
to others, but not what it wrapped. `rekey` gives new keys as well, if the master key is another one, and brings every body and the index to
the keys and to the wish that hold now.

A crash argument for `rekey`: (1) The new keys are put in front of those before, and all open. (2) The epoch of the account makes whoever
sealed something with the keys before do it again, for he cannot write his rows. (3) The index gets its key in one transaction. (4) Of some
messages at a time the rows say that their bodies are being changed, so that nobody goes by their sizes; the bodies are replaced one by one,
each of which opens before and after; and the rows say by which key. (5) Only when no row names another key, and no body was lost, do the
keys before go. Whoever is killed leaves a mailbox in which all is readable, and the next `rekey` goes on where this one was. Where the
mailbox is moved meanwhile, its rows are not changed any more, which ends the `rekey` before (5): there it is done again.
"""

from __future__ import annotations

from secrets import token_bytes
from typing import TYPE_CHECKING, Final, NamedTuple

from mailer.mail.problem import Problem

from .api import BodyLost, Frozen, NoKey
from .bodies.api import NewBody
from .engine.sealed import SealedEngine
from .fencing import FencedEngine
from .sealing import CHANGING, new_pair, opened

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from .box import OwnMailbox
    from .engine.api import Engine
    from .keyring import Keyring
    from .mailboxes import Mailboxes
    from .owners.api import Owner
    from .sealing import Sealing

SOME: Final = 50  # messages that are changed between two changes of rows
FENCE: Final = "UPDATE account SET epoch = ? WHERE owner = ? AND epoch < ?"
OTHERS: Final = """SELECT id, digest, size FROM mail WHERE owner = ? AND key_number <> ? AND id > ? ORDER BY id LIMIT ?"""
COUNT: Final = "SELECT count(*) FROM mail WHERE owner = ? AND key_number <> ?"
SAY: Final = "UPDATE mail SET key_number = ? WHERE owner = ? AND id = ?"


class Rekeyed(NamedTuple):
    """What became of a mailbox: how many bodies were changed, and the IDs of messages whose body nobody can open any more."""

    changed: int = 0
    lost: Sequence[str] = ()


class _Other(NamedTuple):
    """A message whose row names another key than the one that is wanted."""

    id: str
    digest: bytes
    size: int


def rewrap(keyring: Keyring, owner: Owner) -> bool:
    """Have the keys of an owner wrapped by the newest master key; whether that changed something. Raises `NoKey`, `Problem`."""
    now = keyring.ready(owner)
    if not now.key_number or now.key_number == (newest := keyring.masters.newest(anew=True)):
        return False
    keyring.put(now, keyring.unwrapped(now)._replace(number=newest))
    return True


def rekey(keyring: Keyring, mailboxes: Mailboxes, owner: Owner, told: Callable[[int, int], None] | None = None) -> Rekeyed:
    """Bring a mailbox to the newest master key, to keys of its own that are as new, and to what is wished.

    `told` hears after each step how many bodies are done, of how many. Raises `NoKey`, `Problem`; then it can be done again.
    """
    now = _with_new_keys(keyring, owner)
    if not now.key_number:
        return Rekeyed()
    if now.state == "frozen":
        raise Frozen(f"the mailbox of {now.address} is being moved; try again when it is done")
    sealing = keyring.sealing(now)
    assert sealing is not None
    with mailboxes.opened(now) as box:
        engine = FencedEngine(box.engine, now.epoch)
        engine.change(lambda rows: rows.change(FENCE, (now.epoch, engine.owner, now.epoch)))
        if isinstance(box.engine, SealedEngine):
            box.engine.renew()
        done = _bodies(box, engine, sealing, told or (lambda *_: None))
    if not done.lost:  # of which a backup may have one that needs them
        _without_old_keys(keyring, owner)
    return done


def _with_new_keys(keyring: Keyring, owner: Owner) -> Owner:
    """The owner with new keys in front of those that he has, if there is a newer master key; else as he is."""
    now = keyring.ready(owner)
    if not now.key_number or now.key_number == (newest := keyring.masters.newest(anew=True)):
        return now
    keys = keyring.unwrapped(now)._replace(number=newest)
    if keyring.encrypting:
        public, private = new_pair()
        identities, index_keys = (private, *keys.identities), (token_bytes(32), *keys.index_keys)
        keys = keys._replace(public=public, identities=identities, index_keys=index_keys)
    return keyring.put(now, keys)


def _without_old_keys(keyring: Keyring, owner: Owner) -> None:
    """Have the owner keep the newest keys alone."""
    now = keyring.ready(owner)
    keys = keyring.unwrapped(now)
    if keys.changing:
        keyring.put(now, keys._replace(identities=keys.identities[:1], index_keys=keys.index_keys[:1]))


def _bodies(box: OwnMailbox, engine: Engine, sealing: Sealing, told: Callable[[int, int], None]) -> Rekeyed:
    """Have every body sealed as `sealing` does it now. Raises `Problem` (try-again) where the mailbox is not here any more."""
    done, lost = 0, list[str]()
    [[all]] = engine.read(lambda rows: rows.run(COUNT, (engine.owner, sealing.number)))
    for some in _others(engine, sealing.number):
        _say(engine, CHANGING, [each.id for each in some])
        fit = []
        for each in some:
            try:
                _replace(box, sealing, each)
                fit.append(each.id)
            except (BodyLost, NoKey):
                lost.append(each.id)
        _say(engine, sealing.number, fit)
        done += len(fit)
        told(done + len(lost), all)
    return Rekeyed(done, tuple(lost))


def _others(engine: Engine, number: int) -> Iterator[list[_Other]]:
    """Messages whose rows name another key, some at a time; what comes meanwhile is of the right one."""
    after = ""
    while rows := engine.read(lambda rows: rows.run(OTHERS, (engine.owner, number, after, SOME))):  # noqa: B023 - called at once
        yield [_Other(*row) for row in rows]
        after = rows[-1][0]


def _replace(box: OwnMailbox, sealing: Sealing, other: _Other) -> None:
    """Have the body of a message sealed anew. Raises `BodyLost`."""
    kept, owner = box.bodies.kept, box.owner.id
    try:
        body = opened(kept.read(owner, other.id), other.digest, sealing)
    except Problem as problem:
        if problem.kind == "no-such":
            raise BodyLost(str(problem)) from None
        raise
    kept.replace([NewBody(owner, other.id, (sealing.seal(body),))])


def _say(engine: Engine, number: int, ids: Sequence[str]) -> None:
    """Have the rows of messages say by which key their bodies are sealed."""
    engine.change(lambda rows: rows.many(SAY, [(number, engine.owner, id) for id in ids]))
