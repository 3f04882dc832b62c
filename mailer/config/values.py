"""Readers of single values: a value as TOML has it becomes the value that the program works with.

Each reader raises `ValueError` whose text says what is wrong and what to write instead. Here are those that the quick path
uses, so nothing costly is imported; `kinds` has the others.

Below them is what holds where nobody has said it: where the configuration is, and the spool, and who sends. Nothing there asks the
network: a name server that does not answer must not keep a script from queuing its mail.
"""

from __future__ import annotations

from mailer.io.system import os
from mailer.mail.address import AddressError, parse
from mailer.mail.problem import Problem

SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
BYTES = {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
LONGEST = 3650 * 86400  # ten years: a longer duration is a slip, and some would overflow a timer
LARGEST = 2**50
SYSTEM_FILE = "/etc/mailer/config.toml"
SYSTEM_SPOOL = "/var/spool/mailer"
SYSTEM_MAILBOXES = "/var/lib/mailer/mailboxes"
SANDBOX_MODES = ("live", "trap", "redirect", "allowlist")
LARGEST_FILE = 2**20  # a configuration beyond this is no configuration


def text(value: object) -> str:
    """Any text without control characters."""
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], str):
        raise ValueError(f"{written(value)} where there is one value; write it without the brackets: {written(value[0])}")
    if isinstance(value, list):
        raise ValueError(f"{written(value)} where there is one value; write one, in quotes and without brackets")
    if not isinstance(value, str):
        raise ValueError(f"{written(value)} is no text; write it in quotes")
    if not value.isprintable():
        raise ValueError(f"{written(value)} holds a control character")
    return value


def count(value: object) -> int:
    """A whole number, at least 1."""
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= LARGEST:
        raise ValueError(f"{written(value)} is no whole number from 1 on")
    return value


def duration(value: object) -> float:
    """Seconds, from ``"90s"``, ``"1.5h"`` or a whole number of seconds."""
    if isinstance(value, int) and not isinstance(value, bool):
        seconds = float(value) if abs(value) <= LONGEST else -1.0
    else:
        seconds = _measure(value, SECONDS)
    if not 0 <= seconds <= LONGEST:
        raise ValueError(f'{written(value)} is no duration; write "90s", "5m", "4h" or "2d"')
    return seconds


def public_url(value: object) -> str:
    """The address of our pages as others reach them: ``https://HOST``, perhaps with a path, and nothing behind it. RFC 8058 §3.1"""
    url = text(value).rstrip("/")
    host, _, path = url.removeprefix("https://").partition("/")
    fit = url.isascii() and url.isprintable() and len(url) <= 500 and not any(char in url for char in " <>\"'\\?#@,")
    if not url.startswith("https://") or not host or not fit or "//" in path:
        raise ValueError(f'{written(value)} is no address of pages; write "https://mail.example.com"')
    return url


def size(value: object) -> int:
    """Bytes, from ``"25MB"`` (25,000,000), ``"25MiB"`` (26,214,400) or a whole number of bytes."""
    octets = value if isinstance(value, int) and not isinstance(value, bool) else int(_measure(value, BYTES))
    if not 1 <= octets <= LARGEST:
        raise ValueError(f'{written(value)} is no size; write "500KB", "25MB", "25MiB" or "1GB"')
    return octets


def _measure(value: object, units: dict[str, int]) -> float:
    """The number times its unit; -1 if it is none."""
    if not isinstance(value, str) or not value.isascii() or len(value) > 20:
        return -1.0
    number = value.rstrip("BKMGTisdhm")
    whole, dot, part = number.partition(".")
    unit = value[len(number) :]
    if unit not in units or not whole.isdigit() or (dot and not part.isdigit()):
        return -1.0
    return float(number) * units[unit]


def domain(value: object) -> str:
    """A domain or host name, or an address literal such as ``[192.0.2.1]``."""
    name = text(value)
    if not name:
        raise ValueError("there is nothing in it")
    try:
        if parse("x@" + name).domain == name:
            return name
    except AddressError as error:
        raise ValueError(f"{written(value)} is no domain: {error.problem}") from None
    raise ValueError(f"{written(value)} is no domain: take the {'dot at its end' if name.endswith('.') else 'spaces'} away")


