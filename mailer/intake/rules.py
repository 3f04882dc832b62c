"""Rules of who may send, and as whom: the sections ``[[submitter]]`` of the configuration, applied to one message.

Each address that the message says it is from must be one that the user may use: see `mailer.submit.senders`.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from mailer.io.people import Person, fits, person
from mailer.mail.message import Message
from mailer.mail.principal import unix
from mailer.mail.problem import Problem
from mailer.submit import senders
from mailer.submit.senders import stranger

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mailer.config.sections.daemon import Submitter
    from mailer.mail.envelope import Envelope
    from mailer.mail.principal import Principal

REMEMBERED = 60.0  # seconds: who is in which group may come over the network, and changes rarely


class SubmitterRules:
    """`submitters` in the order of the file; empty: all may send as anybody. May be asked from several threads."""

    def __init__(self, submitters: Sequence[Submitter]) -> None:
        self.submitters = submitters
        self._people: dict[Principal, tuple[float, Person]] = {}

    def judge(self, envelope: Envelope, content: bytes, who: Principal) -> None:
        """Raises `Problem` (no-permission) if `who` may not send this."""
        if not self.submitters or who in (unix(0), unix(os.geteuid())):
            return
        person = self._person(who)
        rule = next((rule for rule in self.submitters if fits(rule.user, person)), None)
        if rule is None:
            raise Problem(f"user {person.name} may not send mail here (see [[submitter]] in mailer-config(5))", "no-permission")
        name = stranger(envelope.sender, Message.head(content), rule.senders, lambda pattern, sender: allows(pattern, person, sender))
        if name is not None:
            allowed = ", ".join(rule.senders).replace("{user}", person.name)
            raise Problem(f"user {person.name} may not send as {name or 'nobody'}, but as {allowed}", "no-permission")

    def _person(self, who: Principal) -> Person:
        now = time.monotonic()
        known = self._people.get(who)
        if known is None or known[0] < now:
            known = self._people[who] = (now + REMEMBERED, person(who))
        return known[1]


def allows(pattern: str, person: Person, sender: str) -> bool:
    """Whether `pattern`, in which ``{user}`` is this person's name, allows `sender`."""
    return senders.allows(pattern.replace("{user}", person.name), sender)
