"""The section about alarms: who is told of them, and what is looked after."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import values
from ..kinds import COMMAND, HOP, MAILBOX, SHARE, one_or_several
from . import DURATION, Section, Setting

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ..places import Path
    from . import Validated


class AlarmSection(Section, header="[alarm]", member="alarm"):
    """Alarms: who is told of them beside the log, and what is looked after without being asked.

    Alarms begin and end; each is told once. mailer-delivery(7) lists them, and mailer status shows those that are open. Who is told should
    not depend on what the alarm is about: mail for another provider's mailbox, by a way out that other mail does not take, or a command.
    """

    mail = Setting(
        one_or_several(MAILBOX),
        "Who gets a mail when an alarm begins, and when it ends. It does not wait in the queue, and needs no room on the disk.",
        (),
        example="ops@example.net",
    )
    via = Setting(
        one_or_several(HOP),
        'Ways out for these mails, in order of preference: "relay:NAME" or "mx". Choose one that other mail does not take.',
        (),
        shown="those of the routes",
        example="mx",
    )
    command = Setting(
        COMMAND,
        "A program that is started for each beginning and each end, with the alarm as JSON on its standard input and in MAILER_ALARM_… of "
        "its environment. No shell reads it. It has 30 seconds.",
        (),
        example="/usr/local/bin/page-me --urgent",
    )
    after = Setting(DURATION, "How long an alarm has to be open before somebody is told by mail or by the command.", "2m")
    older = Setting(DURATION, "The age of a message that waits from which on that is an alarm; with 0 none is.", "1d")
    refused = Setting(
        SHARE,
        "The share of recipients refused for good within 15 minutes beyond which that is an alarm, from 0 to 1, of 20 recipients or more; "
        "with 1 it never is.",
        0.1,
    )
    watch = Setting(
        DURATION,
        "How often what others see of this machine is looked at: blocklists, DNS records and DKIM keys, the relays' logins, certificates. "
        "With 0 it is not.",
        "1d",
    )

    def problems(self) -> Iterable[tuple[str, str]]:
        """What makes no sense together."""
        if self.via and not self.mail:
            yield "via", 'this is the way of mail about alarms; say who gets it: mail = "ops@example.net"'
        if 0 < self.watch < values.duration("10m"):
            yield "watch", "less than ten minutes are too short: others are asked"

    @classmethod
    def conflicts(cls, validated: Validated) -> Iterator[tuple[Path, str]]:
        """A way out that there is not."""
        from .relay import unknown

        section = validated.once.get("alarm")
        if section is not None:
            for text in unknown((via.name for via in section.via if via.kind == "relay"), validated.named["relay"]):
                yield ("alarm", "via"), text
