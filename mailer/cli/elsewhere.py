"""A line for whoever queues mail, or looks at a queue, where no daemon delivers, while one runs on another spool of this machine."""

from __future__ import annotations

from mailer.spool.daemons import elsewhere

NAMED = 3  # spools


def note(root: str) -> str:
    """Where a daemon runs instead of on the spool at `root`; empty if one runs there, or none anywhere that this user can see.

    Who names a configuration has chosen, and is not to be told. Never raises: what was queued is queued, and no trouble here may read
    as one with the message.
    """
    try:
        spools = elsewhere(root)
    except OSError:
        return ""
    if not spools:
        return ""
    more = f" and {len(spools) - NAMED} more" if len(spools) > NAMED else ""
    return f"no daemon runs on {root}, but on {', '.join(spools[:NAMED])}{more}: --config, --spool or mailer.spool say which is meant"
