"""Words for why a door refuses somebody: what ``mailer received`` is asked by, and what metrics and fail2ban count.

A word of these is used wherever one fits; any other counts as ``other`` in the figures, so that nobody's text makes a figure of its own.
"""

from __future__ import annotations

from typing import Final, Literal, get_args

RefusalReason = Literal[
    "unknown",  # nobody of that address lives here
    "relay",  # the address is elsewhere, and we carry for no stranger
    "sender",  # the reverse-path, or From, is none that this client may use
    "spf",
    "dmarc",
    "spoof",  # From names a domain of ours, and nothing proves it
    "dns",  # a look-up that decides failed, for now
    "blocklist",
    "greylist",
    "early",  # the client talks out of turn
    "syntax",  # what it says, or the header of its message, is none
    "errors",  # it was wrong too often
    "login",  # it has not logged in, or could not
    "tls",
    "size",
    "recipients",  # too many
    "loop",
    "full",  # the mailbox has no room
    "virus",
    "spam",  # the sum of scores
    "filter",  # a filter says so
    "filter-down",  # a filter does not answer
    "limit",  # of a user, or of a network
    "busy",  # all places, or all memory, are taken
    "disk",
    "next-hop",  # whom we ask about recipients does not answer
]
"""A word for why somebody was refused."""

REASONS: Final = get_args(RefusalReason)
"""All of them."""
