"""The recipients of a report that has no part for programs: each address of its letter is weighed.

What counts is where it stands (alone on a line, below a heading that says that mail failed, behind ``To:``), what stands around it (a reply
code, a reason), whether the message that came back was for it; and against it, that it is the sender's, a postmaster's, one to ask
for help, or part of a link. Used by `shapes`. Bounded: so many addresses are weighed, and so many recipients come out.
"""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from mailer.mail.message import Message

from .classes import classify
from .delivery_status import address_of, one_line
from .feedback_report import recipients_in
from .letter import REPLY, addresses
from .parts import FIELD
from .phrases import words
from .vocabulary import vocabulary

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .letter import Mention, ReportLetter

RECIPIENTS = 1000  # of a letter
CONSIDERED = 3000  # addresses of a letter that are weighed

_HELPERS = frozenset({
    "postmaster", "abuse", "support", "helpdesk", "help", "mailer-daemon", "hostmaster",
    "webmaster", "admin", "administrator", "noc", "security", "info-help",
    "spam", "nospam", "unblock", "delist", "removeme", "feedback", "customerservice",
    "service", "noreply", "no-reply", "mailadmin", "sysadmin",
})  # fmt: skip
_ORIGINS = ("generated from ", "expanded from ", "expanded from: ", "generated from <", "expanded from <", "expanded from: <")
_SUMMARY = re.compile(
    r"\s*(?:subject|sent|date|from|betreff|gesendet|datum|objet|envoyé|asunto|enviado|assunto|oggetto|inviato|temat|onderwerp|件名|тема)\s*:",
    re.IGNORECASE,
)
GENERATED = re.compile(r"\((?:ultimately )?(?:generated|expanded) from:? <?([^\s<>()]{1,320})>?\)")
"""How Exim and Postfix name the recipient that was written, beside what an alias made of it."""
BULLETS = " \t<>*-–—•·\"'`:([{|=+#;,.&/\\0123456789°"


class Weighed(NamedTuple):
    """An address of the letter, how much speaks for it, the line it is in, where it ends there, and how much its place says."""

    address: str
    weight: int
    line: int
    end: int
    place: int = 0


def failed_recipients(header: Message) -> list[str]:
    """The recipients that Exim and Google name in the header."""
    found = [
        address.strip(" <>\t")
        for value in islice(header.values(b"x-failed-recipients"), RECIPIENTS)
        for address in value[: 40 * FIELD].split(",")
    ]
    return [one_line(address, 320) for address in dict.fromkeys(found) if "@" in address][:RECIPIENTS]


def recipients(header: Message, letter: ReportLetter, returned: bytes, failed_for: Sequence[str]) -> list[list[Weighed]]:
    """For each recipient, where the letter names him; the best places first."""
    for_whom = {address.lower() for address in (*recipients_in(returned), _for(Message(returned, b"")))}
    seen = _weighed(header, letter, for_whom - {""}, {address.lower() for address in failed_for})
    places: dict[str, list[Weighed]] = {}
    for each in seen:
        places.setdefault(each.address.lower(), []).append(each)
    for address in failed_for:
        places.setdefault(address.lower(), []).append(Weighed(address, 9, -1, 0))
    weights = {address: max(each.weight for each in found) for address, found in places.items()}
    best = max(weights.values(), default=0)
    least = max(4, best - 4) if best >= 4 else max(best, 2)
    if failed_for:
        least = 8
    place = max((each.place for each in seen if each.weight == best), default=9)
    alike = 0 if failed_for else max(place, 3)
    for each in seen:  # who is named as the surest one is
        if alike and each.place >= alike and each.weight >= 4:
            weights[each.address.lower()] = max(weights[each.address.lower()], least)
    chosen = [sorted(found, key=lambda each: -each.weight) for address, found in places.items() if weights[address] >= least]
    if chosen:
        return chosen[:RECIPIENTS]
    return [[Weighed(address, 0, -1, 0)] for address in _elsewhere(header, letter, returned)]


def _elsewhere(header: Message, letter: ReportLetter, returned: bytes) -> list[str]:
    """Where the letter has no address: the only recipient of the message that came back, or a name of the host that writes."""
    for line in letter.lines:
        if (origin := GENERATED.search(line[:400])) and "@" in origin[1]:
            return [origin[1]]
    fields = Message(returned, b"")
    if envelope := _for(fields):
        return [envelope]
    for_whom = recipients_in(returned)
    if len(for_whom) == 1 and fields.value(b"list-id") is None:
        return for_whom
    domain = address_of((header.value(b"from") or "")[:FIELD]).rpartition("@")[2]
    heading = False
    for number, line in enumerate(letter.lines):
        name = line.strip(" \t<>*-:'\"")
        if heading and name and not {" ", "@"} & {*name} and name.isascii() and domain and len(name) <= 64:
            mine = [address for address in for_whom if address.lower().startswith(f"{name.lower()}@")]
            return mine[:1] or [f"{name}@{domain}"]
        if line.strip():
            heading = letter.fails[number] and line.rstrip().endswith(":")
    return []


