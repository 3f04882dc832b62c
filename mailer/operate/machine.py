"""What setup makes on the machine besides the configuration: the daemon's user and spool, its service, and sendmail for other programs.

A unit that a package has brought is started as it is. One that we write ourselves is that of the source (``packaging/systemd``), for the
program where it is installed. What belongs to another mail system is replaced only where somebody has said so: an alternative becomes
another choice; a file is put aside, so that it comes back when it is removed (see `put_aside`).
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sysconfig
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from mailer.config.secret import FileOwner
from mailer.mail.problem import Problem, from_os
from mailer.rewriting import aliases
from mailer.rewriting.aliases import refusal

from .config import LINKS, MARK, PROGRAM, install_programs

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

USER = "mailer"
PASSAGE = 0o711  # as the unit has it
UNIT = "mailer.service"
PLACES = ("etc/systemd/system", "usr/lib/systemd/system", "lib/systemd/system")
ASIDE = ".before-mailer"
ALIASES = "/etc/aliases"
PRIORITY = "90"  # among alternatives; a package's is usually below
ALTERNATIVES = "/etc/alternatives/"


def run(*words: str, patience: float | None = None) -> str:
    """What a program of the system prints. Raises `Problem` (unavailable) with its complaint where it fails, or takes longer than
    `patience` (seconds; None is for ever)."""
    try:
        done = subprocess.run(
            words, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", check=False, timeout=patience
        )
    except subprocess.TimeoutExpired:
        raise Problem(f"`{' '.join(words)}` did not end within {patience or 0:g} seconds", "unavailable") from None
    except OSError as error:
        raise Problem(f"cannot run {words[0]}: {error.strerror}", "unavailable") from None
    if done.returncode:
        said = " ".join((done.stderr or done.stdout).split()) or f"exit code {done.returncode}"
        raise Problem(f"`{' '.join(words)}` failed: {said}", "unavailable")
    return done.stdout


# The user and the spool


def daemon_user() -> FileOwner | None:
    """The user that the service runs as; None where there is none yet."""
    try:
        entry = pwd.getpwnam(USER)
    except KeyError:
        return None
    return FileOwner(entry.pw_uid, entry.pw_gid)


def make_user() -> Iterator[str]:
    """Make the user, if there is none; says so. Raises `Problem`."""
    if daemon_user() is None:
        run("useradd", "--system", "--user-group", "--home-dir", "/nonexistent", "--shell", "/usr/sbin/nologin", USER)
        yield f"made the user {USER}, whom the daemon runs as"


def usable_aliases(path: str) -> str:
    """The file of aliases at `path`, if there is one whose names all lead to addresses; empty if commands or files are among them."""
    try:
        fine = not any(refusal(target) for _, alias in aliases.read(path) for target in alias.targets)
    except Problem:
        return ""
    return path if fine else ""


def make_place(path: str, owner: FileOwner) -> Iterator[str]:
    """Make a directory of `owner` that others can pass through and not list; says so. One that is there stays. Raises `Problem`."""
    try:
        os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
        os.mkdir(path)
        os.chmod(path, PASSAGE)
        owner.give(path)
    except FileExistsError:
        return
    except OSError as error:
        raise from_os("cannot make", path, error) from None
    yield f"made {path}, of {owner.name}"


# The service


class SystemService(NamedTuple):
    """The service of the machine, or with `user` that of one user, below `root`; `argv` starts our program, for `config`."""

    argv: Sequence[str]
    config: str
    user: bool = False
    root: str = "/"

    @property
    def possible(self) -> bool:
        """Whether systemd runs here, for the machine or for the user."""
        if not self.user:
            return os.path.isdir(os.path.join(self.root, "run/systemd/system"))
        place = os.environ.get("XDG_RUNTIME_DIR", "")
        return place.startswith("/") and os.path.exists(f"{place}/systemd/private")

    @property
    def path(self) -> str:
        """Where the unit is, or is to be."""
        if self.user:
            base = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
            return f"{base}/systemd/user/{UNIT}"
        found = (os.path.join(self.root, place, UNIT) for place in PLACES)
        return next((path for path in found if os.path.exists(path)), os.path.join(self.root, PLACES[0], UNIT))

    def text(self) -> str:
        """The unit for the program where it is installed. Raises `Problem` where the service could not see it."""
        start = " ".join([*self.argv, "run", "--config", self.config])
        if self.user:
            return USER_UNIT.format(start=start)
        hidden = next((path for path in _needed(self.argv) if _is_hidden(path)), self.config if self.config.startswith(HIDDEN) else "")
        if hidden:
            raise Problem(
                f"a service of the machine cannot see {hidden}: install mailer, and the Python that runs it, where everybody can read "
                "them, such as /opt or /usr/local, "
                "and keep the configuration in /etc/mailer",
                "unavailable",
            )
        lines = _packaged().splitlines()
        return "".join(f"ExecStart={start}\n" if line.startswith("ExecStart=") else f"{line}\n" for line in lines)

    def check(self) -> None:
        """Find out early whether the service can be made. Raises `Problem`."""
        if not self.possible:
            raise Problem(
                "systemd does not run here: leave --unit out, and start `mailer run` as other services are started", "unavailable"
            )
        if not os.path.exists(self.path):
            self.text()

    def permit(self, places: Sequence[str]) -> Iterator[str]:
        """Let the service of the machine open ports below 1024, and write at `places`; says so. It holds from its next start on.

        Raises `Problem`.
        """
        path = os.path.join(self.root, PLACES[0], f"{UNIT}.d", "receiving.conf")
        lines = [f"ReadWritePaths=-{place}" for place in places]
        text = "\n".join([PERMITTED, *lines, ""])
        try:
            if Path(path).read_text(encoding="utf-8") == text:
                return
        except FileNotFoundError:
            pass
        except OSError as error:
            raise from_os("cannot read", path, error) from None
        try:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            Path(path).write_text(text, encoding="utf-8")
        except OSError as error:
            raise from_os("cannot write", path, error) from None
        yield f"wrote {path}: the service may open port 25{' and write ' + ', '.join(places) if places else ''}"

    def install(self) -> Iterator[str]:
        """Write the unit, if there is none, and start it, now and at each boot; says what was done. Raises `Problem`."""
        manager = ["systemctl", "--user"] if self.user else ["systemctl"]
        if not os.path.exists(self.path):
            text = self.text()
            try:
                os.makedirs(os.path.dirname(self.path), exist_ok=True)
                Path(self.path).write_text(text, encoding="utf-8")
            except OSError as error:
                raise from_os("cannot write", self.path, error) from None
            yield f"wrote {self.path}"
        run(*manager, "daemon-reload")
        run(*manager, "enable", UNIT)
        run(*manager, "restart", UNIT)  # one that runs already has the configuration of before
        yield f"the daemon runs, and will at each {'login' if self.user else 'boot'}: {' '.join(manager)} status mailer"
        if self.user:
            yield "for it to run without you being logged in: loginctl enable-linger"


PERMITTED = """\
# Written by `mailer setup --receive`.
[Service]
CapabilityBoundingSet=CAP_NET_BIND_SERVICE
AmbientCapabilities=CAP_NET_BIND_SERVICE"""
"""What a service needs that others call at port 25."""

HIDDEN = ("/home/", "/root/", "/run/user/", "/tmp/")  # from a service as the unit has it: ProtectHome=, PrivateTmp=


def _needed(argv: Sequence[str]) -> Iterator[str]:
    """The files that starting `argv` takes: its words, where their links lead, and the interpreter that a script names."""
    for word in argv:
        if not word.startswith("/"):
            continue
        yield word
        yield os.path.realpath(word)
        with suppress(OSError), open(word, "rb") as file:
            first = file.readline(4096)
            if first.startswith(b"#!") and (words := os.fsdecode(first[2:]).split()):
                yield words[0]
                yield os.path.realpath(words[0])


def _is_hidden(path: str) -> bool:
    """Whether a user of the service could not get to `path`: it lies where services see nothing, or a directory lets no stranger pass."""
    if path.startswith(HIDDEN):
        return True
    above = os.path.dirname(path)
    while True:
        with suppress(OSError):
            if not os.stat(above).st_mode & 0o001:
                return True
        if above in ("/", ""):
            return False
        above = os.path.dirname(above)


USER_UNIT = """\
# Written by `mailer setup`: the daemon of one user.
[Unit]
Description=mailer, the mail transfer daemon
Documentation=man:mailer-run(8)

