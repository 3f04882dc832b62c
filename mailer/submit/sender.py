"""Who sends: the reverse-path of the envelope, and the From field of a message without one."""

from __future__ import annotations

from mailer.mail import address, named
from mailer.mail.address import AddressError
from mailer.mail.address_list import written
from mailer.mail.failure import BAD_MESSAGE, Failure
from mailer.mail.message import Change

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mailer.config.quick import SubmissionSettings
    from mailer.identity import Rules
    from mailer.mail.message import Message

    from .request import Request


def sender_of(request: Request, message: Message, settings: SubmissionSettings, rules: Rules | None, changes: list[Change]) -> str:
    """The reverse-path: what was asked for, else who sends it by its header, else who we are. Raises `Failure` (65).

    A program that writes a bad From cannot mend it either: its mail goes, and reports come to who we are.
    """
    if request.sender is not None:
        text = one[0] if len(one := written(request.sender)) == 1 else request.sender
        return _reverse_path(text, settings, rules, changes)
    text = named.author(message)
    try:
        if text:
            return _reverse_path(text, settings, rules, changes)
    except Failure as failure:
        if request.whole or settings.strict:
            raise
        shown = address.printable(text)
        why = str(failure).removesuffix("; nothing was queued").removeprefix(f"the sender {shown!r} is not an address: ")
        sender = _own(settings, rules, changes)
        changes.append(Change("refused", "envelope sender", shown, sender, f"{why}; reports go to {sender}"))
        return sender
    return _own(settings, rules, changes)


def _own(settings: SubmissionSettings, rules: Rules | None, changes: list[Change]) -> str:
    return _reverse_path((rules and rules.own()) or settings.sender(), settings, rules, changes)


def _reverse_path(text: str, settings: SubmissionSettings, rules: Rules | None, changes: list[Change]) -> str:
    try:
        if rules is None or text.strip(" \t") in ("", "<>"):
            return address.parse_reverse_path(text, settings.default_domain or settings.hostname)
        became = rules.author(text)
    except AddressError as error:
        raise Failure(f"the sender {error}; nothing was queued", BAD_MESSAGE) from None
    if became.why:
        changes.append(Change("changed", "envelope sender", text, became.addresses[0], became.why))
    return became.addresses[0]


def author_of(request: Request, sender: str, settings: SubmissionSettings, rules: Rules | None) -> str:
    """The From field of a message without one: the sender, with the full name if there is one."""
    author = sender or (rules and rules.own()) or settings.sender()
    name = "".join(char for char in " ".join(request.full_name.split()) if char.isprintable())
    if not name:
        return rules.written(author) if rules else author
    if name.isascii():
        quoted = name.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{quoted}" <{author}>'
    from email.header import Header

    return f"{Header(name, 'utf-8', maxlinelen=10_000).encode()} <{author}>"
