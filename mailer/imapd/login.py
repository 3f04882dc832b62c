"""Logins: the desk is asked, the mailbox of the user is opened, and he is in. RFC 9051 §6.2.2, §6.2.3, RFC 5530 §3.

Who is not let in hears one thing, whatever the reason. Who has logged in is shown out when his sessions are ended from outside.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mailer.events import Alarm, ClientIdentified
from mailer.imap.answer import Answer
from mailer.mail.arrival import Arrival
from mailer.mail.problem import Problem

from .troubles import LATER, is_ours

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mailer.accounts.users.api import Proved
    from mailer.imap.questions import ImapAuth
    from mailer.net.peer import Peer
    from mailer.serving.boxes import BoxUse

    from .session import ImapSession

PURPOSE: Final = "imap"
WRONG: Final = Answer("NO", "name or password are wrong", "AUTHENTICATIONFAILED")
WELCOME: Final = Answer("OK", "welcome")
CROWDED: Final = Answer("NO", "as many sessions of yours are open as may be", "UNAVAILABLE")
TOO_MANY: Final = Answer("NO", "too many logins from your network have failed, come back later", "UNAVAILABLE")
ANSWERS: Final = {"wrong": WRONG, "enough": TOO_MANY, "not-now": LATER, "crowded": CROWDED}
OVER: Final = "you have to log in again"


class ImapLogin:
    """The login of one session, whose client is `peer`; `end` ends the session with a last word."""

    __slots__ = ("_box", "_end", "_forget", "_id", "_peer", "_session")

    def __init__(self, session: ImapSession, peer: Peer, end: Callable[[str], None]) -> None:
        self._session = session
        self._peer = peer
        self._end = end
        self._id = ""
        self._box: BoxUse | None = None
        self._forget: Callable[[], None] | None = None

    async def greet(self) -> bool:
        """Whether anybody can log in from there now."""
        desk = self._session.terms.desk
        if desk.is_closed(self._peer.host):
            return False
        await desk.look()
        return True

    async def admit(self, question: ImapAuth) -> Answer:
        """Let somebody in, or not; behind `TOO_MANY` there is no other try."""
        session, terms = self._session, self._session.terms
        since = terms.now()
        admitted = await terms.desk.admit(question.credentials, self.arrival(), PURPOSE)
        if admitted.proved is None:
            return ANSWERS.get(admitted.why, LATER)
        box = terms.hold(admitted.proved.user.key)
        try:
            owner = await box.owner_id()
        except Problem as problem:
            box.close()
            if is_ours(problem):
                terms.tell(Alarm(since, "mailbox", f"{admitted.proved.user.address}: {problem}", admitted.proved.user.address))
            return LATER
        self._box = box
        session.belongs_to(admitted.proved, box)
        session.machine.user = admitted.proved.user.address
        self._forget = terms.news.listen(owner, session.hear)
        self._id = self._enter(question, admitted.proved, since)
        return WELCOME

    def _enter(self, question: ImapAuth, proved: Proved, since: float) -> str:
        arrival = self.arrival(proved.user.address)
        return self._session.terms.desk.greet(arrival, question.credentials.mechanism, proved, since, lambda: self._end(OVER))

    def note(self, said: Mapping[str, str]) -> None:
        """The client has said what it is; that is told once."""
        session = self._session
        if said and not session.machine.client:
            user = session.machine.user and session.user.address
            session.terms.tell(ClientIdentified(session.terms.now(), self.arrival(user), said))

    def leave(self) -> None:
        """The session is over."""
        if self._forget is not None:
            self._forget()
        if self._id:
            self._session.terms.desk.leave(self._id)
        if self._box is not None:
            self._box.close()

    def arrival(self, user: str = "") -> Arrival:
        """The session, as others are told of it."""
        came = PURPOSE, self._peer.host, "", "IMAP4", self._session.stream.tls_version, "", user
        return Arrival(*came, self._session.terms.now(), self._peer.by)
