"""The section about mailboxes: where they are, whether they are encrypted, how long what was deleted is kept."""

from __future__ import annotations

from .. import values
from . import DURATION, OPTIONAL_PATH, Section, Setting


class MailboxSection(Section, header="[mailboxes]", member="mailboxes"):
    """The mailboxes of this machine, which [[domain]] leads to with via = "local".

    A user of `mailer user` has one from his first mail on. See mailer-receiving(7).
    """

    path = Setting(
        OPTIONAL_PATH,
        "The directory of the mailboxes. What is in it is written by this program alone.",
        values.own_mailboxes,
        shown="mailboxes below $XDG_STATE_HOME/mailer, which is ~/.local/state/mailer; /var/lib/mailer/mailboxes for root and for the "
        "owner of its spool",
        example=values.SYSTEM_MAILBOXES,
    )
    deleted_kept = Setting(DURATION, "How long the file of a message is kept after it was deleted.", "7d")
    removed_kept = Setting(DURATION, "How long the mailbox of a user who was removed is kept.", "30d")
    full_grace = Setting(
        DURATION,
        "How long mail waits for somebody whose mailbox has used up its quota; then its sender hears that it could not be delivered.",
        "3d",
    )
