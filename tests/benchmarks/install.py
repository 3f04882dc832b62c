"""From a bare Debian to the first mail of root's cron at its reader: commands and seconds, of this package and of others.

    python -m tests.benchmarks.install [--package FILE] [--only NAME …]

Each gets a fresh root (mmdebstrap's smallest, with cron), the archive's packages over the network, and a relay on this machine's
loopback. Its commands are those that a person types who knows them; a file that he writes is one, and so are the answers to a package's
questions. The clock runs from the first command until the relay has the mail. What systemd starts on a machine that was booted is
started here when the commands are done, and is no command: the daemon of the MTA, and cron. It needs root on Debian, and mmdebstrap.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from mailer.sink import SinkThread
from tests.fakes.processes import wait_until
from tests.packaging.bare import bare
from tests.packaging.machine import Inside, Throwaway

TREE = Path(__file__).parents[2]
READER, DOMAIN = "ops@example.net", "web1.example.com"
UPDATE = "apt-get update"


class Way(NamedTuple):
    """How one of them is installed: commands, with {port} for the relay's and {package} for our file; and what runs then."""

    name: str
    commands: tuple[str, ...]
    daemon: Callable[[Throwaway], Inside | None]


def _ours(machine: Throwaway) -> Inside:
    return machine.daemon()


def _nullmailer(machine: Throwaway) -> Inside:
    spool = "/var/spool/nullmailer"  # with the pipe that tmpfiles.d makes
    machine.run("sh", "-c", f"mkfifo -m 600 {spool}/trigger && chown mail {spool}/trigger")
    return machine.start("sh", "-c", f"cd {spool} && exec nullmailer-send", user="mail")


def _nothing(_: Throwaway) -> None:
    """Its sendmail hands the mail to the relay itself, and keeps none."""


def _postfix(machine: Throwaway) -> Inside:
    machine.run("postconf", "-M#", "smtp/inet")  # the port belongs to the machine below
    return machine.start("postfix", "start-fg")


def _answers(*lines: str) -> str:
    """The command that answers a package's questions beforehand."""
    return "\n".join(("debconf-set-selections <<'E'", *lines, "E"))


OURS = _answers(
    "mailer-mta mailer-mta/way select relay",
    "mailer-mta mailer-mta/relay string 127.0.0.1:{port}",
    f"mailer-mta mailer-mta/root string {READER}",
    f"mailer-mta mailer-mta/mailname string {DOMAIN}",
)
NULLMAILER = _answers(
    "nullmailer nullmailer/relayhost string 127.0.0.1 smtp --port={port}",
    f"nullmailer nullmailer/adminaddr string {READER}",
    f"nullmailer nullmailer/defaultdomain string {DOMAIN}",
    f"nullmailer shared/mailname string {DOMAIN}",
)
POSTFIX = _answers(
    "postfix postfix/main_mailer_type select Satellite system",
    "postfix postfix/relayhost string [127.0.0.1]:{port}",
    f"postfix postfix/root_address string {READER}",
    f"postfix postfix/mailname string {DOMAIN}",
    f"postfix postfix/destinations string {DOMAIN}, localhost",
)
MSMTPRC = f"account default\nhost 127.0.0.1\nport {{port}}\nfrom root@{DOMAIN}\naliases /etc/aliases\n"

WAYS = (
    Way("mailer-mta", (UPDATE, OURS, "apt-get install -y {package}"), _ours),
    Way("nullmailer", (UPDATE, NULLMAILER, "apt-get install -y nullmailer"), _nullmailer),
    Way(
        "msmtp-mta",
        (UPDATE, "apt-get install -y msmtp-mta", f"cat > /etc/msmtprc <<'E'\n{MSMTPRC}E", f"echo 'root: {READER}' > /etc/aliases"),
        _nothing,
    ),
    Way("postfix", (UPDATE, POSTFIX, "apt-get install -y postfix"), _postfix),
)


def measure(way: Way, package: Path, lower: Path) -> tuple[int, float]:
    """How many commands it took, and how many seconds until the mail was there."""
    with tempfile.TemporaryDirectory() as home, Throwaway(Path(home), lower) as machine, SinkThread() as sink:
        machine.write("etc/cron.d/hello", "@reboot root echo hello\n")
        file = machine.copy(package)
        begun = time.monotonic()
        for command in way.commands:
            machine.run("sh", "-c", command.replace("{port}", str(sink.port)).replace("{package}", file))
        daemon, cron = way.daemon(machine), machine.start("cron", "-f")
        wait_until(f"{way.name} delivers", lambda: sink.count, 120, 0.005)
        seconds = time.monotonic() - begun
        to = sink.messages[0].recipients
        assert to == (READER,), f"{way.name} sent it to {to}"
        for program in filter(None, (cron, daemon)):
            program.stop()
    return len(way.commands), seconds


def main() -> int:
    """Measure each, one after the other, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--package", type=Path, help="our package (default: built now)")
    parser.add_argument("--only", nargs="+", choices=[way.name for way in WAYS], help="some of them")
    given = parser.parse_args()
    if os.geteuid() != 0:
        print("it needs root on Debian", file=sys.stderr)
        return 77
    lower = bare("cron")
    with tempfile.TemporaryDirectory() as place:
        package = given.package
        if not package:
            built = subprocess.run([TREE / "packaging/debian/build", place], check=True, capture_output=True, text=True)
            package = Path(built.stdout.strip())
        print("       MTA         commands  seconds to the first mail of cron")
        for way in WAYS:
            if not given.only or way.name in given.only:
                commands, seconds = measure(way, package, lower)
                print(f"FIGURE {way.name:<12}{commands:>8}  {seconds:>7.1f}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
