"""A message that cannot be composed from what was given."""

from __future__ import annotations


class EmailError(ValueError):
    """`str()` is one line that says what is wrong; `part` is where: a field's name, ``text``, ``html`` or ``attachment``."""

    def __init__(self, part: str, problem: str) -> None:
        super().__init__(part, problem)
        self.part = part
        self.problem = problem

    def __str__(self) -> str:
        return self.problem
