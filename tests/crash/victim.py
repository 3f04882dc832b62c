"""One operation of the spool between two marks, for `injected.py` to interrupt.

    python -I -S -B victim.py OPERATION ROOT [ID]

Prints ``ok`` once the operation has returned, and then only; a failure goes to stderr, with the exit code that the
program would use. Imports no more than it needs, because it is started some hundred times, and all of it before
the first mark, because an import's system calls are none of the spool's.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))

from mailer.cli import EXIT_CODES
from mailer.mail.envelope import Envelope, Recipient
from mailer.mail.outcome import Outcome, Verdict
from mailer.mail.problem import Problem
from mailer.spool.files import idempotency
from mailer.spool.files.admit import IntakeTerms
from mailer.spool.files.doorbell import ring
from mailer.spool.files.enqueue import head, put
from mailer.spool.files.pickup import adopt
from mailer.spool.files.store import SpoolDirectory

ID = "01KAHC00000000000000000001"
BODY = b"From: me@example.com\r\nSubject: a test\r\n\r\n" + b"A line of sixty-odd characters, so that there is something to lose.\r\n" * 40
REQUEST = "order-4711"
AT, DUE = 1_800_000_000.0, 2_000_000_000.0


def envelope(id: str, request_id: str = "") -> Envelope:
    recipients = [Recipient("one@example.net"), Recipient("two@example.net")]
    return Envelope(id, "2026-11-21T02:00:00Z", "me@example.com", recipients, request_id=request_id)


def spool_file(envelope: Envelope) -> bytes:
    """The bytes that `put` writes for the message."""
    line = envelope.to_line()
    return head(line, BODY) + line + BODY


def outcome(to: int, verdict: Verdict, code: int) -> Outcome:
    return Outcome(to, verdict, "recipient", code, "", "a reply", "rcpt", at=AT, due=DUE if verdict == "defer" else 0.0)


@contextmanager
def operation(name: str, root: str, id: str) -> Iterator[Callable[[], object]]:
    """What is to be done between the marks; what it needs is done now."""
    spool = SpoolDirectory(root)
    line, request_line = envelope(id).to_line(), envelope(id, REQUEST).to_line()
    if name == "put":
        yield lambda: ring(root, put(root, id, line, BODY))
    elif name == "put_once":
        idempotency.path_of(root, REQUEST)  # loads the hash function's library
        yield lambda: ring(root, put(root, id, request_line, BODY, (REQUEST, "digest")))
    elif name in ("hold", "release", "retry"):
        yield lambda: getattr(spool, name)(id)
    elif name == "cancel":
        yield lambda: spool.cancel(id, AT)
    elif name == "adopt":
        yield lambda: adopt(spool, IntakeTerms(1 << 20, 100))
    else:
        with spool.claim(id) as claim:
            yield {
                "record": lambda: spool.record(claim, [outcome(0, "delivered", 250)]),
                "defer": lambda: spool.defer(claim, [outcome(0, "delivered", 250), outcome(1, "defer", 451)], DUE),
                "fail": lambda: spool.fail(claim, [outcome(0, "fail", 550), outcome(1, "fail", 550)]),
                "drop": lambda: spool.drop(claim),
            }[name]


def again(name: str, root: Path, id: str = ID) -> None:
    """The same operation by whoever comes next, undisturbed, in this process."""
    with operation(name, str(root), id) as act:
        act()


def main(name: str, root: str, id: str = ID) -> int:
    with operation(name, root, id) as act:
        os.access("/mark/begin", os.F_OK)
        try:
            act()
        except Problem as problem:
            sys.stderr.write(f"{problem}\n")
            return EXIT_CODES[problem.kind]
        except OSError as error:
            sys.stderr.write(f"{error}\n")
            return 74
        os.access("/mark/end", os.F_OK)
    os.write(1, b"ok\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
