"""What holds when nothing is configured, as far as ``mailer send`` has to know it.

The quick path and the full model both take these, so there is one list. All other defaults stand in
`model`, beside their settings. Nothing here asks the network: a name server that does not answer must
not keep a script from queuing its mail.
"""

from __future__ import annotations

import os

DEFAULT_DOMAIN = ""
MAX_MESSAGE_SIZE = "25MB"
MAX_RECIPIENTS = 10_000
FROM_ADDRESS = ""
REQUEST_ID_TTL = "7d"
MAX_HEADER_SIZE = "1MB"
MIN_FREE_SPACE = "50MB"
MIN_FREE_INODES = 1000
MAX_ATTACHMENTS = 50
MAX_ATTACHMENT_SIZE = "25MB"
MAX_SUBJECT_LENGTH = 1000

SYSTEM_FILE = "/etc/mailer/config.toml"
SYSTEM_SPOOL = "/var/spool/mailer"


def hostname() -> str:
    """What this machine calls itself where the configuration does not say; see `mailer.machine.names`."""
    from mailer.machine import names

    return names.hostname()


def spool() -> str:
    """The spool of this user; of the machine for root."""
    if os.geteuid() == 0:
        return SYSTEM_SPOOL
    return _base("XDG_STATE_HOME", ".local/state") + "/mailer"


def files() -> tuple[str, ...]:
    """Where a configuration may be that nobody named, in order of preference."""
    return (_base("XDG_CONFIG_HOME", ".config") + "/mailer/config.toml", SYSTEM_FILE)


def _base(variable: str, otherwise: str) -> str:
    """A base directory of the XDG specification; it says to ignore a relative one."""
    path = os.environ.get(variable, "")
    return path if path.startswith("/") else os.path.join(os.path.expanduser("~"), otherwise)


def sender(from_address: str, default_domain: str, host: str) -> str:
    """The sender of mail that names none: `from_address`, or the user at the default domain or at `host`."""
    if from_address:
        return from_address
    import pwd

    uid = os.getuid()
    try:
        user = pwd.getpwuid(uid).pw_name
    except KeyError:  # a container with a user that nobody has named
        user = f"uid-{uid}"
    return f"{user}@{default_domain or host}"
