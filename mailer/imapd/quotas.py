"""GETQUOTA, GETQUOTAROOT and SETQUOTA: how much a mailbox may have, and has. RFC 9208.

A quota is of a user, and of all his folders: its root is the empty name. One who has none has no root. Clients do not change it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mailer.imap.answer import Answer
from mailer.imap.quotas import UNIT, quota_line, quota_root_line
from mailer.transport.local import quota_of

if TYPE_CHECKING:
    from mailer.imap.command import GetQuota, GetQuotaRoot, SetQuota
    from mailer.mailbox.api import Mailbox, Quota, Usage

    from .session import ImapSession

ROOT: Final = ""
NO_ROOT: Final = Answer("NO", "there is no such quota", "NONEXISTENT")
FIXED: Final = Answer("NO", "quotas are set by whoever looks after this server", "NOPERM")


async def get_quota(session: ImapSession, command: GetQuota) -> Answer:
    """GETQUOTA."""
    if command.root != ROOT or not any(quota_of(session.user)):
        return NO_ROOT
    await _tell(session)
    return Answer("OK", "that is how much there may be")


async def get_quota_root(session: ImapSession, command: GetQuotaRoot) -> Answer:
    """GETQUOTAROOT; the folder need not be there (RFC 9208 §4.1.2)."""
    roots = [ROOT] if any(quota_of(session.user)) else []
    session.say(quota_root_line(command.folder, roots, utf8=session.machine.utf8))
    if roots:
        await _tell(session)
    return Answer("OK", "that is how much there may be")


async def set_quota(session: ImapSession, command: SetQuota) -> Answer:  # noqa: ARG001 - as all handlers
    """SETQUOTA."""
    return FIXED


async def _tell(session: ImapSession) -> None:
    used: Usage = await session.ask(_usage)
    session.say(quota_line(ROOT, resources(quota_of(session.user), used)))


def _usage(mailbox: Mailbox) -> Usage:
    return mailbox.usage()


def resources(quota: Quota, used: Usage) -> dict[str, tuple[int, int]]:
    """What is used of each resource that is limited, and its limit; of octets as many units as they take, and as fit (RFC 9208 §5)."""
    found = {}
    if quota.octets:
        found["STORAGE"] = (-(-used.octets // UNIT), max(quota.octets // UNIT, 1))
    if quota.messages:
        found["MESSAGE"] = (used.messages, quota.messages)
    return found