def hostname(value: object) -> str:
    """A domain or host name in ASCII: the server that hears it in EHLO has not said yet that it takes more (RFC 6531 §3.7.1)."""
    name = domain(value)
    if not name.isascii():
        raise ValueError(f"{written(value)} is not ASCII; write the name as it is in DNS, with xn--")
    return name


def optional_domain(value: object) -> str:
    """A domain, or nothing."""
    return "" if value == "" else domain(value)


def address(value: object) -> str:
    """One whole mail address, or nothing."""
    name = text(value)
    try:
        return str(parse(name)) if name else ""
    except AddressError as error:
        raise ValueError(str(error)) from None


def domains(value: object) -> tuple[str, ...]:
    """A list of domains, in A-labels and lower case."""
    return tuple(_compared(item) for item in _items(value))


def _compared(value: object) -> str:
    """A domain in A-labels and in lower case."""
    return parse("x@" + domain(value)).host


def kept(value: object) -> tuple[str, ...]:
    """A list of domains in A-labels, and of whole addresses and names of users; all in lower case."""
    return tuple(_name(item) if "." not in text(item) or "@" in text(item) else _compared(item) for item in _items(value))


def sandbox_mode(value: object) -> str:
    """What a sandbox does with mail."""
    name = text(value)
    if name not in SANDBOX_MODES:
        raise ValueError(f"{written(value)} is none of {' | '.join(SANDBOX_MODES)}")
    return name


def allowed(value: object) -> tuple[str, ...]:
    """A list of addresses and patterns of them."""
    return tuple(map(allowed_one, _items(value)))


def allowed_one(value: object) -> str:
    """An address, or a pattern for the whole of one. What has no @ would fit nobody, or more than is meant."""
    pattern = text(value)
    local, at, domain_ = pattern.rpartition("@")
    if not (at and local and domain_) or " " in pattern:
        raise ValueError(f'{written(value)} is no address; write "ann@example.com" or "*@example.com"')
    return pattern


def aliases(value: object) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """For each name or address, in lower case, those that mail for it goes to: one, or a list.

    A target that leads nowhere is left to those who write to it (`mailer.rewriting`): it must not refuse all mail.
    """
    found = []
    for name, targets in _pairs(value):
        listed = targets if isinstance(targets, list) else [targets]
        found.append((_name(name), tuple(text(target) for target in listed)))
    if len({name for name, _ in found}) < len(found):
        raise ValueError("an alias stands twice, in small letters and in capitals")
    return tuple(found)


def authors(value: object) -> tuple[tuple[str, str], ...]:
    """For each user, or ``*`` for all others, the author of the mail that he sends: an address, with or without a name before it."""
    found = []
    for user, author in _pairs(value):
        if not user or not user.isprintable():
            raise ValueError(f"{written(user)} is no name of a user")
        found.append((user, mailbox(author)))
    return tuple(found)


def mailbox(value: object) -> str:
    """One whole address, with or without a name before it: ``Anna <anna@example.org>``; or nothing."""
    author = text(value)
    if not author:
        return author
    from mailer.mail.address_list import boxes

    if len(found := [*boxes(author)]) != 1 or found[0][3] or author[found[0][2] :] not in ("", ">"):
        raise ValueError(f'{written(author)} is no author; write "anna@example.org" or "Anna <anna@example.org>"')
    address(found[0][0])
    return author


def _items(value: object) -> list[object]:
    if not isinstance(value, list):
        raise ValueError(f"{written(value)} is no list; write it in square brackets")
    return value


def _pairs(value: object) -> list[tuple[str, object]]:
    if not isinstance(value, dict):
        raise ValueError(f'{written(value)} is no table; write it as {{ name = "address" }}')
    return [*value.items()]


def _name(value: object) -> str:
    """What an alias is called: ``*``, a name, or a whole address; in lower case."""
    name = text(value)
    try:
        found = parse(name, "x.invalid")
    except AddressError as error:
        raise ValueError(f"{written(name)} is no name: {error.problem}") from None
    return (found.local if found.domain == "x.invalid" else f"{found.local}@{found.host}").lower()


