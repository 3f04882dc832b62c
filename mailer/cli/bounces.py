"""``mailer bounces``: the recipients that did not get their mail, and why; one by one, or counted."""

from __future__ import annotations

import re
import time
from collections import Counter
from itertools import islice
from typing import TYPE_CHECKING

from mailer.mail.failure import OK

from . import pages, show
from .options import JSON, Command, Option, usage
from .selectors import DOMAIN, FROM, LIMIT, TO, chosen, filter_of, spool_of, view_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from mailer.status.reader import Undelivered

    from .options import Given

SHOWN = 20
LONGEST = 500  # characters of a reply that are compared: the expression goes over long words again and again

# What differs between two replies that say the same: addresses, numbers that are not codes, and names of queues
_PARTICULAR = re.compile(r"<[^<>]*@[^<>]*>|\S+@\S+|\b(?=\w*\d)\w{7,}\b|\b\d+(?:\.\d+){3}\b")


def run(given: Given) -> int:
    """Show the recipients, or count them."""
    spool, wanted = spool_of(given), filter_of(given)
    by = given.text("--by")
    if by is not None and by not in GROUPS:
        raise usage(f"--by takes {', '.join(GROUPS)}, not {by!r}", "bounces")
    limit = given.number("--limit", SHOWN) or None
    with view_of(spool) as view:
        found = view.undelivered(wanted)
        if by:
            _groups(given, by, found, limit)
        else:
            _list(given, islice(found, limit))
        notes = view.notes
    for text in notes:
        show.note(text)
    return OK


def _list(given: Given, found: Iterable[Undelivered]) -> None:
    if given.flag("--json"):
        for item in found:
            show.json_line(item.as_json())
        return
    items = list(found)
    if not given.flag("--quiet"):
        show.show([pages.undelivered(items, time.time()) if items else show.Line([_none(given)])])


def _groups(given: Given, by: str, found: Iterable[Undelivered], limit: int | None) -> None:
    counts: Counter[str] = Counter()
    examples: dict[str, str] = {}
    for item in found:
        name = GROUPS[by](item)
        counts[name] += 1
        examples.setdefault(name, item.recipient.why if by != "reason" else item.recipient.address)
    groups = [(name, count, examples[name]) for name, count in counts.most_common(limit)]
    if given.flag("--json"):
        for name, count, example in groups:
            show.json_line({by: name, "count": count, "example": example})
    elif not given.flag("--quiet"):
        show.show([pages.groups(by.upper(), groups) if groups else show.Line([_none(given)])])


def _none(given: Given) -> str:
    return "No mail failed that is like that." if chosen(given) else "No mail failed."


def reason(item: Undelivered) -> str:
    """The reply without what is particular to one message."""
    return general(item.recipient.why)


def general(reply: str) -> str:
    """A reply without what is particular to one message, so that equal reasons count as one."""
    return _PARTICULAR.sub("…", reply[:LONGEST])[:200] or "no reason is known"


def domain(item: Undelivered) -> str:
    """The domain of the recipient."""
    return item.recipient.address.rpartition("@")[2].lower()


def code(item: Undelivered) -> str:
    """The codes of the reply: ``550 5.1.1``."""
    recipient = item.recipient
    return " ".join(part for part in (str(recipient.code or ""), recipient.enhanced_code) if part) or "none"


GROUPS: dict[str, Callable[[Undelivered], str]] = {"reason": reason, "domain": domain, "code": code}

COMMAND = Command(
    "bounces",
    run,
    summary="recipients that failed or bounced, and why",
    about=(
        "Shows each recipient whose mail was refused for good, expired, or came back later, newest first, with what the other side "
        "said. With --by it counts them instead."
    ),
    options=(
        TO,
        FROM,
        DOMAIN,
        Option("--since", metavar="WHEN", help="only what failed since then: 2h, 1d, 2026-11-21 or 2026-11-21T02:15:00Z"),
        Option("--by", metavar="WHAT", help="count by reason, domain or code, most frequent first"),
        LIMIT,
        JSON,
    ),
    epilog="""\
examples:
  mailer bounces --since 1d
  mailer bounces --by reason --domain example.net
  mailer bounces --json --limit 0 | jq -r .address | sort -u""",
)
