"""What becomes of a message by all that was found about it: one sum against the marks of the configuration, and what filters want.

The order in which the worst counts: a filter refuses (a virus, a milter, a program); one that has not answered is waited for; a filter puts
it off; the sum refuses it; a filter holds it; then the other marks. A message is never thrown away.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mailer.smtp.reply import Reply

from .api import FilterStep

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mailer.config.sections.filtering import FilteringSection

    from .api import Verdict
    from .attended import FilterFinding

ABSENT = Reply.own(451, "4.3.0", "a filter does not answer now, try again later")
PUT_OFF = Reply.own(451, "4.7.1", "a filter puts it off, try again later")
SPAM = "the message looks like spam"


class Decision(NamedTuple):
    """A verdict with what the client hears, and one of the words of `mailer.mail.refusal_reason`, empty where nothing is against it."""

    verdict: Verdict
    reply: Reply | None = None
    reason: str = ""


def step_of(finding: FilterFinding) -> FilterStep:
    """What was found, for a person."""
    opinion = finding.opinion
    if finding.failure:
        becomes = "mail is put off for that" if finding.failure.waits else "it is taken all the same, and marked"
        return FilterStep(finding.name, "failed", f"{finding.failure}: {becomes}")
    if opinion.unscanned:
        return FilterStep(finding.name, "unchecked", opinion.unscanned)
    tests = f" ({', '.join(opinion.tests)})" if opinion.tests else ""
    return FilterStep(finding.name, opinion.act, f"{opinion.reason}{tests}".strip(), opinion.score)


def decide(findings: Sequence[FilterFinding], score: float, marks: FilteringSection, worst: Verdict = "accept") -> Decision:
    """What becomes of it by the `findings` of filters and the sum of all scores; `worst` is what proofs say."""
    if refusing := _first(findings, "refuse"):
        return Decision("refuse", _refusal(refusing), "virus" if refusing.opinion.virus else "filter")
    if any(each.failure and each.failure.waits for each in findings):
        return Decision("tempfail", ABSENT, "filter-down")
    if putting_off := _first(findings, "tempfail"):
        return Decision("tempfail", putting_off.opinion.reply or PUT_OFF, "filter")
    if score >= marks.refuse:
        return Decision("refuse", Reply.own(550, "5.7.1", f"{SPAM} ({score:.1f})"), "spam")
    if _first(findings, "hold"):
        return Decision("hold", None, "filter")
    if worst == "hold" or (marks.hold is not None and score >= marks.hold):
        return Decision("hold", None, "spam")
    if score >= marks.mark or worst == "mark" or _first(findings, "mark"):
        return Decision("mark", None, "spam")
    return Decision("accept")


def _first(findings: Iterable[FilterFinding], act: str) -> FilterFinding | None:
    return next((each for each in findings if not each.failure and each.opinion.act == act), None)


def _refusal(finding: FilterFinding) -> Reply:
    if finding.opinion.virus:
        return Reply.own(550, "5.7.1", f"the message has a virus: {finding.opinion.virus}")
    return finding.opinion.reply or Reply.own(550, "5.7.1", "the message was refused by a filter")
