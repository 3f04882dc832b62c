"""Messages that are made to cost a reader dear: they are taken as they are, and read no further than a door has to."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.smtpd.house import Client
from tests.smtpd.mx_house import MxHouse
from tests.smtpd.test_mx import MAIL, brought, played

HEAD = b'From: carl@example.org\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="b"\r\n'
NAME = b"".join(b" filename*%d=%d;\r\n" % (nth, nth) for nth in range(200))


@pytest.mark.parametrize(
    "content",
    [
        HEAD + b"\r\n" + b"--b\r\n\r\nx\r\n" * 20_000 + b"--b--\r\n",
        b"".join(b'Content-Type: multipart/mixed; boundary="%d"\r\n\r\n--%d\r\n' % (nth, nth) for nth in range(200)) + b"\r\nx\r\n",
        b"".join(b"Content-Type: message/rfc822\r\n\r\n" for _ in range(200)) + b"\r\nx\r\n",
        b"Content-Disposition: attachment;\r\n" + NAME.removesuffix(b";\r\n") + b"\r\n\r\nx\r\n",
    ],
    ids=["many parts", "parts in parts", "messages in messages", "a name in pieces"],
)
def test_parts_are_not_looked_into(tmp_path: Path, content: bytes) -> None:
    """However many there are, and however deep: what is in the spool is what came."""

    async def play(house: MxHouse) -> None:
        async with Client.of(house.port) as client:
            assert (await brought(client, content, "ann@example.com"))[-1].startswith("250")
        [entry] = house.entries()
        assert house.content(entry).endswith(content)

    played(MxHouse(tmp_path), play)


def test_nobody_can_say_that_he_speaks_for_another_client(tmp_path: Path) -> None:
    """XCLIENT and XFORWARD are not spoken, from wherever they come, and change nothing."""

    async def play(house: MxHouse) -> None:
        async with Client.of(house.port) as client:
            for command in ("XCLIENT ADDR=192.0.2.9 LOGIN=ann", "XFORWARD ADDR=192.0.2.9"):
                assert (await client(command)).startswith("500 5.5.1")
            assert (await brought(client, MAIL, "ann@example.com"))[-1].startswith("250")
        [entry] = house.entries()
        assert entry.envelope.submitter["ip"] == "127.0.0.1"

    played(MxHouse(tmp_path), play)
