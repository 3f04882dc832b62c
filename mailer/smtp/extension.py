"""What a server offers, as its reply to EHLO says (RFC 5321 §4.1.1.1).

A keyword that we do not know is kept in `keywords` and changes nothing. Parameters that make no sense
count as not given: a server that writes ``SIZE lots`` still takes mail.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from mailer.mail.dates import parse_rfc3339

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
