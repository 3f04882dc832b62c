"""The keys of mailboxes, as an operator sees them: which master keys there are and who needs which, a new one, a copy elsewhere, other keys
for mailboxes that are used."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mailer.config.secret import keeper_of
from mailer.config.values import nowhere
from mailer.mail.dates import rfc3339
from mailer.mail.problem import Problem
from mailer.mailbox import rekeying
from mailer.mailbox.keys import HOW, written_key
from mailer.mailbox.layout import Layout
from mailer.mailbox.masters import key_directory_of, keyring_of, masters_of
from mailer.spool.files.owner import as_owner_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from mailer.config import Config
    from mailer.mailbox.keyring import Keyring
    from mailer.mailbox.keys import KeyFile
    from mailer.mailbox.mailboxes import Mailboxes
    from mailer.mailbox.owners.api import Owner

    Telling = Callable[[str, int, int], None]


class MasterKeyLine(NamedTuple):
    """A master key: whether it is there, how many mailboxes need it, and of a file beside them when it was made (seconds since the epoch)
    and whether there is a copy elsewhere; None for one that is kept elsewhere anyway."""

    number: int
    there: bool
    mailboxes: int
    made: float | None = None
    exported: bool | None = None

    def as_json(self) -> dict[str, object]:
        """The line of ``mailer mailbox key --json``."""
        return {
            "number": self.number,
            "there": self.there,
            "mailboxes": self.mailboxes,
            "made_at": None if self.made is None else rfc3339(self.made),
            "exported": self.exported,
        }


class RekeyLine(NamedTuple):
    """What became of one mailbox: the number of the master key that it needs now, how many bodies were encrypted anew, the IDs of
    messages whose bodies nobody can open, and the trouble that there was with all of it."""

    address: str
    key: int
    changed: int = 0
    lost: Sequence[str] = ()
    trouble: Problem | None = None

    def as_json(self) -> dict[str, object]:
        """The line of ``mailer mailbox rekey --json``."""
        trouble = str(self.trouble) if self.trouble else None
        return {"address": self.address, "key": self.key or None, "changed": self.changed, "lost": [*self.lost], "trouble": trouble}


def master_keys(config: Config, mailboxes: Mailboxes) -> list[MasterKeyLine]:
    """The master keys that are there, and those that a mailbox needs and that are not. Raises `Problem`."""
    there = masters_of(config).numbers()
    needed = keyring_of(config, mailboxes.owners).needed()
    files = {} if _is_elsewhere(config) else {file.number: file for file in key_directory_of(config).files()}
    return [_line(number, needed.get(number, 0), files.get(number), there=number in there) for number in sorted({*there, *needed})]


def _line(number: int, mailboxes: int, file: KeyFile | None, *, there: bool) -> MasterKeyLine:
    return MasterKeyLine(number, there, mailboxes, file.made if file else None, file.exported if file else None)


def make_master_key(config: Config, mailboxes: Mailboxes, *, more: bool = False) -> int:
    """Make the first master key, or with `more` another one; its number, which no mailbox needs already.

    Raises `Problem`: usage where there is one already, and unavailable where one is lost, or they are kept elsewhere.
    """
    if _is_elsewhere(config):
        text = f"the master keys are kept in {masters_of(config).where}, and only who keeps them makes one: a line NUMBER:BASE64"
        raise Problem(f"{text}, from `openssl rand -base64 32`; the old ones stay there", "unavailable")
    if not config.mailboxes_path:
        raise nowhere()
    layout, keys = Layout(config.mailboxes_path), key_directory_of(config)
    needed = keyring_of(config, mailboxes.owners).needed()
    if not more and (lost := keys.lost(needed)):
        text = f"the master key {', '.join(map(str, lost))} is lost, without which mailboxes of before cannot be read; put it back"
        raise Problem(f"{text}, or make another one for new mailboxes: mailer mailbox rekey --new", "unavailable")
    if not more and keys.files():
        raise Problem("there is a master key; `mailer mailbox rekey --new` makes another one and uses it", "usage")
    layout.have(layout.root)
    keeper_of(config.spool).give(layout.root)
    with as_owner_of(layout.root):
        layout.have(layout.keys)
        return keys.make(needed)


def exported_master_keys(config: Config) -> list[str]:
    """The master keys as they are written, a line each. Raises `Problem` where there are none, and where they are kept elsewhere."""
    _refuse_elsewhere(config)
    found = [written_key(number, key) for number, key in key_directory_of(config)().items()]
    if not found:
        raise Problem(f"there is no master key of the mailboxes; {HOW}", "no-such")
    return found


def private_keys(config: Config, mailboxes: Mailboxes, address: str) -> Sequence[str]:
    """The private keys of the mailbox of an address, the newest first, as age writes them: `age -d -i` opens its messages with them.

    Raises `Problem` where there is no such mailbox, or it was never encrypted, and `NoKey`.
    """
    [owner] = _named(mailboxes, [address])
    if not owner.key_number:
        raise Problem(f"the mailbox of {address} was never encrypted, and has no keys", "no-such")
    return keyring_of(config, mailboxes.owners).unwrapped(owner).identities


def note_export(config: Config, keys: Sequence[str]) -> None:
    """Remember that these have a copy elsewhere. Raises `Problem`."""
    files = key_directory_of(config)
    with as_owner_of(files.path):
        for key in keys:
            files.exported(int(key.partition(":")[0]))


def refuse_unexported(config: Config, owners: Sequence[Owner] | None = None) -> None:
    """Refuse what relies on a copy of the master keys while there is none, of those that `owners` need, or of all: a backup has everything
    but them. Raises `Problem` (bad-config).
    """
    if _is_elsewhere(config):
        return
    alone = {file.number for file in key_directory_of(config).files() if not file.exported}
    if owners is not None:
        alone &= {owner.key_number for owner in owners}
    if alone:
        text = f"nobody has a copy of the master key {', '.join(map(str, sorted(alone)))}, without which no backup can be read"
        raise Problem(f"{text}; print it, and keep it elsewhere: mailer mailbox key export", "bad-config")


def rekeyed(
    config: Config,
    mailboxes: Mailboxes,
    addresses: Sequence[str],
    *,
    bodies: bool = False,
    told: Callable[[str, int, int], None] | None = None,
) -> Iterator[RekeyLine]:
    """Have the mailboxes of these addresses, of all without any, need the newest master key; with `bodies` give them keys of their own that
    are as new, and have everything encrypted as it is wished. `told` hears of progress: the address, bodies that are done, of how many.
    A mailbox in trouble keeps no other from its turn; it can be done again.

    Raises `Problem` (no-such).
    """
    keyring = keyring_of(config, mailboxes.owners)
    for owner in _named(mailboxes, addresses) if addresses else _everybody(mailboxes):
        try:
            yield _rekeyed(keyring, mailboxes, owner, told if bodies else None, bodies=bodies)
        except Problem as problem:
            yield RekeyLine(owner.address, owner.key_number, trouble=problem)


def _rekeyed(
    keyring: Keyring, mailboxes: Mailboxes, owner: Owner, told: Telling | None, *, bodies: bool
) -> RekeyLine:  # fmt: skip
    address, done = owner.address, rekeying.Rekeyed()
    if bodies:
        done = rekeying.rekey(keyring, mailboxes, owner, (lambda done, many: told(address, done, many)) if told else None)
    else:
        rekeying.rewrap(keyring, owner)
    return RekeyLine(address, keyring.ready(owner).key_number, done.changed, done.lost)


def _named(mailboxes: Mailboxes, addresses: Sequence[str]) -> list[Owner]:
    found = [*zip(addresses, mailboxes.owners.find(addresses), strict=True)]
    if missing := [address for address, owner in found if owner is None]:
        raise Problem(f"there is no mailbox of {missing[0]}; `mailer mailbox list` shows who has one", "no-such")
    return [owner for _, owner in found if owner is not None]


def _everybody(mailboxes: Mailboxes) -> Iterator[Owner]:
    """All owners, and those who are removed and whose mail is kept still."""
    for removed in (False, True):
        after = ""
        while some := mailboxes.owners.listing(after=after, removed=removed):
            yield from some
            after = some[-1].id


def _is_elsewhere(config: Config) -> bool:
    return bool(config.mailboxes.key_file or config.mailboxes.key_command)


def _refuse_elsewhere(config: Config) -> None:
    if _is_elsewhere(config):
        raise Problem(f"the master keys are kept in {masters_of(config).where} already, not beside the mailboxes", "unavailable")
