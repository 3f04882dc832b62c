"""Our program without its start: `Warm`, a process that is forked off one that has imported what the program imports.

To start an interpreter and import the daemon takes ten times as long as what a test wants of it. So each process of the tests keeps
one that stands ready (`Ready`, which runs `warm_start.py`), and what it forks off is the program from its first line: with arguments,
environment, directory and descriptors of its own, in a session of its own, and it ends as the program ends. Whoever asks for anything else
(another program, another interpreter's settings, a limit, a user) has it started as ever. So has everybody with ``TESTS_COLD=1``;
and rooms whose subject is how the program starts do not come here.
"""

from __future__ import annotations

import array
import atexit
import functools
import json
import os
import select
import socket
import subprocess
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .processes import MAILER

SCRIPT = Path(__file__).with_name("warm_start.py")

COLD = os.environ.get("TESTS_COLD") == "1"
LONGEST = 100_000
"""Octets that one request may have; a longer one goes the other way."""


SCRIPTS = {MAILER[1]}
"""What can be started warm; whoever has another such script adds it."""

GIVEN = (
    "executable", "preexec", "close", "passed", "cwd", "env", "startup", "flags", "shell", "stdin", "our_stdin", "our_stdout", "stdout",
    "our_stderr", "stderr", "signals", "gid", "gids", "uid", "umask", "session",
)  # fmt: skip
"""What `subprocess.Popen` hands on, after the arguments of the program, to have it started."""


def settings(env: Mapping[str, str]) -> dict[str, str]:
    """What an interpreter reads of its environment when it starts."""
    return {name: value for name, value in env.items() if name.startswith(("PYTHON", "LC_", "COVERAGE_")) or name in ("LANG", "LANGUAGE")}


class Ready:
    """The process that forks. It ends when whoever has this ends."""

    def __init__(self, script: str) -> None:
        self._turn = threading.Lock()
        self.settings = settings(os.environ)
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [MAILER[0], str(SCRIPT), str(theirs.fileno()), script],
                pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip
        atexit.register(self.close)

    def close(self) -> None:
        """Let it go."""
        self._socket.close()
        self._process.wait()

    def ask(self, request: Mapping[str, Any], descriptors: Sequence[int] = ()) -> Any:
        """The answer to one request."""
        ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))] if descriptors else []
        with self._turn:
            self._socket.sendmsg([json.dumps(request).encode()], ancillary)
            answer = self._socket.recv(LONGEST)
        assert answer, "what forks our program for the tests has ended"
        return json.loads(answer)


@functools.cache
def ready(owner: int, script: str) -> Ready:
    """The one for `script` of the process `owner`, which is whoever asks: a fork of it has another."""
    return Ready(script)


class Warm(subprocess.Popen[bytes]):
    """What `subprocess.Popen` is, started warm if it can be.

    With `stopped`, it waits for a SIGCONT before its first line, and anybody may trace it.
    """

    def __init__(self, argv: Sequence[str], *, stopped: bool = False, **options: Any) -> None:
        self._ready: Ready | None = None
        self._stopped = stopped
        self._turn = threading.Lock()
        super().__init__(argv, **options)

    def __del__(self, *given: Any) -> None:
        super().__del__(*given)  # type: ignore[misc]
        if self._ready is not None:
            os.close(self._pidfd)

    def _execute_child(self, args: Any, *rest: Any) -> None:
        given = dict(zip(GIVEN, rest, strict=False))
        env = dict(os.environ if given["env"] is None else given["env"])
        request = {
            "argv": list(map(str, args[1:])),
            "env": env,
            "cwd": str(given["cwd"] or os.getcwd()),
            "session": given["session"],
            "stopped": self._stopped,
        }
        usual = not any(given[name] for name in ("executable", "preexec", "passed", "shell", "gid", "gids"))
        usual = usual and given["uid"] is None and given["umask"] == -1 and len(json.dumps(request)) <= LONGEST
        ours = args[0] == MAILER[0] and args[1] in SCRIPTS
        if COLD or not (usual and ours) or (there := ready(os.getpid(), args[1])).settings != settings(env):
            assert not self._stopped, "only what is started warm can be stopped first"
            super()._execute_child(args, *rest)  # type: ignore[misc]
            return
        pipes = [given[name] for name in ("stdin", "our_stdin", "our_stdout", "stdout", "our_stderr", "stderr")]
        ends = [end if end != -1 else number for number, end in enumerate((pipes[0], pipes[3], pipes[5]))]
        try:
            self.pid = there.ask({"fork": request}, ends)
            self._pidfd = os.pidfd_open(self.pid)
            self._ready = there
            self._child_created = True
        finally:
            self._close_pipe_fds(*pipes)  # type: ignore[attr-defined]

    def _ended(self, seconds: float | None) -> bool:
        asked = select.poll()
        asked.register(self._pidfd, select.POLLIN)
        return bool(asked.poll(None if seconds is None else max(0.0, 1000 * seconds)))

    def _internal_poll(self, *given: Any, **more: Any) -> int | None:
        if self._ready is None:
            return super()._internal_poll(*given, **more)  # type: ignore[misc, no-any-return]
        with self._turn:  # two threads may ask, and the second finds it told
            if self.returncode is None and self._ended(0):
                self.returncode = self._ready.ask({"wait": self.pid})
            return self.returncode

    def _wait(self, timeout: float | None) -> int:
        if self._ready is None:
            return super()._wait(timeout)  # type: ignore[misc, no-any-return]
        if self.poll() is None and self._ended(timeout):
            self.poll()
        if self.returncode is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0)
        return self.returncode


def run(argv: Sequence[str], *, input: Any = None, timeout: float, **options: Any) -> subprocess.CompletedProcess[Any]:
    """One command to its end: what ``subprocess.run(…, capture_output=True)`` does."""
    pipe = subprocess.PIPE
    if input is not None:
        options["stdin"] = pipe
    with Warm(argv, stdout=pipe, stderr=pipe, **options) as process:
        try:
            out, err = process.communicate(input, timeout)
        except BaseException:
            process.kill()
            raise
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)
