"""What is asked for a message, as the parameters of MAIL and RCPT that a host understands; and what it means that it does not.

===============  ===============  =======================================================================================
asked            extension        where it is not offered
===============  ===============  =======================================================================================
reports          DSN              nothing is said. Who relays then owes the sender a report, RFC 3461 §5.2.2
TLS all the way  REQUIRETLS       the message is refused: to send it would break the promise, RFC 8689 §4.2.1
a deadline       DELIVERBY        refused if it was to come back in time, RFC 2852 §4; else nothing is said
haste            MT-PRIORITY      nothing is said, RFC 6710 §4
a later release  FUTURERELEASE    refused: to send it would release it now, RFC 4865 §4
===============  ===============  =======================================================================================

A refusal is ours, a reply with a code of RFC 3463.
"""

from __future__ import annotations

import re

from mailer.mail.dates import parse_rfc3339, rfc3339
from mailer.mail.delivery_options import Request, Wanted
from mailer.mail.outcome import Cause

from .extension import Extensions
from .reply import Reply


def objection(request: Request, offered: Extensions, *, protected: bool) -> Reply | None:
    """Why this host cannot be asked for what was asked; `protected`: the session has TLS with a verified certificate."""
    if request.require_tls and not (offered.require_tls and protected):
        what = "does not offer REQUIRETLS" if protected else "has proved nothing: REQUIRETLS needs TLS with a verified certificate"
        return Reply.own(554, "5.7.30", f"the sender requires TLS all the way, and the host {what}", Cause.UNFIT)
    if request.by is not None and request.by_return and not _in_time(request.by, offered):
        return Reply.own(554, "5.3.3", "the message has to be delivered in time or returned, which the host cannot promise", Cause.UNFIT)
    if request.hold and not _held(request.hold, offered):
        return Reply.own(554, "5.3.3", "the message is to be released later, and the host does not hold messages so long", Cause.UNFIT)
    return None


def of_mail(request: Request, offered: Extensions) -> list[str]:
    """The parameters of MAIL, for a request to which there is no `objection`. RFC 3461 §4.3, RFC 2852 §4, RFC 4865 §4, RFC 6710 §3"""
    words = []
    if request.require_tls:
        words.append("REQUIRETLS")
    if offered.dsn and request.ret:
        words.append(f"RET={request.ret}")
    if offered.dsn and request.envid:
        words.append(f"ENVID={xtext(request.envid)}")
    if offered.deliver_by and request.by is not None:
        words.append(f"BY={request.by};{'R' if request.by_return else 'N'}{'T' if request.by_trace else ''}")
    if offered.priority and request.priority is not None:
        words.append(f"MT-PRIORITY={request.priority}")
    if isinstance(request.hold, str):
        words.append(f"HOLDUNTIL={rfc3339(int(parse_rfc3339(request.hold)))}")
    elif request.hold:
        words.append(f"HOLDFOR={request.hold}")
    return words


def of_rcpt(wanted: Wanted, offered: Extensions) -> list[str]:
    """The parameters of RCPT: NOTIFY and ORCPT. RFC 3461 §4.1, §4.2"""
    words = []
    if offered.dsn and wanted.notify:
        words.append(f"NOTIFY={wanted.notify}")
    if offered.dsn and wanted.orcpt:
        kind, _, address = wanted.orcpt.partition(";")
        words.append(f"ORCPT={kind};{_unitext(address) if kind.lower() == 'utf-8' else xtext(address)}")
    return words


def xtext(text: str) -> str:
    """`text` as xtext, RFC 3461 §4: what could be mistaken for something else becomes ``+HH``."""
    return _SPECIAL.sub(lambda found: "".join(f"+{octet:02X}" for octet in found[0].encode()), text)


def _unitext(text: str) -> str:
    r"""RFC 6533 §3: ``\x{HH}`` for each character that xtext would encode, and for those beyond ASCII."""
    return _SPECIAL.sub(lambda found: rf"\x{{{ord(found[0]):X}}}", text.replace("\\", r"\x{5C}"))


_SPECIAL = re.compile(r"[^!-*,-<>-~]")


def _in_time(seconds: int, offered: Extensions) -> bool:
    """RFC 2852 §4: a host may say how much time it needs at least."""
    return offered.deliver_by and seconds >= offered.least_by


def _held(hold: int | str, offered: Extensions) -> bool:
    """RFC 4865 §4: a host says for how many seconds it holds a message at most, and until when."""
    if not offered.hold_seconds:
        return False
    if isinstance(hold, str):
        return not offered.hold_until or parse_rfc3339(hold) <= offered.hold_until
    return hold <= offered.hold_seconds