[Service]
Type=notify
ExecStart={start}
ExecReload=/bin/kill -HUP $MAINPID
Restart=on-failure
RestartSec=5
RestartForceExitStatus=SIGHUP
RestartPreventExitStatus=78
TimeoutStopSec=60

[Install]
WantedBy=default.target
"""


def _packaged() -> str:
    """The unit of the machine: in the source, or what was installed with the wheel. Raises `Problem` (unavailable)."""
    tree = Path(__file__).absolute().parents[2]
    for path in (tree / "packaging/systemd" / UNIT, Path(sysconfig.get_path("data"), "share/mailer/systemd", UNIT)):
        if path.is_file():
            return path.read_text(encoding="utf-8")
    raise Problem(f"there is no {UNIT} in this installation; it is in packaging/systemd of the source", "unavailable")


# Sendmail


class Sendmail(NamedTuple):
    """The programs that others start to send mail, below `prefix`; `executable` and `path` are of our Python."""

    prefix: Path
    executable: str
    path: Sequence[str]

    @property
    def program(self) -> Path:
        """What is called sendmail there."""
        return self.prefix / PROGRAM

    @property
    def ours(self) -> bool:
        """Whether that starts us already: a script that we made, or what a package of ours has."""
        try:
            return MARK.encode() in self.program.read_bytes()[:1000] or "mailer" in self.program.resolve().parts
        except OSError:
            return False

    @property
    def foreign(self) -> list[Path]:
        """The names that lead to another program."""
        names = [self.prefix / name for name in (PROGRAM, *LINKS)]
        return [] if self.ours else [path for path in names if os.path.lexists(path)]

    @property
    def alternative(self) -> str:
        """What the alternatives(8) call sendmail here; empty where they know nothing of it."""
        leads = os.readlink(self.program) if self.program.is_symlink() else ""
        return leads.removeprefix(ALTERNATIVES) if leads.startswith(ALTERNATIVES) else ""

    def install(self) -> Iterator[str]:
        """Make them, in the place of others if there are any, which are put aside; says of each what was done. Raises `Problem`."""
        if name := self.alternative:
            yield from self._choose(name)
            return
        for path in self.foreign:
            yield from put_aside(path)
        yield from install_programs(self.prefix, self.executable, self.path)

    def _choose(self, name: str) -> Iterator[str]:
        """Become the alternative that is chosen; the others stay there to be chosen again."""
        own = self.prefix / "local"
        yield from install_programs(own, self.executable, self.path)
        words = ["--install", str(self.program), name, str(own / PROGRAM), PRIORITY]
        for link in LINKS:
            leads = os.readlink(self.prefix / link) if (self.prefix / link).is_symlink() else ""
            if leads.startswith(ALTERNATIVES):
                words += ["--slave", str(self.prefix / link), leads.removeprefix(ALTERNATIVES), str(own / link)]
        run("update-alternatives", *words)
        run("update-alternatives", "--set", name, str(own / PROGRAM))
        yield f"{self.program} is {own / PROGRAM} from now on; `update-alternatives --config {name}` chooses another"


def put_aside(path: Path) -> Iterator[str]:
    """Give the file another name; where a package of Debian has it, the package is told, so that an upgrade leaves our file alone.

    Says what was done. Raises `Problem`.
    """
    aside = f"{path}{ASIDE}"
    if os.path.lexists(aside):
        raise Problem(f"{aside} is there already, so {path} cannot be put aside; remove one of them", "cannot-create")
    if shutil.which("dpkg-divert") and _of_a_package(path):
        run("dpkg-divert", "--local", "--rename", "--divert", aside, "--add", str(path))
        yield f"put {path} aside as {aside}; `dpkg-divert --rename --remove {path}` takes that back"
        return
    try:
        os.rename(path, aside)
    except OSError as error:
        raise from_os("cannot put aside", str(path), error) from None
    yield f"put {path} aside as {aside}"


def _of_a_package(path: Path) -> bool:
    try:
        return bool(run("dpkg-query", "--search", str(path)))
    except Problem:
        return False
