"""ClamAV, its milter, SpamAssassin and OpenDMARC, each as its makers hand it out; without the Internet, and with signatures of one line."""

from __future__ import annotations

from pathlib import Path

from tests.fakes.processes import Program, free_port

from .install import FILTERS
from .root import Root

EICAR = b"X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"
"""What every scanner calls a virus, and is none."""

GTUBE = b"XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"
"""The same for spam."""

LIMIT = 5_000_000  # octets that clamd takes

CLAMD = """\
DatabaseDirectory /db
LocalSocket /run/clamd.sock
TCPSocket {port}
TCPAddr 127.0.0.1
TemporaryDirectory /tmp
Foreground yes
User root
StreamMaxLength {limit}
"""
BAYES = """\
use_bayes 1
bayes_path /tmp/bayes
bayes_auto_learn 0
bayes_min_ham_num 1
bayes_min_spam_num 1
"""
"""One message of each kind is enough for a judgement."""

MILTER = """\
MilterSocket inet:{port}@127.0.0.1
Foreground yes
User root
ClamdSocket unix:/run/clamd.sock
OnInfected Reject
RejectMsg there is %v in it
OnFail Defer
AddHeader Replace
"""
OPENDMARC = """\
Socket inet:{port}@127.0.0.1
AuthservID {host}
TrustedAuthservIDs {host}
Background no
PidFile /run/opendmarc.pid
RejectFailures true
Syslog false
UserID root
SPFIgnoreResults false
SPFSelfValidate false
"""


class RealFilters:
    """Programs in one tree, each started when it is first asked for; `host` is whose Authentication-Results OpenDMARC believes."""

    def __init__(self, home: Path, host: str) -> None:
        self.root = Root(home / "root", FILTERS)
        self.host = host
        self._ports: dict[str, int] = {}  # each chosen at the last moment, for others choose theirs meanwhile
        self._running: dict[str, Program] = {}
        self.root.write("db/local.ndb", f"Eicar-Local:0:*:{EICAR.hex()}\n")

    def start(self, name: str) -> str:
        """Have it running; where it is, as the configuration writes it."""
        if name == "clamav-milter":
            self.start("clamd")
        if name not in self._running:
            port = self._ports.setdefault(name, free_port())
            self._running[name] = self.root.start(*self._words(name, port), ports=[port])
        return f"127.0.0.1:{self._ports[name]}"

    def _words(self, name: str, port: int) -> tuple[str, ...]:
        """The command that has it listen at `port`, with its configuration written."""
        if name == "spamd":
            self.root.write("etc/spamassassin/66_learning.cf", BAYES)
            words = ("/usr/sbin/spamd", "-L", "-x", "-l", "-u", "mail", "-m", "1", "--pidfile", "/run/spamd.pid")
            return (*words, "--listen", f"127.0.0.1:{port}", "--allowed-ips=127.0.0.1")
        text = {"clamd": CLAMD, "clamav-milter": MILTER, "opendmarc": OPENDMARC}[name]
        self.root.write(f"etc/{name}.test", text.format(port=port, host=self.host, limit=LIMIT))
        foreground = ("-f",) if name == "opendmarc" else ()
        return (f"/usr/sbin/{name}", *foreground, "-c", f"/etc/{name}.test")

    def stop(self, name: str) -> None:
        """End one of them."""
        self._running.pop(name).stop()

    def close(self) -> None:
        """End all of them, and whatever they have started."""
        for program in self._running.values():
            self.root.stop(program)
