"""A whole machine in a network and with a DNS of its own: python -m tests.peers.alone HOME, as root, by `in_its_network`.

`mailer setup receive` makes it, NSD serves the records that this prints, `mailer run` opens the doors at their own ports, and programs
find them by these names alone. It prints, as JSON, the doors that were found and entered, and after how many ms a message was heard of.
"""

from __future__ import annotations

import asyncio
import imaplib
import json
import poplib
import smtplib
import ssl
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

import aioimaplib  # type: ignore[import-untyped]
import dns.resolver
import trustme

from tests.fakes.processes import MAILER, Program
from tests.mailbox.premises import message

from .nsd import Nsd

ANN, SECRET = "ann@example.com", "correct-horse-battery"
IN = """ip link set lo up && echo nameserver 127.0.0.1 > "$1/resolv.conf" && mount --bind "$1/resolv.conf" /etc/resolv.conf
shift && exec "$@\""""
SRV = {
    "_imaps": ("imap", "SSL"), "_imap": ("imap", "STARTTLS"), "_pop3s": ("pop3", "SSL"), "_pop3": ("pop3", "STARTTLS"),
    "_submissions": ("smtp", "SSL"), "_submission": ("smtp", "STARTTLS"),
}  # fmt: skip
REST = "example.net. IN MX 10 mx.example.net.\nmx.example.net. IN A 127.0.0.1\n"


def in_its_network(home: Path) -> tuple[str, ...]:
    """The words of the command that does it all; what it has started ends with it."""
    return (
        "unshare",
        "-mnpf",
        "--mount-proc",
        "--kill-child",
        "sh",
        "-c",
        IN,
        "sh",
        str(home),
        sys.executable,
        "-m",
        "tests.peers.alone",
        str(home),
    )


class Door(NamedTuple):
    """As `tls` says, SSL or STARTTLS."""

    kind: str
    host: str
    port: int
    tls: str

    def enter(self, context: ssl.SSLContext) -> None:
        """Log in there with what people have for it."""
        at = (self.host, self.port)
        if self.kind == "imap":
            reader = imaplib.IMAP4_SSL(*at, ssl_context=context) if self.tls == "SSL" else imaplib.IMAP4(*at)
            if self.tls != "SSL":
                reader.starttls(context)
            reader.login(ANN, SECRET)
            reader.logout()
        elif self.kind == "pop3":
            fetcher = poplib.POP3_SSL(*at, context=context) if self.tls == "SSL" else poplib.POP3(*at)
            if self.tls != "SSL":
                fetcher.stls(context)
            fetcher.user(ANN)
            fetcher.pass_(SECRET)
            fetcher.quit()
        else:
            with smtplib.SMTP_SSL(*at, context=context) if self.tls == "SSL" else smtplib.SMTP(*at) as sender:
                if self.tls != "SSL":
                    sender.starttls(context=context)
                sender.login(ANN, SECRET)


def set_up(home: Path) -> str:
    """The records that are to be published."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(home / "ca.pem"))
    names = ("mx.example.com", "autoconfig.example.com")
    authority.issue_cert(*names).private_key_and_cert_chain_pem.write_to_path(str(home / "chain.pem"))
    words = ["--domain", "example.com", "--hostname", names[0], "--local", "--certificate", str(home / "chain.pem"), "--pop3", "--web"]
    places = ["--config", str(home / "config.toml"), "--spool", str(home / "spool")]
    argv = [*MAILER, "setup", "receive", *words, *places, "--user", "ann", "--password-stdin", "--no-unit"]
    said = subprocess.run(argv, input=f"{SECRET}\n", capture_output=True, text=True, check=True).stdout
    return "".join(f"{line.strip()}\n" for line in said.splitlines() if " IN " in line)


def by_records() -> list[Door]:
    """As RFC 6186 says."""
    found = []
    for label, (kind, tls) in SRV.items():
        (record,) = dns.resolver.resolve(f"{label}._tcp.example.com", "SRV")
        found.append(Door(kind, record.target.to_text(omit_final_dot=True), record.port, tls))
    return found


def by_file(ca: Path) -> list[Door]:
    """As Thunderbird asks."""
    url = f"https://autoconfig.example.com/mail/config-v1.1.xml?emailaddress={ANN}"
    text = subprocess.run(["curl", "-sSf", "--cacert", str(ca), url], capture_output=True, check=True).stdout
    servers = [*ElementTree.fromstring(text).iterfind("*/incomingServer"), *ElementTree.fromstring(text).iterfind("*/outgoingServer")]

    def said(server: ElementTree.Element, name: str) -> str:
        return server.findtext(name) or ""

    return [Door(each.attrib["type"], said(each, "hostname"), int(said(each, "port")), said(each, "socketType")) for each in servers]


def deliver() -> float:
    """A message from elsewhere, by the MX record; when it was taken."""
    (record,) = dns.resolver.resolve("example.com", "MX")
    with smtplib.SMTP(record.exchange.to_text(omit_final_dot=True), 25, local_hostname="mx.example.net") as sender:
        sender.sendmail("bob@example.net", ANN, message("hello"))
        return time.monotonic()


async def hear(door: Door, context: ssl.SSLContext) -> float:
    """Seconds from when a message was taken until a program that waits has heard of it."""
    client = aioimaplib.IMAP4_SSL(host=door.host, port=door.port, timeout=20, ssl_context=context)
    await client.wait_hello_from_server()
    await client.login(ANN, SECRET)
    await client.select("INBOX")
    idle = await client.idle_start(timeout=60)
    taken = asyncio.create_task(asyncio.to_thread(deliver))
    while b"1 EXISTS" not in await client.wait_server_push(30):
        pass
    heard = time.monotonic()
    client.idle_done()
    await asyncio.wait_for(idle, 10)
    assert b"Subject: hello" in bytes((await client.fetch("1", "(BODY.PEEK[])")).lines[1])
    await client.logout()
    return heard - await taken


def main(home: Path) -> None:
    zones = {"example.com": set_up(home) + "mx.example.com. IN A 127.0.0.1\n", ".": REST}
    context = ssl.create_default_context(cafile=str(home / "ca.pem"))
    running = [*MAILER, "run", "--config", str(home / "config.toml")]
    with Nsd(home, zones, port=53), Program(running, home / "log") as daemon:
        daemon.says('"access","what":"ready"')
        daemon.says('"web","what":"ready"')
        records, file = by_records(), by_file(home / "ca.pem")
        for door in {*records, *file}:
            door.enter(context)
        late = asyncio.run(hear(records[0], context))
    print(json.dumps({"records": records, "file": file, "heard": late * 1000}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
