"""This machine, with our sendmail where its own would be, and the programs that call it.

`unshare -m` gives a program a view of the file system of its own. In it ``/usr`` and ``/etc`` are overlaid: on top what belongs to
the test (our ``sbin/sendmail``, the configuration of mailer), then the callers that `tests.peers.install` unpacked, then
the machine. ``/var/spool``, ``/var/cache`` and ``/run`` are directories of the test, and so is the home directory. So cron is
Debian's cron with the path of sendmail that is compiled into it, and nothing of the machine is written.
"""

from __future__ import annotations

import email
import email.policy
import os
import subprocess
from email.message import EmailMessage
from pathlib import Path
from typing import NamedTuple

from mailer.sink import SinkThread
from tests.fakes.processes import MAILER
from tests.peers.install import CALLERS

VIEW = """
set -e
over=$1 callers=$2 own=$3
shift 3
for directory in usr etc; do
  lower=$over/$directory
  [ -d "$callers/$directory" ] && lower=$lower:$callers/$directory
  mount -t overlay callers -o "lowerdir=$lower:/$directory" "/$directory"
done
for directory in var/spool var/cache run; do mount --bind "$own/$directory" "/$directory"; done
[ ! -d ~root/.config/mailer ] || mount -t tmpfs callers ~root/.config/mailer
cd "$own/root"
exec "$@"
"""
"""Only lower layers, so the overlays cannot be written to, and can lie over any file system.

Some programs start their children with the home directory that is in passwd(5); what root has configured there is not seen.
"""

CONFIGURATION = """\
[mailer]
hostname = "here.example"
spool = "{spool}"
[submission]
default_domain = "here.example"
aliases = {{ root = "ops@example.net" }}
[relay.sink]
host = "127.0.0.1"
port = {port}
tls = "none"
[[route]]
match = "*"
via = ["relay:sink"]
"""

PAM = "auth required pam_permit.so\naccount required pam_permit.so\nsession required pam_permit.so\n"
"""Who may log in is not what is tested, and a container cannot do all that Debian's rules ask."""

CRONTABS, ATJOBS, ATSPOOL = "var/spool/cron/crontabs", "var/spool/cron/atjobs", "var/spool/cron/atspool"


class Arrived(NamedTuple):
    """What a sink got: the envelope, the message as the standard library reads it, and as it came."""

    sender: str
    recipients: list[str]
    message: EmailMessage
    content: bytes

    @property
    def text(self) -> str:
        """The text that its reader sees."""
        part = self.message.get_body(("plain",))
        assert part is not None
        return str(part.get_content()).replace("\r\n", "\n")


class Machine:
    """See above; `home` is a directory that the test may fill, `sink` where all mail goes."""

    def __init__(self, home: Path, sink: SinkThread) -> None:
        self.over, self.own = home / "over", home / "own"
        self.spool = home / "spool"
        self.sink = sink
        self.env = {
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": str(self.own / "root"),
            "LOGNAME": "root",
            "USER": "root",
            "LANG": "C.UTF-8",
            "TZ": "UTC",
        }
        for name in ("usr", "etc"):
            self.over.joinpath(name).mkdir(parents=True)
        for name in ("var/spool", "var/cache", "run", "root", CRONTABS, ATJOBS, ATSPOOL):
            self.own.joinpath(name).mkdir(parents=True, exist_ok=True)
        self.configuration = self.etc("mailer/config.toml", CONFIGURATION.format(spool=self.spool, port=sink.port))
        for name in ("cron", "atd"):
            self.etc(f"pam.d/{name}", PAM)
        subprocess.run([*MAILER, "config", "install-sendmail", "--quiet", "--prefix", self.over / "usr"], check=True, timeout=60)

    def etc(self, name: str, text: str) -> Path:
        """A file in the machine's /etc."""
        path = self.over / "etc" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def root(self, name: str, data: str | bytes) -> Path:
        """A file in the home directory, in which everything starts."""
        path = self.own / "root" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
        return path

    def argv(self, *words: str) -> list[str]:
        """How `words` are started in the view."""
        places = map(str, (self.over, CALLERS, self.own))
        return ["unshare", "-m", "--propagation", "private", "sh", "-c", VIEW, "view", *places, *words]

    def run(self, *words: str, input: str | bytes = b"", code: int = 0, **variables: str) -> str:
        """Run a program to its end, which has to be `code`; returns what it said."""
        data = input if isinstance(input, bytes) else input.encode()
        done = subprocess.run(self.argv(*words), input=data, capture_output=True, env=self.env | variables, timeout=60)
        assert done.returncode == code, done
        return (done.stdout + done.stderr).decode()

    def queued(self) -> int:
        """How many messages wait."""
        return len(list(self.spool.glob("queued/*")))

    def arrived(self, count: int = 1) -> list[Arrived]:
        """Deliver what is queued with ``mailer run --once``, and return all of it; there have to be `count`."""
        env = {**os.environ, "MAILER_CONFIG": str(self.configuration)}
        subprocess.run([*MAILER, "run", "--once"], env=env, check=True, capture_output=True, timeout=60)
        assert self.queued() == 0
        found: dict[bytes, Arrived] = {}
        for one in self.sink.messages:  # the recipients of a message may come in several transactions
            found.setdefault(one.content, Arrived(one.sender, [], _read(one.content), one.content)).recipients.extend(one.recipients)
        assert len(found) == count, found
        return list(found.values())

    def came(self) -> Arrived:
        """The one message that was sent."""
        return self.arrived(1)[0]


def _read(content: bytes) -> EmailMessage:
    message = email.message_from_bytes(content, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    assert not message.defects
    for field in ("Date", "Message-ID", "From"):
        assert message[field], field
    return message
