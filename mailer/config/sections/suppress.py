"""The section about the suppression list: what gets onto it by itself, and for how long."""

from __future__ import annotations

from ..kinds import choice
from . import DURATION, Section, Setting

STREAMS, ALWAYS, NEVER = "streams", "always", "never"


class Suppress(Section, header="[suppress]"):
    """Addresses that are not to be mailed: what gets onto their list by itself, and for how long. See mailer-suppress(1).

    A stream is a kind of mail: that of an API key or of a queue of a broker that has one, or of the mailing list that a message names in
    its List-Id field. What is put on the list because of mail of a stream holds for that stream; what somebody puts there by hand holds
    for all mail, unless he says otherwise.
    """

    automatic = Setting(
        choice(STREAMS, ALWAYS, NEVER),
        "For which mail a hard bounce or a complaint puts its recipient on the list: that of streams; all mail, where what comes of mail "
        "without a stream holds for all mail; or none. What a machine says to its own people should not end because a mailbox was gone for "
        "a day.",
        STREAMS,
    )
    hard = Setting(DURATION, "How long an address is not mailed after a hard bounce. 0 is for ever, here and below.", "30d")
    repeat = Setting(DURATION, "How long it is not, if it bounces again when that is over.", "180d")
    complaint = Setting(
        DURATION,
        "How long whoever has called our mail spam is not mailed. Who has unsubscribed is never, until he is taken off by hand.",
        0,
    )
    trust = Setting(
        choice("token", "message-id"),
        "Which reports may put an address on the list: those that come to an address which only its recipient has seen; or also those "
        "that name a Message-ID of ours, which others may have read.",
        "token",
    )
    log_retention = Setting(DURATION, "How long it is remembered who was put on the list, and taken off it, and by whom.", "730d")

    @property
    def terms(self) -> tuple[float | None, float | None, float | None]:
        """How long entries last: the members of a `SuppressionTerms`, None for ever."""
        return self.hard or None, self.repeat or None, self.complaint or None

    def scope_for(self, stream: str) -> str:
        """The scope of what mail of `stream` puts on the list by itself; empty where it puts nobody there."""
        if self.automatic == NEVER or (self.automatic == STREAMS and not stream):
            return ""
        return stream or "*"
