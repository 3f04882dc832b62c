"""The users as the configuration has them: where they are looked up. Of the places only the one that it names is loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailer.config.sections.accounts import DOVECOT, FILE

if TYPE_CHECKING:
    from mailer.config import Config

    from .api import Users


def users_of(config: Config) -> Users:
    """The users of ``[accounts]``, who are looked up when somebody is asked about."""
    section = config.accounts
    if section.source == FILE:
        from mailer.config.secret import keeper_of

        from .file import FileUsers

        return FileUsers(section.users_file, keeper_of(config.spool))
    if section.source == DOVECOT:
        from .dovecot import DovecotUsers

        return DovecotUsers(section.dovecot_auth, section.dovecot_users, config.submission.default_domain)
    from .sqlite import NAME, SqliteUsers

    return SqliteUsers(section.path or f"{config.spool}/{NAME}")
