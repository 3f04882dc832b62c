"""Makes a spool with mail in every state and every kind of record, with the program of any version.

    python -m tests.older.write MAILER DIRECTORY

MAILER is the command of that version (``…/bin/mailer``), DIRECTORY a new one: ``spool/``, ``config.toml``, and ``told.json``, what that
version says of it all. As root ``spool/`` is system-wide, and a message of another user's lies in `drop/`.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mailer.testing import SinkThread

NOBODY = 65534  # who hands a message in besides us

CONFIG = """
[mailer]
hostname = "mail.example.org"
spool = "{spool}"
[submission]
default_domain = "example.org"
[relay.out]
host = "127.0.0.1"
port = {port}
tls = "opportunistic"
[relay.down]
host = "127.0.0.1"
port = 1
tls = "none"
[[route]]
match = "down.example.net"
via = ["relay:down"]
[[route]]
match = "*"
via = ["relay:out"]
[retry]
schedule = ["1h"]
expire = "{expire}"
[bounce]
delay_warning = "1s"
retention = "3650d"
[status]
retention = "3650d"
[log]
file = "{log}"
"""

PLAIN = b"From: ann@example.org\nTo: bob@example.net\nSubject: %s\n\nhello\n"

SENT = {
    "delivered": ["bob@example.net"],
    "partly": ["bob@example.net", "451@example.net", "550@example.net"],
    "greylisted": ["greylist@example.net"],
    "refused": ["550@example.net"],
    "refused-whole": ["body-550@example.net", "bob@example.net"],
    "put-off-whole": ["data-451@example.net"],
    "cut-off": ["drop-body@example.net"],
    "unreachable": ["ann@down.example.net"],
    "many": [f"451+{number}@example.net" for number in range(60)],
}
"""The subjects of messages that are tried, and whom they are for."""


class Program:
    """The command of one version, on one spool. `source` is the directory that holds its package, where it is not the one installed."""

    def __init__(self, mailer: Sequence[str], place: Path, source: Path | None = None) -> None:
        self.mailer = mailer
        self.place = place
        self.source = source
        self.config = place / "config.toml"

    def configure(self, port: int, expire: str) -> None:
        """Write its configuration."""
        spool, log = self.place / "spool", self.place / "log"
        self.config.write_text(CONFIG.format(spool=spool, log=log, port=port, expire=expire))

    def run(self, *arguments: str, text: bytes = b"", codes: tuple[int, ...] = (0,)) -> str:
        """What it prints. Raises `AssertionError` for any other exit code."""
        environment = {**os.environ, "MAILER_CONFIG": str(self.config), "NO_COLOR": "1"}
        run = subprocess.run([*self.mailer, *arguments], input=text, env=environment, cwd=self.source, capture_output=True, timeout=60)
        assert run.returncode in codes, (arguments, run.returncode, run.stderr.decode())
        return run.stdout.decode()

    def send(self, subject: str, *recipients: str, options: tuple[str, ...] = (), text: bytes | None = None) -> str:
        """Put a message; returns its ID."""
        return self.run("send", "-f", "ann@example.org", *options, *recipients, text=text or PLAIN % subject.encode()).strip()

    def objects(self, *arguments: str) -> list[dict[str, Any]]:
        """The objects that it prints, one a line."""
        return [json.loads(line) for line in self.run(*arguments, "--json").splitlines()]

    def messages(self, ids: dict[str, str]) -> dict[str, dict[str, Any]]:
        """What it says of each message, by the keys of `ids`."""
        found = {message["id"]: message for message in self.objects("status", *ids.values())}
        return {subject: found[id] for subject, id in ids.items()}


def write(program: Program) -> dict[str, Any]:
    """Fill the program's directory; returns what ``told.json`` says: the IDs by subject, and the JSON of each message."""
    place = program.place
    place.mkdir(mode=0o755)
    (place / "spool").mkdir(mode=0o755)
    with SinkThread() as sink:
        program.configure(sink.port, "3650d")
        ids = {subject: program.send(subject, *recipients) for subject, recipients in SENT.items()}
        ids["cancelled"] = program.send("cancelled", "451@example.net")
        ids["replayed"] = program.send("replayed", "550+once@example.net")
        ids["held"] = program.send("held", "451@example.net")
        ids["late"] = program.send("late", "451+late@example.net")
        program.run("run", "--once", codes=(0, 75))
        time.sleep(1.1)  # until it is late enough for a warning
        program.run("queue", "retry", ids["late"], ids["partly"])
        program.run("run", "--once", codes=(0, 75))
        program.run("queue", "cancel", ids["cancelled"])
        program.run("queue", "hold", ids["held"])
        ids["replay"] = program.objects("queue", "replay", ids["replayed"])[0]["as"]
        program.configure(sink.port, "1s")
        ids["expired"] = program.send("expired", "451@example.net")
        for _ in range(6):  # some versions count no more than half of the time between two passes
            time.sleep(1.1)
            program.run("queue", "retry", ids["expired"], codes=(0, 65, 67))
            program.run("run", "--once", codes=(0, 75))
            if program.objects("status", ids["expired"])[0]["status"] == "expired":
                break
        program.configure(sink.port, "3650d")
        program.run("queue", "pause", "paused.example.net", "--why", "they asked for it")
    _put_more(program, ids)
    (place / "spool/corrupt/01KAHGWV7J5ZQ0C9XK3M2T8B4R").write_bytes(b"mailer/1 12 4 00000000\n{}\nno message")
    told = {"ids": ids, "messages": program.messages({subject: id for subject, id in ids.items() if subject != "dropped"})}
    (place / "told.json").write_text(json.dumps(told, indent=1))
    return told


def _put_more(program: Program, ids: dict[str, str]) -> None:
    """What no daemon has seen."""
    ids["queued"] = program.send("queued", "bob@example.net", options=("--request-id", "order-7", "--priority", "high"))
    ids["later"] = program.send("later", "bob@example.net", options=("--delay", "300d", "--priority", "low"))
    ids["wishes"] = program.send("wishes", "bob@example.net", options=("--dsn", "success,failure"))
    text = "From: Anné <ann@example.org>\nSubject: größe\n\n".encode() + b"binary \xff octets\n"
    ids["eight-bit"] = program.send("", "jörg@example.net", text=text)
    if os.geteuid() == 0:
        spool = program.place / "spool"
        (spool / "drop").mkdir(exist_ok=True)
        (spool / "drop").chmod(0o3733)
        spool.chmod(0o755)
        elsewhere = program.place / "elsewhere"
        ids["dropped"] = program.send("dropped", "bob@example.net", options=("--spool", str(elsewhere)))
        dropped = (elsewhere / "queued" / ids["dropped"]).rename(spool / "drop" / ids["dropped"])
        os.chown(dropped, NOBODY, (spool / "drop").stat().st_gid)
        shutil.rmtree(elsewhere)


if __name__ == "__main__":
    write(Program(sys.argv[1:2], Path(sys.argv[2])))
