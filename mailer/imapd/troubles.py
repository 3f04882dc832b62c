"""What a client is told of what went wrong: RFC 9051 §7.1, RFC 5530.

A trouble of ours says no more than that it is one: what it was stands in the log.
"""

from __future__ import annotations

from typing import Final

from mailer.imap.answer import Answer
from mailer.mail.problem import Problem
from mailer.mail.text import one_line
from mailer.mailbox.api import BodyLost, Frozen, NoFolder, NoKey, OverQuota

CODES: Final[dict[type[Problem], str]] = {
    OverQuota: "OVERQUOTA",
    Frozen: "UNAVAILABLE",
    NoKey: "UNAVAILABLE",
    NoFolder: "NONEXISTENT",
    BodyLost: "SERVERBUG",
}
KINDS: Final = {
    "try-again": "UNAVAILABLE",
    "unavailable": "UNAVAILABLE",
    "no-such": "NONEXISTENT",
    "no-permission": "NOPERM",
    "usage": "CANNOT",
    "bad-message": "ALREADYEXISTS",
}
SPEAKING: Final = frozenset({"OVERQUOTA", "NONEXISTENT", "CANNOT", "ALREADYEXISTS"})
"""Codes whose text is about what the client did, and no business of ours alone."""

BUG: Final = Answer("NO", "that failed here; whoever looks after this server finds in its log why", "SERVERBUG")
LATER: Final = Answer("NO", "that cannot be done now, try again", "UNAVAILABLE")
READ_ONLY: Final = Answer("NO", "the folder was opened to be read only", "READ-ONLY")
GONE: Final = Answer("NO", "some of these messages are gone", "EXPUNGEISSUED")


class ImapRefused(Exception):
    """A command that cannot be done; `answer` ends it."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.text)
        self.answer = answer


class FolderGone(Exception):
    """The folder that is open was deleted, or has other numbers: the session ends with this text, for nothing in it means anything now."""


def answer_to(problem: Problem) -> Answer:
    """What ends a command that met `problem`."""
    code = CODES.get(type(problem)) or KINDS.get(problem.kind, "SERVERBUG")
    if code in SPEAKING:
        return Answer("NO", one_line(str(problem), 200).encode("ascii", "replace").decode(), code)
    return LATER if code == "UNAVAILABLE" else BUG._replace(code=code)


def is_ours(problem: Problem) -> bool:
    """Whether a person here has to know of it."""
    return answer_to(problem).code == "SERVERBUG"
