"""Mail from other users of this machine: whether it is taken, from whom, and as whose."""

from __future__ import annotations

from .. import values
from ..kinds import PERIOD, several
from . import COUNT, SWITCH, Kind, Section, Setting


def _who(value: object) -> str:
    name = values.text(value)
    if not name.removeprefix("@") or " " in name or ":" in name:
        raise ValueError(f'{values.written(value)} is no user; write "www-data", a group as "@staff", or "*"')
    return name


def _sender(value: object) -> str:
    pattern = values.text(value)
    if pattern != "*" and not ("@" in pattern and pattern.rpartition("@")[2]):
        raise ValueError(f'{values.written(value)} is no sender; write "robot@example.com", "*@example.com", "{{user}}@example.com" or "*"')
    return pattern


WHO = Kind("user | @group | *", _who)
SENDER = Kind("address or pattern", _sender)


class Intake(Section, header="[intake]"):
    """Mail from other users of this machine than the owner of the spool, who run `mailer send` or sendmail(8) themselves.

    No program needs privileges for that: a user hands mail to the daemon by a socket in the spool, which tells the daemon who is
    calling, or leaves it in a directory while the daemon is down. See mailer-spool(5). Without this, a spool is its owner's alone.
    """

    enabled = Setting(
        SWITCH, "Whether others may hand mail in. The daemon then opens the spool to that when it starts; nobody can read in it.", False
    )
    max_connections = Setting(COUNT, "How many of them are served at a time; a quarter of that for one user.", 64)
    timeout = Setting(PERIOD, "How long one may take to say what he wants, or to take the answer.", "30s")


class Submitter(Section, header="[[submitter]]", member="submitters", plural="submitters"):
    """A user who may send besides root, and as whom; the first section that fits a user counts.

    Where there is none, all users may send, as anybody. Where there are some, a user whom none fits may not send at all. Root and
    the owner of the spool always may. The daemon sees to it, so nobody gets around it with a program of his own.
    """

    user = Setting(WHO, 'The name of a user, of a group with "@" before it, or "*" for everybody.', example="www-data")
    senders = Setting(
        several(SENDER, least=1),
        "The addresses that may stand as envelope sender, in From and in Sender; * stands for any text, {user} for the user's name. "
        "The null sender always may be one.",
        ["*"],
    )
