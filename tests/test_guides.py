"""The guides: each command that they name runs, each setting is one, each program in them does what it says."""

from __future__ import annotations

import contextlib
import io
import re
import shlex
import textwrap
from pathlib import Path

import pytest

from mailer.cli import TABLE, load, main
from mailer.cli.options import COMMON
from mailer.config.model import SECTIONS
from mailer.testing import SinkThread
from tests.journey.world import World
from tests.test_manual import MAN, plain

GUIDES = (
    "mailer-library.3", "mailer-troubleshooting.7", "mailer-security.7", "mailer-tuning.7", "mailer-api.7", "mailer-feedback.7",
    "mailer-receiving.7", "mailer-mailboxes.7",
)  # fmt: skip
ELSEWHERE = ("run", "stop", "reload", "setup", "sink", "oauth", "demo", "help", "web", "amqp")
"""What serves until it is ended, asks a person, or needs a daemon; the tests of each try it."""


def named(page: str) -> list[list[str]]:
    """The commands that a guide sets in bold, as words."""
    lines = [line for line in plain(page).splitlines() if re.match(r"\.(B|BR|RB|IP|TP)\b", line)]
    found = [match[1] for line in lines for match in re.finditer(r'\b((?:mailer) [a-z-][^"()]*)', line)]
    return [shlex.split(text.rstrip(" ,.")) for text in found]


COMMANDS = sorted({tuple(words) for name in GUIDES for words in named((MAN / name).read_text(encoding="ascii"))})


def known() -> dict[str, set[str]]:
    """Command → its options."""
    modules = [load(name) for name in TABLE]
    declared = [one for module in modules for one in getattr(module, "COMMANDS", {"": getattr(module, "COMMAND", None)}).values()]
    return {one.name: {name for option in (*one.options, *COMMON) for name in option.names} for one in declared}


def test_each_command_of_the_guides_is_one() -> None:
    """With options that it has."""
    there = known()
    assert len(COMMANDS) > 30
    for words in COMMANDS:
        command = next((name for count in (3, 2) if (name := " ".join(words[1 : 1 + count])) in there), words[1])
        options = {word for word in words if word.startswith("-")}
        assert command in there or words[1:] == ("--version",), words
        assert words[1:] == ("--version",) or options <= there[command], words


def test_each_setting_of_the_guides_is_one() -> None:
    """``section.key`` in bold is in the configuration."""
    there = {f"{section.word}.{setting.key}" for section in SECTIONS for setting in section.settings}
    for name in GUIDES:
        text = " ".join(line for line in plain((MAN / name).read_text()).splitlines() if line.startswith((".B", ".RB")))
        sections = "|".join({each.partition(".")[0] for each in there} - {"mailer"})
        for found in re.findall(rf"\b(?:{sections})\.[a-z_]+\b", text):
            assert found in there or found.startswith("relay."), f"{name}: {found}"


@pytest.mark.slow
def test_each_command_of_the_guides_is_tried(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """None is misused, and none breaks, with a message that waits, one that is held and a relay."""
    with SinkThread() as sink:
        world.configure(sink.port, more='[dns]\nnameservers = ["127.0.0.1:9"]\ntimeout = "0.1s"\nlifetime = "0.2s"\n')
        monkeypatch.setenv("MAILER_CONFIG", str(world.config))
        monkeypatch.setenv("HOME", str(world.home))
        id = world.send("ann@example.net")
        names = {"ID": id, "RELAY": "sink", "relay:out": "relay:sink"}
        for words in COMMANDS:
            elsewhere = words[1] in (*ELSEWHERE, "send") or words[1:3] == ("dkim", "rotate")
            if elsewhere or {"--trust", "--follow", "--source"} & {*words}:
                continue
            with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()) as said:
                try:
                    code = main([names.get(word, word) for word in words])
                except SystemExit as end:
                    code = int(end.code or 0)
            assert code not in (64, 70), (words, code, said.getvalue())


def programs() -> list[str]:
    """The programs of mailer-library(3)."""
    text = plain((MAN / "mailer-library.3").read_text(encoding="ascii"))
    return [block for block in re.findall(r"^\.EX\n(.*?)^\.EE", text, re.MULTILINE | re.DOTALL) if "import " in block]


@pytest.mark.parametrize("program", programs(), ids=lambda text: text.strip().splitlines()[-1].strip()[:30])
def test_each_program_of_the_library_page_runs(program: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As it stands, with a spool of its own; what would call a server of somebody else is compiled."""
    config = tmp_path / "config.toml"
    config.write_text(f'[mailer]\nspool = "{tmp_path}/spool"\n')
    monkeypatch.setenv("MAILER_CONFIG", str(config))
    code = compile(textwrap.dedent(program), "mailer-library.3", "exec")
    if "smtp.example.com" not in program:
        with contextlib.redirect_stdout(io.StringIO()):
            exec(code, {"__name__": "__main__"})
