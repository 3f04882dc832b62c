"""Webhooks, seen from outside: whether each endpoint takes events, its secret can be used, and somebody posts. Used by `visit`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from mailer.check.finding import FAIL, PASS, WARN, Finding
from mailer.config.secret import read_private
from mailer.hooks.post import LONGEST_SECRET, parsed
from mailer.hooks.signing import basic, read_secrets
from mailer.hooks.view import LATE
from mailer.mail.problem import Problem
from mailer.operate.hooks import is_running, views

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mailer.config import Config
    from mailer.config.sections.webhook import Webhook
    from mailer.hooks.view import EndpointView


async def webhooks(config: Config, now: float) -> list[Finding]:
    """All endpoints of the configuration. Raises `Problem`, `OSError`."""
    if not config.webhooks:
        return []
    found = []
    for view in await views(config):
        problem = await asyncio.to_thread(_unusable, view.hook)
        found += [problem] if problem else [*_endpoint(view, now)]
    if not is_running(config):
        text = "nobody posts events: what happens waits in the journal"
        found.append(Finding("webhooks", config.spool, WARN, text, "mailer run starts mailer hooks run, or systemctl start mailer-hooks"))
    return found


def _unusable(hook: Webhook) -> Finding | None:
    """What is wrong with a secret."""
    try:
        data = read_private(hook.secret_file, "the secret file", LONGEST_SECRET)
        parsed(hook.secret_file, lambda: basic(data.decode()) if hook.format == "listmonk" else read_secrets(data.decode()))
    except Problem as problem:
        return Finding("webhook", hook.name, FAIL, str(problem), f"mailer hooks rotate {hook.name} makes a secret")
    return None


def _endpoint(view: EndpointView, now: float) -> Iterator[Finding]:
    name, kept = view.hook.name, view.kept
    if view.lost:
        text = f"{view.lost} events were deleted before it had them"
        yield Finding(
            "webhook", name, WARN, text, "a larger journal.retention and journal.size; mailer hooks list says how far behind it is"
        )
    if kept.off:
        yield Finding(
            "webhook", name, FAIL, f"is switched off: {kept.off}", f"mailer hooks enable {name}, or take it out of the configuration"
        )
    elif view.seconds > LATE:
        why = f": {kept.why}" if kept.why else ""
        text = f"has not had {view.behind} events, the oldest of which is {view.seconds / 3600:.1f} h old{why}"
        yield Finding("webhook", name, FAIL, text, f"mailer hooks test {name} shows what it answers")
    elif kept.failures:
        yield Finding("webhook", name, WARN, f"gets nothing now: {kept.why}", f"mailer hooks test {name} shows what it answers")
    elif trouble := view.trouble(now):
        yield Finding("webhook", name, WARN, trouble, f"mailer hooks replay {name} --dead, when the endpoint takes them")
    else:
        yield Finding("webhook", name, PASS, "takes events" if kept.good_at else "was not called yet")
