"""The section about mail that others bring: how much of it, how fast, and what is done about its form."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..kinds import PERIOD, RATE, Rate, choice
from . import ADDRESS, COUNT, SIZE, SWITCH, Section, Setting

if TYPE_CHECKING:
    from collections.abc import Iterable


class Receiving(Section, header="[receiving]"):
    """Limits of the doors of the kinds mx, submission and lmtp, each for all such doors together.

    A network is one address of IPv4 or a /64 of IPv6; its neighbourhood a /24 or a /48.
    """

    postmaster = Setting(
        ADDRESS,
        "Who gets the mail for postmaster and abuse at each of our domains that has nobody of that name.",
        "",
        shown="mailer.postmaster where that is set, else the mailbox of that name",
        example="ann@example.com",
    )
    max_message_size = Setting(SIZE, "The largest message that is taken; the limit of submission is submission.max_message_size.", "50MB")
    max_header_size = Setting(SIZE, "The largest header that a message may have.", "1MB")
    max_recipients = Setting(COUNT, "The most recipients of one message, as they are named and as aliases make more of them.", 1000)
    max_received = Setting(COUNT, "How many hosts a message may have come by; what has come by more goes in circles and is refused.", 50)
    messages_per_session = Setting(COUNT, "The most messages of one session; then the client is asked to call again.", 100)
    max_connections = Setting(
        COUNT, "How many connections there may be at a time; all kinds of doors together have half of the files that may be open.", 1000
    )
    connections_per_network = Setting(COUNT, "How many of them from one network.", 30)
    connections_per_neighbourhood = Setting(COUNT, "How many of them from one neighbourhood.", 90)
    rate_per_network: Setting[Rate] = Setting(RATE, "How many connections one network may open in a time.", "300/min")
    rate_per_neighbourhood: Setting[Rate] = Setting(RATE, "How many connections one neighbourhood may open in a time.", "900/min")
    max_memory = Setting(
        SIZE,
        "How much all messages that are under way may take of the memory. Where that is full, clients wait, and are told after two minutes "
        "to come back later.",
        "256MB",
    )
    idle_timeout = Setting(PERIOD, "How long a client may say nothing; a minute, while four fifths of the connections are taken.", "5m")
    message_timeout = Setting(PERIOD, "How long a message may take to come; after a minute it has to come at 500 octets a second.", "30m")
    session_timeout = Setting(PERIOD, "How long a session may last before its next message is refused.", "1h")
    max_unknown = Setting(
        COUNT, "After how many recipients whom nobody knows a session ends. Beyond the first half of them each answer takes 5 seconds.", 20
    )
    line_ends = Setting(
        choice("mend", "refuse"),
        "What becomes of a message with a CR or LF that stands alone, or a NUL: it is put right, after its signatures were judged, or "
        "refused. Nothing but CRLF.CRLF ends a message either way.",
        "mend",
    )
    strict_pipelining = Setting(
        SWITCH, "Whether a client is refused that talks before the greeting, or behind a command that ends a group (RFC 2920 §3.1).", False
    )

    def problems(self) -> Iterable[tuple[str, str]]:
        """A neighbourhood that may have less than one network of it."""
        if self.connections_per_neighbourhood < self.connections_per_network:
            yield "connections_per_neighbourhood", "that is less than one network may have (connections_per_network)"
        if self.max_memory < self.max_message_size:
            yield "max_memory", "that is less than one message may have (max_message_size)"
