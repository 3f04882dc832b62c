"""What is wrong with a script, or stopped it when it ran: one line that says in which of its lines, and what."""

from __future__ import annotations

from mailer.mail.problem import Problem


class SieveError(Problem):
    """A script that cannot be used, or that failed in its line `line`; `text` says why, `str()` says both.

    `script` is which one of several it is.
    """

    def __init__(self, line: int, text: str) -> None:
        super().__init__(f"line {line}: {text}", "bad-message")
        self.line = line
        self.text = text
        self.script = 0


def quoted(text: str) -> str:
    """A word of a script as an error shows it: short, and without anything that a terminal would act on."""
    from mailer.mail.address import printable

    return f'"{printable(text)}"'
