"""What the doctor says of filters of incoming mail."""

from __future__ import annotations

import asyncio
from pathlib import Path

from mailer.config.file import config_of
from mailer.operate.doctor.filters import filters
from tests.filtering.scene import filter_at, says

LISTS = '[dns]\nnameservers = ["127.0.0.1:9"]\nlifetime = "0.2s"\n[[filter]]\nkind = "blocklist"\naddress = "bl.example"\n'


def test_each_filter_is_asked_and_a_list_is_no_great_matter(tmp_path: Path) -> None:
    """What stops mail is a failure; without a list mail goes on."""

    async def main() -> list[tuple[str, str]]:
        async with filter_at(tmp_path / "clamd", says(b"PONG\0", b"zPING\0")) as address:
            sections = f'[[filter]]\nkind = "clamd"\naddress = "{address}"\n[[filter]]\nkind = "spamd"\naddress = "{tmp_path}/nobody"\n'
            return [(each.result, each.evidence) for each in await filters(config_of("x", (LISTS + sections).encode()))]

    lists, clamd, spamd = asyncio.run(main())
    assert (lists[0], clamd) == ("warn", ("pass", "it answers"))
    assert spamd == ("fail", "No such file or directory: mail is put off for 900 s, then taken, and marked as not looked at")
