"""The mailboxes of our own: whether they can be used, are nobody else's, and each has what its rows say. Used by `visit` and `repair`.

Rows are compared with the messages on the disk by name and size; what is in a message, ``mailer mailbox verify`` looks at. Where there are
very many mailboxes, those are looked at that `PATIENCE` is enough for.
"""

from __future__ import annotations

import os
import stat
from time import monotonic
from typing import TYPE_CHECKING, Final

from mailer.check.finding import FAIL, PASS, WARN, Finding
from mailer.mail.problem import Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from mailer.config import Config
    from mailer.mailbox.api import BoxFlaw
    from mailer.mailbox.mailboxes import Mailboxes
    from mailer.mailbox.owners.api import Owner

CHECK: Final = "mailboxes"
PATIENCE: Final = 5.0  # seconds for looking at mailboxes
MOST: Final = 10  # findings about single mailboxes
MOST_MENDED: Final = 10  # lines about one mailbox that was mended: all of its messages may have been lost from its folders
MEND: Final = "mailer doctor --repair"


def mailboxes(config: Config, clock: Callable[[], float] = monotonic) -> list[Finding]:
    """What is found about the mailboxes of our own, if there are any."""
    root = config.mailboxes_path
    if not config.has_mailboxes or not root:
        return []
    found = [*_place(root)]
    try:
        found += _all(config, clock)
    except Problem as problem:
        found.append(Finding(CHECK, root, FAIL, f"{problem}: mail for them waits", "mailer config show mailboxes"))
    return found


def _place(root: str) -> Iterator[Finding]:
    """Whose the directory is, and who may look into it."""
    try:
        about = os.stat(root)
    except FileNotFoundError:
        yield Finding(CHECK, root, PASS, "there are no mailboxes yet; each is made when its first mail comes")
        return
    except OSError as error:
        yield Finding(CHECK, root, FAIL, f"{error.strerror}: mail for them waits", f"ls -ld {root}")
        return
    mode = stat.S_IMODE(about.st_mode)
    if about.st_uid != os.geteuid():
        yield Finding(CHECK, root, FAIL, "it belongs to another user than the daemon's: mail for them waits", f"chown -R it, or {MEND}")
    if mode & 0o077:
        yield Finding(CHECK, root, WARN, f"others may look into it (its mode is {mode:04o})", MEND)


def _all(config: Config, clock: Callable[[], float]) -> Iterator[Finding]:
    """Each mailbox, as far as there is time; said once where all is well."""
    from mailer.mailbox.configured import mailboxes_of
    from mailer.mailbox.masters import keyring_of

    if not os.path.isdir(config.mailboxes_path) and config.mailboxes.encryption == "off":
        return
    until, looked, bad, messages = clock() + PATIENCE, 0, 0, 0
    boxes = mailboxes_of(config)
    try:
        keyring_of(config, boxes.owners).look()
        yield from _copies(config)
        for owner in owners_of(boxes):
            if clock() > until or bad >= MOST:
                break
            looked += 1
            found, many = _one(boxes, owner)
            messages += many
            bad += bool(found)
            yield from found
        else:
            if not bad:
                yield Finding(CHECK, config.mailboxes_path, PASS, f"{looked} mailboxes, {messages} messages: each has what its rows say")
            return
        yield Finding(CHECK, config.mailboxes_path, PASS, f"{looked} mailboxes were looked at, and there are more", "mailer mailbox verify")
    finally:
        boxes.close()


def _copies(config: Config) -> Iterator[Finding]:
    """Whether there is a copy of each master key elsewhere."""
    from mailer.operate.mailbox_keys import refuse_unexported

    try:
        refuse_unexported(config)
    except Problem as problem:
        yield Finding(CHECK, config.mailboxes_path, WARN, str(problem), "mailer mailbox key export")


def _one(boxes: Mailboxes, owner: Owner) -> tuple[Sequence[Finding], int]:
    """What is wrong with one mailbox, and how many messages it has."""
    try:
        with boxes.opened(owner) as box:
            flaws, messages = box.check(), box.usage().messages
    except Problem as problem:
        return [Finding(CHECK, owner.address, FAIL, f"{problem}: its mail waits", MEND)], 0
    if not flaws:
        return [], messages
    more = f", and {len(flaws) - 1} more" if len(flaws) > 1 else ""
    return [Finding(CHECK, owner.address, FAIL, f"{_told(flaws[0])}{more}", MEND)], messages


def _told(flaw: BoxFlaw) -> str:
    """What is wrong, and where."""
    where = " ".join(filter(None, (flaw.folder, flaw.mail)))
    return f"{flaw.what} ({where})" if where else flaw.what


def owners_of(boxes: Mailboxes) -> Iterator[Owner]:
    """All who have a mailbox."""
    after = ""
    while some := boxes.owners.listing(after=after):
        yield from some
        after = some[-1].id


def mend_mailboxes(config: Config) -> Iterator[str]:
    """Put right what can be, in each mailbox, from its messages alone where its rows are gone; a line for each thing that was done."""
    root = config.mailboxes_path
    if not config.has_mailboxes or not os.path.isdir(root):
        return
    from mailer.mailbox.configured import mailboxes_of

    about = os.stat(root)
    if about.st_uid == os.geteuid() and stat.S_IMODE(about.st_mode) & 0o077:
        os.chmod(root, 0o700)
        yield f"set to 0700: {root}"
    boxes = mailboxes_of(config)
    try:
        for owner in owners_of(boxes):
            yield from _mended(boxes, owner)
    except Problem as problem:
        yield f"could not mend the mailboxes: {problem}"
    finally:
        boxes.close()


def _mended(boxes: Mailboxes, owner: Owner) -> Iterator[str]:
    try:
        flaws = sorted(boxes.repair(owner), key=lambda flaw: flaw.mended)  # what could not be mended is told first
        for flaw in flaws[:MOST_MENDED]:
            what = "mended" if flaw.mended else "could not mend"
            yield f"{what} the mailbox of {owner.address}: {_told(flaw)}"
        if len(flaws) > MOST_MENDED:
            more = f"{len(flaws) - MOST_MENDED} more of these"
            yield f"{what} the mailbox of {owner.address}: {more}; mailer mailbox verify {owner.address} reads all of it"
    except Problem as problem:
        yield f"could not mend the mailbox of {owner.address}: {problem}"
