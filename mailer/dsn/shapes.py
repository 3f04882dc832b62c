"""Reports that have no part for programs: known by their shape, and read as a person reads them.

No rule here is of one program. A message is taken for a report when enough of these come together: who writes (a postmaster, the null
reverse-path), what its subject and its letter say, a reply code, the message that came back. One alone never is enough, for people
quote and forward reports, and answering machines write as postmasters.

Whom it is about says `weighing`; what stands beside an address is what was said of it.

The words are data, ``shapes.toml``, in some twenty languages. All of it is bounded: so much text, so many lines.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from mailer.mail.message import Message
from mailer.mime.words import text_of_words

from . import automatic
from .classes import class_of, classify
from .delivery_status import address_of, code_in, enhanced_in, judged
from .letter import REPLY, ReportLetter, addresses
from .parts import FIELD
from .phrases import words
from .reported import Reported, ReportKind
from .vocabulary import vocabulary
from .weighing import BULLETS, GENERATED, failed_recipients, of_place, recipients

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .weighing import Weighed

ENOUGH = 4  # of the signs of a report, where who writes is known for reports
MORE = 6  # where it may be anybody
AROUND = 6  # lines below an address that may tell its reason
SECTION = 900  # characters of a letter that tell the reason for all

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
_PLAIN = frozenset({"unknown-user", "bad-domain", "moved", "inactive", "full", "too-large", "expired"})
"""Classes that say by themselves, of a mail system with nothing else to say, that mail failed."""


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
    failed_for = failed_recipients(header)
    if not failed_for and not _is_report(header, subject, letter, encloses=encloses or bool(letter.header)):
        return None
    found = recipients(header, letter, returned, failed_for)
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
    return any(first is not None and of_place(line, first) >= 3 for line, first in found)


def is_known_author(header: Message) -> bool:
    """Whether it is written in the name of a mail system."""
    author = text_of_words((header.value(b"from") or "")[:FIELD])
    if author.strip() in ("", "<>"):
        return True
    address = address_of(author) if "<" in author else author.strip()
    local, _, _ = address.rpartition("@")
    name = author.partition("<")[0]
    known = vocabulary().authors
    return known.stands_in(words(local)) or known.stands_in(words(name if "@" not in name else name.partition("(")[2]))


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


# What it says of him


def _reported(letter: ReportLetter, places: Sequence[Weighed], whole: str, *, late: bool, subject: str) -> Reported:
    best = ""
    for place in places[:4]:
        said = _beside(letter, place) if place.line >= 0 else ""
        if said and (not best or (_tells(said) and not _tells(best))):
            best = said
    origin = GENERATED.search(best[:400]) if "from" in best[:400] else None
    original = next((each.text for each in addresses(origin[1] + " ")), "") if origin else ""
    return _judged(places[0].address, original, best, whole, late=late, subject=subject)


def _tells(said: str) -> bool:
    return bool(REPLY.search(said)) or classify(0, "", said).name != "other"


def _beside(letter: ReportLetter, place: Weighed) -> str:
    """What stands behind an address and in the lines below it, up to the next address that begins a line, and an empty line."""
    line = letter.lines[place.line]
    begin = line[: place.end].rpartition(place.address)[0]
    said = [line[place.end :].lstrip(" >\"'`:.,;)(-")]
    if begin.strip(BULLETS):
        said.insert(0, begin.strip(" <\"'"))
    empty = 0
    for below in letter.lines[place.line + 1 : place.line + 1 + AROUND]:
        first = next(addresses(below), None) if "@" in below else None
        if first is not None and not below[: first.start].strip(BULLETS) and first.text.lower() != place.address.lower():
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
