"""``mailer send --fcc``: a copy of what was sent, in a Maildir of the sender's.

It is made after the message is queued, so that there is no copy of what was not; and what goes wrong with it does not change that
the message is queued. A copy names the Bcc recipients, whom nobody else may know: it is the sender's own.
"""

from __future__ import annotations

import itertools
import os
import time

from mailer import durable
from mailer.mail.failure import CANNOT_CREATE, Failure, from_os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mailer.mail.envelope import Envelope

_count = itertools.count(1)


def prepare(maildir: str) -> None:
    """See to it that `maildir` is a Maildir; makes it if it is not there. Raises `Failure` (73, 77): nothing was queued yet."""
    known = os.path.isdir(f"{maildir}/cur") or not os.path.lexists(maildir)
    if not known and (not os.path.isdir(maildir) or os.listdir(maildir)):
        raise Failure(f"{maildir} is no Maildir; nothing was queued", CANNOT_CREATE)
    try:
        for path in (maildir, *(f"{maildir}/{name}" for name in ("tmp", "new", "cur"))):
            if not os.path.isdir(path):
                os.mkdir(path, 0o700)
    except OSError as error:
        raise from_os("cannot make the Maildir for the copy; nothing was queued", error.filename or maildir, error) from None


def keep(maildir: str, envelope: Envelope, content: bytes) -> str:
    """Write the copy, marked as seen; returns its path. Raises `OSError`.

    Under ``tmp/`` first and then renamed, so that no reader sees half of one. Lines end in LF, as in every Maildir.
    """
    host = os.uname().nodename.replace("/", "\\057").replace(":", "\\072")
    seconds, nanoseconds = divmod(time.time_ns(), 10**9)
    name = f"{seconds}.M{nanoseconds // 1000}P{os.getpid()}Q{next(_count)}.{host}"
    hidden = ", ".join(recipient.address for recipient in envelope.recipients if recipient.type == "bcc")
    bcc = f"Bcc: {hidden}\n".encode() if hidden else b""
    target = f"{maildir}/cur/{name}:2,S"
    durable.write_new(f"{maildir}/tmp/{name}", (bcc, content.replace(b"\r\n", b"\n")))
    durable.publish(f"{maildir}/tmp/{name}", target)
    return target
