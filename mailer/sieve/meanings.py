"""What is checked of single commands and tests, beside their form: names of fields and variables, addresses, folders, dates.

A string with a variable in it is known only when the script runs, and is checked again there by the same functions.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from mailer.mail.address import AddressError, parse

from .errors import SieveError, quoted
from .forms import ADDRESS_FIELDS, DATE_PARTS, ENVELOPE_PARTS, RELATIONS
from .variables import Template, check_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .grammar import Clause

LONGEST_FOLDER: Final = 1000  # octets

_FIELD: Final = re.compile(r"[!-9;-~]++\Z")  # RFC 5322 §2.2
_ZONE: Final = re.compile(r"[+-][0-9]{4}\Z")


def check_field(name: str, line: int) -> None:
    """Raises `SieveError` for what cannot be the name of a header field."""
    if not _FIELD.match(name):
        raise SieveError(line, f"{quoted(name)} cannot be the name of a header field")


def check_address_field(name: str, line: int) -> None:
    """Raises `SieveError` for the name of a field that holds no addresses."""
    if name.lower() not in ADDRESS_FIELDS:
        raise SieveError(line, f"the field {quoted(name)} holds no addresses; header tests any field")


def check_address(text: str, line: int) -> str:
    """`text` as an address of an envelope. Raises `SieveError`."""
    try:
        return parse(text).path
    except AddressError as error:
        raise SieveError(line, str(error)) from None


def check_folder(name: str, line: int) -> str:
    """`name`, if it can be one. Raises `SieveError`; what else a folder's name may be says who makes one."""
    if not name or any(char < " " or char == "\x7f" for char in name) or len(name.encode(errors="surrogatepass")) > LONGEST_FOLDER:
        raise SieveError(line, f"{quoted(name)} cannot be the name of a folder")
    return name


def check_date_part(name: str, line: int) -> str:
    """The name of a part of a date, in small letters. Raises `SieveError`."""
    if name.lower() not in DATE_PARTS:
        raise SieveError(line, f"there is no part {quoted(name)} of a date; there are {', '.join(DATE_PARTS)}")
    return name.lower()


def check_zone(text: str, line: int) -> int:
    """The minutes that the zone `text` is east of Greenwich. Raises `SieveError`. RFC 5260 §4.1"""
    if not _ZONE.match(text) or int(text[3:]) > 59:
        raise SieveError(line, f"{quoted(text)} is no zone; it is written +0100")
    return (int(text[1:3]) * 60 + int(text[3:])) * (-1 if text[0] == "-" else 1)


def check_envelope_part(name: str, line: int) -> str:
    """The name of a part of an envelope, in small letters. Raises `SieveError`."""
    if name.lower() not in ENVELOPE_PARTS:
        raise SieveError(line, f"there is no part {quoted(name)} of an envelope here; there are from and to")
    return name.lower()


def check_relation(text: str, line: int) -> str:
    """One of the relations of RFC 5231, in small letters. Raises `SieveError`."""
    if text.lower() not in RELATIONS:
        raise SieveError(line, f"{quoted(text)} is no relation; there are {', '.join(RELATIONS)}")
    return text.lower()


def _each(values: object, check: Callable[[str, int], object], line: int) -> None:
    """Check those strings that are known."""
    many: Iterable[object] = values if isinstance(values, tuple) else (values,)
    for value in many:
        if not isinstance(value, Template):
            check(str(value), line)


def _check_header(clause: Clause, required: frozenset[str]) -> None:
    _each(clause.values[0], check_field, clause.line)
    _check_common(clause, required)


def _check_address(clause: Clause, required: frozenset[str]) -> None:
    _each(clause.values[0], check_address_field, clause.line)
    _check_common(clause, required)


def _check_envelope(clause: Clause, required: frozenset[str]) -> None:
    _each(clause.values[0], check_envelope_part, clause.line)
    _check_common(clause, required)


def _check_date(clause: Clause, required: frozenset[str]) -> None:
    if clause.name == "date":
        _each(clause.values[0], check_field, clause.line)
    _each(clause.values[-2], check_date_part, clause.line)
    name, zone = clause.tags.get("zone", ("", ""))
    if name == ":zone":
        _each(zone, check_zone, clause.line)
    _check_common(clause, required)


def _check_common(clause: Clause, _: frozenset[str]) -> None:
    name, relation = clause.tags.get("match", ("", ""))
    if name in (":count", ":value"):
        _each(relation, check_relation, clause.line)
    if "last" in clause.tags and "index" not in clause.tags:
        raise SieveError(clause.line, f"{clause.name} has :last without :index")
    if clause.tags.get("index", ("", 1))[1] == 0:
        raise SieveError(clause.line, f"{clause.name} has :index 0; the first is 1")


def _check_size(clause: Clause, _: frozenset[str]) -> None:
    if "relation" not in clause.tags:
        raise SieveError(clause.line, "size has :over or :under")


def _check_set(clause: Clause, _: frozenset[str]) -> None:
    clause.values[0] = check_name(clause.values[0], clause.line)


def _check_flags(clause: Clause, required: frozenset[str]) -> None:
    names = clause.values[0]
    if names is None:
        return
    if "variables" not in required:
        raise SieveError(clause.line, f'{clause.name} of a variable: require "variables" at the beginning')
    for name in names if isinstance(names, tuple) else (names,):
        check_name(name, clause.line)


def _check_has_flag(clause: Clause, required: frozenset[str]) -> None:
    _check_flags(clause, required)
    _check_common(clause, required)


def _check_redirect(clause: Clause, _: frozenset[str]) -> None:
    _each(clause.values[0], check_address, clause.line)


def _check_fileinto(clause: Clause, _: frozenset[str]) -> None:
    _each(clause.values[0], check_folder, clause.line)


def _check_vacation(clause: Clause, _: frozenset[str]) -> None:
    if "from" in clause.tags:
        _each(clause.tags["from"][1], check_from, clause.line)
    if "subject" in clause.tags:
        _each(clause.tags["subject"][1], _check_subject, clause.line)


def one_line(text: str) -> str:
    """`text` as the value of a header field: without line ends and other controls, which a stranger may have put into a variable."""
    return " ".join("".join(" " if char < " " or "\x7f" <= char <= "\x9f" else char for char in text).split())


def check_from(text: str, line: int) -> None:
    """Raises `SieveError` for what is not one address, with a display name or without. RFC 5230 §4.3"""
    from mailer.mail.address_list import in_header

    found = list(in_header(text))
    if len(found) != 1:
        raise SieveError(line, f"{quoted(text)} is not one address")
    check_address(found[0], line)


def _check_subject(text: str, line: int) -> None:
    if "\n" in text or "\r" in text:
        raise SieveError(line, "the subject of a reply has one line")


MEANINGS: Final[dict[str, Callable[[Clause, frozenset[str]], None]]] = {
    "header": _check_header,
    "exists": _check_header,
    "address": _check_address,
    "envelope": _check_envelope,
    "date": _check_date,
    "currentdate": _check_date,
    "body": _check_common,
    "string": _check_common,
    "environment": _check_common,
    "size": _check_size,
    "set": _check_set,
    "setflag": _check_flags,
    "addflag": _check_flags,
    "removeflag": _check_flags,
    "hasflag": _check_has_flag,
    "redirect": _check_redirect,
    "fileinto": _check_fileinto,
    "vacation": _check_vacation,
}
