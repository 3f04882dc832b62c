"""The sections about mailboxes that reports come to: where each is, who we are there, and what becomes of what was taken."""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING

from .. import values
from ..kinds import HOST, NAME, PERIOD, PORT, choice
from ..secret import Secret
from . import OPTIONAL_DOMAIN, OPTIONAL_PATH, SIZE, SWITCH, Kind, Section, Setting, login
from .login import OAUTH, SECRETS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

    from ..places import Path
    from . import Validated

PORTS = {"imap": {"none": 143, "starttls": 143, "implicit": 993}, "pop3": {"none": 110, "starttls": 110, "implicit": 995}}
"""Ports of IMAP and POP3, in the clear with STARTTLS, and with TLS from the first byte. RFC 8314 §3.2, §3.3"""

KEEP, DELETE, MOVE = "keep", "delete", "move:"

DONE = {"imap": "move:Handled", "pop3": DELETE, "maildir": KEEP}
"""What becomes of a report that was taken, by the kind of source."""

LARGEST_REPORT = 64_000_000
LONGEST_FOLDER = 200  # characters
LONGEST_LINE = 512  # characters


def _one_line(value: object) -> str:
    """A text that is said to a server. A line break in it, which `values.text` refuses, would begin a command of its own."""
    text = values.text(value)
    if len(text) > LONGEST_LINE:
        raise ValueError(f"{values.written(text[:40])} is too long; write up to {LONGEST_LINE} characters")
    return text


def _done(value: object) -> str:
    text = _one_line(value)
    folder = text.removeprefix(MOVE)
    if text in ("", KEEP, DELETE) or (text != folder and 0 < len(folder) <= LONGEST_FOLDER):
        return text
    raise ValueError(f'{values.written(text)} is nothing that becomes of a report; write "move:FOLDER", "delete" or "keep"')


def _source_name(value: object) -> str:
    name = NAME.read(value)
    if len(name) > 64 or not name[0].isalnum():
        raise ValueError(f"{values.written(name)} is no name; begin it with a letter or a digit, and use up to 64 characters")
    return name


LINE = Kind("text", _one_line)
DONE_KIND = Kind("move:FOLDER | delete | keep", _done)


