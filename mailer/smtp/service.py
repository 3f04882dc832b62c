"""What kind of SMTP server a `Server` is: its name, its limits, and what it offers to whom."""

from __future__ import annotations

from dataclasses import dataclass

from .credentials import NOTHING, Known


@dataclass(frozen=True, slots=True)
class Service:
    """Settings of a receiving server, the same for all its sessions. Sizes are octets; zero means no limit."""

    name: str = "localhost"
    lmtp: bool = False  # LMTP is spoken: LHLO, and an answer for each recipient, RFC 2033
    max_size: int = 0
    max_recipients: int = 1000  # RFC 5321 §4.5.3.1.8 wants at least 100
    max_mistakes: int = 20  # then 421: whoever makes so many understands nothing of what we say
    max_idle: int = 200  # commands in a row that get no message further, then 421
    starttls: bool = False  # the driver can make a handshake
    mechanisms: tuple[str, ...] = ()  # of AUTH, by preference
    known: Known = NOTHING  # what those of them need in which no password travels
    clear_auth: bool = False  # AUTH is offered without TLS too
    require: frozenset[str] = frozenset()  # what MAIL needs first: "tls", "auth"
    normalise: bool = False  # put bare CR, LF and NUL right instead of refusing the message
    hide: frozenset[str] = frozenset()  # keywords of extensions that are not offered
    offer: tuple[str, ...] = ()  # "KEYWORD parameters": offered besides, or instead of ours with this keyword

    def offered(self, tls: bool, user: bool) -> dict[str, str]:
        """Keyword → parameters of what EHLO shows to a client that has TLS, or has authenticated.

        STARTTLS and AUTH are not offered where they would be refused (RFC 3207 §4.2, RFC 4954 §4).
        """
        lines = {"PIPELINING": "", "SIZE": str(self.max_size), "8BITMIME": "", "SMTPUTF8": "", "ENHANCEDSTATUSCODES": ""}
        if self.starttls and not tls:
            lines["STARTTLS"] = ""
        if self.mechanisms and not user and (tls or self.clear_auth):
            lines["AUTH"] = " ".join(self.mechanisms)
        for line in self.offer:
            keyword, _, parameters = line.partition(" ")
            lines[keyword.upper()] = parameters
        return {keyword: parameters for keyword, parameters in lines.items() if keyword not in self.hide}