def _for(fields: Message) -> str:
    """Whom the host that was reached last was given a message for, RFC 5321 §4.4."""
    for value in islice(fields.values(b"received"), 30):
        _, found, rest = value[:FIELD].partition(" for <")
        if found:
            address = rest.partition(">")[0]
            return address if "@" in address and " " not in address else ""
    return ""


def _weighed(header: Message, letter: ReportLetter, for_whom: set[str], failed_for: set[str]) -> list[Weighed]:
    theirs = _senders(header, letter.header) - for_whom
    hosts = {address.rpartition("@")[2] for address in for_whom}
    found: list[Weighed] = []
    heading = -100
    for number, line in enumerate(letter.lines):
        fails = letter.fails[number]
        if fails:
            heading = number
        if "@" not in line:
            continue
        reason = _has_reason(letter, number) + (classify(0, "", line).name != "other")
        for each in addresses(line):
            small, place = each.text.lower(), of_place(line, each)
            weight = 2 * (number - heading <= 12 or _fails_below(letter, number)) + fails + reason + place
            weight -= 4 * _is_summed_up(letter, number)
            weight += 3 * (small in for_whom) + 6 * (small in failed_for) + (small.rpartition("@")[2] in hosts)
            weight -= 6 * (small in theirs) + _against(small, line, each)
            found.append(Weighed(each.text, weight, number, each.end, place))
            if len(found) == CONSIDERED:
                return found
    return found


def _senders(header: Message, quoted: bytes) -> set[str]:
    """Who wrote the report, and whom it was sent to, which is the sender of what came back."""
    found: set[str] = set()
    for fields, names in (
        (header, (b"from", b"to", b"delivered-to", b"reply-to", b"x-original-to")),
        (Message(quoted, b""), (b"from", b"return-path", b"sender")),
    ):
        for name in names:
            for value in islice(fields.values(name), 50):
                found |= {each.text.lower() for each in addresses(value[:FIELD])}
    return found


def of_place(line: str, each: Mention) -> int:
    """What speaks for an address in how it is written: alone, first on its line, behind a label, followed by its reason."""
    before, after = line[: each.start], line[each.end :].replace(each.text, "")
    weight = 0
    if before.endswith(_ORIGINS):
        return -1
    stripped = before.strip(BULLETS)
    if not stripped:
        weight += 2 + (not after.strip(" \t<>*-\"'`:)].,;"))
    elif "rcpt to:" in before[-12:].lower():
        weight += 4
    else:
        weight += _label(before)
    if after.lstrip(">\"'` ").startswith((":", "...", "(", "…", " -")) or REPLY.search(after[:100]):
        weight += 1
    return weight


def _label(before: str) -> int:
    """2 where the words right before say that it is a recipient, −5 where they say that it is somebody else."""
    said = words(before[-60:].strip(BULLETS)).split(" ")[1:]
    known = vocabulary()
    for many in range(min(known.longest_label, len(said)), 0, -1):
        kind = known.labels.get(" " + " ".join(said[-many:]), "")
        if kind:
            return 2 if kind == "recipient" else -5
    return 0


def _against(address: str, line: str, each: Mention) -> int:
    """What speaks against it: part of a link, who helps, a name without a domain, a Message-ID."""
    local, _, domain = address.rpartition("@")
    weight = 0
    word = line[
        max(line.rfind(" ", 0, each.start), line.rfind("<", 0, each.start), line.rfind('"', 0, each.start)) + 1 : each.start
    ].lower()
    if "://" in word or "mailto:" in word or "www." in word:
        weight += 5
    if local in _HELPERS:
        weight += 4
    if "." not in domain:
        weight += 1 if line[each.start - 1 : each.start] == "<" else 3
    digits = sum(map(str.isdigit, local))
    if len(local) > 20 and digits > 8:
        weight += 2
    return weight


def _fails_below(letter: ReportLetter, number: int) -> bool:
    return any(letter.fails[number + 1 : number + 3])


def _is_summed_up(letter: ReportLetter, number: int) -> bool:
    """Whether the line is one of those that say which message it was: to whom, its subject, when it was sent."""
    line = letter.lines[number]
    if ":" not in line[:20]:
        return False
    around = letter.lines[max(number - 1, 0) : number] + letter.lines[number + 1 : number + 2]
    return any(_SUMMARY.match(each) for each in around)


def _has_reason(letter: ReportLetter, number: int) -> bool:
    """Whether this line or one of the next has a reply code."""
    return any(letter.replies[number : number + 4])
