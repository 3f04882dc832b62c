"""What happens when mail is given up, and when it comes back: the reports that are written here, and where those of others come to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailer.dsn.return_token import LONGEST_NAME

from ..kinds import SECRET_PATH, choice
from . import ADDRESS, COUNT, DURATION, SWITCH, Section, Setting

if TYPE_CHECKING:
    from collections.abc import Iterable


class Bounce(Section, header="[bounce]"):
    """What happens when mail is given up."""

    enabled = Setting(SWITCH, "Whether the sender gets a report.", True)
    content = Setting(choice("headers", "full"), "How much of the message the report carries.", "headers")
    delay_warning = Setting(
        DURATION,
        "After this time without delivery the sender is warned, once a message. With 0 only those are who asked for it, after 4 hours, and "
        "those whose mail waits for something of ours longer than retry.expire.",
        "0s",
    )
    max_per_hour = Setting(COUNT, "The most reports that one sender gets in an hour. What is beyond that is told in the log.", 100)
    max_per_hour_in_all = Setting(
        COUNT, "The most that all senders together get: whoever forges many addresses must not make reports to them all.", 2000
    )
    retention = Setting(DURATION, "How long a message that was given up is kept, for inspection and replay.", "7d")
    address = Setting(
        ADDRESS,
        "The address that the reports of other hosts come to: mail leaves with it as its sender, with a token behind a + that says which "
        "message it is (see verp), so that a report about it is known again. Its domain has an MX record that leads to a door of "
        "kind reports or mx, or its mailbox is fetched from by report_source, and an SPF record that names where mail leaves. See "
        "mailer-bounces(1).",
        "",
        example="bounces@example.com",
    )
    verp = Setting(
        choice("message", "recipient", "off"),
        "What the sender of mail that leaves is, where there is an address: one with a token for each message, or one for each recipient, "
        "who then gets a transaction of his own; off leaves the sender as it is, for hosts that take mail from no other. The null sender "
        "stays, and so does one by relay.NAME.author. See also relay.NAME.verp.",
        "message",
    )
    key_file = Setting(
        SECRET_PATH,
        "The file with the key that signs tokens, which nobody but its owner may read. It is made when it is needed first; mailer bounces "
        "key rotate replaces the key.",
        "",
        shown="bounce.key in the spool",
        example="/etc/mailer/bounce.key",
    )
    forward = Setting(
        choice("sender", "nobody"),
        "Who else gets a report about a message of ours, and an automatic answer to one: the sender of that message, as he would have "
        "without an address here, or nobody.",
        "sender",
    )

    report_retention = Setting(
        DURATION, "How long a report that came back is kept when it was acted upon; one that waits is kept until it is.", "30d"
    )

    def problems(self) -> Iterable[tuple[str, str]]:
        """An address that a token does not fit into, or that a sender cannot have everywhere."""
        name = self.address.rpartition("@")[0]
        if self.address and self.verp != "off" and not (self.address.isascii() and '"' not in name and len(name) <= LONGEST_NAME):
            text = f"a token has to fit behind the name; write one of at most {LONGEST_NAME} plain letters, such as bounces@example.com"
            yield "address", text
