"""Encrypted mailboxes, all the way: mail waits for a key that is missing, and its keys are replaced while it comes."""

from __future__ import annotations

import os

from .test_local import ANN, BOB, Town
from .world import World


def encrypted(world: World) -> Town:
    """A town whose mailboxes are to be encrypted."""
    town = Town(world)
    text = world.config.read_text()
    world.config.write_text(text.replace("[mailboxes]\n", '[mailboxes]\nencryption = "age"\n'))
    return town


def readable(world: World, needle: bytes) -> list[str]:
    """The files of the mailboxes in which a text can be read."""
    found = (world.home / "mailboxes").rglob("*")
    return [path.name for path in found if path.is_file() and needle in path.read_bytes()]


def test_mail_waits_while_the_key_is_missing(world: World) -> None:
    """It is taken and kept in the spool; which key is wanted is said, and nothing of it is in a mailbox. With the key it comes."""
    town = encrypted(world).start()
    assert world.mailer("doctor").code != 0
    id = world.send(ANN, sender=BOB)
    world.becomes(id, "deferred")
    assert "no master key" in world.mailer("explain", id).out
    assert not [*(world.home / "mailboxes").rglob("index.sqlite3")]
    assert world.mailer("mailbox", "key", "make").code == 0
    assert "nobody has a copy of the master key 1" in world.mailer("doctor").out
    assert world.mailer("mailbox", "key", "export").code == 0
    assert "nobody has a copy" not in world.mailer("doctor").out
    [message] = town.gets(ANN, 1)
    assert b"The text of a test." in message
    path = world.home / "mailboxes" / "keys" / "1.key"
    town.daemon.stop()
    os.rename(path, world.home / "safe")
    town.start()
    id = world.send(ANN, sender=BOB)
    world.becomes(id, "deferred")
    assert "master key 1" in world.mailer("explain", id).out
    os.rename(world.home / "safe", path)
    assert len(town.gets(ANN, 2)) == 2
    assert readable(world, b"The text of a test.") == []


def test_keys_are_replaced_while_mail_comes(world: World) -> None:
    """The daemon goes on with the new ones; nothing is lost, and the old master key is not needed."""
    town = encrypted(world)
    assert world.mailer("mailbox", "key", "make").code == 0
    town.start()
    town.brings(ANN, BOB)
    town.gets(ANN, 1)
    town.gets(BOB, 1)
    for many in (2, 3):
        town.brings(ANN, BOB)
        assert world.mailer("mailbox", "rekey", "--new", "--bodies").code == 0
        town.gets(ANN, many)
        town.gets(BOB, many)
    for number in (1, 2):
        os.unlink(world.home / "mailboxes" / "keys" / f"{number}.key")
    town.brings(ANN)
    assert len(town.gets(ANN, 4)) == 4
    assert readable(world, b"one line more") == readable(world, b"hello") == []


def test_a_daemon_does_not_begin_to_encrypt_by_a_reload(world: World) -> None:
    """It says that it takes a restart, and goes on as before; after that what was there is read as well."""
    town = Town(world).start()
    town.brings(ANN)
    town.gets(ANN, 1)
    assert world.mailer("mailbox", "key", "make").code == 0
    text = world.config.read_text()
    world.config.write_text(text.replace("[mailboxes]\n", '[mailboxes]\nencryption = "age"\n'))
    done = world.mailer("reload")
    assert done.code == 78
    assert "takes a restart" in done.err
    town.daemon.stop()
    town.start()
    town.brings(ANN)
    assert len(town.gets(ANN, 2)) == 2
    assert world.mailer("mailbox", "rekey", "--bodies").code == 0
    assert len(town.gets(ANN, 2)) == 2
    assert readable(world, b"hello") == []
