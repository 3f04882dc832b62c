"""Machines that share a database tell one another what happens in mailboxes."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from threading import Event

from mailer.config.file import config_of
from mailer.mailbox.api import NewMail
from mailer.mailbox.configured import mailboxes_of
from mailer.mailbox.wire import ANYTHING, listener_of
from tests.peers.postgresql import PASSWORD, PostgreSQL, needed

from .premises import ANN


class Heard:
    """What was told, and a wait for it."""

    def __init__(self) -> None:
        self.news: list[tuple[str, int, int]] = []
        self._more = Event()

    def __call__(self, *news: object) -> None:
        self.news.append(news)  # type: ignore[arg-type]
        self._more.set()

    def until(self, wanted: Callable[[], bool]) -> None:
        """Wait until it is so."""
        end = time.monotonic() + 30
        while not wanted():
            assert self._more.wait(end - time.monotonic()), self.news
            self._more.clear()


@needed
def test_a_change_on_another_machine_is_heard(tmp_path: Path, postgresql: PostgreSQL) -> None:
    """Soon; and when the connection was lost and is there again, anything may have changed, and what comes then is heard as before."""
    secret = tmp_path / "secret"
    secret.write_text(PASSWORD)
    secret.chmod(0o600)
    url = postgresql.url()
    config = config_of(
        f"{tmp_path}/config.toml",
        f'[mailer]\nspool = "{tmp_path}/spool"\n[mailboxes]\npath = "{tmp_path}/mailboxes"\ndatabase = "{url}"\n'
        f'database_password_file = "{secret}"\n'.encode(),
    )
    elsewhere, heard = mailboxes_of(config), Heard()
    with elsewhere.of(ANN, make=True) as box:
        owner = box.owner.id
        wire = listener_of(config.mailboxes, heard)
        try:
            heard.until(lambda: bool(box.put([NewMail("INBOX", b"Subject: x\r\n\r\nx\r\n")])) and _soon(heard))
            began = time.monotonic()
            box.put([NewMail("INBOX", b"Subject: y\r\n\r\ny\r\n")])
            heard.until(lambda: heard.news[-1][2] == box.folder("INBOX").modseq)  # type: ignore[union-attr]
            assert time.monotonic() - began < 5
            assert {each[0] for each in heard.news} == {owner}
            postgresql.kill()
            postgresql.start()
            heard.until(lambda: ANYTHING in heard.news)
            box.put([NewMail("INBOX", b"Subject: z\r\n\r\nz\r\n")])
            heard.until(lambda: heard.news[-1][0] == owner)
        finally:
            wire.close()
    elsewhere.close()


def _soon(heard: Heard) -> bool:
    """Whether something was heard, within a moment: the listener may not have begun yet."""
    end = time.monotonic() + 0.2
    while not heard.news and time.monotonic() < end:
        time.sleep(0.01)
    return bool(heard.news)
