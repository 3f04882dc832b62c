"""A whole Postfix in a scratch directory: its own configuration, queue, data and ports; nothing of the machine's is touched.

The tests let it receive (`smtpd` → `virtual` → Maildir); the benchmarks let it drain a queue. Its master has to be
started as root, because every Postfix daemon sheds root for the user `postfix` of the package. The scratch
directory must be one that this user may enter, which pytest's own `tmp_path` is not: `scratch()` makes one.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Self

from tests.fakes.processes import PATIENCE, Program, free_port, listens, wait_until

from .mailboxes import Mailboxes

OURS = ("active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming", "private", "saved", "trace")
DAEMONS = Path("/usr/lib/postfix/sbin")

DOOR = "127.0.0.1:{port} inet n - n - - smtpd\n"

# Nothing runs in a chroot (fifth column), so that no part of /etc has to be copied below the queue.
MASTER_CF = """\
pickup    unix  n - n 60    1 pickup
cleanup   unix  n - n -     0 cleanup
qmgr      unix  n - n 300   1 qmgr
tlsmgr    unix  - - n 1000? 1 tlsmgr
rewrite   unix  - - n -     - trivial-rewrite
bounce    unix  - - n -     0 bounce
defer     unix  - - n -     0 bounce
trace     unix  - - n -     0 bounce
verify    unix  - - n -     1 verify
flush     unix  n - n 1000? 0 flush
proxymap  unix  - - n -     - proxymap
smtp      unix  - - n -     - smtp
relay     unix  - - n -     - smtp
showq     unix  n - n -     - showq
error     unix  - - n -     - error
retry     unix  - - n -     - error
discard   unix  - - n -     - discard
virtual   unix  - n n -     - virtual
anvil     unix  - - n -     1 anvil
scache    unix  - - n -     1 scache
postlog   unix-dgram n - n -  1 postlogd
"""


@contextlib.contextmanager
def scratch(name: str) -> Iterator[Path]:
    """A directory that other users may enter, gone afterwards."""
    path = Path(tempfile.mkdtemp(prefix=f"mailer-{name}-"))
    path.chmod(0o755)
    try:
        yield path
    finally:
        shutil.rmtree(path)


class Postfix:
    """One instance; `settings` are lines of main.cf over the defaults here. Start and stop it as a context manager.

    It listens on `port`, and once more for each of `doors`, whose settings hold there only: `ports`.
    """

    def __init__(
        self, home: Path, settings: Mapping[str, object] | None = None, doors: Mapping[str, Mapping[str, object]] | None = None
    ) -> None:
        self.home = home
        self.doors = {"plain": {}, **(doors or {})}
        self.ports = {name: free_port() for name in self.doors}
        self.port = self.ports["plain"]
        self.queue = home / "queue"
        self.mail = home / "mail"
        self.mailboxes = Mailboxes(self.mail)
        self.config = home / "config"
        self.log = home / "log"
        self.settings: dict[str, object] = {
            "compatibility_level": "3.6",
            "queue_directory": self.queue,
            "data_directory": home / "data",
            "command_directory": "/usr/sbin",
            "daemon_directory": DAEMONS,
            "mail_owner": "postfix",
            "setgid_group": "postdrop",
            "maillog_file": self.log,
            "maillog_file_prefixes": home,
            "myhostname": "postfix.example",
            "mydestination": "",
            "inet_interfaces": "127.0.0.1",
            "inet_protocols": "ipv4",
            "mynetworks": "127.0.0.0/8",
            "alias_maps": "",
            "alias_database": "",
            "smtp_tls_security_level": "may",
            **(settings or {}),
        }

    def start(self) -> None:
        """Write the files and wait until it listens."""
        self._lay_out()
        self.master = Program([DAEMONS / "master", "-c", self.config, "-d"], self.home / "master.log")
        wait_until(f"Postfix listens:\n{self.master.said}", lambda: listens(self.port))

    def _lay_out(self) -> None:
        user = pwd.getpwnam("postfix")
        for name in (self.home / "data", *(self.queue / name for name in OURS)):
            name.mkdir(mode=0o700, parents=True)
            os.chown(name, user.pw_uid, user.pw_gid)
        self.queue.joinpath("pid").mkdir()
        for name, mode in (("public", 0o2710), ("maildrop", 0o1730)):
            self.queue.joinpath(name).mkdir()
            shutil.chown(self.queue / name, "postfix", "postdrop")
            self.queue.joinpath(name).chmod(mode)
        self.mail.mkdir()
        os.chown(self.mail, user.pw_uid, user.pw_gid)
        self.config.mkdir()
        doors = [DOOR.format(port=self.ports[door]) + _options(settings) for door, settings in self.doors.items()]
        self.config.joinpath("master.cf").write_text("".join(doors) + MASTER_CF)
        self.configure({})

    def configure(self, settings: Mapping[str, object]) -> None:
        """Write main.cf again with `settings` over what it says; for the next start."""
        self.settings.update(settings)
        main_cf = self.config / "main.cf"
        main_cf.write_text("".join(f"{name} = {value}\n" for name, value in self.settings.items()))
        os.utime(main_cf, (1, 1))  # Postfix waits until a file that was just written cannot change any more

    def stop(self) -> None:
        """End the master and whatever it started; the processes that a stopped qmgr would leave behind too."""
        for pid in self.pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
        self.master.stop()
        for pid in self.pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        wait_until("every process of Postfix is gone", lambda: not self.pids())

    def pids(self, program: str = "") -> list[int]:
        """Its processes: those whose working directory is its queue; with `program`, those of that name."""
        found = []
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                here = entry.name.isdigit() and Path(os.readlink(entry / "cwd")) == self.queue
                if here and program in ("", entry.joinpath("comm").read_text().strip()):
                    found.append(int(entry.name))
        return found

    def queued(self) -> Iterator[Path]:
        """The files of messages that it has yet to deliver."""
        for name in ("incoming", "active", "deferred"):
            yield from (path for path in (self.queue / name).rglob("*") if path.is_file())

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    def receives(self, *users: str, domain: str = "peer.example") -> None:
        """Settings, before `start`: take mail for these users of `domain`, each into a Maildir; refuse everybody else."""
        user = pwd.getpwnam("postfix")
        self.settings.update(
            virtual_mailbox_domains=domain,
            virtual_mailbox_base=self.mail,
            virtual_mailbox_maps="inline:{" + ", ".join(f"{name}@{domain}={name}/" for name in users) + "}",
            virtual_uid_maps=f"static:{user.pw_uid}",
            virtual_gid_maps=f"static:{user.pw_gid}",
            virtual_minimum_uid=1,
        )

    def received(self, user: str, mark: str, seconds: float = PATIENCE) -> list[bytes]:
        """Wait until `user` has a message whose field ``X-Test`` is `mark`; returns all of those, as they were sent."""
        return self.mailboxes.arrived(mark, [user], seconds)[user]


def _options(settings: Mapping[str, object]) -> str:
    return "".join(f"  -o {{ {name} = {value} }}\n" for name, value in settings.items())
