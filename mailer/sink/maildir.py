"""What a sink was sent (`Received`: the envelope, the message, and how it came), what it did not take (`Refusal`), and a Maildir.

A Maildir is readable by any mail program. A file is written under ``tmp/`` and renamed to ``new/``, so a reader never sees half a
message. Above the message, which is kept byte by byte (CRLF and all), stand the lines that tell its envelope: ``Return-Path: <sender>``
and one ``Delivered-To: recipient`` for each. Nothing is synced to disk: what a sink keeps is worth no more than the test that sent it.
"""

from __future__ import annotations

import itertools
import os
import socket
from collections.abc import Mapping
from typing import NamedTuple

from mailer.mail.problem import from_os


class Received(NamedTuple):
    """One message that was taken. `content` is what was meant: CRLF line ends, no dots doubled for the way."""

    sender: str  # "" is the null reverse-path
    recipients: tuple[str, ...]
    content: bytes
    peer: str  # the client's IP address
    tls: str = ""  # the version, e.g. "TLSv1.3", "" without
    user: str = ""  # who authenticated, "" if nobody did
    hello: str = ""  # what the client called itself
    at: float = 0.0  # seconds since the epoch
    parameters: Mapping[str, str] = {}  # of MAIL: SIZE, BODY, …
    path: str = ""  # the file, where messages are kept in a Maildir


class Refusal(NamedTuple):
    """One command or message that was not taken, for the sink's own log."""

    phase: str
    code: int  # 0 where the connection was dropped instead of an answer
    enhanced: str
    text: str
    peer: str
    sender: str = ""
    recipient: str = ""
    at: float = 0.0


class Maildir:
    """The Maildir at `root`, made if it is not there. Raises `Problem` where it cannot be."""

    def __init__(self, root: str) -> None:
        self.root = root
        self._count = itertools.count(1)
        host = socket.gethostname().replace("/", "\\057").replace(":", "\\072")
        self._unique = f"P{os.getpid()}Q{{}}.{host}"
        for name in ("tmp", "new", "cur"):
            try:
                os.makedirs(os.path.join(root, name), mode=0o700, exist_ok=True)
            except OSError as error:
                raise from_os("the messages cannot be kept", root, error) from None

    def keep(self, received: Received) -> str:
        """Write one message; returns its path. Raises `OSError`."""
        name = f"{received.at:.6f}".replace(".", ".M", 1) + self._unique.format(next(self._count))
        path = os.path.join(self.root, "tmp", name)
        kept = os.path.join(self.root, "new", name)
        try:
            with open(path, "xb", buffering=0) as file:
                file.write(envelope_lines(received) + received.content)
            os.rename(path, kept)
        except OSError:
            _forget(path)
            raise
        return kept


def envelope_lines(received: Received) -> bytes:
    """The envelope as header fields. Addresses were checked on their way in and hold no line end."""
    lines = [f"Return-Path: <{received.sender}>", *(f"Delivered-To: {address}" for address in received.recipients)]
    return "".join(f"{line}\r\n" for line in lines).encode()


def _forget(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:
        pass
