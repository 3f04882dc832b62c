"""What holds when nothing is configured, as far as ``mailer send`` has to know it.

The quick path and the full model both take these, so there is one list. All other defaults stand in
`model`, beside their settings. Nothing here asks the network: a name server that does not answer must
not keep a script from queuing its mail.
"""

from __future__ import annotations

import os

from mailer.mail.failure import BAD_CONFIG, Failure

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
    """The spool of this user; of the machine for root. Empty where the user has no home, which see `nowhere`."""
    if os.geteuid() == 0:
        return SYSTEM_SPOOL
    base = _base("XDG_STATE_HOME", ".local/state")
    return base and base + "/mailer"


def nowhere() -> Failure:
    """What is wrong where nobody has said where the spool is, and there is no home to have one in."""
    return Failure(f"there is no place for the spool: {_homeless()}; or set XDG_STATE_HOME, mailer.spool, or --spool", BAD_CONFIG)


def files() -> tuple[str, ...]:
    """Where a configuration may be that nobody named, in order of preference."""
    own = own_file()
    return (own, SYSTEM_FILE) if own else (SYSTEM_FILE,)


def own_file() -> str:
    """The place of this user's own configuration; empty where he has no home."""
    base = _base("XDG_CONFIG_HOME", ".config")
    return base and base + "/mailer/config.toml"


def is_foreign(path: str) -> bool:
    """Whether the configuration at `path` is in the home of another user: who gives up root's rights often keeps root's HOME."""
    try:
        return path != SYSTEM_FILE and os.stat(home()).st_uid != os.geteuid()
    except OSError as error:
        return isinstance(error, PermissionError)


def new_file() -> str:
    """Where a new configuration belongs: the machine's for root, the user's own for others. Raises `Failure` (78) without a home."""
    path = SYSTEM_FILE if os.geteuid() == 0 else own_file()
    if not path:
        raise Failure(f"there is no place for a configuration: {_homeless()}, or say --config", BAD_CONFIG)
    return path


def _base(variable: str, otherwise: str) -> str:
    """A base directory of the XDG specification; it says to ignore a relative one. Empty where there is no home either."""
    path = os.environ.get(variable, "")
    return path if path.startswith("/") else (found := home()) and f"{found.rstrip('/')}/{otherwise}"


def home() -> str:
    """The home directory of this user: ``$HOME``, else the one in passwd(5). A relative path is none, and then it is empty."""
    path = os.environ.get("HOME", "")
    if not path.startswith("/"):
        import pwd

        try:
            path = pwd.getpwuid(os.getuid()).pw_dir
        except KeyError:  # a container with a user that nobody has named
            path = ""
    return path if path.startswith("/") else ""


def expanded(path: str) -> str:
    """`path`, with a home directory for the ``~`` or ``~user`` that it begins with. Raises `ValueError` where there is none."""
    if not path.startswith("~"):
        return path
    user, slash, rest = path[1:].partition("/")
    if not user:
        place = home()
    else:
        import pwd

        try:
            place = pwd.getpwnam(user).pw_dir
        except KeyError:
            raise ValueError(f"there is no user {user}, whose home ~{user} would be; write the whole path") from None
    if not place.startswith("/"):
        raise ValueError(f"~ is no place: {_homeless()}, or write the whole path")
    return place.rstrip("/") + slash + rest


def _homeless() -> str:
    where = "HOME is not a whole path" if os.environ.get("HOME") else "HOME is not set"
    return f"{where}, and user {os.getuid()} has no home in passwd(5); set HOME"


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
