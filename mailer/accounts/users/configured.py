"""The users as the configuration has them: where they are looked up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailer.config.secret import keeper_of
from mailer.config.sections.accounts import DOVECOT, FILE

from .dovecot import DovecotUsers
from .file import FileUsers
from .sqlite import NAME, SqliteUsers

if TYPE_CHECKING:
    from mailer.config import Config

    from .api import Users


def users_of(config: Config) -> Users:
    """The users of ``[accounts]``, who are looked up when somebody is asked about."""
    section = config.accounts
    if section.source == FILE:
        return FileUsers(section.users_file, keeper_of(config.spool))
    if section.source == DOVECOT:
        return DovecotUsers(section.dovecot_auth, section.dovecot_users, config.submission.default_domain)
    return SqliteUsers(section.path or f"{config.spool}/{NAME}")
