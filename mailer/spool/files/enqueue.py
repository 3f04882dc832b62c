"""Put: how a message gets into the spool. After it, the message survives a power failure.

===========================  ==================================================================
step                         what a crash right after it leaves
===========================  ==================================================================
write ``tmp/ID``, fsync      garbage in ``tmp/``, swept after 36 hours; the caller was told nothing
rename to ``queued/ID``      the message, perhaps; the caller was told nothing
fsync ``queued/``            the message
ring the doorbell            the message; without the ring it is found by the next rescan
===========================  ==================================================================

A message that is to leave later gets that time as its file's, and goes to ``deferred/`` in the same steps.

An error on the way leaves nothing in ``queued/``. The one exception is named in `durable.publish`: when
the last fsync fails and the daemon has taken the message in that very moment, it counts as put.

On a system-wide spool other users cannot write ``queued/``; they hand the message over, see `handover`.

With a request id the message is put at most once, also by many processes at a time and across crashes:
see `idempotency`.
"""

from __future__ import annotations

import zlib

from mailer.io import durable
from mailer.io.system import os
from mailer.mail.problem import from_os

from .layout import ForeignSpool, check_owner, prepare

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mailer.mail.principal import Principal


MAGIC = b"mailer/1"


def head(envelope_line: bytes, body: bytes) -> bytes:
    """The first line of a spool file: magic, length of envelope and body, CRC-32 over both."""
    crc = zlib.crc32(body, zlib.crc32(envelope_line))
    return b"%s %d %d %08x\n" % (MAGIC, len(envelope_line), len(body), crc)


def put(
    root: str,
    id: str,
    envelope_line: bytes,
    body: bytes,
    request: tuple[str, str] | None = None,
    due: float = 0.0,
    who: Principal | None = None,
    held: bool = False,
) -> str:
    """Make the message durable in the spool at `root`; returns its ID.

    `request` is (request id, digest of what was asked): if it was put before, nothing is put and the ID
    from then is returned. `due` is when it is to leave, in seconds since the epoch; 0.0 is at once. `who` made the request, where that
    is another than the user of this process, who has to write the spool himself then: nobody else is believed whom he speaks for. A message
    that is to be `held` is put by the owner of the spool or root, and has no request.
    Raises `Problem`: try-again for a full disk or a limit, no-permission for missing rights, cannot-create or io-error for other
    errors, and `Conflict` for a request id that was used for another message.
    """
    parts = (head(envelope_line, body), envelope_line, body)
    try:
        try:
            temporary = write(root, id, parts, due)
        except (PermissionError, ForeignSpool) as refused:
            from .handover import hand_over

            if who is None and not held and os.path.isdir(f"{root}/drop"):
                return hand_over(root, id, parts, request) or _put_as_owner(root, id, parts, request, due, who)
            if not isinstance(refused, ForeignSpool) or (who is not None and os.geteuid() != 0):
                raise
            return _put_as_owner(root, id, parts, request, due, who, held)
        try:
            return publish(root, id, temporary, request, due, who, held)
        except BaseException:
            durable.forget(temporary)
            raise
    except OSError as error:
        raise from_os("cannot queue the message", error.filename or root, error) from None


def write(root: str, id: str, parts: tuple[bytes, ...], due: float = 0.0) -> str:
    """Write the file under a name that nobody reads, durably; returns its path. Makes the spool on the way if there is none.

    Raises `OSError`, `ForeignSpool`.
    """
    temporary = f"{root}/tmp/{id}"
    try:
        check_owner(root)
        durable.write_new(temporary, parts, modified=due)
    except FileNotFoundError:
        prepare(root)
        durable.write_new(temporary, parts, modified=due)
    except FileExistsError:  # a report, whose ID follows from its message, and a crash while it was put before
        os.unlink(temporary)
        durable.write_new(temporary, parts, modified=due)
    return temporary


def publish(
    root: str, id: str, temporary: str, request: tuple[str, str] | None, due: float, who: Principal | None = None, held: bool = False
) -> str:
    """Give ``tmp/ID`` the name under which it is found; returns the ID that the message has. `who` is as for `idempotency.path_of`."""
    if request is not None:
        from . import idempotency

        return idempotency.publish_once(root, id, *request, who)
    try:
        durable.publish(temporary, f"{root}/{'held' if held else 'deferred' if due else 'queued'}/{id}")
    except FileNotFoundError:
        if os.path.exists(temporary):  # the directory is missing, not the file
            raise
        # the name could not be taken back: the daemon has the message
    return id


def _put_as_owner(
    root: str,
    id: str,
    parts: tuple[bytes, ...],
    request: tuple[str, str] | None,
    due: float,
    who: Principal | None,
    held: bool = False,
) -> str:
    """As `put`, but in the owner's name; root's request ids stay apart from his, as if the daemon had taken it."""
    from mailer.mail.principal import unix

    from . import idempotency  # noqa: F401 - all that is needed, before it begins: the owner may not be allowed to read the program
    from .layout import make
    from .owner import acting

    with acting(root):
        make(root)
        durable.write_new(temporary := f"{root}/tmp/{id}", parts, modified=due)
        try:
            return publish(root, id, temporary, request, due, who or unix(0), held)
        except BaseException:
            durable.forget(temporary)
            raise


def announce(root: str, id: str) -> bool:
    """Ring the doorbell for message `id`; whether a daemon heard. Where none hangs, nobody would, and what rings it is not imported."""
    try:
        os.lstat(f"{root}/doorbell")
    except OSError:
        return False
    from . import doorbell

    return doorbell.ring(root, id)
