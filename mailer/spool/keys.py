"""Request ids: the same request is put once, however often it is made.

``keys/K`` (K is the SHA-256 of the request id) says which ID a request got and what the request was. It
is created by `link`, which exactly one of many processes can do, after ``tmp/ID`` is whole on disk and
before it is renamed:

===================================  =========================================================
step                                 what a crash right after it leaves
===================================  =========================================================
write ``tmp/ID``, fsync              garbage in ``tmp/``
link the key to ``keys/K``, fsync    a claim; whoever makes the request again finishes the rename
rename ``tmp/ID`` to ``queued/``     the message
===================================  =========================================================

So a key that exists names a message that is in the spool, or was and is done with, or still waits in
``tmp/`` for anybody to finish its rename. The sweeper removes a key before the claim's file in ``tmp/``.
"""

from __future__ import annotations

import os
from hashlib import sha256

from mailer import durable
from mailer.mail.failure import BAD_MESSAGE, Failure

from .layout import is_id


def path_of(root: str, request_id: str) -> str:
    """Where the key of `request_id` is."""
    return f"{root}/keys/{sha256(request_id.encode()).hexdigest()}"


def publish_once(root: str, id: str, request_id: str, digest: str) -> str:
    """Publish ``tmp/ID`` unless `request_id` was before; returns the ID that the request has.

    Raises `Failure` (65) if the request was another one then, `OSError` otherwise.
    """
    key = path_of(root, request_id)
    if not _claim(root, id, key, f"{id} {digest}\n"):
        owner, known = read(key)
        os.unlink(f"{root}/tmp/{id}")
        if known != digest:
            raise Failure(f"request id {request_id!r} was used for another message ({owner}); nothing was queued", BAD_MESSAGE)
        id = owner
    try:
        durable.publish(f"{root}/tmp/{id}", f"{root}/queued/{id}")
    except FileNotFoundError:
        if os.path.exists(f"{root}/tmp/{id}") or not os.path.exists(key):  # the directory is missing; the other process failed
            raise
        # another process that made the same request has finished the rename
    except OSError:
        os.unlink(key)
        raise
    return id


def _claim(root: str, id: str, key: str, text: str) -> bool:
    temporary = f"{root}/tmp/{id}.key"
    durable.write_new(temporary, [text.encode()])
    try:
        os.link(temporary, key)
    except OSError as error:
        os.unlink(temporary)
        if isinstance(error, FileExistsError):
            return False
        raise
    try:
        os.unlink(temporary)
        durable.sync_directory(f"{root}/keys")
    except OSError:
        os.unlink(key)  # else the request would count as made
        raise
    return True


def read(key: str) -> tuple[str, str]:
    """(ID, digest) of an existing key. Raises `Failure` (65) if somebody wrote something else there."""
    with open(key, "rb") as file:
        words = file.read(1024).decode("ascii", "replace").split()
    if len(words) != 2 or not is_id(words[0]):
        raise Failure(f"the key {key} is damaged; remove it if its message was sent", BAD_MESSAGE)
    return words[0], words[1]
