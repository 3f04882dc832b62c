"""The XML of a DMARC report: RFC 7489 Appendix C, RFC 9990 Appendix A, and the drafts before, which some reporters still write.

Used by `finding`. Elements are known by their names and places, with a namespace (``urn:ietf:params:xml:ns:dmarc-2.0``) or without, in
whatever order, and attributes (``lang``) are passed over; so are extensions. What a report cannot do without is the domain and the time;
a row needs an address, a count and what became of the messages.

expat reads it piece by piece, and nothing is kept but sums. A document type is refused, for entities are declared there, with which little
text is made much, and files are read. Depth, elements and the octets of one token have bounds; a text is as long as `LONGEST_TEXT`, and
what goes beyond is left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.parsers import expat

from .summary import MOST_COUNT, BadReport, DmarcReport, DmarcSource, add, domain_of, host_of, time_range, told, whole

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import NoReturn

MOST_ELEMENTS = 1_000_000
DEEPEST = 16  # elements within elements; the schema has six
LONGEST_TEXT = 4096  # characters of one element
LONGEST_TOKEN = 1 << 17  # octets of a tag, comment or the like

DISPOSITIONS = frozenset({"none", "quarantine", "reject", "pass"})  # RFC 9990 §3.1.1.9 has the last one
POLICIES = frozenset({"none", "quarantine", "reject"})
RESULTS = frozenset({"none", "pass", "fail", "policy", "neutral", "temperror", "permerror", "softfail"})  # RFC 8601 §2.7.1, §2.7.2
OVERRIDES = frozenset(
    {"forwarded", "sampled_out", "trusted_forwarder", "mailing_list", "local_policy", "policy_test_mode", "other"}
)  # RFC 7489 Appendix C, RFC 9990 §3.1.6

_LEAVES = {
    "report_metadata/org_name", "report_metadata/email", "report_metadata/report_id", "report_metadata/error",
    "report_metadata/date_range/begin", "report_metadata/date_range/end", "policy_published/domain", "policy_published/p",
    "record/row/source_ip", "record/row/count", "record/row/policy_evaluated/disposition", "record/row/policy_evaluated/dkim",
    "record/row/policy_evaluated/spf", "record/row/policy_evaluated/reason/type", "record/identifiers/header_from",
    "record/auth_results/dkim/domain", "record/auth_results/dkim/result", "record/auth_results/spf/domain",
    "record/auth_results/spf/result",
}  # fmt: skip
"""The places below the root whose text is of use."""


class _Place:
    """A place of the schema, with those `within` it by name; a `leaf` has a text of use, and what is `of_row` is begun anew with each."""

    __slots__ = ("leaf", "of_row", "path", "within")

    def __init__(self, path: str = "") -> None:
        self.path = path
        self.leaf = path in _LEAVES
        self.of_row = path.startswith("record/")
        self.within: dict[str, _Place] = {}


def _schema() -> _Place:
    root = _Place()
    for leaf in _LEAVES:
        place = root
        for name in leaf.split("/"):
            place = place.within.setdefault(name, _Place(f"{place.path}/{name}".lstrip("/")))
    return root


_ROOT, _NOWHERE = _schema(), _Place()
_RECORD, _SIGNATURE, _PATH = "record", "record/auth_results/dkim", "record/auth_results/spf"


def read(pieces: Iterable[bytes]) -> DmarcReport:
    """The report in the XML document that comes in `pieces`. Raises `BadReport`."""
    document = _Document()
    parser = document.parser
    fed = 0
    try:
        for piece in pieces:
            parser.Parse(piece)
            fed += len(piece)
            if fed - max(parser.CurrentByteIndex, 0) > LONGEST_TOKEN:
                raise BadReport(f"it has a tag or a comment of more than {LONGEST_TOKEN} bytes")
        parser.Parse(b"", True)
    except expat.ExpatError as error:
        raise BadReport(f"it is no XML document: {error}") from None
    except (ValueError, LookupError) as error:  # of an encoding that Python does not have
        raise BadReport(f"it is written in an encoding that cannot be read: {told(str(error))}") from None
    return document.report()


def is_root(start: bytes) -> bool:
    """Whether a document that begins so is one of these: its root element is ``feedback``, whatever stands before it."""
    parser = expat.ParserCreate()
    found: list[str] = []
    parser.StartElementHandler = lambda name, _: found.append(name)
    parser.StartDoctypeDeclHandler = _refuse_doctype
    try:
        parser.Parse(start[:LONGEST_TEXT])
    except (expat.ExpatError, BadReport, ValueError, LookupError):
        pass
    return bool(found) and _local(found[0]) == "feedback"


def _local(name: str) -> str:
    return name.rpartition(":")[2]


def _refuse_doctype(*_: object) -> NoReturn:
    raise BadReport("it has a document type, which no report needs and which could make much of little")


class _Document:
    """What was read of a document so far."""

    def __init__(self) -> None:
        self.parser = parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = _refuse_doctype
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        self._places: list[_Place] = []
        self._elements = 0
        self._kept: list[str] | None = None
        self._room = 0
        self._facts: dict[str, str] = {}
        self._row: dict[str, str] = {}
        self._signatures: list[tuple[str, str]] = []
        self._paths: list[tuple[str, str]] = []
        self._counts: dict[DmarcSource, int] = {}
        self._bad = 0

    def _start(self, name: str, _: object) -> None:
        self._elements += 1
        if self._elements > MOST_ELEMENTS:
            raise BadReport(f"it has more than {MOST_ELEMENTS} elements")
        if not self._places:
            if _local(name) != "feedback":
                raise BadReport(f"it is XML, and no DMARC report: its root is {told(name, 60)!r}")
            self._places.append(_ROOT)
            return
        if len(self._places) >= DEEPEST:
            raise BadReport(f"its elements are more than {DEEPEST} deep")
        within = self._places[-1].within
        place = within.get(name) or within.get(_local(name), _NOWHERE)
        self._places.append(place)
        self._kept, self._room = ([], LONGEST_TEXT) if place.leaf else (None, 0)

    def _text(self, text: str) -> None:
        if self._kept is not None and self._room > 0:
            self._kept.append(text[: self._room])
            self._room -= len(text)

    def _end(self, _: str) -> None:
        place = self._places.pop()
        if self._kept is not None:
            facts = self._row if place.of_row else self._facts
            facts.setdefault(place.path, "".join(self._kept).strip())
            self._kept = None
        elif place.path == _SIGNATURE:
            self._signatures.append(self._result(_SIGNATURE))
            del self._signatures[100:]  # RFC 9990 §3.1.3
        elif place.path == _PATH:
            self._paths.append(self._result(_PATH))
            del self._paths[2:]  # RFC 7489 has one for MAIL FROM and one for HELO
        elif place.path == _RECORD:
            self._add_row()

    def _result(self, place: str) -> tuple[str, str]:
        """(domain, result) of a signature, or of SPF, that has just ended."""
        domain, result = self._row.pop(f"{place}/domain", ""), self._row.pop(f"{place}/result", "").lower()
        return domain_of(domain), result if result in RESULTS else ""

    def _add_row(self) -> None:
        row, signatures, paths = self._row, self._signatures, self._paths
        self._row, self._signatures, self._paths = {}, [], []
        read = row.get
        source = host_of(read("record/row/source_ip", ""))
        count = whole(read("record/row/count", ""))
        disposition = read("record/row/policy_evaluated/disposition", "").lower()
        if not source or count is None or count > MOST_COUNT or disposition not in DISPOSITIONS:
            self._bad += 1
            return
        author = domain_of(read("record/identifiers/header_from", ""))
        dkim = read("record/row/policy_evaluated/dkim", "").lower() == "pass"
        spf = read("record/row/policy_evaluated/spf", "").lower() == "pass"
        override = read("record/row/policy_evaluated/reason/type", "").lower()
        what = DmarcSource(
            author,
            source,
            disposition,
            dkim,
            spf,
            *_best(signatures, author),
            *_best(paths, author),
            override if override in OVERRIDES else "",
        )
        add(self._counts, what, DmarcSource("", "", disposition, dkim, spf), count)

    def report(self) -> DmarcReport:
        """All of it. Raises `BadReport`."""
        read = self._facts.get
        domain = domain_of(read("policy_published/domain", ""))
        if not domain:
            raise BadReport("it names no domain that it is about")
        begin, end = time_range(whole(read("report_metadata/date_range/begin", "")), whole(read("report_metadata/date_range/end", "")))
        policy = read("policy_published/p", "").lower()
        return DmarcReport(
            domain,
            told(read("report_metadata/org_name", ""), 100) or domain_of(read("report_metadata/email", "")),
            told(read("report_metadata/report_id", "")),
            begin,
            end,
            policy if policy in POLICIES else "",
            {what if what.author else what._replace(author=domain): count for what, count in self._counts.items()},
            self._bad,
            told(read("report_metadata/error", "")),
            told(read("report_metadata/email", ""), 254),
        )


def _best(results: Sequence[tuple[str, str]], author: str) -> tuple[str, str]:
    """The one that says most of who sent it: passed and of the author's domain, passed, of the author's domain, the first."""
    rank: Callable[[tuple[str, str]], tuple[bool, bool]] = lambda each: (each[1] == "pass", _related(each[0], author))  # noqa: E731
    return max(results, key=rank, default=("", ""))


def _related(one: str, other: str) -> bool:
    return bool(one) and bool(other) and (one == other or one.endswith(f".{other}") or other.endswith(f".{one}"))
