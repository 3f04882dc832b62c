"""The spans of attempts that went otherwise than they should."""

from __future__ import annotations

from typing import Any

from mailer.mail.outcome import Cause, Hop, Outcome
from mailer.smtp.client import Answered
from mailer.smtp.command import Command
from mailer.smtp.reply import Reply
from mailer.tracing.spans import MOST_RECIPIENTS, Span, Traced, spans
from mailer.transport.transcript import Prologue, Transcript
from tests.fakes.mail import NOW, entry_of, outcome

AHEAD = NOW - 100.0  # the monotonic clock says 100 now
HOP = Hop("mx.example.net", "192.0.2.1", 25, "opportunistic")


def said(verb: str, line: str = "", code: int = 250) -> tuple[Command, Reply]:
    """A command and its reply."""
    return Command(verb, line.encode()), Reply(code, "", ("a word",))


def prologue(*steps: tuple[Command, Reply], began: float = 90.0, stands: bool = True) -> Prologue:
    """A session that stood at `began`, and whose steps took a second each."""
    made = Prologue(HOP, began, 0.5, stands=stands)
    for nth, (command, reply) in enumerate(steps, 1):
        made.add(began + nth, command, reply)
    return made


def heard(*answered: tuple[Command, Reply]) -> list[Answered]:
    """What came in one packet."""
    return [Answered(*each) for each in answered]


def made(trace: Transcript, *outcomes: Outcome, people: int = 1) -> Span:
    """The root of an attempt that ended now."""
    entry = entry_of(*(f"you{number}@example.net" for number in range(people)))
    given = [each._replace(trace=trace) for each in outcomes or (outcome(hop=HOP, seconds=10.0),)]
    [root] = spans(Traced(entry, given, AHEAD))
    return root


def tree(span: Span) -> dict[str, Any]:
    """The names, with an exclamation mark for what failed."""
    return {each.name + ("!" if each.error else ""): tree(each) for each in span.children}


GREETED = (said("CONNECT", code=220), said("EHLO", "EHLO here\r\n"))


def test_a_session_that_is_used_again_has_no_beginning() -> None:
    """What was done for other mail is not spent on this one."""
    trace = Transcript(prologue(*GREETED), 98.0, reused=True)
    trace.heard = [(99.0, heard(said("MAIL", "MAIL FROM:<>\r\n"), said("CONTENT")))]
    root = made(trace)
    assert tree(root) == {
        "smtp.connection.acquire": {}, "smtp.transaction": {"smtp.mail_from": {}, "smtp.data": {}}, "smtp.connection.release": {},
    }  # fmt: skip
    assert root.attributes["smtp.connection.reused"] is True
    assert root.children[1].children[0].attributes["smtp.address"] == "<>"


def test_whether_a_message_has_attachments() -> None:
    """As the transaction has seen it."""
    for mixed in (True, False):
        assert made(Transcript(prologue(*GREETED), 98.0, mixed=mixed)).attributes["smtp.has_attachments"] is mixed


def test_the_step_that_broke_is_the_one_that_failed() -> None:
    """In the greeting, in STARTTLS, in its handshake, in EHLO behind it, in AUTH, and in the message."""
    tls, shaken = said("STARTTLS", code=220), said("HANDSHAKE", code=220)
    for steps, phase, found in (
        ((), "greeting", {"smtp.connect!": {}}),
        (GREETED[:1], "ehlo", {"smtp.connect!": {}}),
        (GREETED, "starttls", {"smtp.connect": {}, "smtp.tls.upgrade!": {"tls.handshake!": {}}}),
        ((*GREETED, tls), "starttls", {"smtp.connect": {}, "smtp.tls.upgrade!": {"tls.handshake!": {}}}),
        ((*GREETED, tls, shaken), "ehlo", {"smtp.connect": {}, "smtp.tls.upgrade!": {"tls.handshake": {}}}),
        (GREETED, "auth", {"smtp.connect": {}, "smtp.auth!": {}}),
        (
            (*GREETED, said("AUTH", "AUTH PLAIN ***\r\n", 535)),
            "auth",
            {"smtp.connect": {}, "smtp.auth!": {}},
        ),
    ):
        start = prologue(*steps)
        trace = Transcript(start, start.until)
        trace.end(99.0, phase, "it broke")
        root = made(trace, outcome(0, "defer", hop=HOP, cause=Cause.LOST, seconds=10.0))
        assert tree(root) == {"smtp.connection.acquire": {}} | found, phase
        assert root.error == root.attributes["error.type"] == "lost"


