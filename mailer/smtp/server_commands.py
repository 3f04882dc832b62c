"""The command lines of a client, read: RFC 5321 §4.1 and the extensions that add parameters.

Used by `Server`. Strict where two readers could differ (line ends, control characters, brackets,
quoting), lenient where nobody can be misled (case, blanks after the colon and at the end). An address is
one that `mailer.mail.address` accepts, with a local part of any length, as senders that were rewritten have
it (RFC 5321 §4.5.3.1); a source route before it is dropped. Parameters are decoded
here (xtext, RFC 3461 §4) and checked again afterwards, so that no encoded line end gets behind this file.

Everything that is wrong with a line raises `CommandRefused`, which holds the reply to give.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping

from mailer.mail.address import MAX_ADDRESS, AddressError, parse
from mailer.mail.dates import parse_rfc3339
from mailer.mail.delivery_options import MAX_ENVID, MAX_ORCPT, MAX_SECONDS

from .reply import Reply


class CommandRefused(Exception):
    """A command that cannot be carried out as it stands; `reply` says why."""

    def __init__(self, code: int, enhanced: str, text: str) -> None:
        super().__init__(text)
        self.reply = Reply.own(code, enhanced, text.encode("ascii", "replace").decode())  # RFC 6531 §3.5

    @classmethod
    def of(cls, reply: Reply) -> CommandRefused:
        """The refusal that is said with `reply`."""
        made = cls(reply.code, reply.enhanced, reply.text)
        made.reply = reply
        return made


def words(line: bytes) -> tuple[str, str]:
    """The verb in capitals and the rest of a command line (no line end). Raises `CommandRefused`."""
    try:
        text = line.decode()
    except UnicodeDecodeError:
        raise CommandRefused(500, "5.5.2", "the command is not UTF-8") from None
    if not text.isprintable():  # C0, DEL, C1, U+2028: none of them has a place in a command
        raise CommandRefused(500, "5.5.2", "the command holds a control character")
    verb, _, rest = text.partition(" ")
    return verb.upper(), rest.strip(" ")


def path(rest: str, keyword: str, host: str) -> tuple[str, str]:
    """The address and the text of the parameters of ``FROM:<address> parameters``; ``""`` for ``<>``.

    `host` completes the one address that may come without a domain, ``<Postmaster>`` (RFC 5321 §4.5.1).
    Raises `CommandRefused`.
    """
    label, _, text = rest.partition(":")
    text = text.lstrip(" ")
    if label.rstrip(" ").upper() != keyword or not text.startswith("<"):
        raise CommandRefused(501, "5.5.4", f"the command is written {keyword}:<address>")
    end = _closing_bracket(text)
    inner, parameters = text[1:end], text[end + 1 :]
    if end < 0 or (parameters and not parameters.startswith(" ")):
        raise CommandRefused(501, "5.5.4", f"the command is written {keyword}:<address>")
    if inner.startswith("@") and ":" in inner:  # a source route is ignored, RFC 5321 Appendix C
        inner = inner.partition(":")[2]
    if not inner:
        return "", parameters
    if keyword == "TO" and inner.endswith("."):  # RFC 5321 §4.1.2: a name of the DNS may end in one, and a mailbox may not
        raise CommandRefused(553, "5.1.3", "no valid address: a dot ends it")
    return _address(inner, keyword, host), parameters


def chunk(rest: str) -> tuple[int, bool]:
    """How many octets ``BDAT size [LAST]`` brings, and whether they are the last, RFC 3030 §2. Raises `CommandRefused`."""
    size, _, last = rest.partition(" ")
    if not (size.isascii() and size.isdigit()) or len(size) > 20 or last.strip().upper() not in ("", "LAST"):
        raise CommandRefused(501, "5.5.4", "BDAT is followed by a number of octets, and by LAST with the last ones")
    return int(size), bool(last.strip())


def ascii_only(address: str) -> None:
    """Refuse an address beyond ASCII, which needs SMTPUTF8 on MAIL (RFC 6531 §3.5). Raises `CommandRefused`."""
    if not address.isascii():
        raise CommandRefused(553, "5.6.7", "an address beyond ASCII needs SMTPUTF8 on MAIL")


def _address(inner: str, keyword: str, host: str) -> str:
    try:
        return str(parse(inner, host if inner.lower() == "postmaster" else "", MAX_ADDRESS))
    except AddressError as error:
        enhanced = "5.1.7" if keyword == "FROM" else "5.1.3"  # RFC 3463 §3.2
        raise CommandRefused(553, enhanced, f"no valid address: {error.problem}") from None


def _closing_bracket(text: str) -> int:
    """The index of the ``>`` that ends the path, outside quotes, or -1."""
    if '"' not in text:
        return text.find(">")
    quoted = False
    at = 1
    while at < len(text):
        char = text[at]
        if char == "\\" and quoted:
            at += 1
        elif char == '"':
            quoted = not quoted
        elif char == ">" and not quoted:
            return at
        at += 1
    return -1


def parameters(text: str, known: Mapping[str, tuple[str, Callable[[str], str]]], offered: Collection[str]) -> dict[str, str]:
    """``KEYWORD=value …`` as a dict with capital keys, each value decoded and checked.

    A parameter is known only where its extension was offered, RFC 5321 §2.2.1. Raises `CommandRefused`.
    """
    found: dict[str, str] = {}
    for word in text.split():
        keyword, _, value = word.partition("=")
        keyword = keyword.upper()
        extension, check = known.get(keyword, ("", str))
        if extension not in offered:
            raise CommandRefused(555, "5.5.4", f"the parameter {keyword[:20]} is not offered here")
        if keyword in found:
            raise CommandRefused(501, "5.5.4", f"the parameter {keyword} stands twice")
        try:
            found[keyword] = check(value)
        except ValueError:
            raise CommandRefused(501, "5.5.4", f"the value of {keyword} is not valid") from None
    return found


def xtext(value: str) -> str:
    """The text of xtext, RFC 3461 §4: ``+HH`` is an octet, the rest stands for itself. Raises `ValueError`.

    What comes out is printable, or it would be a way round the rule that a command has no line end.
    """
    if not _XTEXT.fullmatch(value):
        raise ValueError(value)
    text = _HEX.sub(lambda found: chr(int(found[1], 16)), value)
    if not text.isascii() or not text.isprintable():
        raise ValueError(value)
    return text


def unitext(value: str) -> str:
    r"""The text of utf-8-addr-xtext or utf-8-addr-unitext, RFC 6533 §3: ``\x{E9}`` is a character. Raises `ValueError`."""
    if not value or not value.isprintable() or set(value) & {" ", "+", "="}:
        raise ValueError(value)
    text = _CHARACTER.sub(lambda found: chr(int(found[1], 16)), value)
    if "\\" in _CHARACTER.sub("", value) or not text.isprintable():  # a surrogate is not printable, either
        raise ValueError(value)
    return text


_CHARACTER = re.compile(r"\\x\{((?:10|[1-9A-F])?[0-9A-F]{1,4})\}")
_XTEXT = re.compile(r"(?:[!-*,-<>-~]|\+[0-9A-F]{2})+")
_HEX = re.compile(r"\+([0-9A-F]{2})")


def _size(value: str) -> str:
    """RFC 1870 §3: up to 20 digits."""
    if not value.isascii() or not value.isdigit() or len(value) > 20:
        raise ValueError(value)
    return value


def _no_value(value: str) -> str:
    if value:
        raise ValueError(value)
    return value


def _one_of(*choices: str) -> Callable[[str], str]:
    def check(value: str) -> str:
        if value.upper() not in choices:
            raise ValueError(value)
        return value.upper()

    return check


def _mailbox(value: str) -> str:
    """RFC 4954 §5: a mailbox as xtext, or ``<>``."""
    text = xtext(value)
    return "" if text == "<>" else str(parse(text))


def _envelope_id(value: str) -> str:
    text = xtext(value)
    if len(text) > MAX_ENVID:
        raise ValueError(value)
    return text


def _original(value: str) -> str:
    """RFC 3461 §4.2: ``rfc822;xtext``; RFC 6533 §3: ``utf-8;`` and characters as they are, or ``\\x{E9}``."""
    kind, semicolon, address = value.partition(";")
    if not kind or not semicolon or len(value) > MAX_ORCPT:
        raise ValueError(value)
    return f"{xtext(kind)};{unitext(address) if kind.lower() == 'utf-8' else xtext(address)}"


def _notify(value: str) -> str:
    """RFC 3461 §4.1: NEVER alone, or any of the other three."""
    wanted = value.upper().split(",")
    if wanted != ["NEVER"] and not set(wanted) <= {"SUCCESS", "FAILURE", "DELAY"}:
        raise ValueError(value)
    return value.upper()


def _seconds(value: str) -> str:
    """RFC 4865 §5: from one second on, in nine digits."""
    if not (value.isascii() and value.isdigit()) or not 0 < int(value[:20]) <= MAX_SECONDS:
        raise ValueError(value)
    return value


def _moment(value: str) -> str:
    """RFC 4865 §5: a time of RFC 3339."""
    parse_rfc3339(value)
    return value


def _deadline(value: str) -> str:
    """RFC 2852 §4: ``seconds;mode``, where what is to come back in time has time to."""
    found = _BY.fullmatch(value)
    if not found or (found[2].upper() == "R" and int(found[1]) <= 0):
        raise ValueError(value)
    return value.upper()


_BY = re.compile(r"(-?[0-9]{1,9});([NRnr])[Tt]?")


def _priority(value: str) -> str:
    """RFC 6710 §3: from -9 to 9."""
    if value.removeprefix("-") not in tuple("0123456789") or value == "-0":
        raise ValueError(value)
    return value


def check_offers(found: Mapping[str, str], offered: Mapping[str, str]) -> None:
    """What MAIL asks for must be within what was offered. Raises `CommandRefused`.

    RFC 4865 §4: a message is held no longer than that, and asked for once. RFC 2852 §4: what is to come back in time has the time that we
    need at least.
    """
    longest, _, latest = offered.get("FUTURERELEASE", "").partition(" ")
    if {"HOLDFOR", "HOLDUNTIL"} <= found.keys():
        raise CommandRefused(501, "5.5.4", "a message is held for a time, or until one, but not both")
    if longest and int(found.get("HOLDFOR", 0)) > int(longest):
        raise CommandRefused(501, "5.5.4", f"a message is held for {longest} seconds at most")
    if latest and "HOLDUNTIL" in found and parse_rfc3339(found["HOLDUNTIL"]) > parse_rfc3339(latest):
        raise CommandRefused(501, "5.5.4", f"a message is held until {latest} at the latest")
    seconds, _, mode = found.get("BY", "").partition(";")
    least = offered.get("DELIVERBY", "").partition(",")[0]
    if least and mode.startswith("R") and int(seconds) < int(least):
        raise CommandRefused(501, "5.5.4", f"delivery needs {least} seconds at least")


MAIL_PARAMETERS: dict[str, tuple[str, Callable[[str], str]]] = {
    "SIZE": ("SIZE", _size),  # RFC 1870 §5
    "BODY": ("8BITMIME", _one_of("7BIT", "8BITMIME", "BINARYMIME")),  # RFC 6152 §2, RFC 3030 §3
    "SMTPUTF8": ("SMTPUTF8", _no_value),  # RFC 6531 §3.4
    "AUTH": ("AUTH", _mailbox),  # RFC 4954 §5
    "RET": ("DSN", _one_of("FULL", "HDRS")),  # RFC 3461 §4.3
    "ENVID": ("DSN", _envelope_id),  # RFC 3461 §4.4
    "HOLDFOR": ("FUTURERELEASE", _seconds),  # RFC 4865 §4
    "HOLDUNTIL": ("FUTURERELEASE", _moment),
    "BY": ("DELIVERBY", _deadline),  # RFC 2852 §4
    "MT-PRIORITY": ("MT-PRIORITY", _priority),  # RFC 6710 §3
    "REQUIRETLS": ("REQUIRETLS", _no_value),  # RFC 8689 §2
}
"""Parameter → the extension that brings it, and the check of its value."""

RCPT_PARAMETERS: dict[str, tuple[str, Callable[[str], str]]] = {
    "NOTIFY": ("DSN", _notify),  # RFC 3461 §4.1
    "ORCPT": ("DSN", _original),  # RFC 3461 §4.2
}
