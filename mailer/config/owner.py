"""The user whom the daemon runs as: he has to be able to read secrets and to write logs, whoever asks about them.

It is the one whom the spool belongs to, for a daemon runs on no other's. Root can look with his eyes: `become` gives up all
rights but his, for the rest of the process, so what he could not read is not read, and a command for a password runs as it
will. For others, `is_foreign` says that they cannot know.
"""

from __future__ import annotations

import os
import pwd
import stat

from mailer.machine.users import called
from mailer.mail.problem import Problem


class Owner:
    """The user `uid` with the group `gid`."""

    def __init__(self, uid: int, gid: int) -> None:
        self.uid = uid
        self.gid = gid
        try:
            entry = pwd.getpwuid(uid)
        except KeyError:  # one that nobody has named
            self.name, self.home, self.groups = str(uid), "/", [gid]
        else:
            self.name, self.home, self.groups = entry.pw_name, entry.pw_dir, os.getgrouplist(entry.pw_name, gid)

    @property
    def is_foreign(self) -> bool:
        """Whether the one who asks is another, and not root."""
        return os.geteuid() not in (0, self.uid)

    def become(self) -> bool:
        """Be this user from now on, if that is a change and root asks for it; whether it was."""
        if os.geteuid() != 0 or self.uid == 0:
            return False
        os.setgroups(self.groups)
        os.setresgid(self.gid, self.gid, self.gid)
        os.setresuid(self.uid, self.uid, self.uid)
        os.environ["HOME"] = self.home
        return True

    def give(self, path: str) -> None:
        """Make a file that root has made this user's."""
        if os.geteuid() == 0 and self.uid != 0:
            os.chown(path, self.uid, self.gid)


def keeper_of(spool: str) -> Owner:
    """The user whose files the secrets are: the daemon's where root asks, else the one who asks."""
    return owner_of(spool) if os.geteuid() == 0 else Owner(os.geteuid(), os.getegid())


def owner_of(spool: str) -> Owner:
    """The owner of the spool; where there is none yet, the one who asks would make it his."""
    try:
        about = os.stat(spool)
    except OSError:
        return Owner(os.geteuid(), os.getegid())
    return Owner(about.st_uid, about.st_gid)


def check_ancestors(spool: str) -> None:
    """Refuse a spool that somebody else could swap for his own. Raises `Problem` (no-permission).

    Each directory above it must belong to us or to root, and others may write it only if it is sticky. Those that are still to be made
    will.
    """
    path = os.path.dirname(os.path.realpath(spool))
    while True:
        try:
            known = os.stat(path)
        except FileNotFoundError:
            known = None
        if known and known.st_uid not in (0, os.geteuid()):
            raise Problem(f"{path}, above the spool, belongs to {called(known.st_uid)}, who could replace the spool", "no-permission")
        if known and known.st_mode & stat.S_IWOTH and not known.st_mode & stat.S_ISVTX:
            raise Problem(f"others can write {path}, above the spool, and could replace it: chmod go-w {path}", "no-permission")
        if path == "/":
            return
        path = os.path.dirname(path)
