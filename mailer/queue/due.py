"""What waits on disk: names and times, and nothing else is kept of it. Some 150 bytes for each message.

A message waits until it is due; or it is due, and waits to be read; or it was read, found to be for a destination that has its share
of the memory, and waits in that destination's `ParkedQueue`. Each of these is one entry of `dues`, so that a name is known by one look,
and whatever else has it (a heap, a queue) may be out of date and is asked for there.

Those that are due within `SPAN` seconds are in a heap. Those that come later lie in heaps of names, one for each `SPAN`, and are
sorted when their time comes near: that is a third of the memory, and whatever is put off again before was never sorted.
"""

from __future__ import annotations

import heapq
from collections import deque

from .destination import ParkedQueue

SPAN = 64.0  # seconds


class DueQueue:
    """The queue of all messages that wait, by when they are due."""

    def __init__(self) -> None:
        self.dues: dict[str, float | ParkedQueue] = {}
        """By its name, when a message is due, or the queue in which it waits for room."""
        self._near: list[tuple[float, str]] = []
        self._far: dict[int, list[str]] = {}
        self._spans: list[int] = []  # a heap of the keys of `_far`
        self._reached = 0  # the spans before this one are in `_near`
        self._moved = 0.0  # seconds by which the clock was set since: all times here are as if it had not been
        self.fresh: list[str] = []  # a heap: the oldest first, in whichever order a directory names them
        self.due: deque[str] = deque()

    def __len__(self) -> int:
        return len(self.dues)

    def of(self, id: str) -> float | None:
        """When the message `id` is due: 0.0 for one that is new, or in a lot; None if it does not wait."""
        due = self.dues.get(id)
        return 0.0 if isinstance(due, ParkedQueue) else due + self._moved if due else due

    def move(self, seconds: float) -> None:
        """Move all times by so many seconds, for the clock was set: what waits does so for as long as before."""
        self._moved += seconds

    def add(self, id: str, due: float) -> None:
        """Let the message `id` wait until `due` (seconds since the epoch; 0.0 is a message that is new)."""
        if due:
            due -= self._moved
        known = self.dues.get(id)
        if known == due:
            return
        if isinstance(known, ParkedQueue):
            known.count -= 1
        self.dues[id] = due
        if not due:
            heapq.heappush(self.fresh, id)
            return
        span = int(due // SPAN)
        if span < self._reached:
            heapq.heappush(self._near, (due, id))
        elif (names := self._far.get(span)) is not None:
            names.append(id)
        else:
            self._far[span] = [id]
            heapq.heappush(self._spans, span)

    def park(self, id: str, lot: ParkedQueue) -> None:
        """Let the message `id` wait for room at a destination."""
        self.dues[id] = lot
        lot.ids.append(id)
        lot.count += 1

    def remove(self, id: str) -> None:
        """Let the message `id` wait no more."""
        if isinstance(due := self.dues.pop(id, None), ParkedQueue):
            due.count -= 1

    def ripen(self, now: float) -> None:
        """Make the messages due whose time has come."""
        now -= self._moved
        if self._spans and self._spans[0] <= now // SPAN:
            self._come_near(int(now // SPAN) + 1)
        near = self._near
        while near and near[0][0] <= now:
            due, id = heapq.heappop(near)
            if self.dues.get(id) == due:
                self.due.append(id)

    def _come_near(self, reached: int) -> None:
        """All that is due before the span `reached` is sorted now."""
        while self._spans and self._spans[0] < reached:
            for id in self._far.pop(heapq.heappop(self._spans)):
                if isinstance(due := self.dues.get(id), float) and due // SPAN < reached:
                    self._near.append((due, id))
        self._reached = max(self._reached, reached)
        heapq.heapify(self._near)

    @property
    def next(self) -> float | None:
        """When `ripen` has something to do next, as far as it is known: never too late."""
        while self._near and self.dues.get(self._near[0][1]) != self._near[0][0]:
            heapq.heappop(self._near)
        if self._near:
            return self._near[0][0] + self._moved
        return self._spans[0] * SPAN + self._moved if self._spans else None

    def pick(self, now: float, *, fresh: bool) -> str | None:
        """Take the oldest new message, or the first of those that are due; None if there is none."""
        now -= self._moved
        source = self.fresh if fresh else self.due
        while source:
            id = heapq.heappop(self.fresh) if fresh else self.due.popleft()
            due = self.dues.get(id)
            if isinstance(due, float | int) and due <= now:
                del self.dues[id]
                return id
        return None

    def pick_of(self, lot: ParkedQueue) -> str | None:
        """Take the next message of a lot; None if there is none."""
        while lot.ids:
            id = lot.ids.popleft()
            if self.dues.get(id) is lot:
                del self.dues[id]
                lot.count -= 1
                return id
        return None
