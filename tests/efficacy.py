"""How well filters tell what is wanted from what is not, and what our sums make of it: false positives and false negatives, by name.

    python -m tests.efficacy                          with SpamAssassin as Debian hands it out (python -m tests.peers.install)
    python -m tests.efficacy --mark 4 --refuse 12     with other bounds
    python -m tests.efficacy --corpus DIR             with the messages in DIR/ham and DIR/spam, a file each, beside those made here
    python -m tests.efficacy --rspamd HOST:PORT       with an Rspamd that runs

A letter goes the whole way of one that comes by a door: SPF and DMARC with what the DNS of this script says, the filter, the sum, and the
bounds of [filtering]. What is spam and taken unmarked is a false negative, what is wanted and marked or worse a false positive; that is the
one which hurts. The scorer has no Internet here, so it knows no blocklists, no fuzzy sums and has learned nothing: with these it is better.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, localtime, parseaddr
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from mailer.config.sections.filtering import FilterSection
from tests.filtering.scene import ARRIVAL, Scene, ToldDns, section
from tests.peers.filters import RealFilters
from tests.peers.postfix import scratch

ZONE = {
    ("sender.example", "TXT"): ("v=spf1 ip4:192.0.2.1 -all",),
    ("factory.example", "TXT"): ("v=spf1 ip4:192.0.2.1 ~all",),
    ("winner.example", "TXT"): ("v=spf1 ip4:192.0.2.9 ~all",),
    ("pills.example", "TXT"): (),
    ("bank.example", "TXT"): ("v=spf1 ip4:192.0.2.8 -all",),
    ("_dmarc.bank.example", "TXT"): ("v=DMARC1; p=reject",),
    ("forged.example", "TXT"): ("v=spf1 -all",),
    ("_dmarc.forged.example", "TXT"): ("v=DMARC1; p=reject",),
    ("_dmarc.sender.example", "TXT"): ("v=DMARC1; p=none",),
}
LETTERS = Path(__file__).parent / "data/sorted-letters.toml"
DATE = format_datetime(localtime())
KNOWN, UNKNOWN = "192.0.2.1", "198.51.100.200"


class SortedLetter(NamedTuple):
    """A letter with its label: whether it is `spam`, what it is `about`, and how it comes.

    `sender` is the reverse-path. `known`: SPF lets its server send, and that has a name in the DNS.
    """

    spam: bool
    about: str
    sender: str
    content: bytes
    known: bool


def letters() -> list[SortedLetter]:
    """Those that were made for this."""
    found = tomllib.loads(LETTERS.read_text())["letter"]
    return [SortedLetter(each["spam"], each["about"], each["reverse_path"], _written(each), each["known"]) for each in found]


def _written(letter: Mapping[str, Any]) -> bytes:
    """The message as a mail program writes it."""
    made = EmailMessage(policy=SMTP)
    named = f"<{sha256(letter['about'].encode()).hexdigest()[:16]}@{parseaddr(letter['author'])[1].partition('@')[2]}>"
    head = {"From": letter["author"], "To": letter.get("to", "Bob <bob@example.com>"), "Subject": letter["subject"], "Date": DATE}
    for name, value in {**head, "Message-ID": named, **letter.get("fields", {})}.items():
        made[name] = value
    if "text" in letter:
        made.set_content(letter["text"])
        if "html" in letter:
            made.add_alternative(letter["html"], subtype="html")
    else:
        made.set_content(letter["html"], subtype="html", cte="base64")
    return made.as_bytes()


class Judged(NamedTuple):
    """A letter, what became of it, and the sum of all scores."""

    letter: SortedLetter
    verdict: str
    score: float
    against: str


async def judged(filters: Sequence[FilterSection], corpus: Iterable[SortedLetter], **marks: Any) -> list[Judged]:
    """What becomes of each letter of `corpus`."""
    scene = Scene(*filters, dns=ToldDns(ZONE), **marks)
    found = []
    for each in corpus:
        arrival = replace(
            ARRIVAL,
            ip=KNOWN if each.known else UNKNOWN,
            name="mx.sender.example" if each.known else "",
            hello="mx.sender.example" if each.known else "localhost",
        )
        ruling = await scene.judged(each.content, arrival=arrival, sender=each.sender)
        if hasattr(ruling, "verdict"):
            found.append(Judged(each, ruling.verdict, ruling.score, ruling.against))
        else:  # refused before there was a message
            found.append(Judged(each, "refuse", 0.0, str(ruling)))
    return found


class Efficacy(NamedTuple):
    """How well it went: the letters that were judged wrongly, and how much of the spam was refused at once."""

    found: Sequence[Judged]

    @property
    def false_positives(self) -> list[Judged]:
        """Wanted, and marked or worse."""
        return [each for each in self.found if not each.letter.spam and each.verdict != "accept"]

    @property
    def false_negatives(self) -> list[Judged]:
        """Unwanted, and taken without a mark."""
        return [each for each in self.found if each.letter.spam and each.verdict == "accept"]

    def as_json(self) -> dict[str, object]:
        """For programs."""
        spam = [each for each in self.found if each.letter.spam]
        return {
            "ham": len(self.found) - len(spam),
            "spam": len(spam),
            "refused": sum(each.verdict in ("refuse", "tempfail") for each in spam),
            "false_positives": [each.letter.about for each in self.false_positives],
            "false_negatives": [each.letter.about for each in self.false_negatives],
        }

    def lines(self) -> Iterable[str]:
        """For a person."""
        facts = self.as_json()
        ham, spam = int(str(facts["ham"])), int(str(facts["spam"]))
        caught = spam - len(self.false_negatives)
        yield f"{spam} unwanted: {caught} marked or worse ({caught / max(spam, 1):.0%}), {facts['refused']} of them refused"
        yield f"{ham} wanted: {len(self.false_positives)} marked or worse ({len(self.false_positives) / max(ham, 1):.1%})"
        for name, wrong in (("false positive", self.false_positives), ("false negative", self.false_negatives)):
            for each in wrong:
                yield f"  {name}  {each.score:5.1f}  {each.letter.about}  {each.against}"


def corpus_at(place: Path) -> Iterable[SortedLetter]:
    """The messages of somebody else's collection, each a file below ``ham`` or ``spam``; of their senders nothing is known."""
    for label in ("ham", "spam"):
        for path in sorted((place / label).rglob("*")):
            if path.is_file():
                content = path.read_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
                yield SortedLetter(label == "spam", f"{label}/{path.name}", "", content, True)


