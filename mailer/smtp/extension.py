"""What a server offers, as its reply to EHLO says (RFC 5321 §4.1.1.1).

A keyword that we do not know is kept in `keywords` and changes nothing. Parameters that make no sense
count as not given: a server that writes ``SIZE lots`` still takes mail.

What is asked for a message goes out as parameters of MAIL and RCPT that the host understands; and what it means that it does not:

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
from dataclasses import dataclass, field

from mailer.mail.dates import parse_rfc3339, rfc3339
from mailer.mail.delivery_options import MAX_ORCPT, Request, Wanted
from mailer.mail.outcome import Cause

from .reply import Reply


@dataclass(frozen=True, slots=True)
class Extensions:
    """The offers of a server in one session; behind TLS others count (RFC 3207 §4.2). Sizes are octets, times seconds."""

    keywords: dict[str, str] = field(default_factory=dict)  # capitals → parameters as written
    pipelining: bool = False  # RFC 2920
    size: int = 0  # octets, the largest message; 0 = not said, RFC 1870
    sizes: bool = False  # MAIL may say SIZE=
    eight_bit: bool = False  # 8BITMIME, RFC 6152
    smtputf8: bool = False  # RFC 6531
    starttls: bool = False  # RFC 3207
    enhanced: bool = False  # ENHANCEDSTATUSCODES, RFC 2034
    dsn: bool = False  # RFC 3461
    chunking: bool = False  # RFC 3030 §2
    binary: bool = False  # BINARYMIME, RFC 3030 §3
    require_tls: bool = False  # RFC 8689
    deliver_by: bool = False  # RFC 2852
    least_by: int = 0  # seconds that it needs for that
    priority: bool = False  # MT-PRIORITY, RFC 6710
    hold_seconds: int = 0  # FUTURERELEASE, RFC 4865: for how long at most
    hold_until: float = 0.0  # and until when; seconds since the epoch, 0 = not said
    max_mails: int = 0  # LIMITS, RFC 9422 §4: transactions in this session, 0 = not said
    max_recipients: int = 0  # recipients of a transaction
    max_domains: int = 0  # different domains among them
    mechanisms: frozenset[str] = frozenset()  # of AUTH, capitals, RFC 4954

    @classmethod
    def parse(cls, reply: Reply) -> Extensions:
        """Read the reply to EHLO; its first line is the server's name."""
        keywords: dict[str, str] = {}
        for line in reply.lines[1:]:
            # "AUTH=LOGIN PLAIN" is what some servers of the nineties say, mostly besides the proper line
            name, _, parameters = line.strip().replace("AUTH=", "AUTH ", 1).partition(" ")
            keyword = name.upper()
            keywords[keyword] = f"{keywords.get(keyword, '')} {parameters}".strip()
        limits = _limits(keywords.get("LIMITS", ""))
        interval, _, until = keywords.get("FUTURERELEASE", "").partition(" ")
        return cls(
            keywords,
            pipelining="PIPELINING" in keywords,
            size=_number(keywords.get("SIZE", "")),
            sizes="SIZE" in keywords,
            eight_bit="8BITMIME" in keywords,
            smtputf8="SMTPUTF8" in keywords,
            starttls="STARTTLS" in keywords,
            enhanced="ENHANCEDSTATUSCODES" in keywords,
            dsn="DSN" in keywords,
            chunking="CHUNKING" in keywords,
            binary="BINARYMIME" in keywords and "CHUNKING" in keywords,  # RFC 3030 §3: not without it
            require_tls="REQUIRETLS" in keywords,
            deliver_by="DELIVERBY" in keywords,
            least_by=_number(keywords.get("DELIVERBY", "").partition(",")[0]),
            priority="MT-PRIORITY" in keywords,
            hold_seconds=_number(interval),
            hold_until=_moment(until),
            max_mails=limits.get("MAILMAX", 0),
            max_recipients=limits.get("RCPTMAX", 0),
            max_domains=limits.get("RCPTDOMAINMAX", 0),
            mechanisms=frozenset(keywords.get("AUTH", "").upper().split()),
        )


NONE = Extensions()
"""What a server offers that answers HELO, or has not been asked yet."""


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 20 else 0  # RFC 1870 §3


def _limits(text: str) -> dict[str, int]:
    """RFC 9422 §3: ``NAME=value``, in any number; a name that we do not know, or a value that is no number, limits nothing."""
    pairs = (word.partition("=") for word in text.split())
    return {name.upper(): _number(value) for name, _, value in pairs}


def _moment(text: str) -> float:
    try:
        return parse_rfc3339(text.strip())
    except ValueError:
        return 0.0


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


def mail_parameters(request: Request, offered: Extensions) -> list[str]:
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


def rcpt_parameters(wanted: Wanted, offered: Extensions, own: str = "") -> list[str]:
    """The parameters of RCPT: NOTIFY, and ORCPT, which is the recipient's `own` address where no other is said. RFC 3461 §4.1, §4.2"""
    words = []
    if offered.dsn and wanted.notify:
        words.append(f"NOTIFY={wanted.notify}")
    if offered.dsn and wanted.orcpt:
        kind, _, address = wanted.orcpt.partition(";")
        words.append(f"ORCPT={kind};{_unitext(address) if kind.lower() == 'utf-8' else xtext(address)}")
    elif offered.dsn and own.isascii() and 0 < len(text := xtext(own)) <= MAX_ORCPT - len("rfc822;"):
        words.append(f"ORCPT=rfc822;{text}")
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
