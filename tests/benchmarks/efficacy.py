#!/usr/bin/env python3
"""How well filters tell what somebody wants from what nobody wants, on letters that carry a label (`tests/benchmarks/corpus.py`).

    python tests/benchmarks/efficacy.py [--without-spamd] [--mark 5] [--refuse 15] [--verbose] [--corpus DIR]

Each letter goes through the panel as a door asks it: a list of addresses, what the sender proves, and SpamAssassin with the rules that it
comes with, without the network and without having learned anything; its own two samples are among the letters where Debian's package of it
is installed. Printed are the letters that were wanted and are marked or refused (false positives), and those that nobody wants and that are
taken unmarked (false negatives), with the kinds that they are of. With a corpus of your own, messages are files in DIR/ham and DIR/spam.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from mailer.config.sections.filtering import FilterSection
from mailer.mail.arrival import Arrival
from tests.benchmarks.corpus import WRITTEN, LabelledLetter, letters, of_others, of_spamassassin
from tests.filtering.scene import Scene, ToldDns, section
from tests.peers.filters import RealFilters
from tests.peers.postfix import scratch

GOOD, LISTED, ELSEWHERE = "62.4.9.1", "62.4.9.66", "62.4.9.9"  # addresses for documentation are spam by themselves to a scorer
ZONE = {
    ("good.example", "TXT"): (f"v=spf1 ip4:{GOOD} -all",),
    ("other.example", "TXT"): ("v=spf1 ip4:203.0.113.1 ~all",),
    ("2.0.0.127.bl.example", "A"): ("127.0.0.2",),
    ("66.9.4.62.bl.example", "A"): ("127.0.0.4",),
}


def main() -> None:
    """Judge them all, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--without-spamd", action="store_true", help="by the list and what is proved alone")
    parser.add_argument("--mark", type=float, default=5.0, help="as filtering.mark (default %(default)s)")
    parser.add_argument("--refuse", type=float, default=15.0, help="as filtering.refuse (default %(default)s)")
    parser.add_argument("--verbose", action="store_true", help="print each letter that was judged wrongly")
    parser.add_argument("--corpus", type=Path, metavar="DIR", help="letters of yours, in place of these")
    given = parser.parse_args()
    corpus = [*of_others(given.corpus)] if given.corpus else [*letters(), *of_spamassassin()]
    filters = [section("blocklist", "bl.example", score=4.0)]
    with spamd() if not given.without_spamd else contextlib.nullcontext() as scorer:
        filters += [scorer] if scorer else []
        asyncio.run(judged(corpus, filters, given.mark, given.refuse, verbose=given.verbose))


@contextlib.contextmanager
def spamd() -> Iterator[FilterSection]:
    """SpamAssassin, as it is handed out."""
    with scratch("efficacy") as home:
        real = RealFilters(home, "mx.example.com")
        try:
            yield section("spamd", real.start("spamd"), timeout=60.0)
        finally:
            real.close()


async def judged(corpus: Sequence[LabelledLetter], filters: list[FilterSection], mark: float, refuse: float, *, verbose: bool) -> None:
    """Judge all letters, and print what came of it."""
    scene = Scene(*filters, dns=ToldDns(ZONE), mark=mark, refuse=refuse)
    wrong: Counter[tuple[bool, str]] = Counter()
    many: Counter[bool] = Counter()
    refused = 0
    for letter in corpus:
        ruling = await scene.judged(letter.content, arrival=_arrival(letter), sender=letter.sender)
        verdict = getattr(ruling, "verdict", "refuse")
        many[letter.spam] += 1
        refused += letter.spam and verdict == "refuse"
        if (verdict in ("mark", "refuse", "hold")) != letter.spam:
            wrong[letter.spam, letter.kind] += 1
            if verbose:
                print(f"{letter.kind}: {verdict}, {getattr(ruling, 'score', 0.0):.1f}", *getattr(ruling, "steps", ()), sep="\n  ")
    _print("false positives", False, wrong, many)
    _print("false negatives", True, wrong, many)
    print(f"FIGURE refused of what nobody wants: {100 * refused / max(many[True], 1):.1f} % ({refused} of {many[True]})")


def _arrival(letter: LabelledLetter) -> Arrival:
    ip = LISTED if letter.listed else GOOD if letter.proved else ELSEWHERE
    return Arrival("mx", ip, "mx.sender.example", "ESMTPS", "TLSv1.3", "mx.sender.example" if letter.named else "", "", WRITTEN)


def _print(label: str, spam: bool, wrong: Counter[tuple[bool, str]], many: Counter[bool]) -> None:
    kinds = {kind: count for (which, kind), count in wrong.items() if which == spam}
    total = sum(kinds.values())
    of = ", ".join(f"{kind} {count}" for kind, count in sorted(kinds.items())) or "none"
    print(f"FIGURE {label}: {100 * total / max(many[spam], 1):.1f} % ({total} of {many[spam]}; {of})")


if __name__ == "__main__":
    main()
