"""What a script has decided: values, for whoever carries them out.

The implicit keep is among them where there is one (RFC 5228 §2.10.2), and nothing is there twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from typing import TypeAlias


class Keep(NamedTuple):
    """Put it where it goes without a script, with these flags of IMAP."""

    flags: tuple[str, ...] = ()


class FileInto(NamedTuple):
    """Put it into `folder`, which is made if it is missing and `create` says so. `role` is a special use, as ``\\Junk``, whose folder is
    meant if there is one (RFC 8579 §4)."""

    folder: str
    flags: tuple[str, ...] = ()
    create: bool = False
    role: str = ""


class Forward(NamedTuple):
    """Send it on to `address`. RFC 5228 §4.2"""

    address: str


class Vacation(NamedTuple):
    """Answer its sender, once in so many `seconds`. RFC 5230 §4

    `mime` says that `reason` is a whole entity of MIME. `handle` tells answers apart, empty where the rest of it has to.
    """

    reason: str
    subject: str = ""
    from_: str = ""
    addresses: tuple[str, ...] = ()
    seconds: int = 7 * 86_400
    handle: str = ""
    mime: bool = False


class Discard(NamedTuple):
    """Do not keep it. RFC 5228 §4.4"""


Action: TypeAlias = "Keep | FileInto | Forward | Vacation | Discard"
