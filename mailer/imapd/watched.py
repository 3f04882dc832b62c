"""Which events a client wants to hear of in a folder, by the groups of its NOTIFY. RFC 5465 §6.

What is asked here is asked of each folder of a mailbox, while others wait: so the groups are taken apart once, and the time of an answer
grows with the levels of a name alone, not with the groups, nor with the names in them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mailer.imap.patterns import composed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mailer.imap.command import EventGroup

    _ByName = dict[str, frozenset[str]]

_NOTHING: Final = frozenset[str]()


class WatchedFolders:
    """The folders of these groups, of which none is that of what is selected. It is true where there is any group."""

    __slots__ = ("_below", "_everywhere", "_is_any", "_named", "_subscribed", "all_events")

    def __init__(self, groups: Iterable[EventGroup]) -> None:
        self._named: _ByName = {}
        self._below: _ByName = {}
        self._everywhere = self._subscribed = self.all_events = _NOTHING
        self._is_any = False
        for group in groups:
            self._is_any = True
            self._add(group, frozenset(group.events))

    def __bool__(self) -> bool:
        return self._is_any

    def _add(self, group: EventGroup, events: frozenset[str]) -> None:
        self.all_events |= events
        if group.which == "SUBSCRIBED":
            self._subscribed |= events
        elif group.which in ("MAILBOXES", "SUBTREE"):
            for name in map(composed, group.folders):
                self._named[name] = self._named.get(name, _NOTHING) | events
                if group.which == "SUBTREE":
                    self._below[name] = self._below.get(name, _NOTHING) | events
        else:  # rules put mail into any folder, so that all of them are inboxes (RFC 5465 §6.3)
            self._everywhere |= events

    def events_of(self, name: str, *, subscribed: bool) -> frozenset[str]:
        """The events that are asked for in a folder that is not open."""
        found = self._everywhere | self._subscribed if subscribed else self._everywhere
        if self._named:
            key = composed(name)
            found |= self._named.get(key, _NOTHING)
            while self._below and (key := key.rpartition("/")[0]):
                found |= self._below.get(key, _NOTHING)
        return found
