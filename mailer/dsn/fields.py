"""The part of a report that programs read: message/delivery-status, RFC 3464 §2.

Always 7-bit: an address beyond ASCII is written in the ``utf-8`` address type with its characters as
``\\x{…}`` (RFC 6533 §3), which may stand here, so that the report reaches a sender whose servers know nothing
of SMTPUTF8, and readers of RFC 3464 can read all the rest. A reply's characters beyond ASCII become ``?``; the
letter to the person has them.

What a remote server said goes into a message that we sign with our name. It must not begin a field or a part of its own there,
whatever bytes it is made of: `one_line` and `ascii_line` see to that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from mailer.mail.dates import parse_rfc3339, rfc5322
from mailer.mail.delivery_options import NOTHING
from mailer.mail.mime import MAX_WORD, field

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mailer.mail.delivery_options import Request
    from mailer.mail.envelope import Envelope
    from mailer.mail.outcome import Outcome


Kind = Literal["failed", "expired", "delayed", "relayed", "delivered"]
"""`failed`: refused for good. `expired`: every try until the message was too old failed for the time being. `delayed`: it
is late, and still tried. `relayed`: it has left for a system that sends no reports of success. `delivered`: it has arrived."""

STATUS_OF_EXPIRY = "4.4.7"  # RFC 3463 §3.5; class 4 with a failure says that sending again may help, §2
STATUS_OF_FAILURE = "5.0.0"
STATUS_OF_DELAY = "4.0.0"
STATUS_OF_SUCCESS = "2.0.0"
ACTION: dict[Kind, str] = {"failed": "failed", "expired": "failed", "delayed": "delayed", "relayed": "relayed", "delivered": "delivered"}
"""Kind of report → its action, RFC 3464 §2.3.3."""


def status_part(
    envelope: Envelope,
    outcomes: Sequence[Outcome],
    reporting_host: str,
    kind: Kind = "failed",
    asked: Request = NOTHING,
    until: float = 0.0,
) -> bytes:
    """The body of the part message/delivery-status: a block about the message, then one for each outcome, divided by empty lines.

    `asked` is what the sender asked for: its names for the message and the recipients stand there too. `until` is how long those
    recipients are tried whose outcome is not final, in seconds since the epoch.
    """
    blocks = [_of_message(envelope, reporting_host, asked)]
    blocks += [_of_recipient(envelope, outcome, ACTION[kind], asked, until) for outcome in outcomes]
    return "\r\n".join(blocks).encode("ascii")


def _of_message(envelope: Envelope, reporting_host: str, asked: Request) -> str:
    """RFC 3464 §2.2; what begins with X- is ours, §2.4."""
    fields = [field("Original-Envelope-Id", ascii_line(asked.envid))] if asked.envid else []  # RFC 3464 §2.2.1
    fields.append(field("Reporting-MTA", f"dns; {ascii_line(reporting_host)}"))
    try:
        fields.append(field("Arrival-Date", rfc5322(parse_rfc3339(envelope.created))))
    except ValueError:
        pass  # written by somebody else; the field may be left out
    fields.append(field("X-Mailer-Queue-ID", ascii_line(envelope.id)))
    if envelope.sender:
        fields.append(field("X-Mailer-Sender", typed(envelope.sender)))
    return "".join(fields)


def _of_recipient(envelope: Envelope, outcome: Outcome, action: str, asked: Request, until: float) -> str:
    """RFC 3464 §2.3, in the order of its list."""
    address = envelope.recipients[outcome.to].address
    fields = [field("Original-Recipient", original)] if (original := _original(asked.of(address).orcpt)) else []
    fields += [
        field("Final-Recipient", typed(address)),
        field("Action", action),
        field("Status", status(outcome)),
    ]
    if outcome.hop.host and not outcome.ours:  # RFC 3464 §2.3.5: who reported it
        fields.append(field("Remote-MTA", f"dns; {ascii_line(outcome.hop.host)}"))
    if reply := ascii_line(outcome.reply):  # RFC 3464 §2.3.6: its type says who
        fields.append(field("Diagnostic-Code", f"{'x-mailer' if outcome.ours or not outcome.code else 'smtp'}; {reply}"))
    if outcome.at:
        fields.append(field("Last-Attempt-Date", rfc5322(outcome.at)))
    if until and not outcome.final:
        fields.append(field("Will-Retry-Until", rfc5322(until)))  # RFC 3464 §2.3.9
    return "".join(fields)


def status(outcome: Outcome) -> str:
    """The RFC 3463 code of an outcome; where the reply had none that fits, one that claims no more than we know."""
    parts = outcome.enhanced.split(".")
    classes = ("2",) if outcome.verdict == "delivered" else ("4", "5")
    if len(parts) == 3 and all(part.isascii() and part.isdigit() and len(part) <= 3 for part in parts) and parts[0] in classes:
        return outcome.enhanced
    return {"expire": STATUS_OF_EXPIRY, "defer": STATUS_OF_DELAY, "delivered": STATUS_OF_SUCCESS}.get(outcome.verdict, STATUS_OF_FAILURE)


def _original(orcpt: str) -> str:
    """The address that the sender wrote first, with its type; RFC 3464 §2.3.1."""
    kind, _, address = orcpt.partition(";")
    if kind.lower() == "utf-8" or not address.isascii():
        return typed(address) if address else ""
    return f"{ascii_line(kind)}; {ascii_line(address)}" if address else ""


def typed(address: str) -> str:
    """An address with its type, RFC 3464 §2.1.2; cut where no line could hold it."""
    if address.isascii():
        return f"rfc822; {ascii_line(address)}"
    return f"utf-8; {''.join(map(_escaped, address))}"[:MAX_WORD]


def _escaped(char: str) -> str:
    r"""RFC 6533 §3, utf-8-addr-xtext: ``\x{E9}`` for whatever is not printable ASCII, and for ``\``, ``+``, ``=``."""
    return char if "!" <= char <= "~" and char not in "\\+=" else f"\\x{{{ord(char):02X}}}"


def one_line(text: str, limit: int = MAX_WORD) -> str:
    """`text` without control, format and bidirectional characters, blanks run together, at most `limit` long."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text[: 4 * limit]).split())
    return line if len(line) <= limit else line[: limit - 3] + "..."


def ascii_line(text: str, limit: int = MAX_WORD) -> str:
    """`text` on one line, for a place where only ASCII may stand; anything else becomes ``?``."""
    return one_line(text, limit).encode("ascii", "replace").decode()
