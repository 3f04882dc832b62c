"""What a command needs besides its verb: capabilities that are told, and what the client has enabled.

A modifier of an extension that is not told does not exist, as little as its commands do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from . import command as said
from .answer import BadCommand
from .states import enables_condstore

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from .command import AppendedMessage, Command, Search


BY: Final = {
    "BINARY": "BINARY",
    "BINARY.SIZE": "BINARY",
    "EMAILID": "OBJECTID",
    "THREADID": "OBJECTID",
    "SAVEDATE": "SAVEDATE",
    "PREVIEW": "PREVIEW",
}
"""Item of FETCH → the capability that it exists by."""


def check_needs(command: Command, told: Collection[str], enabled: Collection[str]) -> None:
    """Raises `BadCommand` where something is said that does not exist, or was not enabled."""
    if missing := [word for word in _needed(command) if word not in told]:
        raise BadCommand(f"{missing[0]} is not offered")
    if "QRESYNC" not in enabled and _needs_qresync(command):  # RFC 7162 §3.2.5, §3.2.6
        raise BadCommand("QRESYNC has to be enabled first")


def _needs_qresync(command: Command) -> bool:
    return (isinstance(command, said.Select) and command.qresync is not None) or (isinstance(command, said.Fetch) and command.vanished)


def _needed(command: Command) -> Iterator[str]:
    """The capabilities that it exists by."""
    if enables_condstore(command) and not isinstance(command, said.Enable):
        yield "CONDSTORE"
    if isinstance(command, said.Authenticate) and command.initial is not None:
        yield "SASL-IR"
    elif isinstance(command, said.Append):
        if len(command.messages) > 1:
            yield "MULTIAPPEND"
        yield from _of_messages(command.messages)
    elif isinstance(command, said.Create) and command.use:
        yield "CREATE-SPECIAL-USE"
    elif isinstance(command, said.Listing):
        yield from _of_listing(command)
    elif isinstance(command, said.Replace):
        yield from _of_messages([command.message])
    elif isinstance(command, said.Fetch):
        yield from (BY[item.name] for item in command.items if item.name in BY)
    elif isinstance(command, said.Search):
        yield from _of_search(command, "ESEARCH")
    elif isinstance(command, said.Sort):
        yield from _of_search(command.search, "ESORT")
        if any(name.startswith("DISPLAY") for name, _ in command.keys):
            yield "SORT=DISPLAY"
    elif isinstance(command, said.Thread):
        yield f"THREAD={command.algorithm}"
        yield from command.search.needs


def _of_search(search: Search, returning: str) -> Iterator[str]:
    yield from search.needs
    if search.returns is not None:
        yield returning
        if "SAVE" in search.returns:
            yield "SEARCHRES"


def _of_listing(command: said.Listing) -> Iterator[str]:
    if "SPECIAL-USE" in command.select | command.returns:
        yield "SPECIAL-USE"
    if "METADATA" in command.returns:
        yield "LIST-METADATA"


def _of_messages(messages: Collection[AppendedMessage]) -> Iterator[str]:
    if any(message.binary for message in messages):
        yield "BINARY"
