"""How we call: what of the configuration, and of the files that it names, a relay or an MX host gets to see of us.

What a breaker has learned holds for the host that was called, and for the way in which it was. So a reload compares: where the
relay, our name, the password or a certificate is another one now, nothing is known any more. Of a password that a
command tells, only the command can be compared.

Used by the daemon.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mailer.config import Config
    from mailer.config.sections.relay import Relay

FILES = ("password_file", "oauth_refresh_token_file", "oauth_client_secret_file", "ca_file", "client_certificate", "client_key")
"""Settings of a relay that name a file which it depends on."""


def callings(config: Config) -> dict[str, tuple[object, ...]]:
    """What is compared, by the name of the relay; "" stands for all MX hosts."""
    delivery = config.delivery
    ours = (config.hostname, config.tls, delivery.source4, delivery.source6, delivery.family, _version(config.tls.ca_file))
    return {"": ours} | {name: (ours, relay, _versions(relay)) for name, relay in config.relays.items()}


def changed(before: dict[str, tuple[object, ...]], now: dict[str, tuple[object, ...]]) -> set[str]:
    """The names of those that are called in another way now."""
    return {name for name, calling in now.items() if name in before and before[name] != calling}


def _versions(relay: Relay) -> list[tuple[int, ...]]:
    return [_version(getattr(relay, name)) for name in FILES]


def _version(path: str) -> tuple[int, ...]:
    """What tells one state of a file from another; nothing where there is none, or none that we may see."""
    try:
        about = os.stat(path)
    except (OSError, ValueError):
        return ()
    return (about.st_dev, about.st_ino, about.st_mtime_ns, about.st_ctime_ns, about.st_size)
