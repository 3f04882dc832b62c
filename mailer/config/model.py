"""Every section there is, and `Config`, which has them all: what the operator has written down, as one value.

Used by everybody who needs a setting. All values have their final types: durations are seconds, sizes are bytes, paths are
absolute, and what depends on other settings has been worked out. ``Config()`` is what holds when nothing is configured.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .sections import Mailer, Submission, SubmissionSettings
from .sections.check import Check
from .sections.delivery import Breaker, Delivery, Retry, Timeouts
from .sections.dkim import Dkim
from .sections.intake import Intake, Submitter
from .sections.listeners import Bounce, Log, Metrics, Status
from .sections.net import Dns, Tls
from .sections.relay import Relay
from .sections.route import RouteRule, completed
from .sections.shaping import Reaction, Shape, Source

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Self

    from .sections import Section

SECTIONS: tuple[type[Section], ...] = (
    Mailer, Submission, Intake, Submitter, Relay, RouteRule, Dkim, Delivery, Shape, Source, Reaction, Breaker, Timeouts, Retry, Tls, Dns,
    Check, Bounce, Status, Log, Metrics,
)  # fmt: skip
"""In the order in which a reader of the manual wants to meet them."""

NAMED = {cls.word: cls for cls in SECTIONS if "." in cls.header}
"""Those that stand in the file as ``[section.NAME]``; `Config` has a mapping of each."""

LISTED = {cls.word: cls for cls in SECTIONS if cls.plural}
"""Those that stand there as ``[[section]]``, in order; `Config` has a tuple of each."""

TABLES = {cls.word: cls for cls in SECTIONS if cls.word not in NAMED and cls.word not in LISTED}
"""Those that stand there once, as ``[section]``."""


class Config:  # noqa: PLW1641 - compared, and never a key
    """All settings, one member a section. `routes` ends with a route for ``*``, so that one always matches."""

    mailer: Mailer
    submission: Submission
    intake: Intake
    submitters: tuple[Submitter, ...]
    relays: Mapping[str, Relay]
    routes: tuple[RouteRule, ...]
    dkim: tuple[Dkim, ...]
    delivery: Delivery
    shapes: tuple[Shape, ...]
    sources: tuple[Source, ...]
    reactions: tuple[Reaction, ...]
    breaker: Breaker
    timeouts: Timeouts
    retry: Retry
    tls: Tls
    dns: Dns
    check: Check
    bounce: Bounce
    status: Status
    log: Log
    metrics: Metrics
    path: str
    """The file that it was read from; empty if there is none."""
    lines: Mapping[str, int]
    """Where settings stand in that file: ``"relay.out.host"`` and its line. What is not here has its default."""

    def __init__(self, *, path: str = "", lines: Mapping[str, int] | None = None, **members: Any) -> None:
        """`members` are the sections that the file has; of others there is the default, or none."""
        found = self.__dict__
        for cls in SECTIONS:
            given = members.pop(cls.member, None)
            found[cls.member] = _absent(cls) if given is None else given
        if members:
            raise TypeError(f"there is no section {', '.join(members)}")
        found.update(routes=completed(self.routes, self.relays), path=path, lines=lines or {})

    def but(self, **changes: Any) -> Self:
        """A configuration like this with other values for some members."""
        return type(self)(**{**vars(self), **changes})

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a configuration does not change; `but` makes another one with its own {name}")

    def __eq__(self, other: object) -> bool:
        """Whether the settings are the same, wherever in the file they stand."""
        return isinstance(other, Config) and {**vars(self), "lines": None} == {**vars(other), "lines": None}

    def __repr__(self) -> str:
        return f"Config({', '.join(f'{name}={value!r}' for name, value in vars(self).items() if name != 'lines')})"

    @property
    def spool(self) -> str:
        """The directory of the queue."""
        return self.mailer.spool

    @property
    def hostname(self) -> str:
        """The EHLO name of this machine."""
        return self.mailer.hostname

    @property
    def postmaster(self) -> str:
        """The address that reports come from."""
        return self.mailer.postmaster

    @property
    def submitting(self) -> SubmissionSettings:
        """What whoever submits mail has to know. Raises `Problem` (bad-config) where there is no place for a spool."""
        return SubmissionSettings(self.path, **vars(self.mailer), **vars(self.submission))


def _absent(cls: type[Section]) -> Any:
    """What a configuration has where the file has no such section."""
    return {} if cls.word in NAMED else () if cls.word in LISTED else cls()