class ReportSource(Section, header="[[report_source]]", member="report_sources", plural="report_sources"):
    """A mailbox that reports about our mail come to, which the daemon looks into.

    A report is taken into the spool before anything happens to it in the mailbox, so none is lost whenever a connection or the machine
    fails. What is no report is left alone. See mailer-bounces(1).
    """

    name = Setting(Kind("name", _source_name), "What the mailbox is called in commands and alarms.", example="bounces")
    kind = Setting(choice("imap", "pop3", "maildir"), "What it is: a mailbox of a server, or a directory.", example="imap")
    host = Setting(Kind("host", lambda value: HOST.read(value) if value else ""), "The server.", "", example="imap.example.com")
    port = Setting(PORT, "Its port.", None, shown="993 for imap, 995 for pop3; 143 and 110 without implicit TLS", example="993")
    tls = Setting(
        choice("implicit", "starttls", "none"),
        "Encryption: from the first byte, or STARTTLS, and then the certificate has to be valid; or none, on this machine.",
        "implicit",
    )
    username = Setting(LINE, "The name to log in with.", "", example="bounces@example.com")
    password_file = login.password_file("/etc/mailer/bounces.secret")
    password_command = login.password_command("pass show bounces@example.com")
    password_env = login.password_env("BOUNCES_PASSWORD")
    oauth_endpoint = login.oauth_endpoint()
    oauth_client_id = login.oauth_client_id()
    oauth_client_secret_file = login.oauth_client_secret_file("/etc/mailer/bounces.client")
    oauth_refresh_token_file = login.oauth_refresh_token_file("/etc/mailer/bounces.refresh")
    oauth_token_file = login.oauth_token_file("/var/lib/mailer/bounces.access")
    oauth_scope = login.oauth_scope("mail.read")
    ca_file = Setting(
        OPTIONAL_PATH, "The certificate authorities for the server.", "", shown="those of [tls]", example="/etc/mailer/ca.pem"
    )
    server_name = Setting(OPTIONAL_DOMAIN, "The name that its certificate has to carry.", "", shown="the host", example="imap.example.com")
    folder = Setting(LINE, "The folder of an IMAP mailbox that reports are in.", "INBOX")
    path = Setting(OPTIONAL_PATH, "The directory of a Maildir, which has new and cur in it.", "", example="/var/mail/bounces")
    done = Setting(
        DONE_KIND,
        "What becomes of a report when it is taken: it is moved to a folder (imap), deleted, or kept and not looked at again; keep of a "
        "Maildir marks it as read.",
        "",
        shown="move:Handled for imap, delete for pop3, keep for maildir",
        example="delete",
    )
    only_reports = Setting(
        SWITCH,
        "Whether only reports are taken, and all else is left as it is, for people who read that mailbox, too. With false all is taken: "
        "for a mailbox that is for nothing else.",
        True,
    )
    poll = Setting(PERIOD, "How long it is from one look to the next.", "60s")
    timeout = Setting(PERIOD, "How long the server may take for one answer.", "60s")
    max_report = Setting(SIZE, "The largest report. What is larger is left in the mailbox, with an alarm.", "10MB")
    allow_plaintext_auth = Setting(SWITCH, "Whether the password may travel unencrypted to another machine.", False)

    def settle(self, values: dict[str, Any]) -> None:
        """Let port and fate follow from kind and encryption where none was said."""
        values["port"] = values["port"] or PORTS.get(values["kind"], {}).get(values["tls"], 0)
        values["done"] = values["done"] or DONE.get(values["kind"], KEEP)

    @property
    def secret(self) -> Secret | None:
        """Where the password is; None where a token is fetched, or nobody logs in."""
        for key in SECRETS:
            if place := getattr(self, key):
                return Secret(key.removeprefix("password_"), place if isinstance(place, tuple) else (place,))
        return None

    @property
    def moves_to(self) -> str:
        """The folder that a report is moved to; empty if it is not."""
        return self.done.removeprefix(MOVE) if self.done.startswith(MOVE) else ""

    @property
    def place(self) -> str:
        """Where it is, for people."""
        return self.path if self.kind == "maildir" else f"{self.username}@{self.host}:{self.port}"

    @property
    def _local(self) -> bool:
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    def problems(self) -> Iterable[tuple[str, str]]:
        """What is missing for its kind, and what it cannot do."""
        if self.max_report > LARGEST_REPORT:
            yield "max_report", f"a report may have up to {LARGEST_REPORT // 1_000_000}MB"
        if self.kind == "maildir":
            if not self.path:
                yield "kind", 'a Maildir has a path; write path = "/var/mail/bounces" below it'
            if self.moves_to:
                yield "done", 'a report in a Maildir is deleted or kept; write "delete" or "keep"'
            if self.host:
                yield "host", "a Maildir is a directory of this machine; name a host with kind imap or pop3"
            return
        if self.kind == "pop3" and self.moves_to:
            yield "done", 'POP3 has no folders; write "delete" or "keep"'
        if not self.host:
            yield "kind", f'a mailbox of {self.kind} is at a server; write host = "{self.kind}.example.com" below it'
        yield from self._login_problems()

    def _login_problems(self) -> Iterator[tuple[str, str]]:
        given = [key for key in SECRETS if getattr(self, key)]
        if not self.username:
            yield "kind", 'whoever fetches mail logs in; write username = "bounces@example.com" below it'
        elif not given and not self.oauth_endpoint:
            yield "username", f"a username needs a password: say where it is with {', '.join(SECRETS)}, or fetch tokens with oauth_endpoint"
        if len(given) > 1:
            yield given[1], f"there is {given[0]} already; keep one of them"
        if given and self.oauth_endpoint:
            yield "oauth_endpoint", f"there is {given[0]} already; a password or tokens, not both"
        if self.oauth_endpoint:
            for key in OAUTH:
                if not getattr(self, key):
                    yield "oauth_endpoint", f"tokens cannot be fetched without {key}"
            if not self.oauth_endpoint.startswith("https://"):
                yield "oauth_endpoint", "tokens are fetched over https only"
        if self.tls == "none" and not self._local and not self.allow_plaintext_auth:
            yield "tls", 'the password would travel unencrypted; use tls = "implicit", or say allow_plaintext_auth = true'

    @classmethod
    def conflicts(cls, validated: Validated) -> Iterator[tuple[Path, str]]:
        """Two of one name, which would have one memory."""
        seen: dict[str, int] = {}
        for at, source in enumerate(validated.listed[cls.word]):
            if source:
                name, path = source.name.lower(), (cls.word, at, "name")
                if earlier := seen.get(name):
                    yield path, f"line {earlier} has a source of this name already"
                seen.setdefault(name, validated.line(path))
