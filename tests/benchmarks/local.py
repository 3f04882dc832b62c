#!/usr/bin/env python3
"""What it costs to put mail into mailboxes: our courier, beside the LMTP of a Dovecot that keeps Maildirs, with the same mail.

    python tests/benchmarks/local.py [-n 400] [--size 7168] [--sessions 8] [--users 32] [--rounds 3]

Each message is for one user; the users take turns, and so many sessions deliver at the same time, each one message after the other. Ours
are sessions of the courier, as the queue has them, in a process of their own, with users in the database and everything synced; Dovecot's
are connections that stay, and it syncs as it does by default. Counted is the processor's time of all processes that are concerned: of
ours that of the whole process; of Dovecot's that of its own processes, without that of the client. Ours and
Dovecot take turns. Besides: all mail for one user, which shares the waits for the disk; and messages put into one mailbox one by one.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import pwd
import smtplib
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).parents[2]))

from mailer.accounts.users.api import User
from mailer.accounts.users.sqlite import SqliteUsers
from mailer.config.file import config_of
from mailer.io.clock import SystemClock
from mailer.mail.dates import rfc3339
from mailer.mail.envelope import Envelope, Recipient
from mailer.mailbox.api import NewMail
from mailer.mailbox.configured import mailboxes_of
from mailer.service import quieten_collector
from mailer.spool import new_id
from mailer.transport.courier import Load
from mailer.transport.filing import PlainFiling
from mailer.transport.local import LocalCourier
from mailer.transport.route import Route
from tests.benchmarks.measure import SENDER, figure, message, ratio
from tests.fakes.processes import free_port, wait_until

DOVECOT = "/usr/sbin/dovecot"
ROUTE = Route("local", (), relay=True, transport="local", verp=False)
CONFIGURATION = """\
base_dir = {home}/run
state_dir = {home}/run
log_path = {home}/log
protocols = lmtp
listen = 127.0.0.1
ssl = no
default_internal_user = {user}
default_login_user = {user}
default_internal_group = {group}
mail_location = maildir:{home}/mail/%n
mail_uid = {user}
mail_gid = {group}
first_valid_uid = 1
first_valid_gid = 1
passdb {{
  driver = static
  args = nopassword=y
}}
userdb {{
  driver = static
  args = home={home}/mail/%n allow_all_users=yes
}}
service anvil {{
  chroot =
}}
service stats {{
  chroot =
}}
service lmtp {{
  inet_listener lmtp {{
    port = {port}
  }}
}}
"""


class Spent(NamedTuple):
    """Of one run: milliseconds of the processor, and on the clock, for each message."""

    cpu: float
    wall: float


class Mail(NamedTuple):
    """What is delivered: how many messages, of how many octets, by how many sessions, to how many users."""

    count: int
    size: int
    sessions: int
    users: int

    def people(self) -> list[str]:
        """The addresses of the users."""
        return [f"user{nth}@bench.example" for nth in range(self.users)]


# Ours


async def deliver_ours(home: Path, mail: Mail) -> Spent:
    """Deliver with the courier."""
    text = f'[mailer]\nspool = "{home}/spool"\n[mailboxes]\npath = "{home}/mailboxes"\n[[domain]]\nname = "bench.example"\nvia = "local"\n'
    boxes = mailboxes_of(config_of("bench.toml", text.encode()))
    (home / "spool").mkdir(exist_ok=True)
    users = SqliteUsers(f"{home}/spool/accounts.sqlite3")
    await users.put([User(address) for address in mail.people()])
    courier = LocalCourier(boxes, lambda: users, PlainFiling(), SystemClock(), lambda: 86400.0)
    await asyncio.gather(*(one_by_one(courier, loads_of(mail, [nth])) for nth in range(mail.users)))
    turns = [loads_of(mail, range(nth, mail.count, mail.sessions)) for nth in range(mail.sessions)]
    begin, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*(one_by_one(courier, turn) for turn in turns))
    spent = Spent(1e3 * (time.process_time() - cpu) / mail.count, 1e3 * (time.perf_counter() - begin) / mail.count)
    await courier.close()
    boxes.close()
    await users.close()
    return spent


class Consigned(NamedTuple):
    """A job of one recipient."""

    route: Route
    recipients: tuple[int, ...] = (0,)


def loads_of(mail: Mail, numbers: Sequence[int]) -> list[Load[Any]]:
    """The messages of these numbers, as the queue has them."""
    people, at = mail.people(), time.time()
    envelopes = [Envelope(new_id(at), rfc3339(at), SENDER, [Recipient(people[nth % len(people)])]) for nth in numbers]
    return [Load(Consigned(ROUTE), envelope, message(mail.size)) for envelope in envelopes]


async def one_by_one(courier: LocalCourier, loads: Sequence[Load[Any]]) -> None:
    """Deliver these messages in one session. Raises `RuntimeError` for one that is not taken."""
    session = courier.session(lambda: None)
    for load in loads:
        [outcome] = await session.deliver(load, lambda: None)
        if outcome.verdict != "delivered":
            raise RuntimeError(outcome.reply)


def put_singly(home: Path, count: int, size: int) -> float:
    """Put messages into one mailbox, each for itself; how many a second."""
    text = f'[mailer]\nspool = "{home}/spool"\n[mailboxes]\npath = "{home}/singly"\n'
    boxes = mailboxes_of(config_of("bench.toml", text.encode()))
    with boxes.of("ann@bench.example", make=True) as box:
        begin = time.perf_counter()
        for nth in range(count):
            box.put([NewMail("INBOX", message(size), once=(new_id(time.time()), str(nth)))])
        rate = count / (time.perf_counter() - begin)
    boxes.close()
    return rate


def apart(what: str, home: Path, mail: Mail) -> Any:
    """The same in a process of its own, so that nothing else is counted."""
    done = subprocess.run(
        [sys.executable, __file__, "--inside", what, str(home), json.dumps(mail)], stdout=subprocess.PIPE, text=True, check=True
    )
    return json.loads(done.stdout)


def inside(what: str, home: str, told: str) -> None:
    """One run, in that process."""
    mail = Mail(*json.loads(told))
    quieten_collector()
    print(json.dumps(put_singly(Path(home), mail.count, mail.size) if what == "put" else asyncio.run(deliver_ours(Path(home), mail))))


# Dovecot's


@contextmanager
def dovecot(home: Path) -> Iterator[tuple[int, int]]:
    """A Dovecot below `home`, as a user without rights: its process and the port of its LMTP."""
    me = pwd.getpwnam("nobody" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name)
    port = free_port()
    group = subprocess.run(["id", "-gn", me.pw_name], capture_output=True, text=True, check=True).stdout.strip()
    for name in ("run", "mail"):
        (home / name).mkdir(parents=True)
    (home / "dovecot.conf").write_text(CONFIGURATION.format(home=home, user=me.pw_name, group=group, port=port))
    as_user = {"user": me.pw_uid, "group": me.pw_gid, "extra_groups": []} if os.geteuid() == 0 else {}
    if as_user:
        for path in (home, *home.iterdir()):
            os.chown(path, me.pw_uid, me.pw_gid)
    with subprocess.Popen([DOVECOT, "-F", "-c", str(home / "dovecot.conf")], **as_user) as master:  # type: ignore[call-overload]
        try:
            wait_until("Dovecot takes mail", lambda: _answers(port))
            yield master.pid, port
        finally:
            master.terminate()
            master.wait()


def _answers(port: int) -> bool:
    try:
        with smtplib.LMTP("127.0.0.1", port):
            return True
    except OSError:
        return False


def deliver_theirs(process: int, port: int, mail: Mail) -> Spent:
    """Deliver by LMTP."""
    people = mail.people()
    clients = [smtplib.LMTP("127.0.0.1", port, local_hostname="bench.example") for _ in range(mail.sessions)]
    for nth, address in enumerate(people):
        clients[nth % len(clients)].sendmail(SENDER, [address], message(mail.size))

    def session(client: smtplib.LMTP, numbers: range) -> None:
        for nth in numbers:
            client.sendmail(SENDER, [people[nth % len(people)]], message(mail.size))

    threads = [
        threading.Thread(target=session, args=(client, range(nth, mail.count, mail.sessions))) for nth, client in enumerate(clients)
    ]  # fmt: skip
    begin, cpu = time.perf_counter(), processor(process)
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    spent = Spent(1e3 * (processor(process) - cpu) / mail.count, 1e3 * (time.perf_counter() - begin) / mail.count)
    for client in clients:
        client.quit()
    return spent


def processor(process: int) -> float:
    """Seconds of the processor of a process and of all below it, those that are over included."""
    ticks = 0
    found = [process]
    while found:
        pid = found.pop()
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ticks += sum(map(int, fields[11:15]))
            found += map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
        except FileNotFoundError:
            continue
    return ticks / os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Measure in turns, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-n", dest="count", type=int, default=400, help="messages of one run (default %(default)s)")
    parser.add_argument("--size", type=int, default=7168, help="octets of a message (default %(default)s)")
    parser.add_argument("--sessions", type=int, default=8, help="sessions at the same time (default %(default)s)")
    parser.add_argument("--users", type=int, default=32, help="users who take turns (default %(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds (default %(default)s)")
    parser.add_argument("--without-dovecot", action="store_true", help="measure ours alone")
    parser.add_argument("--inside", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.inside:
        inside(*given.inside)
        return
    mail = Mail(given.count, given.size, given.sessions, given.users)
    runs = {"many users": mail, "one user": mail._replace(users=1)}
    found: dict[str, list[Spent]] = {}
    rates: list[float] = []
    with tempfile.TemporaryDirectory() as place:
        Path(place).chmod(0o755)
        for nth in range(given.rounds):
            for about, each in runs.items():
                home = Path(place, f"{nth}-{each.users}")
                (home / "ours").mkdir(parents=True)
                found.setdefault(f"ours, {about}", []).append(Spent(*apart("deliver", home / "ours", each)))
                if not given.without_dovecot:
                    with dovecot(home / "theirs") as (process, port):
                        found.setdefault(f"dovecot, {about}", []).append(deliver_theirs(process, port, each))
            rates.append(apart("put", Path(place, f"{nth}-{mail.users}", "ours"), mail._replace(count=min(mail.count, 200))))
    cpu = {name: figure(f"delivered, {name}, processor", [each.cpu for each in spent], "ms a message", 2) for name, spent in found.items()}
    wall = {name: figure(f"delivered, {name}, clock", [each.wall for each in spent], "ms a message", 2) for name, spent in found.items()}
    for about in runs if not given.without_dovecot else ():
        ratio(f"{about}, processor, dovecot / ours", cpu[f"dovecot, {about}"], cpu[f"ours, {about}"], "at least 2")
        ratio(f"{about}, clock, dovecot / ours", wall[f"dovecot, {about}"], wall[f"ours, {about}"])
    figure("put one by one", rates, "a second", 0, at_least=150)


if __name__ == "__main__":
    main()
