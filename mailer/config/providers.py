"""The providers of `mailer-providers(7)` as ``mailer setup`` and ``mailer oauth login`` know them.

What stands here is what the files in ``examples/providers`` say; a test compares. Nothing is asked: whose address or MX host it is, is told
by its name.
"""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import urlsplit

from mailer.mail.pattern import fits

TENANT = "TENANT"
"""Stands in an endpoint for what the provider calls an organisation."""


class Consent(NamedTuple):
    """Where tokens come from. `device` is empty where the provider gives no codes for mail; `host` is what it lets redirects lead to.

    `scope` is what to ask for when somebody consents; `renewed` whether it is asked for again with each access token.
    """

    token: str
    authorization: str
    device: str
    scope: str
    renewed: bool
    host: str = "127.0.0.1"
    extra: tuple[tuple[str, str], ...] = ()

    @property
    def known(self) -> bool:
        """Whether the other endpoints are known from that of the tokens."""
        return consent_of(self.token) is not None

    def of(self, tenant: str) -> Consent:
        """With the name of the organisation, where one belongs."""
        return self._replace(**{name: getattr(self, name).replace(TENANT, tenant) for name in ("token", "authorization", "device")})


class Preset(NamedTuple):
    """A provider. `host` is empty where it is one's own; `domains` and `mx` are patterns of addresses and MX hosts that are its.

    `login` is the username where it is always the same one, `auth` the mechanism for a password, `size` the largest message, `parallel` how
    many connections it bears (0: not said), `password` what its password is, and `note` what one has to know beforehand.
    """

    name: str
    title: str
    host: str
    password: str
    size: str
    domains: tuple[str, ...] = ()
    mx: tuple[str, ...] = ()
    login: str = ""
    auth: str = "plain"
    parallel: int = 0
    consent: Consent | None = None
    note: str = ""


GOOGLE = Consent(
    "https://oauth2.googleapis.com/token",
    "https://accounts.google.com/o/oauth2/v2/auth",
    "",
    "https://mail.google.com/",
    renewed=False,
    extra=(("access_type", "offline"), ("prompt", "consent")),
)
MICROSOFT = Consent(
    f"https://login.microsoftonline.com/{TENANT}/oauth2/v2.0/token",
    f"https://login.microsoftonline.com/{TENANT}/oauth2/v2.0/authorize",
    f"https://login.microsoftonline.com/{TENANT}/oauth2/v2.0/devicecode",
    "https://outlook.office.com/SMTP.Send offline_access",
    renewed=True,
    host="localhost",
)

PRESETS = {
    preset.name: preset
    for preset in (
        Preset(
            "gmail",
            "Gmail and Google Workspace",
            "smtp.gmail.com",
            "an app password of 16 letters, from https://myaccount.google.com/apppasswords; that of the account is not taken",
            "25MB",
            ("gmail.com", "googlemail.com"),
            ("*.google.com", "*.googlemail.com"),
            parallel=5,
            consent=GOOGLE,
        ),
        Preset(
            "office365",
            "Office 365 (Exchange Online)",
            "smtp.office365.com",
            "the password of the mailbox, where its organisation still allows one",
            "35MB",
            ("*.onmicrosoft.com",),
            ("*.mail.protection.outlook.com", "*.mx.microsoft"),
            auth="auto",
            parallel=3,
            consent=MICROSOFT,
            note="Passwords are on their way out there: --oauth logs in with a token.",
        ),
        Preset(
            "amazon-ses",
            "Amazon SES",
            "email-smtp.eu-west-1.amazonaws.com",
            "the SMTP password that the SES console made; it is not the secret access key",
            "40MB",
            note="The region is part of the host: name yours with --relay email-smtp.REGION.amazonaws.com.",
        ),
        Preset(
            "sendgrid",
            "SendGrid",
            "smtp.sendgrid.net",
            "an API key, which begins with SG.",
            "30MB",
            login="apikey",
        ),
        Preset(
            "mailgun",
            "Mailgun",
            "smtp.mailgun.org",
            "the SMTP password of that user; it is not the API key",
            "25MB",
            note="In Europe the host is another: --relay smtp.eu.mailgun.org.",
        ),
        Preset("postfix", "a Postfix of your own", "", "the password of that user", "10MB", auth="auto"),
    )
}
"""Each by the name of its file."""


def of_domain(domain: str) -> Preset | None:
    """The provider that addresses at `domain` belong to; None where that is not known."""
    return next((preset for preset in PRESETS.values() if any(fits(pattern, domain.lower()) for pattern in preset.domains)), None)


def of_mail_host(host: str) -> Preset | None:
    """The provider that the MX host `host` belongs to; None where that is not known."""
    return next((preset for preset in PRESETS.values() if any(fits(pattern, host.lower()) for pattern in preset.mx)), None)


def of_host(host: str) -> Preset | None:
    """The provider whose server `host` is; None where that is not known."""
    return next((preset for preset in PRESETS.values() if host and preset.host == host.lower()), None)


def consent_of(token_endpoint: str) -> Consent | None:
    """Where somebody consents to tokens that come from `token_endpoint`, if that is known."""
    url = urlsplit(token_endpoint)
    for known in (GOOGLE, MICROSOFT):
        there = urlsplit(known.token)
        if url.netloc.lower() == there.netloc:
            return known.of(url.path.strip("/").partition("/")[0] or "common")
    return None
