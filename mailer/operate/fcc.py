"""``mailer send --fcc``: a copy of what was sent, in a Maildir of the sender's.

It is made after the message is queued, so that there is no copy of what was not; and what goes wrong with it does not change that
the message is queued. A copy names the Bcc recipients, whom nobody else may know: it is the sender's own.

Root keeps a copy in a user's Maildir as that user, as delivery agents do: else a symbolic link of the user's would lead root to
write anywhere, and the user could not read the copy.
"""

from __future__ import annotations

import os
import time
from contextlib import contextmanager
from errno import EPERM
from stat import S_ISDIR, S_ISLNK, S_ISVTX, S_IWOTH

from mailer.io.maildir import make_maildir, write_message
from mailer.mail.problem import Problem, from_os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from mailer.mail.envelope import Envelope

MOST_STEPS = 1000  # on the way to a file; the kernel follows 40 links


def prepare(maildir: str) -> None:
    """Make the Maildir `maildir` if it is not there. Raises `Problem` (cannot-create, no-permission): nothing was queued yet."""
    try:
        with _as_owner(maildir):
            known = os.path.isdir(f"{maildir}/cur") or not os.path.lexists(maildir)
            if not known and (not os.path.isdir(maildir) or os.listdir(maildir)):
                raise Problem(f"{maildir} is no Maildir; nothing was queued", "cannot-create")
            make_maildir(maildir)
    except OSError as error:
        raise from_os("cannot make the Maildir for the copy; nothing was queued", error.filename or maildir, error) from None


def keep(maildir: str, envelope: Envelope, content: bytes) -> str:
    """Write the copy, marked as seen; returns its path. Raises `OSError`.

    Lines end in LF, as in every Maildir.
    """
    hidden = ", ".join(recipient.address for recipient in envelope.recipients if recipient.type == "bcc")
    bcc = f"Bcc: {hidden}\n".encode() if hidden else b""
    with _as_owner(maildir):
        return write_message(maildir, (bcc, content.replace(b"\r\n", b"\n")), time.time(), seen=True)


@contextmanager
def _as_owner(path: str) -> Iterator[None]:
    """Within it root has the rights of whoever decides what `path` is. Raises `OSError`."""
    user, group = _owner(path) if os.geteuid() == 0 else (0, 0)
    if not user:
        yield
        return
    before = os.getegid(), os.getgroups()
    os.setgroups([])
    os.setegid(group)
    os.seteuid(user)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(before[0])
        os.setgroups(before[1])


def _owner(path: str) -> tuple[int, int]:
    """User and group of the first on the way to `path` that is not root's: its owner can put a link in place of all below. Else root's.

    Raises `OSError` for a way through a directory in which everybody can put anything in place of anything.
    """
    here, rest = "/", os.path.abspath(path).split("/")[1:]
    for _ in range(MOST_STEPS):
        if not rest:
            break
        here = os.path.join(here, rest.pop(0))
        if not os.path.lexists(here):
            break
        status = os.lstat(here)
        if status.st_uid:
            return status.st_uid, status.st_gid
        if S_ISLNK(status.st_mode):
            target = os.path.abspath(os.path.join(os.path.dirname(here), os.readlink(here)))
            here, rest = "/", [*target.split("/")[1:], *rest]
        elif status.st_mode & S_IWOTH and not status.st_mode & S_ISVTX and S_ISDIR(status.st_mode):
            raise PermissionError(EPERM, "everybody may write there", here)
    return 0, 0
