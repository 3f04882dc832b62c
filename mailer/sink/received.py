"""What a sink was sent: the envelope, the message, and how it came."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


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
