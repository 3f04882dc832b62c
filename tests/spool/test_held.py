"""Mail that is put to be held, in a spool of either kind."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from mailer.spool.api import New, Put, Spool
from mailer.spool.files.spool import FileSpool
from mailer.spool.files.store import SpoolDirectory
from mailer.spool.memory import MemorySpool
from tests.fakes.mail import BODY, NOW, envelope


@pytest.mark.parametrize("kind", ["files", "memory"])
def test_what_is_put_to_be_held_waits_for_an_operator(kind: str, tmp_path: Path) -> None:
    """It is nowhere among what is due, and leaves when it is released."""

    async def scenario(spool: Spool) -> None:
        letter = envelope("a@example.com")
        assert await spool.put([New(letter.id, letter.to_line(), BODY, held=True)]) == [Put(letter.id)]
        [found] = await spool.find([letter.id])
        assert found is not None
        assert found.state == "held"
        assert [due async for portion in spool.due(lambda _: False) for due in portion] == []
        await spool.act("release", [letter.id], NOW)
        assert [due.id async for portion in spool.due(lambda _: False) for due in portion] == [letter.id]
        await spool.close()

    async def made() -> None:
        await scenario(MemorySpool() if kind == "memory" else FileSpool(SpoolDirectory(str(tmp_path))))

    asyncio.run(made())
