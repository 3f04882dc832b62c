"""Where the master keys are, as the configuration has it: files beside the mailboxes, one file elsewhere, or a command."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailer.config.secret import Secret, keeper_of, read_private

from .keyring import Keyring
from .keys import LONGEST, KeyDirectory, MasterKeys, parsed_keys
from .layout import Layout

if TYPE_CHECKING:
    from mailer.config import Config

    from .owners.api import Owners


def keyring_of(config: Config, owners: Owners) -> Keyring:
    """The keys of `owners` by the section ``[mailboxes]``; nothing is read before one is needed."""
    return Keyring(owners, masters_of(config), encrypting=config.mailboxes.encryption == "age")


def masters_of(config: Config) -> MasterKeys:
    """The master keys by the section ``[mailboxes]``."""
    section = config.mailboxes
    if section.key_command:
        command = Secret("command", section.key_command)
        return MasterKeys(lambda: parsed_keys(command(), str(command)), str(command))
    if section.key_file:
        return MasterKeys(lambda: _from_file(section.key_file, keeper_of(config.spool).uid), section.key_file)
    files = key_directory_of(config)
    return MasterKeys(files, files.path)


def key_directory_of(config: Config) -> KeyDirectory:
    """The files beside the mailboxes, which are the keys where nothing else is configured."""
    return KeyDirectory(Layout(config.mailboxes_path).keys, keeper_of(config.spool).uid)


def _from_file(path: str, owner: int) -> dict[int, bytes]:
    return parsed_keys(read_private(path, "the file of master keys", LONGEST, owner).decode("ascii", "replace"), path)
