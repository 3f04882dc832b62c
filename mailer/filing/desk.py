"""The filing of this machine: mail of owners who have said nothing goes the short way, all other by what they have said."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailer.mail.address import domain_of
from mailer.transport.filing import PlainFiling

from .carry import SendingTerms, carry, news_of
from .decide import compiled, decide, is_plain
from .mail import situation

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mailer.config import Config
    from mailer.mailbox.api import Mailbox, NewMail, PutMail
    from mailer.transport.filing import MailboxLetter

    from .decide import FilingPlan


class RulesFiling:
    """A `Filing` by what owners have said, in terms of the configuration that `config` gives at the moment; `clock` tells the time."""

    def __init__(self, config: Callable[[], Config], clock: Callable[[], float]) -> None:
        self._config = config
        self._clock = clock
        self._plain = PlainFiling()

    def plain(self, mailbox: Mailbox, letter: MailboxLetter) -> NewMail | None:
        """The one folder that `letter` goes into, if that is all. Raises `Problem`."""
        if is_plain(mailbox.scripts.instructions()):
            return self._plain.plain(mailbox, letter)
        plan = self.plan(mailbox, letter)
        if plan.sends:
            return None
        news = news_of(plan.places, mailbox, letter)
        return news[0] if len(news) == 1 else None

    def file(self, mailbox: Mailbox, letter: MailboxLetter) -> Sequence[PutMail]:
        """Do with `letter` what its owner says. Raises `Problem`."""
        if is_plain(mailbox.scripts.instructions()):
            return self._plain.file(mailbox, letter)
        return carry(self.plan(mailbox, letter), mailbox, letter, SendingTerms(self._config().submitting, self._clock()))

    def plan(self, mailbox: Mailbox, letter: MailboxLetter) -> FilingPlan:
        """What is to be done with `letter`. Raises `Problem`."""
        instructions = mailbox.scripts.instructions()
        return decide(compiled(instructions), instructions.forwards, situation(mailbox, letter, self._is_ours))

    def _is_ours(self, address: str) -> bool:
        return domain_of(address) in {domain.name for domain in self._config().domains}
