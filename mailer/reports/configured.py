"""A mailbox that reports come to, as its section of the configuration says it: which source, who we are there, what TLS there has to be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailer.config.secret import Secret
from mailer.tlspolicy import Requirement

from .sources import MailboxLogin, MailboxServer, ReportTaker

if TYPE_CHECKING:
    from collections.abc import Callable

    from mailer.config import Config
    from mailer.config.sections.report_source import ReportSource

    from .api import Reports
    from .sources import MailboxSource


def source_of(section: ReportSource, config: Config) -> MailboxSource:
    """The mailbox of `section`. Only what speaks its protocol is loaded."""
    delete, most = section.done == "delete", section.max_report
    if section.kind == "maildir":
        from .maildir import MaildirSource

        return MaildirSource(section.path, delete=delete, most=most)
    server = server_of(section, config)
    if section.kind == "pop3":
        from .pop3 import Pop3Source

        return Pop3Source(server, delete=delete, most=most)
    from .imap import ImapSource

    return ImapSource(server, section.folder, move=section.moves_to, delete=delete, most=most)


def server_of(section: ReportSource, config: Config) -> MailboxServer:
    """The server of `section`."""
    authorities = section.ca_file or config.tls.ca_file
    requirement = Requirement(section.tls, section.tls != "none", authorities, section.server_name, config.tls.min_version)
    clear = section.tls == "none"  # else there is TLS, or nothing is said
    return MailboxServer(section.host, section.port, requirement, _login(section, authorities), section.timeout, clear)


def taker_of(section: ReportSource, config: Config, reports: Reports, now: Callable[[], float]) -> ReportTaker:
    """Make the one who takes what is a report there; `now` gives seconds since the epoch."""
    return ReportTaker(reports, section.name, config.bounce.address, now, only_reports=section.only_reports)


def _login(section: ReportSource, authorities: str) -> MailboxLogin:
    if section.oauth_endpoint:
        from mailer.net.oauth import OAuth  # which has an HTTP client to load

        client = Secret("file", (section.oauth_client_secret_file,)) if section.oauth_client_secret_file else None
        refresh = section.oauth_refresh_token_file
        tokens = OAuth(
            section.oauth_endpoint,
            section.oauth_client_id,
            Secret("file", (refresh,)),
            section.oauth_token_file or f"{refresh}.access",
            client,
            section.oauth_scope,
            authorities,
        )
        return MailboxLogin(section.username, tokens, token=True, refused=tokens.forget)
    assert section.secret is not None  # the section sees to that
    return MailboxLogin(section.username, section.secret)
