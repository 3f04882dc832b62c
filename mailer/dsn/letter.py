"""The part of a report that the sender reads: what happened to which recipient, why, and what to do now."""

from __future__ import annotations

from textwrap import fill
from typing import TYPE_CHECKING

from mailer.mail.dates import parse_rfc3339, rfc5322

from .explain import CLASSED, explain
from .fields import one_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mailer.mail.envelope import Envelope
    from mailer.mail.outcome import Outcome

    from .fields import Kind

OPENING: dict[Kind, str] = {
    "failed": "Your message could not be delivered to {whom}. It will not be tried again.",
    "expired": "Your message could not be delivered to {whom} in the time that it may take. It will not be tried again.",
    "delayed": "Your message could not be delivered to {whom} yet. It is still tried{until}; you need not send it again.",
    "relayed": "Your message was passed on for {whom}, to a mail system that confirms nothing. No more will be said of it.",
    "delivered": "Your message was delivered to {whom}.",
}
MANY = 100  # recipients that are written out; the part for programs has them all


def letter(
    envelope: Envelope, outcomes: Sequence[Outcome], kind: Kind, reporting_host: str, *, until: float = 0.0, whole: bool = False
) -> str:
    """The text of a report for people, lines ending in LF, at most 72 columns wide but for what must not be broken.

    `until` is how long a message that is late is tried, in seconds since the epoch; `whole` says that all of the message is attached.
    """
    whom = "the recipient below" if len(outcomes) == 1 else f"the {len(outcomes)} recipients below"
    end = f" until {rfc5322(until)}" if until else ""
    parts = [fill(OPENING[kind].format(whom=whom, until=end), 72), _message(envelope)]
    parts += [_recipients(envelope, group) for group in _groups(envelope, outcomes[:MANY])]
    if len(outcomes) > MANY:
        parts.append(f"… and {len(outcomes) - MANY} more, listed in the part of this report that programs read.")
    if rest := len(envelope.recipients) - len(outcomes):
        others = "The other recipient of the message is" if rest == 1 else f"The other {rest} recipients of the message are"
        parts.append(fill(f"{others} not part of this report.", 72))
    attached = "Your message" if whole else "The header of your message"
    parts.append(fill(f"This report was written by the mail system of {reporting_host}. {attached} is attached.", 72))
    return "\n\n".join(parts) + "\n"


def _message(envelope: Envelope) -> str:
    """What the sender recognises the message by."""
    lines = [f"  Subject:   {one_line(envelope.subject, 200) or '(none)'}"]
    try:
        lines.append(f"  Sent:      {rfc5322(parse_rfc3339(envelope.created))}")
    except ValueError:
        pass
    lines.append(f"  Queue ID:  {one_line(envelope.id)}")
    return "\n".join(lines)


def _groups(envelope: Envelope, outcomes: Sequence[Outcome]) -> list[list[Outcome]]:
    """Those who share a cause, in the order in which it is met: what happened, and where, but for each one's own address in the reply."""
    groups: dict[tuple[str, ...], list[Outcome]] = {}
    for outcome in outcomes:
        groups.setdefault((outcome.verdict, _title(outcome), _shared(envelope, outcome)), []).append(outcome)
    return [*groups.values()]


def _shared(envelope: Envelope, outcome: Outcome) -> str:
    """The reply, with the recipient's address left out: servers like to repeat it."""
    address = envelope.recipients[outcome.to].address
    return outcome.reply.replace(address, "…").replace(address.lower(), "…")


def _recipients(envelope: Envelope, outcomes: Sequence[Outcome]) -> str:
    """Recipients that share a cause: the reply first, word by word, then ours."""
    outcome = outcomes[0]
    lines = [f"<{one_line(envelope.recipients[each.to].address)}>" for each in outcomes]
    if reply := (outcome.reply if len(outcomes) == 1 else _shared(envelope, outcome)):
        lines.append(_block(f"{_title(outcome)}:", reply))
    if outcome.besides:
        lines.append(_block("Besides:", outcome.besides))
    if outcome.verdict == "delivered":
        return "\n".join(lines)
    explanation = explain(outcome.code, outcome.enhanced, outcome.cause)
    means = explanation.means
    if outcome.verdict == "expire" and explanation != CLASSED["4.4.7"]:
        means += " " + CLASSED["4.4.7"].means
    lines.append(_block("What that means:", means))
    if outcome.final:
        lines.append(_block("What you can do:", explanation.do))
    return "\n".join(lines)


def _title(outcome: Outcome) -> str:
    """Whose words come now."""
    host = one_line(outcome.hop.host)
    if outcome.ours:
        return "What this mail system found" + (f" on the way to {host}" if host else "")
    return "What happened" + (f" at {host}" if host else "")


def _block(title: str, text: str) -> str:
    body = fill(one_line(text), 72, initial_indent="    ", subsequent_indent="    ", break_long_words=False, break_on_hyphens=False)
    return f"  {title}\n{body}"
