"""The queue manager: every accepted message is read when it is due, goes where its recipients are, and is settled.

A message's way: `loader` reads it and finds its routes; each part waits in the fair queue of its `destination` until the `scheduler` lets a
session begin; a `worker` takes one part after the other and hands it to the courier of its route; `settle` writes down what became of it:
it leaves the spool, is put off until it is due again, or is given up with a report. All work is done with the `context` that is in force; a
reload replaces it.

`manager`       plans and acts, hears what changes      `component`     built from the configuration, reload, stop
`context`       what all of it is done with             `tasks`         what runs beside, how far it is; the watchdog
`loader`        from the disk to a destination          `worker`        one session with a destination
`attempt`       one try of one message, and its parts   `settle`        the end of an attempt
`age`           how long a message has waited           `recorder`      status first, then off the disk, in batches
`scheduler`     what to read, which sessions to open    `destination`   what shares a fate: queue, window, breaker
`fairness`      whose turn it is at a destination       `newcomers`     hosts that have not answered yet
`due`           what waits on disk                      `admission`     what may be in memory
`suspension`    pauses and outages                      `connectivity`  a machine without a network
`suppressed`    who is not to be mailed                 `unsubscribing` the link with which one leaves a stream
`invariants`    nothing is stuck, nothing fills up      `alarms`        trouble of ours that mail meets
`clock_step`    somebody has set the clock              `fuses`         one submitter hands in too much
`folding`       equal mail becomes one message          `digest`        that message
`outages`       which destinations are down             `lines`         who waits for a session
`signing`       DKIM right before mail leaves           `signing_process`  signatures on another processor
`passing`       mail of strangers that is passed on     `residing`      our own people write to addresses of ours
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any


class _Room(ModuleType):
    """This room. Programs know its name as that of a function, `mailer.queue`: called, it is that one, whichever was imported first.

    Who asks how it is called, as `inspect` and editors do, is told what that function takes.
    """

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return _function()(*args, **kwargs)

    @property
    def __signature__(self) -> Any:
        import inspect

        return inspect.signature(_function())


def _function() -> Any:
    return sys.modules["mailer"].__getattr__("queue")


sys.modules[__name__].__class__ = _Room
