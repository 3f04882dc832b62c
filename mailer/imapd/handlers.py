"""Which command is done by what: a line for each kind of commands. What is not here the machine answers itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mailer.imap import command

from .appending import append, replace
from .copying import copy, expunge
from .searching import search, sort, thread
from .selecting import close, look, select, unselect
from .storing import store

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .session import Handler

HANDLERS: Final[Mapping[type, Handler]] = {
    command.Noop: look,
    command.Check: look,
    command.Select: select,
    command.Close: close,
    command.Unselect: unselect,
    command.Append: append,
    command.Replace: replace,
    command.Search: search,
    command.Sort: sort,
    command.Thread: thread,
    command.Store: store,
    command.Copy: copy,
    command.Expunge: expunge,
}
