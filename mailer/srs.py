"""The Sender Rewriting Scheme: the reverse-path of mail that an address of ours passes on, so that SPF lets it through, and the way back.

Who forwards mail with the reverse-path that it had is no host which the sender's domain has named (RFC 7208 §D), and the mail is refused.
So it leaves with one of our domain, in whose local part the sender's address stands, signed and dated::

    SRS0=4yW7=JT=example.org=ann@example.com           ann@example.org wrote, and an address at example.com passed it on
         |    |  domain      local part
         |    the day, two symbols of five bits, modulo 1024
         HMAC-SHA1 (RFC 2104) over day, domain and local part in small letters, the first four symbols in base 64

    SRS1=kA3d=example.net==4yW7=JT=example.org=ann@example.com    a second forwarder's: the first one's, without its SRS0, behind its domain

However often mail is passed on, the address grows no further: a third forwarder puts its own hash in place of the second's, and reports go
straight to the first one, who knows the way back (M. Wong, "Sender Rewriting Scheme", 2003). A report that comes to such an address is
turned back for `DAYS` days, to the one sender that the hash stands for; case does not matter, since hosts change it, and hashes are
compared in constant time. Agrees with postsrsd. While a secret is replaced there are several: the first signs, all of them read.

What this does not cover: 24 bits are no proof of anything, only enough that nobody finds our open door to an address by guessing. Pure;
used by `mailer.transport.return_path` and at the doors where mail comes in.
"""

from __future__ import annotations

import hmac
from base64 import b64encode
from typing import TYPE_CHECKING, Final

from mailer.mail.address import MAX_ADDRESS, ascii_address, dot_string, plain_local

if TYPE_CHECKING:
    from collections.abc import Sequence

DAYS: Final = 21
"""Days for which a report is turned back: that is longer than any host tries."""

DAY: Final = 86400.0  # seconds
_CYCLE = 1024  # days, which two symbols tell apart
_SYMBOLS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_HASH = 4  # symbols
_SEPARATORS = "=+-"  # behind the first word; we write the first


class NotTurnedBack(ValueError):
    """An address in this form that nobody is behind: forged, of a day long gone, or cut short; `str()` says which."""


def day_of(now: float) -> int:
    """The day of `now` (seconds since the epoch)."""
    return int(now // DAY)


def is_rewritten(address: str) -> bool:
    """Whether `address` has the form of one that a forwarder made, whoever that was."""
    local = plain_local(address.rpartition("@")[0])
    return local[:4].upper() in ("SRS0", "SRS1") and local[4:5] != "" and local[4] in _SEPARATORS


def forward(sender: str, domain: str, secret: bytes, day: int) -> str:
    """The reverse-path at `domain` of ours that stands for `sender`, signed with `secret` on `day`.

    The null reverse-path stays what it is, and so does one for which there is no room in an address (RFC 5321 §4.5.3.1.3).
    """
    local, at, host = ascii_address(sender).rpartition("@")
    if not (local and at and host):
        return sender
    plain = plain_local(local)
    if not is_rewritten(sender):
        stamp = _stamp(day)
        made = f"SRS0={_hash(secret, stamp, host, plain)}={stamp}={host}={plain}"
    else:
        first, rest = (host, plain[4:]) if plain[3] == "0" else _first(plain)
        made = f"SRS1={_hash(secret, first, rest)}={first}={rest}"
    found = f"{dot_string(made)}@{domain}"
    return found if len(found.encode()) <= MAX_ADDRESS else sender


def reverse(address: str, secrets: Sequence[bytes], day: int) -> str:
    """The sender that `address` stands for, which one of `secrets` has signed within `DAYS` days before `day`. Raises `NotTurnedBack`."""
    plain = plain_local(address.rpartition("@")[0])
    if not is_rewritten(address):
        raise NotTurnedBack("it has not the form of an address that a forwarder made")
    given, _, rest = plain[5:].partition("=")
    if plain[3] == "1":
        host, rest = _first(plain)
        _check(given, secrets, host, rest)
        return f"{dot_string('SRS0' + rest)}@{host}"
    stamp, _, rest = rest.partition("=")
    host, _, local = rest.partition("=")
    if not (host and local):
        raise NotTurnedBack("it was cut short")
    _check(given, secrets, stamp, host, local)
    if (day - _day(stamp)) % _CYCLE > DAYS:
        raise NotTurnedBack(f"it is older than {DAYS} days")
    return f"{dot_string(local)}@{host}"


def _first(plain: str) -> tuple[str, str]:
    """The first forwarder in an SRS1 address, and what stood behind his SRS0. Raises `NotTurnedBack`."""
    host, _, rest = plain[5:].partition("=")[2].partition("=")
    if not host or rest[:1] == "" or rest[0] not in _SEPARATORS:
        raise NotTurnedBack("it was cut short")
    return host, rest


def _stamp(day: int) -> str:
    number = day % _CYCLE
    return _SYMBOLS[number >> 5] + _SYMBOLS[number & 31]


def _day(stamp: str) -> int:
    """Raises `NotTurnedBack`."""
    symbols = [_SYMBOLS.find(symbol) for symbol in stamp.upper()]
    if len(symbols) != 2 or min(symbols) < 0:
        raise NotTurnedBack("its day is none")
    return symbols[0] << 5 | symbols[1]


def _hash(secret: bytes, *parts: str) -> str:
    digest = hmac.digest(secret, "".join(parts).encode().lower(), "sha1")
    return b64encode(digest).decode("ascii")[:_HASH]


def _check(given: str, secrets: Sequence[bytes], *parts: str) -> None:
    """Raises `NotTurnedBack` unless `given` is the hash that one of `secrets` makes of `parts`; all of them are tried."""
    good = [hmac.compare_digest(given.lower().encode(), _hash(secret, *parts).lower().encode()) for secret in secrets]
    if not any(good):
        raise NotTurnedBack("it was not made here")
