"""An address as an entry of the suppression list has it: in the form in which addresses are compared, or all of a domain."""

from __future__ import annotations

from mailer.mail.address import AddressError, parse, printable
from mailer.mail.address_key import LONGEST, key_of
from mailer.mail.domain import ascii_domain


def domain_key_of(key: str) -> str:
    """The key of the entry for all of its domain: ``@example.org``."""
    return key[key.rfind("@") :] if "@" in key else ""


def written(text: str) -> str:
    """The key that a person means by `text`: an address, or ``@domain`` for all of a domain. Raises `AddressError`."""
    text = text.strip(" \t")
    if text.startswith("@"):
        if not text[1:].strip(".") or not text.isprintable() or len(text) > LONGEST:
            raise AddressError(text, "write @example.org for all of a domain")
        try:
            return f"@{ascii_domain(text[1:])}"
        except ValueError as error:
            raise AddressError(text, str(error)) from None
    if not text.isprintable():
        raise AddressError(text, "it holds a control character")
    try:
        return key_of(str(parse(text)))
    except AddressError as error:
        if "domain" in error.problem and "@" not in text:
            raise AddressError(printable(text), "write user@example.org, or @example.org for all of a domain") from None
        raise
