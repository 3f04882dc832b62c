"""What a server of POP3 asks before it answers: one value for each thing that its grammar and its list of messages do not decide.

Whoever drives `PopServer` answers with a `PopReply`, or with nothing, which means that all is well; a login with `PopServer.admit`, and a
message that is there with `PopServer.send`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mailer.sasl.exchange import Credentials


class PopReply(NamedTuple):
    """A refusal: ``-ERR``, a `code` of RFC 2449 §8.1 or RFC 3206 §4 in brackets, a text. With `last` the session is over."""

    text: str
    code: str = ""
    last: bool = False


@dataclass(slots=True)
class PopQuestion:
    """A question of the machine; the session stands still until it is answered."""


@dataclass(slots=True)
class PopGreeting(PopQuestion):
    """A connection that was opened. A refusal ends it."""


@dataclass(slots=True)
class PopStartTls(PopQuestion):
    """STLS; when nobody objects, the driver makes the handshake and tells `PopServer.secured`. RFC 2595 §4"""


@dataclass(slots=True)
class PopLogin(PopQuestion):
    """The credentials that came by USER and PASS, or by AUTH; who they are of is to be found out."""

    credentials: Credentials


@dataclass(slots=True)
class PopRetrieve(PopQuestion):
    """RETR, or, with `lines`, TOP: the message that stands at `place` of the maildrop, which has the UID `uid`."""

    place: int
    uid: int
    lines: int | None = None


@dataclass(slots=True)
class PopQuit(PopQuestion):
    """QUIT of one who is logged in: the messages with these UIDs are to be removed now, and no others. RFC 1939 §6"""

    uids: Sequence[int]