def test_a_message_that_breaks_off_is_a_transaction_that_failed() -> None:
    """And the session is given back to nobody."""
    trace = Transcript(prologue(*GREETED), 95.0)
    trace.heard = [(96.0, heard(said("MAIL", "MAIL FROM:<me@here.example>\r\n"), said("RCPT", "RCPT TO:<you@example.net>\r\n")))]
    trace.end(99.0, "body", "it broke")
    root = made(trace, outcome(0, "defer", hop=HOP, cause=Cause.TIMEOUT, phase="body", seconds=10.0))
    transaction = {"smtp.mail_from": {}, "smtp.rcpt_to": {}, "smtp.data!": {}}
    assert tree(root) == {"smtp.connection.acquire": {}, "smtp.connect": {}, "smtp.transaction!": transaction}
    assert root.end == NOW


def test_a_refused_recipient_is_a_step_that_failed() -> None:
    """With its code, and without a name; and no more of them have a span than may."""
    refused = [said("RCPT", f"RCPT TO:<you{number}@example.net> NOTIFY=NEVER\r\n", 550) for number in range(MOST_RECIPIENTS + 5)]
    trace = Transcript(prologue(*GREETED), 95.0)
    trace.heard = [(96.0, heard(said("MAIL", "MAIL FROM:<me@here.example>\r\n"), *refused))]
    root = made(trace, *(outcome(to, "fail", hop=HOP, seconds=10.0) for to in range(len(refused))), people=len(refused))
    steps = [span for span in root.children[2].children if span.name == "smtp.rcpt_to"]
    assert len(steps) == MOST_RECIPIENTS
    assert (steps[0].attributes["smtp.address"], steps[0].error) == ("***@example.net", "550")
    assert root.children[2].attributes["smtp.recipients.count"] == len(refused)


def test_each_host_that_was_tried_is_there() -> None:
    """The first in vain, and the next one."""
    first = Transcript(prologue(began=80.0, stands=False), 80.0)
    first.end(85.0, "connect", "nobody is there")
    trace = Transcript(prologue(*GREETED), 95.0)
    trace.heard = [(96.0, heard(said("MAIL", "MAIL FROM:<>\r\n"))), (97.0, heard(said("CONTENT")))]
    trace.after(first)
    root = made(trace, outcome(hop=HOP, seconds=20.5))
    names = [span.name for span in root.children]
    assert names.count("smtp.connect") == 2
    assert [round(span.start - NOW, 1) for span in root.children if span.name == "smtp.connect"] == [-20.5, -10.5]
    assert names[-2:] == ["smtp.transaction", "smtp.connection.release"]


def test_names_that_were_looked_up_for_others_are_not_shown() -> None:
    """A route that is known is none of this attempt's time; one that was just found is, and belongs to the whole."""
    for resolved, shown in (((50.0, 0.2), False), ((88.8, 0.2), True), ((89.4, 0.0001), False)):
        trace = Transcript(prologue(*GREETED), 95.0)
        trace.resolved = resolved
        root = made(trace, outcome(hop=HOP, seconds=10.5))
        connect = next(span for span in root.children if span.name == "smtp.connect")
        assert [span.name for span in connect.children] == ["dns.resolve"] * shown
        assert round(root.start - NOW, 1) == (-11.2 if shown else -10.5)


def test_what_found_no_host_is_a_span_alone() -> None:
    """The DNS said no; what was put off without an attempt is nothing at all."""
    outcomes = [outcome(0, "fail", cause=Cause.NO_DOMAIN, phase="dns"), outcome(0, "defer", counts=False, cause=Cause.OFFLINE)]
    [root] = spans(Traced(entry_of(), outcomes, AHEAD))
    assert (root.name, root.children, root.error, "server.address" in root.attributes) == ("smtp.send", [], "no_domain", False)