def path(value: object) -> str:
    """An absolute path; ``~`` is the home directory. A relative one would mean something else in every directory."""
    name = expanded(text(value))
    if not name.startswith("/"):
        raise ValueError(f"{written(value)} is no whole path; begin it with / or ~/")
    return os.path.normpath(name) if "//" in name or "/." in name or name.endswith("/") else name


def optional_path(value: object) -> str:
    """An absolute path, as `path` reads it, or nothing."""
    return "" if value == "" else path(value)


def switch(value: object) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise ValueError(f"{written(value)} is neither true nor false")
    return value


def written(value: object) -> str:
    """A value as the file has it, for one line of an error."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        shown = value if len(value) <= 60 else value[:57] + "..."
        return '"' + "".join(c if c.isprintable() else "?" for c in shown) + '"'
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list):
        return "a list"
    return str(value)[:60]


def own_hostname() -> str:
    """What this machine calls itself where the configuration does not say; see `mailer.io.machine`."""
    from mailer.io import machine

    return machine.hostname()


def own_spool() -> str:
    """The spool of this user; of the machine for root, and for the user whom that belongs to, unless ``$XDG_STATE_HOME`` says otherwise.

    Empty where the user has no home, which see `nowhere`.
    """
    if os.geteuid() == 0 or ("XDG_STATE_HOME" not in os.environ and _owns(SYSTEM_SPOOL)):
        return SYSTEM_SPOOL
    base = _base("XDG_STATE_HOME", ".local/state")
    return base and base + "/mailer"


def mailboxes_beside(spool: str) -> str:
    """The directory of the mailboxes of a machine, or a user, with this spool: the machine's for that of the machine, else within it.

    Empty where there is no spool. ``$XDG_STATE_HOME`` says where state is, also to the user of the machine's spool.
    """
    machines = spool == SYSTEM_SPOOL and (os.geteuid() == 0 or "XDG_STATE_HOME" not in os.environ)
    return SYSTEM_MAILBOXES if machines else spool and f"{spool}/mailboxes"


def _owns(path: str) -> bool:
    try:
        return os.stat(path).st_uid == os.geteuid()
    except OSError:
        return False


def nowhere() -> Problem:
    """The problem that no place for the spool was named, and there is no home to have one in."""
    return Problem(f"there is no place for the spool: {_homeless()}; or set XDG_STATE_HOME, mailer.spool, or --spool", "bad-config")


def files() -> tuple[str, ...]:
    """The places where a configuration may be if none was named, in order of preference."""
    own = own_file()
    return (own, SYSTEM_FILE) if own else (SYSTEM_FILE,)


def find(config_path: str | None = None) -> tuple[str, bytes]:
    """The configuration file in use and what it holds; both are empty if there is none.

    The one that is given, or that ``$MAILER_CONFIG`` names, has to exist; else the user's own, else the
    machine's. One in a home that is another's, and closed, is not the user's own. Raises `Problem` (bad-config).
    """
    named = given(config_path or os.environ.get("MAILER_CONFIG", ""))
    for path in (named,) if named else files():
        try:
            with open(path, "rb") as file:
                return path, file.read(LARGEST_FILE + 1)
        except (FileNotFoundError, NotADirectoryError):
            if named:
                why = "" if config_path else " (the environment variable MAILER_CONFIG names it)"
                raise Problem(f"there is no configuration file {path}{why}", "bad-config") from None
        except OSError as error:
            if not named and isinstance(error, PermissionError) and is_foreign(path):
                continue
            raise Problem(f"cannot read the configuration {path}: {error.strerror}", "bad-config") from None
    return "", b""


def given(path: str) -> str:
    """A path of the command line or of the environment, as a shell would have expanded it. Raises `Problem` (bad-config)."""
    try:
        return expanded(path)
    except ValueError as error:
        raise Problem(f"{path}: {error}", "bad-config") from None


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
    """Where a new configuration belongs: the machine's for root, else the user's own. Raises `Problem` (bad-config) without a home."""
    path = SYSTEM_FILE if os.geteuid() == 0 else own_file()
    if not path:
        raise Problem(f"there is no place for a configuration: {_homeless()}, or say --config", "bad-config")
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
