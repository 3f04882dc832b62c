"""The whole story of one message: what its file says, what the database has kept, and which reports were made about it.

The database may be missing, and the message may have left the spool: then there is less to tell, and `missing` says what. Nothing
here judges; why a message waits is `mailer.operate.blockers`'s to say.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .attempts import of_outcome

if TYPE_CHECKING:
    from mailer.mail.principal import Principal
    from mailer.spool.api import Entry

    from .attempts import Attempted, DialogLine
    from .record import Record
    from .sqlite.reader import Reader


@dataclass(slots=True)
class Story:
    """The story of a message. `entry` is its file, if it is still in the spool, `who` handed it over, if that is known.

    `attempts` are in the order of time, `dialogs` by `Attempted.key`. `missing` says for a person what is not known.
    """

    record: Record
    entry: Entry | None
    who: Principal | None
    attempts: list[Attempted]
    dialogs: dict[int, list[DialogLine]]
    reports: list[Record]
    missing: list[str] = field(default_factory=list)

    @property
    def told(self) -> dict[str, object]:
        """What was asked for, as its file says, and what else that says of who handed the message over."""
        if self.entry is None:
            return {}
        said = {**self.entry.envelope.submitter, **self.entry.envelope.options}
        return {name: value for name, value in said.items() if name not in ("uid", "principal")}

    def last(self, position: int) -> Attempted | None:
        """The last attempt at one recipient."""
        return next((each for each in reversed(self.attempts) if each.position == position), None)


def tell(record: Record, entry: Entry | None, reader: Reader, reports: list[Record], most: int = -1) -> Story:
    """The story of the message of `record`: what its file (`entry`) and the database know, and the `reports` about it.

    Of its attempts all, or the last ones, so many at `most`.
    """
    known = reader.attempts(record.id, most)
    who = entry.envelope.principal if entry else reader.submitter(record.id)
    story = Story(
        record,
        entry,
        who,
        _attempts(entry, known)[-most if most >= 0 else None :],
        reader.dialogs(record.id),
        reports,
    )
    story.missing = list(_missing(reader, story, known))
    if len(story.attempts) == most:
        story.missing.append(f"what was before the last {most} attempts is not shown; the owner of the spool can see all")
    return story


def _attempts(entry: Entry | None, known: list[Attempted]) -> list[Attempted]:
    """Those of the database, and those that only the spool has, in the order in which they were made: by the spool's records where it has
    them, for the clock may have been set back meanwhile, else by time. Whether one counts, only the spool says.
    """
    found = {(each.position, each.key): each for each in known}
    ranks: dict[int, int] = {}
    for outcome in entry.history.outcomes if entry else ():
        if outcome.moved:
            continue
        mine = of_outcome(outcome, entry.envelope.recipients[outcome.to].address if entry else "")
        found.setdefault((mine.position, mine.key), mine).counts = outcome.counts
        ranks.setdefault(mine.key, len(ranks))
    return sorted(found.values(), key=lambda each: (ranks.get(each.key, -1), each.at, each.position))


def _missing(reader: Reader, story: Story, known: list[Attempted]) -> list[str]:
    missing = []
    if not reader.there:
        why = f" ({reader.trouble})" if reader.trouble else ""
        missing.append(f"there is no status database that can be read{why}: how long each step took, and what was said, is not known")
    elif len(known) < len(story.attempts):
        missing.append("of some attempts the status database knows nothing: how long each step took, and what was said, is not known")
    if story.entry is None:
        missing.append("the message has left the spool, and with it how it was submitted")
    return missing
