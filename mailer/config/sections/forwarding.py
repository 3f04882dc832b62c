"""The section about mail of strangers that an address of ours passes on: the sender that it leaves with, and who vouches for it."""

from __future__ import annotations

from ..kinds import SECRET_PATH
from . import OPTIONAL_DOMAIN, SWITCH, Section, Setting


class Forwarding(Section, header="[forwarding]"):
    """Mail of strangers that an alias of ours passes on to elsewhere.

    It would be refused there: SPF names no host of ours for the sender's domain. So it leaves with a sender of our domain that stands for
    him (SRS, as postsrsd writes it), and a report that comes back to that is passed on to him, for three weeks. The SPF record of that
    domain has to name where mail leaves, and its MX record leads to a door of kind mx.
    """

    srs = Setting(
        SWITCH,
        "Whether it leaves with a sender of our domain, where its own is of a domain that is not ours. Without that it keeps its own, and "
        "many hosts refuse it.",
        True,
    )
    domain = Setting(
        OPTIONAL_DOMAIN,
        "The domain of that sender.",
        "",
        shown="that of the address which passes the mail on",
        example="forward.example.com",
    )
    secret_file = Setting(
        SECRET_PATH,
        "The file with the secret that signs such senders, which nobody but its owner may read: one a line, as postsrsd has them, of which "
        "the first signs and all are known. It is made when it is needed first; mailer srs rotate puts a new one in front.",
        "",
        shown="srs.secret in the spool",
        example="/etc/mailer/srs.secret",
    )
    arc = Setting(
        SWITCH,
        "Whether we vouch for what we found of its sender when it came (ARC, RFC 8617), signed with the key of DKIM for the domain of the "
        "address that passes it on.",
        True,
    )
