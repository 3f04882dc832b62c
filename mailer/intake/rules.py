"""Rules of who may send, and as whom: the sections ``[[submitter]]`` of the configuration, applied to one message.

The envelope sender, each address of From and of Sender must be one that the user may use; a field that the reader of
addresses makes nothing of is refused, for somebody else's reader may make something of it. The null sender names nobody.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from mailer.io.people import Person, fits, person
from mailer.mail.address import ascii_address
from mailer.mail.address_list import in_header
from mailer.mail.message import Message
from mailer.mail.pattern import fits as is_like
from mailer.mail.principal import unix
from mailer.mail.problem import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mailer.config.sections.daemon import Submitter
    from mailer.mail.envelope import Envelope
    from mailer.mail.principal import Principal

REMEMBERED = 60.0  # seconds: who is in which group may come over the network, and changes rarely
AUTHORS = (b"from", b"sender", b"resent-from", b"resent-sender")


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
        if "*" in rule.senders:
            return
        for name in _authors(envelope, content):
            if not any(allows(pattern, person, name) for pattern in rule.senders):
                allowed = ", ".join(rule.senders).replace("{user}", person.name)
                raise Problem(f"user {person.name} may not send as {name or 'nobody'}, but as {allowed}", "no-permission")

    def _person(self, who: Principal) -> Person:
        now = time.monotonic()
        known = self._people.get(who)
        if known is None or known[0] < now:
            known = self._people[who] = (now + REMEMBERED, person(who))
        return known[1]


def allows(pattern: str, person: Person, sender: str) -> bool:
    """Whether `pattern` allows `sender`, whichever labels the domains are written in. See `mailer.mail.pattern`."""
    return is_like(ascii_address(pattern.replace("{user}", person.name)), ascii_address(sender))


def _authors(envelope: Envelope, content: bytes) -> Iterator[str]:
    """Everybody whom the message says it is from; an empty text for a field that names nobody who can be found."""
    if envelope.sender:
        yield envelope.sender
    message = Message.split(content)
    for name in AUTHORS:
        for value in message.values(name):
            found = list(in_header(value))
            yield from found or [""]
