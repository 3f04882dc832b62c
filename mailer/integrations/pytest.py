"""For pytest: `mailer_sink`, which has what the program under test sends, by SMTP or into the queue. Found by pytest without a word.

::

    def test_the_customer_is_told(mailer_sink):
        shop.order(...)                                   # mailer.queue(…), Django's send_mail, or SMTP to mailer_sink.port
        (mail,) = mailer_sink.messages
        assert mail["Subject"] == "Your order"
        assert mail.recipients == ("ann@example.net",)

While it is there, ``MAILER_CONFIG`` names a configuration with a spool of the test's own that no daemon serves: nothing that is queued
leaves, nor does what is queued by a program that the test starts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from email.message import EmailMessage
    from pathlib import Path

    from mailer.sink import SinkThread


class MailerSink:
    """What was sent. `host` and `port` are where a client of SMTP gets rid of its mail, `config` and `spool` are those of the queue."""

    host = "127.0.0.1"

    def __init__(self, home: Path, sink: SinkThread) -> None:
        self._sink = sink
        self.port = sink.port
        self.spool = str(home / "spool")
        self.config = str(home / "config.toml")
        (home / "config.toml").write_text(f'[mailer]\nhostname = "test.example"\nspool = "{self.spool}"\n', encoding="utf-8")

    @property
    def messages(self) -> list[EmailMessage]:
        """All messages so far, those of SMTP first, each in the order in which they came.

        Each is an `email.message.EmailMessage` with two members more, of its envelope: `sender`, the reverse-path, and `recipients`, a
        tuple.
        """
        return [_message(one.content, one.sender, one.recipients) for one in self._sink.messages] + [*self._queued()]

    def wait(self, count: int, seconds: float = 10.0) -> list[EmailMessage]:
        """Wait until `count` messages have come by SMTP; `messages` then. Raises `TimeoutError`."""
        self._sink.received(count, seconds)
        return self.messages

    def _queued(self) -> Iterator[EmailMessage]:
        from mailer.spool.files.store import SpoolDirectory

        spool = SpoolDirectory(self.spool)
        for id in sorted([*spool.ids("queued"), *spool.ids("deferred")]):
            envelope = spool.read(id).envelope
            people = tuple(to.address for to in envelope.recipients if to.outcome is None)
            yield _message(spool.content(id), envelope.sender, people)


def _message(content: bytes, sender: str, recipients: tuple[str, ...]) -> EmailMessage:
    from email import policy
    from email.message import EmailMessage
    from email.parser import BytesParser

    class Arrived(EmailMessage):
        pass

    made: Any = BytesParser(Arrived, policy=policy.default).parsebytes(content)
    made.sender, made.recipients = sender, recipients
    found: EmailMessage = made
    return found


@pytest.fixture
def mailer_sink(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[MailerSink]:
    """See `MailerSink`."""
    from mailer.sink import SinkThread

    with SinkThread() as sink:
        made = MailerSink(tmp_path_factory.mktemp("mailer"), sink)
        monkeypatch.setenv("MAILER_CONFIG", made.config)
        yield made
