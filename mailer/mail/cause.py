"""Why an outcome is what it is, by name: a closed vocabulary, written down with the outcome and never guessed back from a code.

Two kinds of causes. What we noticed or decided ourselves (`Cause.ours`): then the reply is in our words, and nobody else said it.
And what another host meant by its refusal, where its reply is known (`mailer.shaping.replies`). Without a cause, all that is known
is what the host said.
"""

from __future__ import annotations

from enum import StrEnum


class Cause(StrEnum):
    """The cause of an outcome, by its word in a record; `mailer-spool(5)` lists them."""

    # Nobody was asked, because
    PAUSED = "paused"  # an operator lets the destination wait
    SUSPENDED = "suspended"  # it rests because of what it said, as a rule for such replies has it
    BREAKER = "breaker"  # it did not answer, repeatedly
    CONGESTED = "congested"  # as much as there is room for waits for it already
    SOURCE_EXHAUSTED = "source_exhausted"  # no address of ours may send there now
    OFFLINE = "offline"  # this machine has no network
    TOO_LATE = "too_late"  # the time is up in which the sender wanted it there
    UNSIGNED = "unsigned"  # it must not leave without a signature
    CREDENTIAL = "credential"  # what we log in with cannot be had: a password, a token, a certificate of ours
    SETTING = "setting"  # a setting or a file of ours cannot be used
    SHORT = "short"  # this machine has no descriptor, memory or room on its disk left
    UNFIT = "unfit"  # the host does not take such a message, and said so before
    LOOP = "loop"  # it goes round in circles, or would come back to us
    CANCELLED = "cancelled"  # an operator has withdrawn it
    MISWRITTEN = "miswritten"  # the recipient is written as no address is
    ALIAS = "alias"  # an alias of ours leads nowhere
    DISCARDED = "discarded"  # an alias of ours leads to /dev/null
    DNS = "dns"  # the DNS gave no answer
    NO_DOMAIN = "no_domain"  # there is no such domain
    NULL_MX = "null_mx"  # the domain says that it takes no mail, RFC 7505
    NO_ADDRESS = "no_address"  # no host for it has an address
    PRIVATE = "private"  # its hosts are only where mail of others must not go
    BUG = "bug"  # an error in this program
    STUCK = "stuck"  # the attempt made no progress

    # It was asked, and
    UNREACHABLE = "unreachable"  # there is no way to the address
    TIMEOUT = "timeout"  # what was waited for did not come in time
    CONNECTION_REFUSED = "connection_refused"  # the machine is there, and nobody listens
    LOST = "lost"  # the connection broke
    PROTOCOL = "protocol"  # the answer was none of SMTP
    TLS = "tls"  # the connection could not be encrypted as it has to be
    LOGIN = "login"  # it offers no login that we may use, or did not prove itself

    # It refused, and what it said is known to mean: something of ours
    LOGIN_REFUSED = "login_refused"  # user name or password
    LOGIN_WANTED = "login_wanted"  # there has to be a login
    TLS_WANTED = "tls_wanted"  # there has to be encryption first
    ACCOUNT_DISABLED = "account_disabled"
    NAME_REFUSED = "name_refused"  # our name in EHLO
    ADDRESS_REFUSED = "address_refused"  # the address of ours that we call from, or its name in DNS
    BLOCKLISTED = "blocklisted"  # that address is on a blocklist, or has a bad reputation
    RELAYING_DENIED = "relaying_denied"  # it does not take mail from us for others
    SENDER_REFUSED = "sender_refused"  # the sender's address, which we may not use there
    SENDER_UNKNOWN = "sender_unknown"  # the sender's domain does not exist, or its mailbox does not
    UNAUTHENTICATED = "unauthenticated"  # SPF, DKIM or DMARC of the sender's domain
    QUOTA_USED_UP = "quota_used_up"  # what the account may send
    TOO_FAST = "too_fast"  # more than is taken in such a time
    # something of the message or of the recipient
    MALFORMED = "malformed"  # its header or its lines
    UNWANTED = "unwanted"  # taken for spam or for a virus
    TOO_LARGE = "too_large"
    NO_MAILBOX = "no_mailbox"
    MAILBOX_FULL = "mailbox_full"
    MAILBOX_DISABLED = "mailbox_disabled"
    RESTRICTED = "restricted"  # whoever it is for takes mail from some senders only
    GREYLISTED = "greylisted"

    @property
    def ours(self) -> bool:
        """Whether the reply is in our words."""
        return self in _OURS


CAUSES: dict[str, Cause] = {cause.value: cause for cause in Cause}
"""By the word in a record; a word of a later version is none."""

_MEMBERS = [*Cause]
_OURS = frozenset(_MEMBERS[: _MEMBERS.index(Cause.LOGIN) + 1])
REFUSALS = tuple(_MEMBERS[len(_OURS) :])
"""What a host can mean by a refusal."""
