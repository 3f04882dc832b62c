"""Memory, shared out among the destinations: whose mail may stay there, and whose is read when there is room again. Pure.

Where a message goes is known only when it was read. So memory has to be shared out after that: a destination may hold a quarter
of what is free (the more of them want, the less each gets, and some is always left), and a message that comes beyond that goes
back to waiting, in the destination's lot, until the destination has worked off half of what it holds. One that works off all it holds
within `QUICK` seconds is waited for instead: its mail is not read twice.

Part of the scheduler.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from .destination import LOW_WATER, MEASURED, ParkedQueue

if TYPE_CHECKING:
    from .destination import Destination
    from .due import DueQueue

AHEAD = 400  # messages that are read ahead for a destination
AT_ONCE = 0.5  # which it takes in so many seconds: more of them would have left the processor's caches when their turn comes
BRISK = 1000.0  # messages in a second, the pace of whoever has only begun
QUICK = 2.0  # seconds
BACKSTOP = 1.0  # seconds after which it is looked at a lot, whatever happened
ORDINARY = 2048  # bytes of envelope and records that a message has in its file; one with more counts for as many messages
SPARE = 10  # one message in so many that may be in memory is not for the lots: what nobody has looked at has to be found
LONG = 900.0  # seconds; a lot is as long as what a destination works off in that time
LOT = 1000  # messages; or as long as this
BEGUN = 30.0  # seconds until it is known how much that is: a first connection, with all that belongs to it, takes its time


class Admission:
    """The messages that are in memory, `most` of them at once, and the lots of those that had to leave it again."""

    def __init__(self, most: int, waiting: DueQueue) -> None:
        self.most = most
        self.active: set[str] = set()
        self._waiting = waiting
        self._called: dict[str, Destination] = {}  # those of a lot that are being read
        self._lots: OrderedDict[str, ParkedQueue] = OrderedDict()
        self._heavy: dict[str, int] = {}
        self._weight = 0  # for how many more messages they count
        self._thirsty: dict[ParkedQueue, None] = {}  # of destinations that have worked off their share
        self._quick: Destination | None = None  # who is waited for
        self._quick_until = 0.0

    @property
    def room(self) -> int:
        """How many more messages may be read."""
        return self.most - len(self.active) - self._weight

    @property
    def crowded(self) -> bool:
        """Whether heavy messages alone take all of it."""
        return self._weight >= self.most

    def weigh(self, id: str, size: int) -> None:
        """Note that message `id`, which was read, has `size` bytes beside its content: where these are many, it counts for several."""
        self._lighten(id)
        if id in self.active and size > ORDINARY:
            self._heavy[id] = size // ORDINARY
            self._weight += size // ORDINARY

    def _lighten(self, id: str) -> None:
        self._weight -= self._heavy.pop(id, 0)

    @property
    def lots(self) -> int:
        """How many destinations have parked messages."""
        return len(self._lots)

    def move(self, seconds: float) -> None:
        """The clock was set, and shows so many seconds more."""
        self._quick_until += seconds
        for lot in self._lots.values():
            lot.since += seconds

    # What was read

    def admits(self, destination: Destination | None, id: str, now: float) -> bool:
        """Whether message `id`, which was read, may stay in memory until its destination has time for it.

        Who came out of the destination's lot may: each is read twice at most.
        """
        if (self._called and self.answered(id)) or destination is None:
            return True
        held = destination.queue.count + destination.running + destination.called
        if destination.lot is None:
            few = min(AHEAD, (self.most - len(self.active) - self._weight) // 4)
            if held <= LOW_WATER or (held < few and now < destination.marked_at + MEASURED):  # as nearly always
                return True
        pace = max(destination.pace(now), BRISK if destination.begins(now) else 0.0)
        share = max(self.room // 4, destination.running + LOW_WATER + 1)
        if destination.lot is None and held < share and (held < AHEAD or pace * AT_ONCE < AHEAD):
            return True
        if destination.rests(now):  # what is put off needs no memory
            return True
        if destination.lot is None and pace * QUICK >= held and self.room > 0:
            self._quick, self._quick_until = destination, now + BACKSTOP
            destination.low = max(held // 2, LOW_WATER)
            return True
        return False

    def park(self, destination: Destination, id: str, now: float) -> None:
        """Let message `id`, which was not admitted, wait on disk until its destination has room."""
        self.active.discard(id)
        self._lighten(id)
        if destination.lot is None:
            destination.lot = self._lots[destination.key] = ParkedQueue(destination, now)
            destination.low = max(destination.held // 2, LOW_WATER)
        self._waiting.park(id, destination.lot)

    def forget(self, id: str) -> None:
        """Note that message `id` is not in memory any more."""
        self.active.discard(id)
        if self._heavy:
            self._lighten(id)
        if self._called:
            self.answered(id)

    def answered(self, id: str) -> bool:
        """Whether message `id` was called out of a lot; from now on it is not called any more."""
        destination = self._called.pop(id, None)
        if destination is not None:
            destination.called -= 1
        return destination is not None

    # What is to be read

    def waits(self, now: float) -> bool:
        """Whether nothing new is to be read yet, since a quick destination is about to have room."""
        quick = self._quick
        if quick is None:
            return False
        if now < self._quick_until and len(quick) > quick.low:
            return True
        quick.low = LOW_WATER
        self._quick = None
        return False

    def relieve(self, destination: Destination) -> None:
        """Note that `destination` has room again for its parked messages."""
        if destination.lot is not None:
            self._thirsty[destination.lot] = None

    def call(self, load: list[str], room: int) -> None:
        """Add what waits for destinations that have worked off their share to what is read now: `room` messages at most."""
        if not self._lots:
            return
        self._lots.move_to_end(next(iter(self._lots)))
        room = min(room, self.room - self.most // SPARE)
        for lot in (*self._thirsty, self._lots[next(reversed(self._lots))]):
            if room <= 0:
                break
            self._thirsty.pop(lot, None)
            room -= self._call(lot, load, room)

    def _call(self, lot: ParkedQueue, load: list[str], room: int) -> int:
        destination = lot.destination
        if destination.held > destination.low:
            return 0
        wanted = min(max(destination.low, destination.running) + LOW_WATER, room)
        called = 0
        while called < wanted and (id := self._waiting.pick_of(lot)):
            destination.called += 1
            self._called[id] = destination
            self.active.add(id)
            load.append(id)
            called += 1
        if not lot.count and destination.lot is lot:
            destination.lot, destination.low = None, LOW_WATER
            del self._lots[destination.key]
        return called

    def again(self, now: float) -> float | None:
        """When to look again if nothing happens before; None if nothing is expected."""
        times = [now + BACKSTOP] if self._lots else []
        if self.room > 0:
            if self._quick is not None:
                times.append(self._quick_until)
            elif (due := self._waiting.next) is not None:
                times.append(due)
        return min(times, default=None)


def is_long(destination: Destination, now: float) -> bool:
    """Whether the lot of a destination is so long that a message should rather be put off for `LONG` seconds or more."""
    lot = destination.lot
    return lot is not None and now - lot.since >= BEGUN and lot.count >= max(LOT, destination.pace(now) * LONG)
