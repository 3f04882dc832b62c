"""Reports that have no part for programs: known by their shape, and read as a person reads them.

No rule here is of one program. A message is taken for a report when enough of these come together: who writes (a postmaster, the null
reverse-path), what its subject and its letter say, a reply code, the message that came back. One alone never is enough, for people
quote and forward reports, and answering machines write as postmasters.

Whom it is about is found by weighing each address of the letter: where it stands (alone on a line, below a heading that says that mail
failed, behind ``To:``), what stands around it (a reply code, a reason), whether the message that came back was for it; and against it, that
it is the sender's, a postmaster's, one to ask for help, or part of a link. What stands beside an address is what was said of it.

The words are data, ``shapes.toml``, in some twenty languages. All of it is bounded: so much text, so many lines, so many addresses.
"""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from mailer.mail.message import Message

from . import automatic
from .classes import class_of, classify
from .delivery_status import address_of, code_in, enhanced_in, judged, one_line
from .feedback_report import recipients_in
from .letter import REPLY, ReportLetter, addresses
from .parts import FIELD, decoded
from .phrases import words
from .reported import Reported, ReportKind
from .vocabulary import vocabulary

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .letter import Mention

RECIPIENTS = 1000  # of a letter
CONSIDERED = 3000  # addresses of a letter that are weighed
ENOUGH = 4  # of the signs of a report, where who writes is known for reports
MORE = 6  # where it may be anybody
AROUND = 6  # lines below an address that may tell its reason
SECTION = 900  # characters of a letter that tell the reason for all

_HELPERS = frozenset({
    "postmaster", "abuse", "support", "helpdesk", "help", "mailer-daemon", "hostmaster",
    "webmaster", "admin", "administrator", "noc", "security", "info-help",
    "spam", "nospam", "unblock", "delist", "removeme", "feedback", "customerservice",
    "service", "noreply", "no-reply", "mailadmin", "sysadmin",
})  # fmt: skip
_ORIGINS = ("generated from ", "expanded from ", "expanded from: ", "generated from <", "expanded from <", "expanded from: <")
_PROGRAMS = (
    "outlook",
    "thunderbird",
    "mozilla",
    "apple mail",
    "iphone",
    "ipad",
    "eudora",
    "mutt",
    "the bat",
    "evolution",
    "kmail",
    "pine",
    "roundcube",
    "foxmail",
)
"""How programs for people call themselves."""
_SUMMARY = re.compile(
    r"\s*(?:subject|sent|date|from|betreff|gesendet|datum|objet|envoyé|asunto|enviado|assunto|oggetto|inviato|temat|onderwerp|件名|тема)\s*:",
    re.IGNORECASE,
)
_PLAIN = frozenset({"unknown-user", "bad-domain", "moved", "inactive", "full", "too-large", "expired"})
"""Classes that say by themselves, of a mail system with nothing else to say, that mail failed."""
_GENERATED = re.compile(r"\((?:ultimately )?(?:generated|expanded) from:? <?([^\s<>()]{1,320})>?\)")
"""How Exim and Postfix name the recipient that was written, beside what an alias made of it."""
_BULLETS = " \t<>*-–—•·\"'`:([{|=+#;,.&/\\0123456789°"


class Weighed(NamedTuple):
    """An address of the letter, how much speaks for it, the line it is in, where it ends there, and how much its place says."""

    address: str
    weight: int
    line: int
    end: int
    place: int = 0


class Shaped(NamedTuple):
    """What a report that is known by its shape says."""

    kind: ReportKind
    recipients: tuple[Reported, ...]
    header: bytes
    """The header that the letter quotes, if any."""


def shape(header: Message, text: str, came_back: bytes, *, encloses: bool) -> Shaped | None:
    """The report that a message with this `header` and letter `text` is, or None.

    `came_back` is the header of the message that it encloses, where it `encloses` one.
    """
    letter = ReportLetter(text)
    returned = came_back or letter.header
    subject = automatic.subject_of(header)
    failed_for = _failed_recipients(header)
    if not failed_for and not _is_report(header, subject, letter, encloses=encloses or bool(letter.header)):
        return None
    found = _recipients(header, letter, returned, failed_for)
    if not found and not returned and not is_known_author(header):
        return None  # it is of a parcel, a payment, anything that is no mail
    whole = _section(letter)
    late = _is_late(subject, letter)
    reported = tuple(_reported(letter, group, whole, late=late, subject=subject) for group in found)
    if not reported:
        reported = (_judged("", "", "", whole, late=late, subject=subject),)
    return Shaped(ReportKind.DELAY if late else ReportKind.BOUNCE, reported, letter.header)


# Whether it is one


def _is_report(header: Message, subject: str, letter: ReportLetter, *, encloses: bool) -> bool:
    """The sum of the signs."""
    vocabulary_ = vocabulary()
    known = is_known_author(header)
    null = automatic.has_null_path(header)
    if automatic.is_answer(header, subject) or (automatic.is_reply(subject) and not (known and null)):
        return False
    signs = 2 * known + null
    name = vocabulary_.subjects.first(subject)[1]
    if name == "delivered" and vocabulary_.subjects.begins(subject):
        return False
    signs += 2 * bool(name) + (not known and bool(name) and vocabulary_.subjects.begins(subject))
    heading = any(letter.fails) or any(letter.waits)
    if known and null and not heading:
        heading = classify(0, "", _section(letter)).name in _PLAIN
    reply = any(letter.replies)
    signs += 2 * heading + reply + encloses
    if not known and (_is_of_people(header) or not (encloses or reply or null)):
        return False
    if not known and any(vocabulary_.away.stands_in(said) for said in letter.words[:60]):
        return False
    if not (name or known or (null and heading and encloses)) or not (heading or reply or name):
        return False
    signs += _is_alone(letter)
    return signs >= (ENOUGH if known or null else MORE)


