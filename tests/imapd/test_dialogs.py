"""Every dialog of tests/dialogs/imap against the door."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fakes.dialog import DIALOGS

from .dialog import CUTS, Cut, ImapDialog, ImapPlay, unlike
from .house import ImapHouse, in_house

FILES = sorted((DIALOGS / "imap").glob("*.txt"))


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

    in_house(test)
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
