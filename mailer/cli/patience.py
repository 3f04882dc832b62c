"""Signals while many messages come in: they wait until what is said of those that were put is true."""

from __future__ import annotations

from mailer.mail.failure import TRY_AGAIN, Failure

from .signals import NAMES, Handled


class Patient(Handled):
    """Like `refusing`; but a signal that comes while `calm` is set is acted upon by `settle`, when what must not be torn is whole."""

    def __init__(self, doing: str) -> None:
        super().__init__(self._heard)
        self.doing = doing
        self.calm = False
        self.asked = 0

    def _heard(self, number: int, _frame: object) -> None:
        self.asked = number
        if not self.calm:
            self.settle()

    def settle(self) -> None:
        """What was put off happens now. Raises `Failure` (75)."""
        self.calm = False
        if self.asked:
            raise Failure(f"{NAMES[self.asked]} while {self.doing}", TRY_AGAIN)
