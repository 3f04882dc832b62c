"""How endpoints do: what is kept of each, and how far it is behind. Used by the daemon, the doctor and `mailer hooks list`."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mailer.mail.dates import rfc3339

from .subscriber import cursor_of

if TYPE_CHECKING:
    from typing import Literal

    from mailer.config import Config
    from mailer.config.sections.webhook import Webhook
    from mailer.journal.api import Journal

    from .api import HookStore
    from .endpoint import EndpointState

    State = Literal["good", "behind", "waits", "off", "new"]

LATE = 3600.0
"""Seconds that the oldest event may wait before somebody should look."""

LATELY = 86400.0
"""Seconds for which events that were refused for good are trouble."""


class EndpointView(NamedTuple):
    """An endpoint: its settings, what is kept of it, and how many events it has not had, the oldest of which is so many `seconds` old.

    `lost` events were deleted before it had them, and so many `dead` ones are kept.
    """

    hook: Webhook
    kept: EndpointState
    behind: int
    seconds: float
    lost: int
    dead: int

    @property
    def state(self) -> State:
        """How it does, in a word: it takes events, is late, waits after a failure, is switched off, or was never called."""
        if self.kept.off:
            return "off"
        if self.kept.failures:
            return "waits"
        if self.seconds > LATE:
            return "behind"
        return "good" if self.kept.good_at else "new"

    @property
    def up(self) -> bool:
        """Whether it takes events, as far as the last post tells."""
        return not self.kept.off and not self.kept.failures

    def trouble(self, now: float) -> str:
        """What a person has to know of it; empty if all is well."""
        kept = self.kept
        if kept.off:
            return f"it is switched off: {kept.off}; mailer hooks enable {self.hook.name}"
        if self.seconds > LATE:
            why = f": {kept.why}" if kept.failures else ""
            return f"it has not had {self.behind} events, the oldest of which is {self.seconds / 3600:.1f} h old{why}"
        if self.dead and now - kept.dead_at < LATELY:
            return f"it has refused {self.dead} events for good ({kept.why}); mailer hooks replay {self.hook.name} --dead posts them again"
        return ""

    def as_json(self, now: float) -> dict[str, object]:
        """As ``--json`` has it."""
        kept = self.kept
        return {
            "name": self.hook.name,
            "url": self.hook.url.shown,
            "format": self.hook.format,
            "events": [*self.hook.events],
            "stream": self.hook.stream,
            "state": self.state,
            "why": kept.off or (kept.why if kept.failures or self.dead else "") or None,
            "failures": kept.failures,
            "failing_since": _time(kept.since),
            "next_attempt_at": _time(kept.until) if kept.waits(now) else None,
            "off_since": _time(kept.off_at),
            "last_success_at": _time(kept.good_at),
            "behind": self.behind,
            "oldest_seconds": round(self.seconds, 3),
            "lost": self.lost,
            "dead": self.dead,
            "posted": kept.posted,
            "failed": kept.failed,
            "refused": kept.refused,
        }


def _time(at: float) -> str | None:
    return rfc3339(at) if at else None


async def views_of(config: Config, journal: Journal, store: HookStore) -> list[EndpointView]:
    """All endpoints of the configuration. Raises `OSError`."""
    return [await view_of(hook, journal, store) for hook in config.webhooks]


async def view_of(hook: Webhook, journal: Journal, store: HookStore) -> EndpointView:
    """How the endpoint `hook` does. Raises `OSError`."""
    cursor = cursor_of(hook.name)
    behind, lost = await journal.behind(cursor), await journal.lost(cursor)
    return EndpointView(hook, await store.state(hook.name), behind.events, behind.seconds, lost, len(await store.dead(hook.name)))
