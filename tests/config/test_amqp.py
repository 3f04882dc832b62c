"""The sections of a message queue: names, limits, and what must not be beside each other."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailer.config.advice import missing
from mailer.config.file import config_of, examine
from mailer.config.model import as_rows

BROKER = '[amqp]\nurl_file = "/etc/mailer/amqp.url"\n'


def test_what_holds_where_nothing_is_said() -> None:
    """One queue, of the kind that survives a machine; without an address there is no broker."""
    section = config_of("", BROKER.encode(), "/").amqp
    assert (section.queues, section.type, section.prefetch, section.delivery_limit) == (("mailer.in",), "quorum", 64, 20)
    assert (section.dead_letter, section.reasons, section.events) == ("mailer.dead", "mailer.dead.reasons", "")
    assert section.configured
    assert not config_of("", b"", "/").amqp.configured


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('queues = ["a", "a"]', "named twice"),
        ('queues = ["amq.a"]', "no name of a queue"),
        ('queues = [""]', "no name of a queue"),
        ("queues = []", "mail is taken from no queue"),
        ('queues = ["a"]\ndead_letter = "a"', "another name"),
        ('queues = ["a"]\nevents = "a"', "another name"),
        ('type = "stream"', "quorum | classic"),
        ("prefetch = 0", "from 1 to 1000"),
        ("prefetch = 1001", "from 1 to 1000"),
        ('[[amqp_queue]]\nname = "other"', "amqp.queues has no other"),
        ('[[amqp_queue]]\nname = "mailer.in"\n[[amqp_queue]]\nname = "mailer.in"', "already"),
        ('[[amqp_queue]]\nname = "mailer.in"\nsenders = ["nobody"]', "no sender"),
    ],
)
def test_what_cannot_be(text: str, words: str) -> None:
    """One mistake, with what to write."""
    config, found = examine("", f"{BROKER}{text}\n".encode())
    assert config is None
    assert [words in each.text for each in found] == [True]


def test_a_subscriber_has_the_journal_written() -> None:
    """Results for the broker are read from it."""
    assert not config_of("", BROKER.encode(), "/").journaled
    config = config_of("", f'{BROKER}events = "mailer.events"\n'.encode(), "/")
    assert config.journaled
    assert "amqp" in config.readers


def test_a_secret_that_others_can_read_is_a_mistake(tmp_path: Path) -> None:
    """The configuration knows only where it is, and shows no more."""
    file = tmp_path / "amqp.url"
    file.write_text("amqp://me:s3cret@127.0.0.1/\n")
    file.chmod(0o644)
    config = config_of("", f'[mailer]\nspool = "{tmp_path}/spool"\n[amqp]\nurl_file = "{file}"\n'.encode(), "/")
    assert any("chmod 600" in each.text for each in missing(config))
    assert "s3cret" not in str([*as_rows(config)])
    file.chmod(0o600)
    assert not any(str(file) in each.text for each in missing(config))
