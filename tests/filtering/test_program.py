"""A program is given the message and who brings it, without a shell; what hangs is ended with all that it has started."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import pytest

from .scene import ARRIVAL, MAIL, Scene, section


def program(path: Path, text: str) -> tuple[str, ...]:
    """A program of Python with this text."""
    file = path / "look.py"
    file.write_text(text)
    return (sys.executable, "-IS", str(file))


def judged(command: tuple[str, ...], content: bytes = MAIL, **more: Any) -> Any:
    async def main() -> Any:
        return await Scene(section("program", command=command, **more)).judged(content)

    return asyncio.run(main())


def test_it_hears_the_message_and_adds_to_its_header(tmp_path: Path) -> None:
    text = """
import os, sys
data = sys.stdin.buffer.read()
assert data.startswith(b"Received: from mx.sender.example"), data
print("X-Looked:", os.environ["REMOTE_ADDR"], os.environ["MAIL_FROM"], os.environ["RCPT_TO"], len(data) > 50)
"""
    ruling = judged(program(tmp_path, text))
    assert ruling.verdict == "accept"
    assert b"X-Looked: 192.0.2.1 ann@sender.example bob@example.com True\r\n" in ruling.fields


def test_it_refuses_with_words_of_its_own_without_having_read_all(tmp_path: Path) -> None:
    ruling = judged(program(tmp_path, "print('No.'); raise SystemExit(20)"), MAIL + b"x" * 70 + b"\r\n" * 500_000)
    assert (ruling.verdict, str(ruling.reply)) == ("refuse", "554 5.7.1 No.")


@pytest.mark.parametrize(
    "text", ["raise SystemExit(1)", "print('no field')", "import os; os.kill(os.getpid(), 9)", "while True: print('A: ' + 'b' * 900)"]
)
def test_whatever_else_is_a_failure(tmp_path: Path, text: str) -> None:
    assert judged(program(tmp_path, text)).verdict == "tempfail"


def test_a_program_that_is_not_there_is_a_failure() -> None:
    ruling = judged(("/nowhere/look",))
    assert (ruling.verdict, "No such file" in ruling.steps[-1].reason) == ("tempfail", True)


def test_one_that_hangs_is_ended_with_its_children(tmp_path: Path) -> None:
    """Its child writes its own number and would sleep for an hour."""
    text = f"""
import os, time
if not os.fork():
    with open({str(tmp_path / "child")!r} + ".new", "w") as file: file.write(str(os.getpid()))
    os.rename({str(tmp_path / "child")!r} + ".new", {str(tmp_path / "child")!r})
time.sleep(3600)
"""

    async def main() -> None:
        scene = Scene(section("program", command=program(tmp_path, text), timeout=3600.0))
        case = scene.panel.case(ARRIVAL.ip)
        judging = asyncio.ensure_future(case.judge(ARRIVAL, "a@b.example", ["c@d.example"], MAIL))
        while not (tmp_path / "child").exists():
            await asyncio.sleep(0.01)
        judging.cancel()
        await asyncio.wait({judging})
        child = Path("/proc", (tmp_path / "child").read_text())
        while child.exists() and "(zombie)" not in (child / "status").read_text():
            await asyncio.sleep(0.01)
        await case.ended()

    asyncio.run(main())
