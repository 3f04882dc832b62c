"""Our own program, started as somebody would start it: with the configuration that is meant, as the user whom it is for."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING, Any, NamedTuple

from mailer.mail.problem import Problem

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mailer.config.secret import FileOwner

PATIENCE = 180.0  # seconds; a pass over the queue may wait for several hosts


class Ran(NamedTuple):
    """How it ended: its exit code, what it printed, and its complaint, less the name in front."""

    code: int
    out: str
    complaint: str


class OwnProgram:
    """The program, which `argv` begins with, for the configuration at `config`; `environment` is what it gets besides ours."""

    def __init__(self, argv: Sequence[str], config: str, environment: dict[str, str]) -> None:
        self._argv = [*argv]
        self._config = config
        self._environment = environment

    def at(self, config: str) -> OwnProgram:
        """Our program with another configuration."""
        return OwnProgram(self._argv, config, self._environment)

    def __call__(self, *arguments: str, owner: FileOwner | None = None) -> Ran:
        """Run a command to its end, as `owner` if root asks. Raises `Problem` (unavailable, no-permission) where it cannot be started."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("MAILER_", "PYTHON"))}
        env = kept | self._environment
        other: dict[str, Any] = {}
        if owner and os.geteuid() == 0 and owner.uid != 0:
            other = {"user": owner.uid, "group": owner.gid, "extra_groups": owner.groups}
            env |= {"HOME": owner.home}
        words = [*self._argv, *arguments, "--config", self._config]
        try:
            done = subprocess.run(
                words, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", timeout=PATIENCE, env=env, cwd="/",
                check=False, **other,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise Problem(f"`mailer {arguments[0]}` did not end within {PATIENCE:.0f} seconds", "unavailable") from None
        except OSError as error:
            who = f"the user {owner.name} cannot" if other and owner else "it is not possible to"
            raise Problem(
                f"{who} start {self._argv[0]}: {error.strerror}; install mailer where everybody can read it, such as /opt or /usr/local",
                "no-permission",
            ) from None
        lines = [line.removeprefix("mailer: ") for line in done.stderr.splitlines() if line.strip()]
        return Ran(done.returncode, done.stdout, lines[-1] if lines else "")
