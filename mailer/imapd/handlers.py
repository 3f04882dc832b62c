"""Which command is done by what: a line for each kind of commands. What is not here the machine answers itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mailer.imap import command

from .appending import append, replace
from .copying import copy, expunge
from .fetching import fetch
from .folders import create, delete, rename, subscribe
from .listing import list_folders, status
from .metadata import get_metadata, set_metadata
from .notifying import notify
from .quotas import get_quota, get_quota_root, set_quota
from .searching import search, sort, thread
from .selecting import close, look, select, unselect
from .storing import store

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .session import Handler

HANDLERS: Final[Mapping[type, Handler]] = {
    command.NoOperation: look,
    command.Check: look,
    command.Select: select,
    command.Close: close,
    command.Unselect: unselect,
    command.Append: append,
    command.Replace: replace,
    command.Search: search,
    command.Sort: sort,
    command.Thread: thread,
    command.Fetch: fetch,
    command.Store: store,
    command.Copy: copy,
    command.Expunge: expunge,
    command.Create: create,
    command.Delete: delete,
    command.Rename: rename,
    command.Subscribe: subscribe,
    command.Listing: list_folders,
    command.Status: status,
    command.GetQuota: get_quota,
    command.GetQuotaRoot: get_quota_root,
    command.SetQuota: set_quota,
    command.GetMetadata: get_metadata,
    command.SetMetadata: set_metadata,
    command.Notify: notify,
}
