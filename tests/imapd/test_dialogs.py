"""Every dialog of tests/dialogs/imap against the door."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mailer.imap.grammar import BY_UID, COMMANDS
from tests.fakes.dialog import DIALOGS

from .dialog import CUTS, Cut, ImapDialog, ImapPlay, unlike
from .house import ANN, BOB, ImapHouse, in_house

FILES = sorted((DIALOGS / "imap").glob("*.txt"))
UNTAGGED = frozenset({
    "OK", "BYE", "CAPABILITY", "ENABLED", "LIST", "LSUB", "NAMESPACE", "STATUS", "SEARCH", "ESEARCH", "FLAGS", "EXISTS", "RECENT",
    "EXPUNGE",
    "FETCH", "VANISHED", "ID", "METADATA", "QUOTA", "QUOTAROOT", "SORT", "THREAD",
})  # fmt: skip
"""Each untagged answer that there is, and what comes of none: PREAUTH, and a NO or BAD that belongs to no command."""


def played(dialog: ImapDialog, cut: Cut, tail: bytes = b"") -> tuple[dict[str, list[str]], bool]:
    """What each client hears, and whether the session of the first is over."""
    found: list[tuple[dict[str, list[str]], bool]] = []

    async def test(house: ImapHouse) -> None:
        play = ImapPlay(house, dialog, cut)
        try:
            heard = await play.run(tail)
            found.append((heard, play.tasks[""].done()))
        finally:
            await play.leave()

    in_house(test, users=(ANN._replace(quota=dialog.quota), BOB))
    return found[0]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_door_answers_as_the_dialog_says(path: Path) -> None:
    """It makes no difference in which pieces a client speaks; behind the end of its session nothing is read."""
    dialog = ImapDialog.read(path)
    for cut in CUTS:
        heard, over = played(dialog, cut)
        for who, wanted in dialog.heard.items():
            assert [*unlike(heard[who], wanted)] == [], (cut, who, heard[who])
        assert over is dialog.over
    longer, _ = played(dialog, "whole", b"zz NOOP\r\n")
    assert [*unlike(longer[""][: len(dialog.heard[""])], dialog.heard[""])] == []
    assert not (dialog.over and len(longer[""]) > len(dialog.heard[""]))


def test_each_command_and_each_untagged_answer_has_a_dialog() -> None:
    """By number and by UID, those of RFC 3501, of RFC 9051 and of each extension."""
    text = "\n".join(path.read_text() for path in FILES)
    said = {verb.upper() for verb in re.findall(r"^\d?C[:>] \S+ ((?:UID )?[A-Za-z]+)", text, re.MULTILINE)}
    assert said >= {*COMMANDS} | {f"UID {verb}" for verb in BY_UID}
    assert {*re.findall(r"^\d?S[:~] \* (?:\d+ )?([A-Z]+)", text, re.MULTILINE)} - {"BAD"} == UNTAGGED
