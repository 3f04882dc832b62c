"""The servers of `mailer.testing`, which our own tests use as everybody does; but what a `Script` finds wrong is theirs to judge."""

from __future__ import annotations

from types import TracebackType

from mailer import testing
from mailer.testing import Hang, LoopbackServer

__all__ = ["Hang", "LoopbackServer", "Script"]


class Script(testing.Script):
    """Leaves `wrong` to be looked at."""

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await LoopbackServer.__aexit__(self, kind, error, trace)
