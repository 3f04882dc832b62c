"""A report about recipients that failed or are late, as the bytes of a message: RFC 3464 in the multipart/report of RFC 6522.

Pure and deterministic: the same failure gives the same bytes. Everything that came from outside (replies,
host names, the subject) was made one harmless line by `one_line` before it stands here; the returned header is
the only thing that is kept as it was, and it stands in a part of its own under a boundary that occurs nowhere in it.

The report is 7-bit, so every server takes it; the exception is the address of a sender with letters beyond ASCII.
"""

from __future__ import annotations

from textwrap import fill
from typing import TYPE_CHECKING

from mailer.mail.address import ascii_address
from mailer.mail.dates import parse_rfc3339, rfc5322
from mailer.mail.delivery_options import NOTHING
from mailer.mail.mime import encoded, field, is_plain, multipart, part

from .explain import CLASSED, explain
from .fields import ascii_line, one_line, status_part

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mailer.mail.delivery_options import Request
    from mailer.mail.envelope import Envelope
    from mailer.mail.outcome import Outcome

    from .fields import Kind


SUBJECT: dict[Kind, str] = {
    "failed": "Not delivered: ", "expired": "Not delivered in time: ", "delayed": "Not delivered yet: ",
    "relayed": "Passed on: ", "delivered": "Delivered: ",
}  # fmt: skip
RETURNED = 64 * 1024  # bytes of the original header that a report carries
OPENING: dict[Kind, str] = {
    "failed": "Your message could not be delivered to {whom}. It will not be tried again.",
    "expired": "Your message could not be delivered to {whom} in the time that it may take. It will not be tried again.",
    "delayed": "Your message could not be delivered to {whom} yet. It is still tried{until}; you need not send it again.",
    "relayed": "Your message was passed on for {whom}, to a mail system that confirms nothing. No more will be said of it.",
    "delivered": "Your message was delivered to {whom}.",
}
MANY = 100  # recipients that are written out; the part for programs has them all


def report(
    *,
    envelope: Envelope,
    outcomes: Sequence[Outcome],
    kind: Kind,
    header: bytes,
    content: bytes = b"",
    reporting_host: str,
    postmaster: str,
    at: float,
    message_id: str,
    asked: Request = NOTHING,
    until: float = 0.0,
) -> bytes:
    """The report for `envelope.sender` about `outcomes`, the last one of each recipient that it is about, with CRLF line ends.

    `header` is the original header, normalised, `content` the whole original message where it is to go back in
    full (if it is not 7-bit, the header goes back alone: a report must pass everywhere). `reporting_host` and
    `postmaster` are who we are, `at` is the Date in seconds since the epoch, `message_id` the report's own
    with its angle brackets. `asked` is what the sender asked for, `until` how long one that is late is tried.
    """
    text = letter(envelope, outcomes, kind, reporting_host, until=until, whole=bool(content) and is_plain(content))
    parts = [
        part("text/plain; charset=utf-8", text.replace("\n", "\r\n").encode()),
        part("message/delivery-status", status_part(envelope, outcomes, reporting_host, kind, asked, until)),
        _returned(header, content),
    ]
    fields = [
        field("From", f"Mail Delivery System <{ascii_address(postmaster)}>"),
        field("To", f"<{ascii_address(envelope.sender)}>"),
        field("Subject", encoded(SUBJECT[kind] + (one_line(envelope.subject, 200) or "(no subject)"))),
        field("Date", rfc5322(at)),
        field("Message-ID", message_id),
        *_threading(envelope),
        field("Auto-Submitted", "auto-replied"),  # RFC 3834 §5
        field("MIME-Version", "1.0"),
    ]
    body = multipart(
        "multipart/report; report-type=delivery-status",  # RFC 6522 §3
        parts,
        envelope.id,
        preamble="This is a delivery report in MIME format, RFC 3464.\r\n",
    )
    return "".join(fields).encode() + body


def _returned(header: bytes, content: bytes) -> bytes:
    """The original: in full as message/rfc822, which RFC 2046 §5.2.1 lets nobody encode, else its header."""
    if content and is_plain(content):
        return b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: 7bit\r\n\r\n" + content
    if len(header) > RETURNED:
        header = header[: header.rfind(b"\r\n", 0, RETURNED) + 2]
    return part("text/rfc822-headers", header)  # RFC 6522 §4


def _threading(envelope: Envelope) -> list[str]:
    """In-Reply-To and References, so that the report stands beside its message; RFC 5322 §3.6.4."""
    original = envelope.message_id
    if original != ascii_line(original) or not (original.startswith("<") and original.endswith(">")) or " " in original:
        return []
    return [field("In-Reply-To", original), field("References", original)]


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
