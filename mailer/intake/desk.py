"""The desk: one question of one user, and the answer to it. Plain functions; whoever calls them has a thread to wait in.

========================  ===============================================================================================
``put ID`` + spool file   the message is in the spool, durably: ``ok`` and the ID that it has
``find NAME``             his messages of that ID, Message-ID or request id, one JSON object a line
``list`` + filter         his messages, newest first; ``queue`` those of the spool, oldest first; ``bounces`` his recipients in trouble
``summary``               how many there are of each kind
``read ID``               his message as it lies in the spool: ``ok STATE DUE`` and the file
``story ID``              what the status database knows of its attempts, one JSON object
``cancel ID``             give up what of his message has not left
========================  ===============================================================================================

A filter is a JSON object with members of `mailer.status.filter.Filter` and ``limit``. Records travel as all of their members, so
that the other end shows them as if it had read them itself.
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

from mailer.mail.failure import BAD_MESSAGE, USAGE, Failure, from_os
from mailer.mail.text import one_line
from mailer.spool.admit import Stranger, admit
from mailer.spool.file import CorruptFile
from mailer.spool.layout import is_id
from mailer.status.filter import Filter
from mailer.status.schema import LATER, STATUSES
from mailer.status.story import tell

from .own import OwnMail

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from mailer.spool import Spool
    from mailer.spool.admit import Terms

MOST = 1000  # messages in one answer
LONGEST_LINE = 4096  # bytes of the first line of a question; a Message-ID has fewer than a thousand
PUT = b"put "
"""How a question begins that writes. The others only look, and one at a time is enough."""


class Desk:
    """Answers for `spool`. `changed` is told the ID of each message that was put or cancelled. May be asked by many threads."""

    def __init__(self, spool: Spool, terms: Terms, changed: Callable[[str], None]) -> None:
        self.spool = spool
        self.terms = terms
        self.changed = changed
        self._verbs: dict[str, Callable[[int, str, bytes], bytes]] = {
            "put": self._put,
            "find": self._find,
            "list": partial(self._list, OwnMail.messages),
            "queue": partial(self._list, OwnMail.queue),
            "bounces": partial(self._list, OwnMail.undelivered),
            "summary": self._summary,
            "read": self._read,
            "story": self._story,
            "cancel": self._cancel,
        }

    def answer(self, uid: int, question: bytes) -> bytes:
        """The answer to user `uid`, whatever he asks: ``ok …`` or ``no CODE why``."""
        head, _, data = question.partition(b"\n")
        verb, _, rest = head[:LONGEST_LINE].decode("utf-8", "replace").partition(" ")
        try:
            act = self._verbs.get(verb)
            if act is None or len(head) > LONGEST_LINE:
                raise Failure("this daemon does not know that question", USAGE)
            return act(uid, rest, data)
        except Failure as failure:
            return refusal(str(failure), failure.code)
        except CorruptFile as error:
            return refusal(f"the message is refused: {error}", BAD_MESSAGE)
        except OSError as error:
            trouble = from_os("cannot do that", error.filename or self.spool.root, error)
            return refusal(str(trouble), trouble.code)

    def _put(self, uid: int, id: str, data: bytes) -> bytes:
        if not is_id(id):
            raise Failure("a message is put under an ID", USAGE)
        done = admit(self.spool, data, id, Stranger(uid, time.time()), self.terms)
        self.changed(done)
        return b"ok " + done.encode()

    def _find(self, uid: int, name: str, _: bytes) -> bytes:
        with OwnMail(self.spool, uid) as mail:
            return _lines(asdict(record) for record in mail.find(name))

    def _list(self, find: Callable[[OwnMail, Filter], Iterator[Any]], uid: int, _: str, data: bytes) -> bytes:
        wanted, limit = asked(data)
        with OwnMail(self.spool, uid) as mail:
            return _lines(asdict(item) for item in islice(find(mail, wanted), limit))

    def _summary(self, uid: int, _: str, __: bytes) -> bytes:
        with OwnMail(self.spool, uid) as mail:
            summary = mail.summary()
        document = asdict(summary)
        document["daemon"] = [summary.daemon.running, summary.daemon.pid, []]
        return _lines([document])

    def _read(self, uid: int, id: str, _: bytes) -> bytes:
        with OwnMail(self.spool, uid) as mail:
            mail.message(id)
        data, state, due = self.spool.raw(id)
        return f"ok {state} {due}\n".encode() + data

    def _story(self, uid: int, id: str, _: bytes) -> bytes:
        with OwnMail(self.spool, uid) as mail:
            story = tell(mail.view, mail.message(id))
        attempts, reports = [asdict(each) for each in story.attempts], [asdict(each) for each in story.reports]
        return _lines([{"attempts": attempts, "dialogs": story.dialogs, "reports": reports, "missing": story.missing}])

    def _cancel(self, uid: int, id: str, _: bytes) -> bytes:
        with OwnMail(self.spool, uid) as mail:
            mail.message(id)
        self.spool.cancel(id, time.time(), f"cancelled by its sender, user {uid}")
        self.changed(id)
        return b"ok " + id.encode()


def asked(data: bytes) -> tuple[Filter, int]:
    """The filter that a question names, and how many messages are wanted. Raises `Failure` (64)."""
    try:
        document: dict[str, Any] = json.loads(data or b"{}")
        texts = {name: document.pop(name, "") for name in ("to", "sender", "domain")}
        times = {name: document.pop(name, 0.0) for name in ("since", "before")}
        states = frozenset(document.pop("states", ()))
        limit = document.pop("limit", MOST)
        if document or not all(isinstance(text, str) for text in texts.values()) or not states <= {*STATUSES, *LATER}:
            raise ValueError
        if type(limit) is not int or not all(type(at) in (int, float) and 0 <= at < 1e11 for at in times.values()):
            raise ValueError
        return Filter(**texts, **times, states=states), min(max(limit, 0), MOST)
    except (ValueError, TypeError, AttributeError, RecursionError):
        raise Failure("the filter of the question is none", USAGE) from None


def refusal(why: str, code: int) -> bytes:
    """The answer that says no."""
    return f"no {code} {one_line(why)}".encode("utf-8", "replace")


def _lines(documents: Iterable[object]) -> bytes:
    lines = [json.dumps(document, separators=(",", ":")) for document in documents]
    return f"ok {len(lines)}\n{''.join(line + chr(10) for line in lines)}".encode()
