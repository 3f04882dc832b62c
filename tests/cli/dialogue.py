"""A conversation with a program at a terminal: what it asks is waited for, and answered."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Self

from tests.fakes.processes import MAILER, PATIENCE

LEAD = """
import os, signal, sys
os.close(os.open(os.ttyname(0), os.O_RDWR))
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execv(sys.argv[1], sys.argv[1:])
"""
"""Makes the terminal that of its session: where Ctrl-C is heard, and passwords are asked; and becomes the program behind it."""

MOVES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Dialogue:
    """`program` with `arguments` at a terminal of its own. Use it with ``with``; it is killed at the end if it still runs."""

    def __init__(self, arguments: Sequence[str], env: Mapping[str, str], program: Sequence[str] = MAILER) -> None:
        self.terminal, secondary = pty.openpty()
        self.said = ""
        self._heard = 0
        argv = [sys.executable, "-c", LEAD, *program, *arguments]
        streams = {"stdin": secondary, "stdout": secondary, "stderr": secondary}
        self.process = subprocess.Popen(argv, env={**env, "TERM": "xterm"}, start_new_session=True, **streams)
        os.close(secondary)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self.terminal)

    def hears(self, *words: str) -> str:
        """Wait until it has said each of `words`, one behind the other; returns what it said up to there."""
        start = self._heard
        for word in words:
            while (at := self.said.find(word, self._heard)) < 0:
                assert self._read(), f"it never said {word!r}:\n{self.said}"
            self._heard = at + len(word)
        return self.said[start : self._heard]

    def type(self, text: str) -> None:
        """Type a line."""
        os.write(self.terminal, f"{text}\n".encode())

    def answers(self, question: str, answer: str) -> None:
        """Wait for a question, and answer it."""
        self.hears(question)
        self.type(answer)

    def interrupt(self) -> None:
        """Ctrl-C."""
        os.write(self.terminal, b"\x03")

    def ends(self, again: Callable[[], object] | None = None) -> int:
        """Wait until it ends; its exit code.

        `again` is done where nothing happens for a second: a signal that comes between the question and the wait for its answer is heard
        by Python only when something else comes, too.
        """
        for _ in range(int(PATIENCE)):
            while not again or select.select([self.terminal], [], [], 1)[0]:
                if not self._read():
                    return self.process.wait(PATIENCE)
            again()
        raise AssertionError(f"it does not end:\n{self.said}")

    @property
    def rest(self) -> str:
        """What was said behind what was waited for."""
        return self.said[self._heard :]

    def _read(self) -> bool:
        """Hear more; whether there was any."""
        assert select.select([self.terminal], [], [], PATIENCE)[0], f"it says nothing:\n{self.said}"
        try:
            data = os.read(self.terminal, 65536)
        except OSError:  # EIO: the other end is closed
            return False
        self.said += MOVES.sub("", data.decode(errors="replace")).replace("\r\n", "\n")
        return bool(data)
