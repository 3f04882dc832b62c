"""File descriptors, shared out: how many sessions, kept files and questions to the DNS a process may have at once. Pure.

The limit of a service may be as low as 256 (`ulimit -n`), and whoever does not count runs into it at a place that he does not choose: the
sockets of sessions fail, because files are kept open that could be read again. So it is counted at the start. What is left after all
sessions have what they need is for the files that wait between being read and being sent.

Used by the daemon, which raises its soft limit to the hard one before.
"""

from __future__ import annotations

from typing import NamedTuple

OWN = 40  # standard streams, log, lock, database, sockets to listen on and who calls there, the files that threads write
SESSION = 4  # its socket and that of a second address, its message's file, and the next one's
IDLE = 1  # for each session, one that waits for more mail or takes its leave
FILES = 600  # that are kept open at most: as many as are read ahead for two quick destinations
QUESTIONS = 200  # to the DNS; a thousand new domains must not use up everything


class Shares(NamedTuple):
    """How many at once."""

    sessions: int
    files: int
    questions: int


def shares(limit: int, sessions: int) -> Shares:
    """What `limit` descriptors come to, where `sessions` are wanted. There is one session at least."""
    rest = max(limit - OWN, 0)
    most = max(min(sessions, rest * 6 // 10 // (SESSION + IDLE)), 1)
    questions = max(min(QUESTIONS, rest // 5), 2)
    return Shares(most, max(min(FILES, rest - most * (SESSION + IDLE) - questions), 0), questions)
