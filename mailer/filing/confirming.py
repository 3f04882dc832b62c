"""An address that mail is to be forwarded to is asked first: who got into somebody's account must not read along for ever.

The code goes to that address, and the owner of the mailbox hears that it was asked. Only he who has both, the mail there and the right to
change the rules here, can have mail forwarded. Of the code the mailbox keeps a digest. A mailbox has no more than `MOST` addresses asked a
day: who has got into an account can make us write to so many strangers, and not more.
"""

from __future__ import annotations

import json
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from mailer.mail.problem import Problem
from mailer.submit import Submission, submit

if TYPE_CHECKING:
    from collections.abc import Callable

    from mailer.mailbox.api import Mailbox
    from mailer.mailbox.scripts import ForwardKind, OwnForward

    from .carry import SendingTerms

LENGTH: Final = 10  # symbols of a code
MOST: Final = 10  # codes that one mailbox sends in `WITHIN`
WITHIN: Final = 86400.0  # seconds
SETTING: Final = "forwards asked"  # when, in seconds since the epoch
ALPHABET: Final = "23456789abcdefghjkmnpqrstuvwxyz"  # none that looks like another


def digest_of(code: str) -> str:
    """What is kept of a code; blanks and capital letters make no difference."""
    return sha256("".join(code.lower().split()).encode("utf-8", "replace")).hexdigest()


def ask(mailbox: Mailbox, address: str, kind: ForwardKind, terms: SendingTerms, choose: Callable[[str], str]) -> OwnForward:
    """Note a forward to `address`, which does not count yet, and send it the code; `choose` takes a symbol of a text by chance.

    Raises `Problem`: try-again for one too many.
    """
    asked = _asked(mailbox, terms.now)
    if len(asked) >= MOST:
        hours = max(round((min(asked) + WITHIN - terms.now) / 3600), 1)
        raise Problem(
            f"{MOST} addresses were asked today whether mail may be forwarded to them; ask the next one in {hours} h", "try-again"
        )
    code = "".join(choose(ALPHABET) for _ in range(LENGTH))
    found = mailbox.scripts.add_forward(address, kind, terms.now, code=digest_of(code))
    if found.confirmed:
        return found
    mailbox.keep_setting(SETTING, json.dumps([*asked, terms.now]))
    owner = mailbox.owner.address
    _send(
        owner,
        address,
        f"May mail for {owner} be forwarded to you?",
        f"{owner} asks to have mail forwarded to {address}.\r\n\r\nIf you want that, give {owner} this code:\r\n\r\n    {code}\r\n\r\n"
        "If you do not, do nothing: without the code, none is forwarded. It can be used for a week.\r\n",
        terms,
    )
    _send(
        owner,
        owner,
        f"Mail is to be forwarded to {address}",
        f"Somebody who can change the rules of {owner} asks to have mail forwarded to {address}. It is not forwarded before a code "
        f"is given that was sent there.\r\n\r\nIf that was not you, change your password, and take the address out:\r\n\r\n"
        f"    mailer mailbox forward {owner} remove {address}\r\n",
        terms,
    )
    return found


def _asked(mailbox: Mailbox, now: float) -> list[float]:
    """When somebody was asked of late."""
    try:
        times = [float(at) for at in json.loads(mailbox.setting(SETTING) or "[]")]
    except (ValueError, TypeError):
        return []
    return [at for at in times if now - WITHIN < at <= now]


def _send(owner: str, to: str, subject: str, text: str, terms: SendingTerms) -> None:
    fields = [f"From: {owner}", f"To: {to}", f"Subject: {subject}", "Auto-Submitted: auto-generated", "MIME-Version: 1.0"]
    fields += ["Content-Type: text/plain; charset=utf-8", "Content-Transfer-Encoding: 8bit", "", text]
    submit(Submission("\r\n".join(fields).encode(), sender="", recipients=[to]), terms.settings, terms.now)
