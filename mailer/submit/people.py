"""The steps of submission that find people: who sends a message, who gets it, and whether one of them is a name of this machine.

All who were written are there, also those who can get nothing, with the reason.
"""

from __future__ import annotations

from mailer.io.system import os
from mailer.mail import address
from mailer.mail.address import AddressError
from mailer.mail.envelope import Recipient
from mailer.mail.message import Change, listed
from mailer.mail.problem import Problem

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from mailer.mail.envelope import RecipientType

    from .steps import Draft, Submission

SHOWN = 5  # bad addresses that a refusal names

AUTHORS = frozenset({b"from", b"sender", b"reply-to", b"resent-from", b"resent-sender", b"resent-reply-to"})
PEOPLE = AUTHORS | {b"to", b"cc", b"resent-to", b"resent-cc"}
"""The fields that name people, and are shown; of those, the ones that name who writes, and who is answered."""


def identity(draft: Draft) -> None:
    """Have the rules of identity where they would change something: some are set, or there is a name without a domain."""
    if draft.settings.rules or _has_bare_name(draft, everywhere=bool(draft.settings.default_domain)):
        from mailer.rewriting import Rules

        draft.rules = Rules(draft.settings, _user)


def _has_bare_name(draft: Draft, *, everywhere: bool) -> bool:
    """Whether an author has no domain, or one that means something here only; or `everywhere` somebody else."""
    asked = draft.asked
    sender = [asked.sender] if asked.sender and "@" in asked.sender else []
    if any(map(_is_bare, sender)) or (everywhere and any(map(_is_bare, (*_named(asked), *asked.bcc, asked.sender or "@x.y")))):
        return True
    for name, field in draft.message.fields():
        if name in AUTHORS or (everywhere and name in PEOPLE):
            value = field.partition(b":")[2].decode("utf-8", "replace")
            if any(map(_is_bare, listed(value))):
                return True
    return False


def _is_bare(text: str) -> bool:
    """Whether the address `text` has no domain, or one that may be this machine's and no one's elsewhere."""
    return "@" not in text or address.is_private(text.strip(" \t<>").rpartition("@")[2])


def _user() -> str:
    """The name of the user who submits."""
    import pwd

    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a container with a user that nobody has named
        return f"uid-{os.getuid()}"


def recipients(draft: Draft) -> None:
    """Find each address once, with the field that names it; the command line first, as it was written there.

    Who cannot get mail is among them, with the outcome that this has: the others get theirs, and the sender a report. Raises `Problem`
    where that is not wanted, and where nobody is left.
    """
    asked, settings = draft.asked, draft.settings
    types: dict[str, RecipientType] = {}
    if asked.from_header:  # whoever names sender and recipients has no use for what finds them in a header
        from mailer.mail import named

        types = named.recipients(draft.message)
    for text in asked.bcc:
        types.setdefault(text, "bcc")
    found: dict[str, Recipient] = {}
    problems: list[Problem] = []
    for text in (*_named(asked), *types):
        for recipient in _stands_for(text, types.get(text, "to"), draft, problems):
            found.setdefault(address.same(recipient.address), recipient)
    if not found and not asked.from_header:
        raise Problem("no recipient: name one, or take them from the header with -t", "usage")
    if not found:
        raise Problem("no recipient: the message has no To, Cc or Bcc field with an address", "bad-message")
    if problems and (asked.whole or settings.strict or all(map(_gets_nothing, found.values()))):
        kinds = {problem.kind for problem in problems}
        said = "; ".join(dict.fromkeys(map(str, problems[:SHOWN])))
        raise Problem(f"{said}; nothing was queued", kinds.pop() if len(kinds) == 1 else "bad-message")
    if len(found) > settings.max_recipients:
        raise Problem(
            f"{len(found)} recipients are more than {settings.max_recipients} (submission.max_recipients); nothing was queued",
            "bad-message",
        )
    draft.recipients = list(found.values())


def _named(asked: Submission) -> list[str]:
    """The addresses that the command line names, one by one. Raises `Problem` (bad-message) where one tries to break out of its line."""
    for argument in asked.recipients:
        char = next((char for char in argument if not char.isprintable() and char != "\t"), "")
        if char:
            error = AddressError(argument, f"it holds the control character U+{ord(char):04X}")
            raise Problem(f"{error}; nothing was queued", "bad-message")
    return [text for argument in asked.recipients for text in _written(argument)]


