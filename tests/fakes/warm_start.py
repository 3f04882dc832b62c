"""What stands ready for `warm.Ready`: has imported our program, and forks off one for each request.

    python warm_start.py DESCRIPTOR SCRIPT

A child leaves the loop, becomes what was asked for, and is SCRIPT as `__main__` from there on: its end is the end of an interpreter.
"""

from __future__ import annotations

import array
import contextlib
import ctypes
import gc
import importlib
import json
import os
import signal
import socket
import sys
import time
from typing import Any

IMPORTED = (
    "mailer.service", "mailer.queue.manager", "mailer.cli.click_face", "mailer.hooks.sender", "mailer.web.process",
    *(f"mailer.cli.{command}" for command in ("run", "send", "status", "queue", "explain", "bounces", "sink", "hooks", "api", "web")),
)  # fmt: skip
"""What the processes of the program import, and what those do who send and ask."""

ANYBODY = (0x59616D61, -1)
"""PR_SET_PTRACER and PR_SET_PTRACER_ANY of prctl(2), for machines where a process may trace its children only."""

REQUEST = 1 << 18


def received(from_: socket.socket) -> tuple[dict[str, Any], list[int]]:
    """The next request, with its descriptors; an empty one at the end."""
    data, ancillary, _, _ = from_.recvmsg(REQUEST, socket.CMSG_SPACE(3 * array.array("i").itemsize), socket.MSG_CMSG_CLOEXEC)
    descriptors = array.array("i")
    for _, _, passed in ancillary:
        descriptors.frombytes(passed)
    return json.loads(data) if data else {}, list(descriptors)


def become(asked: dict[str, Any], descriptors: list[int]) -> None:
    """Be the process that was asked for."""
    if asked["session"]:
        os.setsid()
    for number, descriptor in enumerate(descriptors):
        os.dup2(descriptor, number)
        os.close(descriptor)
    os.chdir(asked["cwd"])
    os.environ.clear()
    os.environ.update(asked["env"])
    time.tzset()
    sys.argv = asked["argv"]
    if asked["stopped"]:
        ctypes.CDLL(None).prctl(*ANYBODY, 0, 0, 0)
        os.kill(os.getpid(), signal.SIGSTOP)


def serve(ours: socket.socket) -> None:
    """Answer requests; returns in a child that is what it was asked to be. Ends with whoever asks."""
    while True:
        request, descriptors = received(ours)
        if not request:
            os._exit(0)
        if (pid := request.get("wait")) is not None:
            answer = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        else:
            answer = os.fork()
            if not answer:
                ours.close()
                become(request["fork"], descriptors)
                return
            for descriptor in descriptors:
                os.close(descriptor)
            if request["fork"]["stopped"]:
                os.waitid(os.P_PID, answer, os.WSTOPPED)  # before anybody can tell it to go on
        ours.send(json.dumps(answer).encode())


def main() -> None:
    """All of it."""
    descriptor, script = sys.argv[1:]
    sys.path[0] = os.path.dirname(script)
    for name in IMPORTED:
        importlib.import_module(name)
    with contextlib.suppress(ImportError):
        importlib.import_module("uvloop")  # which the daemon takes where it is installed
    with open(script, encoding="utf-8") as file:
        code = compile(file.read(), script, "exec")
    gc.collect()
    gc.freeze()
    serve(socket.socket(fileno=int(descriptor)))
    there = sys.modules["__main__"].__dict__
    for name in [name for name in there if not name.startswith("__")]:
        del there[name]
    there["__file__"] = script
    exec(code, there)


main()
