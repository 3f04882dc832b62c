"""Receiving the mail of a domain: the answers that this takes, the configuration that they make, and the records to publish.

What is in the configuration stays as it was written: sections are added behind all others, and single settings where they belong. The new
text is read as a whole before it takes the place of the old one, in one step; the old one is kept beside it.
"""

from __future__ import annotations

import os
import tomllib
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, NamedTuple

import tomli_w

from mailer.check.examine import situation_of, sources
from mailer.check.finding import ZoneRecord
from mailer.check.rules import spf
from mailer.check.rules.services import LABELS
from mailer.config import edit
from mailer.config.file import config_of
from mailer.config.places import Places
from mailer.config.secret import keeper_of
from mailer.config.sections.doors import LOGIN_PORTS
from mailer.discovery.records import service_records
from mailer.discovery.services import services_of
from mailer.dkim.key import name as key_name
from mailer.io.durable import forget, write_new
from mailer.mail.problem import Problem, from_os

from .dkim import in_use
from .plan import HEAD

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mailer.config import Config

    from .dkim import Published

OLD = ".old"  # what the configuration of before is called from then on
RELAY = "mailboxes"  # what the server that keeps the mailboxes is called, unless there is one of that name
LETS_ENCRYPT = "/etc/letsencrypt/live"
EVERYWHERE = ("0.0.0.0", "[::]")  # noqa: S104 -- a public door is what this is about


class CertificateFiles(NamedTuple):
    """The files of a certificate and of its key; both empty where there is none."""

    certificate: str = ""
    key: str = ""

    @classmethod
    def found(cls, hostname: str, place: str = LETS_ENCRYPT) -> CertificateFiles:
        """The files that an ACME client keeps for `hostname` below `place`; empty where there are none, or none that can be seen."""
        made = cls(f"{place}/{hostname}/fullchain.pem", f"{place}/{hostname}/privkey.pem")
        return made if all(map(os.path.exists, made)) else cls()


NO_CERTIFICATE = CertificateFiles()


@dataclass(frozen=True, slots=True)
class ReceivingPlan:
    """What is to be set up: `domain` is whose mail comes here, `hostname` this machine's name for others, `path` the configuration.

    Mailboxes are our own, or Maildirs (`maildir`, a place with ``{user}`` in it), or kept by a server that takes mail by LMTP: at a unix
    socket or at ``HOST:PORT`` (`lmtp`). `user` is who gets the mail for postmaster. Without a `certificate` mail comes in the clear, and
    nobody can log in to send or to read. Mailboxes of our own are read by IMAP, and by `pop3` too if that is wanted; by the `web` programs
    of users find the doors. `spool` is empty for the usual one.
    """

    path: str
    domain: str
    hostname: str
    user: str
    maildir: str = ""
    lmtp: str = ""
    certificate: CertificateFiles = NO_CERTIFICATE
    key: Published | None = None
    spool: str = ""
    pop3: bool = False
    web: bool = False

    def key_file(self, selector: str) -> str:
        """Where a new key of DKIM belongs: beside the configuration."""
        return f"{os.path.dirname(os.path.abspath(self.path))}/dkim/{self.domain}.{selector}.pem"

    def document(self, before: str) -> str:
        """The configuration, made of the text `before`. Raises `Problem`: cannot-create where the domain is in it already, bad-config."""
        text = before or HEAD.rstrip("\n") + "\n"
        config = config_of(self.path, text.encode(), self.spool or None)
        if any(section.name == self.domain for section in config.domains):
            raise Problem(f"{self.path} has a section [[domain]] for {self.domain} already; edit it there", "cannot-create")
        for path, value in self._settings(config, tomllib.loads(text)):
            text = edit.edited(text, path, value)
        text = text.rstrip("\n") + "\n\n" + "\n".join(self._sections(config, text))
        config_of(self.path, text.encode(), self.spool or None)
        return text

    def _settings(self, config: Config, written: dict[str, Any]) -> Iterator[tuple[tuple[str, ...], Any]]:
        """Single settings that are to have another value."""
        if config.hostname != self.hostname:
            yield ("mailer", "hostname"), self.hostname
        if not (config.submission.default_domain or config.submission.from_address):
            yield ("submission", "default_domain"), self.domain  # else reports would come to this host, where nobody reads
        if self.spool and written.get("mailer", {}).get("spool") != self.spool:
            yield ("mailer", "spool"), self.spool
        if not config.receiving.postmaster:
            yield ("receiving", "postmaster"), self.user

    def _sections(self, config: Config, text: str) -> Iterator[str]:
        """Whole sections that are new."""
        taken = {section.kind for section in config.listens}
        if "mx" not in taken:
            yield "# Mail from the world\n" + self._door("mx", 25, "starttls" if self.certificate.certificate else "none")
        if "submission" not in taken and self.certificate.certificate:
            users = "# Mail of our users, who log in: with TLS from the first byte, and with STARTTLS\n"
            yield users + self._door("submission", 465, "implicit")
            yield self._door("submission", 587, "starttls")
        yield from self._for_readers(taken)
        via = f"maildir:{self.maildir}" if self.maildir else "local"
        if self.lmtp:
            name = RELAY
            while ("relay", name) in Places(text).tables:
                name += "2"
            via = f"relay:{name}"
            yield "# The server that keeps the mailboxes\n" + tomli_w.dumps({"relay": {name: self._relay()}})
        yield "# Whose mail comes here\n" + _listed("domain", {"name": self.domain, "via": via})
        if self.key is not None:
            yield _listed("dkim", {"domain": self.key.domain, "selector": self.key.selector, "key_file": self.key.path})

    def _for_readers(self, taken: set[str]) -> Iterator[str]:
        """The doors by which users read their mail, and where their programs ask for these."""
        if not self.certificate.certificate:
            return
        if not (self.maildir or self.lmtp):
            for kind, comment in (("imap", "Users who read their mail"), ("pop3", "The same by POP3, for programs that fetch")):
                if kind not in taken and (kind == "imap" or self.pop3):
                    implicit, starttls = LOGIN_PORTS[kind]
                    yield f"# {comment}\n" + self._door(kind, implicit, "implicit")
                    yield self._door(kind, starttls, "starttls")
        if self.web and "web" not in taken:
            yield "# Where mail programs ask for the settings, and the API\n" + self._door("web", 443, "implicit")

    def _door(self, kind: str, port: int, tls: str) -> str:
        shown = {} if tls == "none" else {"certificate_file": self.certificate.certificate}
        key = {"key_file": self.certificate.key} if shown and self.certificate.key else {}
        door = {"kind": kind, "address": [f"{host}:{port}" for host in EVERYWHERE], "tls": tls, **shown, **key}
        return _listed("listen", door)

    def _relay(self) -> dict[str, object]:
        if self.lmtp.startswith("/"):
            return {"host": "localhost", "socket": self.lmtp, "protocol": "lmtp", "tls": "none"}
        host, _, port = self.lmtp.rpartition(":")
        return {"host": host.strip("[]"), "port": int(port), "protocol": "lmtp", "tls": "none"}