def _is_of_people(header: Message) -> bool:
    """Whether the header says that somebody has answered, or has written with a program for people, or that it came by a list."""
    if any(header.value(name) is not None for name in (b"list-id", b"list-post", b"in-reply-to", b"user-agent", b"x-originating-ip")):
        return True
    return any(name in (header.value(b"x-mailer") or "").lower() for name in _PROGRAMS)


def _is_alone(letter: ReportLetter) -> bool:
    """Whether an address stands alone on a line, or first before its reason."""
    found = ((line, next(addresses(line), None)) for line in letter.lines if "@" in line)
    return any(first is not None and _of_place(line, first) >= 3 for line, first in found)


def is_known_author(header: Message) -> bool:
    """Whether it is written in the name of a mail system."""
    author = decoded((header.value(b"from") or "")[:FIELD])
    if author.strip() in ("", "<>"):
        return True
    address = address_of(author) if "<" in author else author.strip()
    local, _, _ = address.rpartition("@")
    name = author.partition("<")[0]
    known = vocabulary().authors
    return known.stands_in(words(local)) or known.stands_in(words(name if "@" not in name else name.partition("(")[2]))


def _failed_recipients(header: Message) -> list[str]:
    """Those that Exim and Google name in the header."""
    found = [
        address.strip(" <>\t")
        for value in islice(header.values(b"x-failed-recipients"), RECIPIENTS)
        for address in value[: 40 * FIELD].split(",")
    ]
    return [one_line(address, 320) for address in dict.fromkeys(found) if "@" in address][:RECIPIENTS]


def _is_late(subject: str, letter: ReportLetter) -> bool:
    """Whether it is still tried: the subject says so, or the letter does and nothing in both says that it is over, nor a code."""
    vocabulary_ = vocabulary()
    name = vocabulary_.subjects.first(subject)[1]
    late = any(letter.waits)
    if name == "delayed":
        return True
    if not late or enhanced_in(_section(letter)).startswith("5."):
        return False
    return not vocabulary_.final.stands_in(subject) and not any(vocabulary_.final.stands_in(said) for said in letter.words)


# Whom it is about


def _recipients(header: Message, letter: ReportLetter, returned: bytes, failed_for: Sequence[str]) -> list[list[Weighed]]:
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
        if (origin := _GENERATED.search(line[:400])) and "@" in origin[1]:
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
            small, place = each.text.lower(), _of_place(line, each)
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


def _of_place(line: str, each: Mention) -> int:
    """What speaks for an address in how it is written: alone, first on its line, behind a label, followed by its reason."""
    before, after = line[: each.start], line[each.end :].replace(each.text, "")
    weight = 0
    if before.endswith(_ORIGINS):
        return -1
    stripped = before.strip(_BULLETS)
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
    said = words(before[-60:].strip(_BULLETS)).split(" ")[1:]
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


# What it says of him


def _reported(letter: ReportLetter, places: Sequence[Weighed], whole: str, *, late: bool, subject: str) -> Reported:
    best = ""
    for place in places[:4]:
        said = _beside(letter, place) if place.line >= 0 else ""
        if said and (not best or (_tells(said) and not _tells(best))):
            best = said
    origin = _GENERATED.search(best[:400]) if "from" in best[:400] else None
    original = next((each.text for each in addresses(origin[1] + " ")), "") if origin else ""
    return _judged(places[0].address, original, best, whole, late=late, subject=subject)


def _tells(said: str) -> bool:
    return bool(REPLY.search(said)) or classify(0, "", said).name != "other"


def _beside(letter: ReportLetter, place: Weighed) -> str:
    """What stands behind an address and in the lines below it, up to the next address that begins a line, and an empty line."""
    line = letter.lines[place.line]
    begin = line[: place.end].rpartition(place.address)[0]
    said = [line[place.end :].lstrip(" >\"'`:.,;)(-")]
    if begin.strip(_BULLETS):
        said.insert(0, begin.strip(" <\"'"))
    empty = 0
    for below in letter.lines[place.line + 1 : place.line + 1 + AROUND]:
        first = next(addresses(below), None) if "@" in below else None
        if first is not None and not below[: first.start].strip(_BULLETS) and first.text.lower() != place.address.lower():
            break
        if not below.strip():
            empty += 1
            if any(part.strip() for part in said) or empty > 2:
                break
            continue
        said.append(below.strip())
    return " ".join(part for part in said if part.strip())


def _section(letter: ReportLetter) -> str:
    """The lines of the letter that tell a reason: those with a reply code, then those that say that mail failed, and what follows these."""
    coded = [line.strip() for line, reply in zip(letter.lines, letter.replies, strict=True) if reply]
    return " ".join(coded)[:SECTION] or " ".join(line.strip() for line in letter.lines if line.strip())[: 2 * SECTION]


def _judged(address: str, original: str, said: str, whole: str, *, late: bool, subject: str) -> Reported:
    """A recipient with its class: by what stands beside it, else by what the whole letter says, else by its subject."""
    action = "delayed" if late else "failed"
    diagnostic = said if _tells(said) else " ".join(filter(None, (said, whole)))
    status = enhanced_in(said) or enhanced_in(diagnostic) or enhanced_in(whole)
    found = judged(Reported(address, original), action, status, diagnostic, "", "")
    if found.class_ != "other":
        return found
    around = classify(code_in(diagnostic), status, f"{subject} {whole}", temporary=late or status.startswith("4."), sure=True)
    if around.name == "other" and late:
        around = class_of("delay")
    return replace(found, class_=around.name, hard=around.hard, fault=around.fault, status=status or around.status)