def with_spamd(corpus: Sequence[SortedLetter], **marks: Any) -> Efficacy:
    """How well SpamAssassin does, started for this."""
    with scratch("efficacy") as home:
        real = RealFilters(home, "mx.example.com")
        try:
            return Efficacy(asyncio.run(judged([section("spamd", real.start("spamd"), at_once=1)], corpus, **marks)))
        finally:
            real.close()


def main() -> int:
    """Print how well it goes; 1 where a wanted letter was marked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mark", type=float, default=5.0)
    parser.add_argument("--refuse", type=float, default=15.0)
    parser.add_argument("--corpus", type=Path)
    parser.add_argument("--rspamd")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    corpus = [*letters(), *(corpus_at(given.corpus) if given.corpus else ())]
    marks = {"mark": given.mark, "refuse": given.refuse}
    begun = time.monotonic()
    if given.rspamd:
        found = Efficacy(asyncio.run(judged([section("rspamd", given.rspamd)], corpus, **marks)))
    else:
        found = with_spamd(corpus, **marks)
    if given.json:
        print(json.dumps(found.as_json()))
    else:
        print("\n".join(found.lines()), f"\n{(time.monotonic() - begun) / len(corpus):.2f} s a message", sep="")
    return 1 if found.false_positives else 0


if __name__ == "__main__":
    sys.exit(main())
