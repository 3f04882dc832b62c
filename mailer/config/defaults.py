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
    """The name of this machine as it knows it itself: with a domain if it has one anywhere, never asked of DNS."""
    name = os.uname().nodename
    if "." not in name:
        name = _etc_hostname() or name
    return name if _usable(name) else "localhost"


def _etc_hostname() -> str:
    """The first line of hostname(5) that is no comment."""
    try:
        with open("/etc/hostname", "rb") as file:
            lines = file.read(4096).decode("ascii", "replace").split("\n")
    except OSError:
        return ""
    return next((line.strip() for line in lines if line.strip() and not line.startswith("#")), "")


def _usable(name: str) -> bool:
    """Whether other servers would take `name` in EHLO; a machine may be called anything."""
    labels = name.split(".")
    return len(name) < 254 and all(_label(label) for label in labels)


def _label(label: str) -> bool:
    return 0 < len(label) < 64 and label.isascii() and label.replace("-", "a").isalnum() and label.strip("-") == label


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
