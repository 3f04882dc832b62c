"""Reports that came back to others, which two programs that read them have for their own tests; and what is true of each.

`tests.peers.install` fetches them. Whom each is about says the one program's own table; of a report of RFC 3464 the standard library's
reader of messages finds it, with its codes. Which refusals are for good was read off by eye: `SOFT` and `GONE`.
"""

from __future__ import annotations

import ast
import email
import re
from collections.abc import Iterator
from email.message import Message
from pathlib import Path
from typing import NamedTuple

from tests.peers.install import SAMPLES

FLUFL = SAMPLES / "flufl.bounce/tests"
PARSER = SAMPLES / "bounceparser/t/corpus"

SOFT = {
    "aol_01", "bounce_03", "caiwireless_01", "dsn_01", "dsn_02", "dsn_03", "dsn_04", "dsn_09", "netscape_01", "newmailru_01", "postfix_02",
    "postfix_03", "postfix_04", "postfix_05", "qmail_01", "qmail_02",
    "qmail_06", "qmail_07", "sendmail_01", "simple_01", "simple_07", "simple_09",
    "simple_10", "simple_14", "simple_16", "simple_17", "simple_18", "simple_24", "simple_31", "simple_32", "simple_37", "simple_38",
    "simple_42", "simple_45", "sina_01", "smtp32_01", "smtp32_02", "smtp32_03", "smtp32_05", "yahoo_01", "yahoo_02", "yahoo_04", "yahoo_12",
}  # fmt: skip
"""Of the first program: full, too large, blocked, too late, or for no reason that is said. The others say that there is no such address."""
GONE = re.compile(
    r"unknown|dne$|doesnotexist|badrcptto|deactivated|nomailbox|no-such-domain|host-unknown|novell|malformed|iis-multiple|user-unknown|"
    r"non-autoreply|warning-[123]$|smtp-550"
)
"""Of the second: names of those that say that there is no such address."""
MIXED = {"warning-9", "yahoo-via-sendmail.unknown", "att-via-sendmail.unknown"}
"""Several recipients of several kinds; accounts that are closed for now, or for good."""
ODD = {"dumbass_01", "simple_20", "simple_42", "simple_43", "yale_01", "bounce_01", "groupwise_03", "qmail_08"}
"""Of the first: what even that program says nothing of, and names of a directory that no address is made of."""
NO_REPORTS = {
    "aol-vacation", "polish-autoreply", "autoreply", "bluebottle",
    "warning-6", "spam-with-image", "spam-bogus-email-in-report", "groupwise_03",
    "qmail_08",
}  # fmt: skip
"""Answers of machines, challenges, and mail that only looks like a report."""
_CODE = re.compile(rb"(?<![\w.])[45]\.\d{1,3}\.\d{1,3}(?![\d.]*\d)")


class Sample(NamedTuple):
    """A report: its name, its family, its octets, and what is true of it. What nobody knows is None."""

    name: str
    family: str
    content: bytes
    to: frozenset[str] | None
    codes: frozenset[str] | None
    hard: bool | None


def samples() -> Iterator[Sample]:
    """All that are reports of failures, or of delays."""
    table = _table()
    for path in sorted(FLUFL.glob("data/*.txt")):
        name = path.stem
        if name not in ODD:
            content = path.read_bytes()
            to, late = table.get(name, (None, False))
            yield Sample(name, name.rpartition("_")[0], content, to, _codes(content), not late and name not in SOFT)
    for path in sorted(PARSER.glob("*.msg")):
        name = path.stem
        if name not in NO_REPORTS and name not in {"warning-5", "no-message-collected", "warning-8", "boxbe-cr", "boxbe-cr2"}:
            content = path.read_bytes()
            hard = None if name in MIXED else bool(GONE.search(name))
            yield Sample(name, re.split(r"[-.\d]", name)[0], content, _named(content), _codes(content), hard)


def others() -> Iterator[tuple[str, bytes]]:
    """Those that are no reports of failures."""
    for path in (*sorted(FLUFL.glob("data/*.txt")), *sorted(PARSER.glob("*.msg"))):
        if path.stem in NO_REPORTS:
            yield path.stem, path.read_bytes()


def _table() -> dict[str, tuple[frozenset[str], bool]]:
    """Whom each of the first program's samples is about, and whether it is only late."""
    tree = ast.parse((FLUFL / "test_detectors.py").read_text())
    rows = next(node.value for node in tree.body if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "DETECTORS")
    found: dict[str, tuple[frozenset[str], bool]] = {}
    for _, file, to, late in ast.literal_eval(rows):
        if to:
            found[Path(file).stem] = frozenset(address.decode().lower() for address in to), late
    return found


def _parts(content: bytes) -> Iterator[Message]:
    for part in email.message_from_bytes(content).walk():
        if part.get_content_type() == "message/delivery-status":
            yield from (block for block in part.get_payload() if isinstance(block, Message))


def _named(content: bytes) -> frozenset[str] | None:
    """The recipients of a report of RFC 3464, as their sender knows them."""
    found = set()
    for block in _parts(content):
        for name in ("original-recipient", "final-recipient"):
            address = str(block.get(name, "")).rpartition(";")[2].strip(" <>\"'").rstrip(".")
            if "@" in address:
                found.add(address.partition(" ")[0].strip("<>").lower())
                break
    return frozenset(found) or None


def _codes(content: bytes) -> frozenset[str] | None:
    """The codes of a report of RFC 3464; else those of its letter."""
    said = {str(block["status"]).split()[0] for block in _parts(content) if block["status"]}
    if said:
        return frozenset(said)
    letter = content.partition(b"\n\n")[2].partition(b"\nReceived:")[0]
    return frozenset(code.decode() for code in _CODE.findall(letter)) or None
