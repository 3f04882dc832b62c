"""The author of a message that names none: imported only for such a one."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mailer.config.sections import SubmissionSettings
    from mailer.rewriting import Rules

    from . import Request


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
