"""The journal: whether it can be read, how much it keeps, and who is behind. Used by `visit`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailer.check.finding import FAIL, PASS, WARN, Finding
from mailer.journal.component import state_of
from mailer.journal.files import journal_of
from mailer.mail.text import human_size
from mailer.spool.files.store import SpoolDirectory

if TYPE_CHECKING:
    from mailer.config import Config
    from mailer.journal.component import JournalState

LATE = 3600.0  # seconds; a reader that does anything has done it by then
SEE = {"amqp": "mailer amqp, whose log says why"}
"""Where to look, by the reader; of webhooks it is said elsewhere (`mailer.operate.doctor.webhooks`)."""


async def journal(config: Config) -> list[Finding]:
    """What is found; nothing where no journal is written, and none was."""
    place = f"{config.spool}/journal"
    try:
        state = await state_of(journal_of(SpoolDirectory(config.spool)), config.readers)
    except OSError as error:
        text = f"cannot be read: {error.strerror or error}; what is delivered stays in the spool while it cannot be written"
        return [Finding("journal", place, FAIL, text, f"ls -ld {place}: it is a directory of the spool's owner, mode 0700")]
    if not config.journaled and not state.held.since:
        return []
    text = f"keeps {state.held.events} events in {human_size(state.held.bytes)}"
    behind = [finding for name in config.readers if name in SEE for finding in _reader(place, name, state)]
    return [Finding("journal", place, PASS, text if config.journaled else f"{text}; nobody subscribes any more"), *behind]


def _reader(place: str, name: str, state: JournalState) -> list[Finding]:
    behind, lost, see = state.behind[name], state.lost[name], SEE[name]
    if lost:
        text = f"{name} has lost {lost} events, which were deleted for the size of the journal before it had them"
        return [Finding("journal", place, FAIL, text, f"{see}; a larger journal.size")]
    if behind.events and behind.seconds > LATE:
        hours = behind.seconds / 3600
        return [Finding("journal", place, WARN, f"{name} is {behind.events} events behind, the oldest {hours:.0f} h old", see)]
    return []
