"""Whom the envelope names as recipients: all who were written, also those who can get nothing, with the reason."""

from __future__ import annotations

from mailer.mail import address, named
from mailer.mail.address import AddressError
from mailer.mail.address_list import written
from mailer.mail.envelope import Recipient
from mailer.mail.failure import BAD_MESSAGE, USAGE, Failure
from mailer.mail.message import Change

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from mailer.config.quick import SubmissionSettings
    from mailer.identity import Rules
    from mailer.mail.message import Message

    from .request import Request

SHOWN = 5  # bad addresses that a refusal names


def recipients_of(
    request: Request, message: Message, settings: SubmissionSettings, rules: Rules | None, changes: list[Change]
) -> list[Recipient]:
    """Each address once, with the field that names it; the command line first, as it was written there.

    Who cannot get mail is among them, with the outcome that this has: the others get theirs, and the sender a report. Raises `Failure`
    where that is not wanted, and where nobody is left.
    """
    types = named.recipients(message) if request.from_header else {}
    for text in request.bcc:
        types.setdefault(text, "bcc")
    found: dict[str, Recipient] = {}
    problems: list[Failure] = []
    for text in (*written_in(request), *types):
        for recipient in _stands_for(text, types.get(text, "to"), settings, rules, changes, problems):
            found.setdefault(same(recipient.address), recipient)
    if not found and not request.from_header:
        raise Failure("no recipient: name one, or take them from the header with -t", USAGE)
    if not found:
        raise Failure("no recipient: the message has no To, Cc or Bcc field with an address", BAD_MESSAGE)
    if problems and (request.whole or settings.strict or all(map(_gets_nothing, found.values()))):
        codes = {problem.code for problem in problems}
        said = "; ".join(dict.fromkeys(map(str, problems[:SHOWN])))
        raise Failure(f"{said}; nothing was queued", codes.pop() if len(codes) == 1 else BAD_MESSAGE)
    if len(found) > settings.max_recipients:
        raise Failure(
            f"{len(found)} recipients are more than {settings.max_recipients} (submission.max_recipients); nothing was queued", BAD_MESSAGE
        )
    return list(found.values())


def written_in(request: Request) -> list[str]:
    """The addresses that the command line names, one by one. Raises `Failure` (65) where one tries to break out of its line."""
    for argument in request.recipients:
        char = next((char for char in argument if not char.isprintable() and char != "\t"), "")
        if char:
            error = AddressError(argument, f"it holds the control character U+{ord(char):04X}")
            raise Failure(f"{error}; nothing was queued", BAD_MESSAGE)
    return [text for argument in request.recipients for text in written(argument)]


def _stands_for(
    text: str, type: str, settings: SubmissionSettings, rules: Rules | None, changes: list[Change], problems: list[Failure]
) -> list[Recipient]:
    """The recipients that somebody means by `text`; what is wrong with it is added to `problems`."""
    addresses: Sequence[str] = ()
    wrong: Sequence[Failure] = ()
    why, shown = "", address.printable(text)
    found = []
    try:
        if rules is None:
            addresses = [address.parse(text, settings.default_domain).path]
        else:
            became = rules.recipient(text)
            addresses, wrong, why = became.addresses, became.problems, became.why
            if became.discards and not addresses:
                found.append(_settled(shown, type, DISCARDED, f"discarded: {why}"))
    except AddressError as error:
        wrong = [Failure(str(error), BAD_MESSAGE)]
    if why and (addresses or found):
        changes.append(Change("changed", "envelope recipient", shown, ", ".join(addresses) or "/dev/null", why))
    if wrong:
        reason = "; ".join(dict.fromkeys(map(str, wrong)))
        changes.append(Change("refused", "envelope recipient", shown, "", reason.removeprefix(f"{shown!r} is not an address: ")))
        found.append(_settled(shown, type, MISWRITTEN if wrong[0].code == BAD_MESSAGE else ALIAS, reason))
        problems += wrong
    return [*(Recipient(one, type) for one in addresses), *found]


def _gets_nothing(recipient: Recipient) -> bool:
    return recipient.outcome is not None and recipient.outcome["verdict"] == "fail"


MISWRITTEN = ("fail", 553, "5.1.3", "miswritten")
ALIAS = ("fail", 550, "5.3.5", "alias")
DISCARDED = ("delivered", 250, "2.0.0", "discarded")
"""Verdict, code, enhanced code and cause of an outcome that is known before anybody is asked."""


def _settled(text: str, type: str, outcome: tuple[str, int, str, str], why: str) -> Recipient:
    """A recipient whom nobody is asked about any more."""
    from mailer.mail.text import one_line

    verdict, code, enhanced, cause = outcome
    return Recipient(text, type, {"verdict": verdict, "code": code, "enhanced": enhanced, "text": one_line(why, 400), "cause": cause})


def same(text: str) -> str:
    """What two addresses of one mailbox share: the domain does not tell upper from lower case."""
    local, _, domain = text.rpartition("@")
    return f"{local}@{domain.lower()}"