def _written(text: str) -> list[str]:
    """The addresses in an argument; for one that stands alone, what finds several is not imported."""
    if address.is_plain(text):
        return [text]
    from mailer.mail.address_list import written

    return written(text)


def _stands_for(text: str, type: RecipientType, draft: Draft, problems: list[Problem]) -> list[Recipient]:
    """The recipients that somebody means by `text`; what is wrong with it is added to `problems`."""
    addresses: Sequence[str] = ()
    wrong: Sequence[Problem] = ()
    why, shown = "", address.printable(text)
    found = []
    try:
        if draft.rules is None:
            addresses = [address.parse(text, draft.settings.default_domain).path]
        else:
            became = draft.rules.recipient(text)
            addresses, wrong, why = became.addresses, became.problems, became.why
            if became.discards and not addresses:
                found.append(_settled(shown, type, DISCARDED, f"discarded: {why}"))
    except AddressError as error:
        wrong = [Problem(str(error), "bad-message")]
    if why and (addresses or found):
        draft.changes.append(Change("changed", "envelope recipient", shown, ", ".join(addresses) or "/dev/null", why))
    if wrong:
        reason = "; ".join(dict.fromkeys(map(str, wrong)))
        draft.changes.append(Change("refused", "envelope recipient", shown, "", reason.removeprefix(f"{shown!r} is not an address: ")))
        found.append(_settled(shown, type, MISWRITTEN if wrong[0].kind == "bad-message" else ALIAS, reason))
        problems += wrong
    return [*(Recipient(one, type) for one in addresses), *found]


def _gets_nothing(recipient: Recipient) -> bool:
    return recipient.outcome is not None and recipient.outcome["verdict"] == "fail"


MISWRITTEN = ("fail", 553, "5.1.3", "miswritten")
ALIAS = ("fail", 550, "5.3.5", "alias")
DISCARDED = ("delivered", 250, "2.0.0", "discarded")
"""Verdict, code, enhanced code and cause of an outcome that is known before anybody is asked."""


def _settled(text: str, type: RecipientType, outcome: tuple[str, int, str, str], why: str) -> Recipient:
    """A recipient whom nobody is asked about any more."""
    from mailer.mail.text import one_line

    verdict, code, enhanced, cause = outcome
    return Recipient(text, type, {"verdict": verdict, "code": code, "enhanced": enhanced, "text": one_line(why, 400), "cause": cause})


def sender(draft: Draft) -> None:
    """Find the reverse-path: what was asked for, else who sends it by its header, else who we are. Raises `Problem` (bad-message).

    A program that writes a bad From cannot mend it either: its mail goes, and reports come to who we are.
    """
    asked = draft.asked
    if asked.sender is not None:
        draft.sender = _reverse_path(one[0] if len(one := _written(asked.sender)) == 1 else asked.sender, draft)
        return
    from mailer.mail import named

    text = named.author(draft.message)
    if not text:
        draft.sender = _reverse_path(draft.author, draft)
        return
    try:
        draft.sender = _reverse_path(text, draft)
    except Problem as problem:
        if asked.whole or draft.settings.strict:
            raise
        shown = address.printable(text)
        why = str(problem).removesuffix("; nothing was queued").removeprefix(f"the sender {shown!r} is not an address: ")
        draft.sender = _reverse_path(draft.author, draft)
        draft.changes.append(Change("refused", "envelope sender", shown, draft.sender, f"{why}; reports go to {draft.sender}"))


def _reverse_path(text: str, draft: Draft) -> str:
    try:
        if draft.rules is None or text.strip(" \t") in ("", "<>"):
            return address.parse_reverse_path(text, draft.settings.default_domain or draft.settings.hostname)
        became = draft.rules.author(text)
    except AddressError as error:
        raise Problem(f"the sender {error}; nothing was queued", "bad-message") from None
    if became.why:
        draft.changes.append(Change("changed", "envelope sender", text, became.addresses[0], became.why))
    return became.addresses[0]
