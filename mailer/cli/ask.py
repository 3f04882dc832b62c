"""Questions to a person at the terminal, by click: each with what holds where only Enter is typed, and asked again where an answer makes no
sense. Ctrl-C and Ctrl-D end the program, as `KeyboardInterrupt`.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, TypeVar

import click

from mailer.mail.text import one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

T = TypeVar("T")


def person() -> bool:
    """Whether somebody is there to be asked."""
    return sys.stdin is not None and sys.stdin.isatty() and sys.stdout is not None and sys.stdout.isatty()


def text(question: str, read: Callable[[str], T], default: str | None = None) -> T:
    """The answer as `read` takes it, which raises `ValueError` for what it does not take; `default` None: something has to be typed."""
    shown = [question, *([f" [{one_line(default)}]"] if default else [])]
    while True:
        answer = _typed(lambda: click.prompt("".join(shown), default or "", show_default=False)).strip()
        if answer or default is not None:
            try:
                return read(answer)
            except ValueError as error:
                click.echo(f"  {one_line(str(error))}")


def yes(question: str, *, default: bool) -> bool:
    """Whether the answer is yes."""

    def read(answer: str) -> bool:
        if answer.lower() not in ("", "y", "yes", "n", "no"):
            raise ValueError("answer y or n")
        return answer.lower().startswith("y") if answer else default

    return text(f"{question} [{'Y/n' if default else 'y/N'}]", read, "")


def secret(question: str, *, empty: bool = False) -> str:
    """What is typed without being shown; nothing only if that may be."""
    while True:
        answer: str = _typed(lambda: click.prompt(question, "", hide_input=True, show_default=False), broken=False)
        if answer or empty:
            return answer
        click.echo("  there has to be one")


def chosen(question: str, options: Sequence[tuple[str, str]], default: str) -> str:
    """One of `options`, which are (name, what is said of it): by its number, its name, or the beginning of that."""
    names = [name for name, _ in options]
    for number, (name, about) in enumerate(options, 1):
        click.echo(f"  {number}  {name:<12} {about}".rstrip())

    def read(answer: str) -> str:
        if answer.isascii() and answer.isdigit() and 1 <= int(answer) <= len(names):
            return names[int(answer) - 1]
        fitting = [name for name in names if answer and name.startswith(answer.lower())]
        if len(fitting) == 1 or answer.lower() in names:
            return answer.lower() if answer.lower() in names else fitting[0]
        raise ValueError(f"answer with a number from 1 to {len(names)}, or a name")

    return text(question, read, default)


def say(line: str = "") -> None:
    """One line to the person."""
    click.echo(one_line(line) if line.strip() == line else f"{line[: len(line) - len(line.lstrip())]}{one_line(line)}")


def _typed(ask: Callable[[], T], *, broken: bool = True) -> T:
    """What is typed; `broken`: an end in the middle leaves the line of the question unfinished."""
    try:
        return ask()
    except click.Abort:
        if broken:
            click.echo()
        raise KeyboardInterrupt from None
