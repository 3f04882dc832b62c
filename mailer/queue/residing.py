"""Mail of our own people for addresses of ours: who lives there is asked when it is to be delivered, whichever way it came in.

A door for strangers asks that before it takes anything, and so does one where users log in. What programs of this machine hand in, what
comes by HTTP or from a broker, and reports of our own name ``root@example.com`` as well, and nobody has looked yet who that is: an alias,
nobody at all, or a mailbox. The last one is delivered to; nobody is given up, and its sender hears of it; where nobody can say, it waits.

What an alias stands for is written to in a message of its own, which has their addresses and all else of the first one. It is put before
anything is recorded, under an ID that follows from that one's and the recipient, so that after a crash there is one of it. Whoever it is
for is not asked about again: so an alias that leads to itself beside others ends there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailer.bounces.reports import report_id
from mailer.mail.address_key import key_of
from mailer.mail.envelope import Recipient
from mailer.mail.problem import Problem
from mailer.spool.api import New
from mailer.spool.replay import copied
from mailer.transport import verdict

from .tasks import Progress
from .unsubscribing import OPTION

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mailer.accounts.residence import Residence
    from mailer.accounts.residents import Residents
    from mailer.mail.envelope import Envelope
    from mailer.spool.api import Entry

    from .attempt import Attempt
    from .context import Context, Current
    from .settle import Settler

AGAIN = 60.0  # seconds, up to twice as many, before it is asked again who lives there


class ResidentMail:
    """The mail of our own people for those who live here, as far as `residents` knows them; None where nobody lives here."""

    def __init__(self, current: Current, settler: Settler, residents: Residents | None) -> None:
        self.current = current
        self.settler = settler
        self.residents = residents

    async def look(self, messages: Sequence[Entry]) -> Mapping[str, Mapping[int, Residence]]:
        """By the ID of a message, those of its recipients who are at a domain of ours and have no mailbox of that name."""
        found: dict[str, dict[int, Residence]] = {}
        if self.residents is None or not (domains := self.residents.registry.domains):
            return found
        for entry in messages:
            if entry.envelope.foreign:
                continue
            people = entry.envelope.recipients
            for to in entry.history.pending():
                person = people[to]
                if person.outcome is None and not person.behalf and person.domain in domains:
                    residence = await self.residents.resolve(person.address)
                    if not _is_there(residence, person.address):
                        found.setdefault(entry.id, {})[to] = residence
        return found

    def finish(self, context: Context, attempt: Attempt, elsewhere: Mapping[int, Residence]) -> None:
        """End the part of `attempt` that is for those who have no mailbox of that name."""
        now, refused = context.clock.now(), []
        onward: dict[int, Residence] = {}
        for to, residence in elsewhere.items():
            if residence.recipients:
                onward[to] = residence
            elif residence.kind == "unknown":
                assert residence.reply is not None
                refused.append(verdict.nobody(to, residence.reply, now))
            else:
                refused.append(verdict.nobody_knows(to, now, now + AGAIN * (1 + context.random())))
        attempt.split(bool(refused) + bool(onward) - 1)
        if refused:
            self.settler.finish(attempt, refused)
        if onward:
            context.tasks.spawn(self._lead_on(context, attempt, onward), Progress("settle", f"message {attempt.entry.id}"))

    async def _lead_on(self, context: Context, attempt: Attempt, onward: Mapping[int, Residence]) -> None:
        """Write to those whom aliases stand for, before that is recorded."""
        entry, outcomes, now = attempt.entry, [], context.clock.now()
        content = await self.settler.take(attempt)
        if content is not None:
            news = [led_on(entry, to, residence, content) for to, residence in onward.items()]
            for to, new, done in zip(onward, news, await context.spool.put(news), strict=True):
                if isinstance(done, Problem):
                    due = now + AGAIN * (1 + context.random())
                    outcomes.append(verdict.not_led_on(to, str(done), now, due))
                else:
                    outcomes.append(verdict.led_on(to, new.id, now))
            self.settler.look([new.id for new in news])
        await self.settler.finished(attempt, outcomes)


def _is_there(residence: Residence, address: str) -> bool:
    people = residence.recipients
    return len(people) == 1 and not people[0].behalf and people[0].outcome is None and key_of(people[0].address) == key_of(address)


def led_on(entry: Entry, to: int, residence: Residence, content: bytes) -> New:
    """The message to those whom recipient `to` stands for."""
    old = entry.envelope
    alias = old.recipients[to]
    people = [Recipient(each.address, alias.type, each.outcome, behalf=alias.address) for each in residence.recipients]
    id = report_id(entry.id, "alias", [to])
    envelope = copied(old, id, old.created, people, _options(old, alias.address, len(people)))
    return New(envelope.id, envelope.to_line(), content)


def _options(old: Envelope, address: str, people: int) -> dict[str, object]:
    """What was asked for the alias is asked for all of them; its time has come, and a link to unsubscribe is for one."""
    left = ("at", "recipients") if people == 1 else ("at", "recipients", OPTION)
    options = {name: value for name, value in old.options.items() if name not in left}
    each = old.options.get("recipients")
    asked = each.get(address) if isinstance(each, dict) else None
    return {**options, **asked} if isinstance(asked, dict) else options