def _listed(section: str, settings: dict[str, Any]) -> str:
    """A section of a list; tomli_w would write a short one as a table within one line."""
    return f"[[{section}]]\n{tomli_w.dumps(settings)}"


def read(path: str) -> str:
    """The text of the configuration; empty where there is none. Raises `Problem`."""
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        if isinstance(error, OSError):
            raise from_os("cannot read the configuration", path, error) from None
        raise Problem(f"{path} is no UTF-8", "bad-config") from None


def write(path: str, text: str) -> Iterator[str]:
    """Put the configuration in its place, and keep the one of before beside it; says what was done. Raises `Problem`."""
    if not os.path.lexists(path):
        try:
            os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
            write_new(path, [text.encode()], 0o644)
        except OSError as error:
            raise from_os("cannot write the configuration", path, error) from None
        yield f"wrote {path}"
        return
    target = os.path.realpath(path)
    try:
        forget(target + OLD)
        os.link(target, target + OLD)  # so that there is one at every moment
    except OSError as error:
        raise from_os("cannot keep the configuration", target + OLD, error) from None
    yield f"kept the configuration of before as {target}{OLD}"
    edit.save(path, text)
    yield f"wrote {path}"


def zone(config: Config, domain: str) -> list[ZoneRecord]:
    """The records to publish for a domain whose mail comes here, as far as this machine knows them."""
    hostname = config.hostname
    at = situation_of(config, sources([], config.delivery, config.sources))
    found = [ZoneRecord(hostname, "AAAA" if ip_address(each).version == 6 else "A", each) for each in at.egress]
    found.append(ZoneRecord(domain, "MX", f"10 {hostname}."))
    terms = [spf.term(each) for each in at.egress] + [relay.provider.spf for relay in at.relays if relay.provider]
    found.append(ZoneRecord(domain, "TXT", spf.fresh(terms or ["mx"])))
    if at.direct:
        found.append(ZoneRecord(hostname, "TXT", "v=spf1 a -all"))
    found += _keys(config, domain)
    found.append(
        ZoneRecord(f"_dmarc.{domain}", "TXT", f"v=DMARC1; p=none; rua=mailto:{config.receiving.postmaster or f'postmaster@{domain}'}")
    )
    found += _services(config, domain)
    return found


def _keys(config: Config, domain: str) -> Iterator[ZoneRecord]:
    keeper = keeper_of(config.spool)
    for section in config.dkim:
        if section.ascii_domain == domain and section.state == "signs":
            yield ZoneRecord(key_name(section.selector, domain), "TXT", in_use(section, keeper).text)


def _services(config: Config, domain: str) -> Iterator[ZoneRecord]:
    """Where programs of users find the doors, RFC 6186 §3.1, RFC 8314 §5.1; and the web, where there is a door of it."""
    services = [service for service in services_of(config) if service.security != "none"]
    if not services:
        return
    for record in service_records(services, domain):
        yield ZoneRecord(record.name, "SRV", record.text)
    if any(section.tls != "none" for section in config.web_doors):
        for label in LABELS:
            yield ZoneRecord(f"{label}.{domain}", "CNAME", f"{config.hostname}.")
