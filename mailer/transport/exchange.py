"""One message over sessions: what holds for whoever sends mail, the daemon as well as a program with the library.

A session that was used before may be gone without our knowing: what it loses before it has taken anything of the message (it is lost, or
421 answers what we said first, RFC 5321 §3.8) is said once more on another one, and is no failure of the host. Recipients that a host
calls too many for one transaction go at once in another (RFC 5321 §4.5.3.1.10), as long as it takes some of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from .connection import Answer, Connection, Mail


async def transact(
    mail: Mail, lend: Callable[[], Awaitable[Connection]], ahead: Callable[[], Mail | None] | None = None
) -> tuple[list[Answer], Connection]:
    """The answers to one transaction, and the session that gave them; `lend` gives a session, another one where the last is over.

    `ahead` is as for `Connection.deliver`. Raises what `lend` raises.
    """
    while True:
        connection = await lend()
        fresh = connection.deliveries == 0
        answers = await connection.deliver(mail, ahead)
        if fresh or answers[0].phase == "body" or not all(map(_never_began, answers)):
            return answers, connection


def too_many(answers: Sequence[Answer]) -> dict[int, None]:
    """The recipients that go at once in another transaction; none where not one was taken: then it is no limit but a refusal."""
    again = {answer.to: None for answer in answers if answer.kind == "again"}
    return again if len(again) < len(answers) else {}


def _never_began(answer: Answer) -> bool:
    """Whether the session was over before this transaction: it was lost, or 421 answered what we said first."""
    lost = answer.kind == "lost" and answer.phase in ("mail", "rcpt")
    return lost or (answer.kind == "reply" and answer.phase == "mail" and answer.reply.code == 421)
