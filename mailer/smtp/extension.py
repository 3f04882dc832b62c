"""What a server offers, as its reply to EHLO says (RFC 5321 §4.1.1.1).

A keyword that we do not know is kept in `keywords` and changes nothing. Parameters that make no sense
count as not given: a server that writes ``SIZE lots`` still takes mail.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from .reply import Reply


@dataclass(frozen=True, slots=True)
class Extensions:
    """The offers of one session. After TLS they are asked for again, and these count no longer."""

    keywords: dict[str, str] = field(default_factory=dict)  # capitals → parameters as written
    pipelining: bool = False  # RFC 2920
    size: int = 0  # octets, the largest message; 0 = not said, RFC 1870
    sizes: bool = False  # MAIL may say SIZE=
    eight_bit: bool = False  # 8BITMIME, RFC 6152
    smtputf8: bool = False  # RFC 6531
    starttls: bool = False  # RFC 3207
    enhanced: bool = False  # ENHANCEDSTATUSCODES, RFC 2034
    dsn: bool = False  # RFC 3461
    chunking: bool = False  # RFC 3030
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
            mechanisms=frozenset(keywords.get("AUTH", "").upper().split()),
        )


NONE = Extensions()
"""What a server offers that answers HELO, or has not been asked yet."""


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 20 else 0  # RFC 1870 §3
