"""Blame: what of ours a host refuses or we lack, and which settings mend it.

For whoever tells a person what to change: the alarm, ``mailer explain`` and ``mailer probe``. What a reply means is found out by
`replies`, what follows for the mail by `verdict`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from mailer.mail.outcome import Cause

if TYPE_CHECKING:
    from mailer.config import Config

AUTHORS = ("relay.author", "submission.authors", "submission.masquerade", "submission.from_address")
LOGIN = ("relay.username",)
SECRET = ("relay.password_file", "relay.password_command", "relay.password_env", "relay.oauth_refresh_token_file")
CERTIFICATE = ("relay.client_certificate", "relay.client_key")
SOURCE = ("delivery.source4", "delivery.source6")


class Blame(NamedTuple):
    """`what` goes wrong, as the end of a sentence; `settings` are those that mend it, the likeliest first; `advice` what else may."""

    what: str
    settings: tuple[str, ...] = ()
    advice: str = ""


BLAME: dict[Cause, Blame] = {
    Cause.CREDENTIAL: Blame("our login cannot be had", SECRET + CERTIFICATE),
    Cause.SETTING: Blame("a setting of ours cannot be used", ("mailer.hostname", "relay.ca_file", "tls.ca_file")),
    Cause.LOGIN: Blame("we cannot log in", ("relay.auth", "relay.tls", "relay.allow_plaintext_auth")),
    Cause.LOGIN_REFUSED: Blame("our login is refused", LOGIN + SECRET),
    Cause.LOGIN_WANTED: Blame("a login is wanted", LOGIN + SECRET),
    Cause.TLS_WANTED: Blame("it wants encryption first", ("relay.tls",)),
    Cause.ACCOUNT_DISABLED: Blame("our account is disabled", LOGIN, "the provider says why"),
    Cause.NAME_REFUSED: Blame("our name in EHLO is refused", ("mailer.hostname",), "it has to be a name with a domain that the DNS knows"),
    Cause.ADDRESS_REFUSED: Blame(
        "the address that we call from is refused", SOURCE, "the relay's list of clients, or the PTR record of the address"
    ),
    Cause.BLOCKLISTED: Blame("the address that we call from is on a blocklist", SOURCE, "mailer check shows which list"),
    Cause.RELAYING_DENIED: Blame("it takes no mail from us for others", LOGIN, "a login, or the relay's list of clients"),
    Cause.SENDER_REFUSED: Blame(
        "the sender is refused", AUTHORS, "an address that the account may use, or that has been verified at the provider"
    ),
    Cause.SENDER_UNKNOWN: Blame("the sender's domain or mailbox is not known there", AUTHORS, "an address that gets mail"),
    Cause.UNAUTHENTICATED: Blame(
        "the sender's domain does not vouch for us", ("dkim", *AUTHORS), "mailer check shows what is missing in the DNS"
    ),
    Cause.QUOTA_USED_UP: Blame("what the account may send is used up", (), "time, or a larger quota"),
    Cause.UNWRITABLE: Blame(
        "a mailbox cannot be written", ("domain.via",), "its directory has to be there, and ours to write; mailer doctor shows more"
    ),
    Cause.UNSIGNED: Blame("a signature cannot be made", ("dkim.key_file",), "the log says why"),
}
"""What is ours to mend, by the cause."""


def kind_of(cause: Cause) -> Literal["login", "refused"]:
    """The word that alarm and ``blocked_by`` have for `cause`: ``login`` or ``refused``."""
    return "login" if cause in (Cause.CREDENTIAL, Cause.LOGIN, Cause.LOGIN_REFUSED, Cause.LOGIN_WANTED) else "refused"


def mended(cause: Cause, config: Config | None = None, relay: str = "") -> str:
    """What mends a fault of ours, for a person: settings with where they stand, and what else may help."""
    blame = BLAME[cause]
    names = blame.settings
    if config is not None and (written := [name for name in names if config.lines.get(_full(name, relay))]):
        names = tuple(written)  # those that somebody has written down are the ones to look at
    shown = [_shown(name, config, relay) for name in names[:3]]
    return "; ".join(part for part in (" or ".join(shown), blame.advice) if part)


def _full(name: str, relay: str) -> str:
    return name.replace("relay.", f"relay.{relay}.", 1)


def _shown(name: str, config: Config | None, relay: str) -> str:
    section, _, setting = name.rpartition(".")
    if not section:
        return f"[[{setting}]]"
    if section == "relay" and relay:
        section = f"relay.{relay}"
    line = config.lines.get(_full(name, relay)) if config else 0
    place = f" ({config.path}:{line})" if config and line else ""
    return f"{setting} of [{section}]{place}"
