"""What the sender of a message asks of those who carry it, beyond its delivery: reports, haste, TLS all the way.

A value that travels beside the envelope; `mailer.smtp.extension` turns it into the parameters of MAIL and RCPT where a host
offers the extension, and says what happens where it does not. A `Request` that exists is valid: everything in it is
checked when it is made, so no parameter is built from what somebody else wrote.

=================  ============================================================================  ====================
`ret`, `envid`     how much of the message a report returns, and the sender's own number for it  RFC 3461 §4.3, §4.4
`notify`, `orcpt`  when to report, and the address that was written first; for each recipient    RFC 3461 §4.1, §4.2
`require_tls`      no hop without verified TLS                                                   RFC 8689 §2
`by`               seconds until it is of no use any more, and what happens then                 RFC 2852 §4
`priority`         -9 to 9                                                                       RFC 6710 §4
`hold`             not to be released before                                                     RFC 4865 §4
=================  ============================================================================  ====================
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from .dates import parse_rfc3339

MAX_ENVID = 100  # characters, RFC 3461 §4.4
MAX_ORCPT = 500  # RFC 3461 §4.2
MAX_SECONDS = 999_999_999  # nine digits, RFC 2852 §4, RFC 4865 §4

NOTIFY = frozenset({"SUCCESS", "FAILURE", "DELAY"})
"""When a report may be wanted, RFC 3461 §4.1; ``NEVER`` stands alone."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for one recipient: `notify` like ``FAILURE,DELAY`` or ``NEVER``, `orcpt` like ``rfc822;ann@example.org``.

    Empty: not said.
    """

    notify: str = ""
    orcpt: str = ""

    def __post_init__(self) -> None:
        if self.notify and self.notify != "NEVER" and not _distinct(self.notify.split(",")) <= NOTIFY:
            raise ValueError(f"notify is NEVER, or some of {', '.join(sorted(NOTIFY))}, not {self.notify!r}")
        kind, semicolon, address = self.orcpt.partition(";")
        if self.orcpt and not (semicolon and _ATOM.fullmatch(kind) and address and address.isprintable() and len(self.orcpt) <= MAX_ORCPT):
            raise ValueError(f"orcpt is written TYPE;ADDRESS, not {self.orcpt!r}")


@dataclass(frozen=True, slots=True)
class Request:
    """Everything that is asked for one message. Raises `ValueError` for what cannot be asked.

    `everybody` holds for the recipients that have no entry of their own in `recipients`. `hold` is a number of
    seconds, or a time in RFC 3339. `by_return`: after `by` seconds the message comes back; otherwise it goes on and the sender
    is told that it is late. `named` has each recipient's own address said for him where no other one is.
    """

    ret: str = ""
    envid: str = ""
    require_tls: bool = False
    by: int | None = None
    by_return: bool = True
    by_trace: bool = False
    priority: int | None = None
    hold: int | str = 0
    everybody: Wanted = field(default=Wanted())
    recipients: Mapping[str, Wanted] = field(default_factory=dict)
    named: bool = False

    def __post_init__(self) -> None:
        if self.ret not in ("", "FULL", "HDRS"):
            raise ValueError(f"ret is FULL or HDRS, not {self.ret!r}")
        if len(self.envid) > MAX_ENVID or not (self.envid.isascii() and self.envid.isprintable()):
            raise ValueError(f"envid is at most {MAX_ENVID} printable characters of ASCII, not {self.envid!r}")
        if self.by is not None and not (1 if self.by_return else -MAX_SECONDS) <= self.by <= MAX_SECONDS:
            raise ValueError(f"{self.by} is no number of seconds to deliver in")  # RFC 2852 §4: R wants it positive
        if self.priority is not None and not -9 <= self.priority <= 9:
            raise ValueError(f"a priority is a number from -9 to 9, not {self.priority}")
        _check_hold(self.hold)

    def of(self, recipient: str) -> Wanted:
        """What is asked for `recipient`."""
        return self.recipients.get(recipient, self.everybody)

    def unreported(self) -> Request:
        """The request without what it says of reports: whoever asks for them under the name of another gets none, from no host."""
        known = {to: Wanted(orcpt=each.orcpt) for to, each in self.recipients.items()}
        return replace(self, ret="", everybody=Wanted(orcpt=self.everybody.orcpt), recipients=known)

    @classmethod
    def read(cls, options: Mapping[str, object]) -> Request:
        """The request in the `options` of an envelope; members that are not known are another program's.

        Raises `ValueError` for one that has the wrong form.
        """
        known: dict[str, Any] = {name: options[name] for name in MEMBERS if name in options}
        for name, value in known.items():
            if not isinstance(value, MEMBERS[name]) or (isinstance(value, bool) and bool not in MEMBERS[name]):
                raise ValueError(f"the option {name} cannot be {value!r}")
        everybody = Wanted(known.pop("notify", ""), known.pop("orcpt", ""))
        each = known.pop("recipients", {})
        return cls(**known, everybody=everybody, recipients={to: _wanted(to, value) for to, value in each.items()})


MEMBERS: Mapping[str, tuple[type, ...]] = {
    "ret": (str,),
    "envid": (str,),
    "require_tls": (bool,),
    "by": (int,),
    "by_return": (bool,),
    "by_trace": (bool,),
    "priority": (int,),
    "hold": (int, str),
    "notify": (str,),
    "orcpt": (str,),
    "recipients": (Mapping,),
}
"""Option → what its value may be."""

_ATOM = re.compile(r"[A-Za-z0-9!#$%&'*/=?^_`{|}~.-]+")  # RFC 3461 §4.2: an address type


def _wanted(to: str, value: object) -> Wanted:
    if not isinstance(value, Mapping):
        raise ValueError(f"the options of the recipient {to} are no object")
    notify, orcpt = value.get("notify", ""), value.get("orcpt", "")
    if not isinstance(notify, str) or not isinstance(orcpt, str):
        raise ValueError(f"the options of the recipient {to} are no text")
    return Wanted(notify, orcpt)


def _distinct(words: list[str]) -> frozenset[str]:
    """The words as a set; one that stands twice makes it a set of nothing that is known."""
    return frozenset(words) if len(set(words)) == len(words) else frozenset({""})


def _check_hold(hold: int | str) -> None:
    if isinstance(hold, str):
        parse_rfc3339(hold)
    elif not 0 <= hold <= MAX_SECONDS:
        raise ValueError(f"{hold} is no number of seconds to hold a message")


NOTHING = Request()
"""What most messages ask for."""
