"""Addresses that others have collected, each with what the standards say about it."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from mailer.mail.address import AddressError, parse
from mailer.mail.address_list import in_header

TESTS = Path(__file__).parent.parent / "data" / "isemail-tests.xml"

MAILBOXES = {"ISEMAIL_VALID_CATEGORY", "ISEMAIL_DNSWARN", "ISEMAIL_RFC5321"}
"""What RFC 5321 allows in an envelope, whether or not the DNS knows the domain."""

IN_HEADERS = {"ISEMAIL_CFWS", "ISEMAIL_DEPREC"}
"""What RFC 5322 allows in a header besides: comments, folds, and forms of old."""

NUMBERS = {23, 24}
"""Domains whose last label is a number, which RFC 5321 can write and no host can have: RFC 1123 §2.1."""

OLD_OCTETS = {58, 124, 125, 134, 138, 139}
"""Local parts with control characters, which no mail system of today may be sent."""

LENIENT = {
    35: "a dot behind the domain, which only says that it is whole",
    157: "a blank before the address, which nobody means",
    158: "a blank behind it",
}
"""Number → what we take all the same, for nobody is hurt by it."""


def collected() -> list[tuple[int, str, str]]:
    """Number, address and category; control characters are written as their symbols there."""
    found = []
    for test in ElementTree.parse(TESTS).getroot().iter("test"):
        text = "".join(chr(ord(char) - 0x2400) if "\u2400" <= char <= "\u241f" else char for char in test.findtext("address") or "")
        found.append((int(test.get("id", 0)), text.replace("\u2421", "\x7f"), test.findtext("category") or ""))
    return found


ALL = collected()


def is_address(text: str) -> bool:
    try:
        parse(text)
    except AddressError:
        return False
    return True


def test_all_of_them_are_there() -> None:
    """The set has 164 addresses; more than half of them are no mailbox."""
    assert len(ALL) == 164
    assert sum(category in MAILBOXES for _, _, category in ALL) == 38


@pytest.mark.parametrize(("number", "text", "category"), ALL, ids=lambda value: str(value) if isinstance(value, int) else "")
def test_what_may_stand_in_an_envelope(number: int, text: str, category: str) -> None:
    """Taken is what the set calls a mailbox of RFC 5321, and what is written down above; everything else is refused with a reason."""
    assert is_address(text) == ((category in MAILBOXES and number not in NUMBERS) or number in LENIENT)


@pytest.mark.parametrize(("number", "text"), [one[:2] for one in ALL if one[2] in IN_HEADERS])
def test_what_may_stand_in_a_header(number: int, text: str) -> None:
    """Comments, folds and forms of old are read as the address that they mean, if it can stand in an envelope."""
    (found,) = in_header(text)
    assert is_address(found) == (number not in OLD_OCTETS | {71})


@pytest.mark.parametrize(("number", "text", "category"), [one for one in ALL if one[2] not in IN_HEADERS])
def test_a_header_hides_nothing_bad(number: int, text: str, category: str) -> None:
    """Of what is no address in a header, the reader makes none; each that is one it finds whole."""
    found = [*in_header(text)]
    if category in MAILBOXES:
        assert found == [text]
    elif category == "ISEMAIL_ERR" and found == [text] and number not in LENIENT:
        assert not is_address(found[0])
