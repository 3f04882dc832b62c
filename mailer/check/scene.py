"""What all checks of one run share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mailer.config import Config

    from .judge.host import Source
    from .lookups import Lookups
    from .situation import Situation


@dataclass(frozen=True, slots=True)
class Scene:
    """`own` are the addresses of this host and how they are known; `now` is in seconds since the epoch."""

    config: Config
    lookups: Lookups
    situation: Situation
    own: Sequence[Source]
    now: float
    https_port: int
