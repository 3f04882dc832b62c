"""``mailer setup receive``, and ``mailer setup --receive``: a machine that gets the mail of a domain, set up in words with a person.

Every answer can be an option. Nothing is written before all of them are there, and the configuration that they make is one.
"""

from __future__ import annotations

import asyncio
import os
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from mailer.check.examine import domains_of
from mailer.config import values
from mailer.config.file import config_of
from mailer.config.kinds import HOME, HostPort
from mailer.config.secret import keeper_of
from mailer.io.durable import forget
from mailer.mail.address import parse
from mailer.mail.domain import ascii_domain
from mailer.mail.problem import Problem
from mailer.operate import dkim, receiving, users
from mailer.operate.client_settings import client_settings
from mailer.operate.machine import SystemService, daemon_user, make_place
from mailer.operate.own import OwnProgram
from mailer.operate.receiving import CertificateFiles, ReceivingPlan

from . import OK, ask, complain, show, user_settings
from .options import Option, Subcommand, usage
from .setup_answers import first_line
from .setup_dialogue import own_program, service_owner, started_as, told_anew

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from mailer.accounts.users.sqlite import SqliteUsers
    from mailer.config import Config
    from mailer.config.secret import FileOwner

    from .options import Given

LOCAL, MAILDIR, LMTP = "local", "maildir", "lmtp"
SYSTEM_MAIL, OWN_MAIL = "/srv/mail/{domain}/{user}", "~/mail/{domain}/{user}"
DOVECOT = "/run/dovecot/lmtp"
NONE = "none"


def run(given: Given) -> int:
    """Ask, write, make the first user, and say what is left to do."""
    return ReceiveSetup(given, os.path.abspath(given.path("--config") or os.environ.get("MAILER_CONFIG") or values.new_file())).run()


class ReceiveSetup:
    """One run: what was given, and whether a person is there; `path` is where the configuration is, or goes."""

    def __init__(self, given: Given, path: str) -> None:
        self.given = given
        self.path = path
        self.person = ask.person()
        self._unit = False
        self.before = receiving.read(path)
        argv, environment = own_program()
        self.program = OwnProgram(argv, path, environment)
        self.service = SystemService(started_as() or argv, path, user=os.geteuid() != 0)

    def run(self) -> int:
        """Ask, write, make the first user, and say what is left to do; the exit code."""
        if self.person:
            ask.say("This sets up how the mail of a domain comes to this machine. Enter takes what stands in [brackets]; Ctrl-C ends it.")
            ask.say()
        plan = self._plan()
        self._unit = self._wanted("--unit", "Start the daemon now and at each boot, by systemd?", offered=self.service.possible)
        if self._unit:
            self.service.check()
        password = self._password()
        owner = self._owner(plan)
        config = self._written(plan, owner)
        self._user(plan, config, password)
        self._each(self._mailboxes(plan, owner))
        if self._unit:
            self._each(self.service.permit([_place(plan.maildir)] if plan.maildir else []) if not self.service.user else ())
            self._each(self.service.install())
        self._last_words(plan, config, runs=self._unit or told_anew(self.program))
        return OK

    # The answers

    def _plan(self) -> ReceivingPlan:
        """All answers. Raises `Problem` (usage) with those that are missing."""
        if not self.person:
            self._check_all_said()
        config = self._config()
        known = [domain for domain in domains_of(config) if domain != config.hostname]
        domain = self._answer("--domain", "The domain whose mail shall come here", ascii_domain, known[0] if known else None)
        own = config.hostname if "." in config.hostname else f"mail.{domain}"
        hostname = self._answer("--hostname", "What others call this machine, in MX and in its certificate", _hostname, own, alone=own)
        maildir, lmtp = self._where()
        certificate = self._certificate(hostname)
        user = self._answer("--user", "The first user, who gets the mail for postmaster too", _user_of(domain), f"postmaster@{domain}")
        spool = self.given.path("--spool") or (values.SYSTEM_SPOOL if os.geteuid() == 0 and not self.before else "")
        reads = bool(certificate.certificate) and not (maildir or lmtp)
        pop3 = self._wanted("--pop3", "Read by POP3 as well as by IMAP?", offered=reads, usual=False)
        web = self._wanted(
            "--web", "Open port 443, where mail programs ask for the settings?", offered=bool(certificate.certificate), usual=False
        )
        plan = ReceivingPlan(self.path, domain, hostname, user, maildir, lmtp, certificate, spool=spool, pop3=pop3, web=web)
        plan.document(self.before)  # what is wrong with it is wrong before anything is made
        return plan

    def _check_all_said(self) -> None:
        missing = [name for name in ("--domain", "--user") if not self.given.flag(name)]
        if not any(map(self.given.flag, ("--local", "--maildir", "--lmtp"))):
            missing.append("--local, --maildir or --lmtp")
        if missing:
            raise usage(f"nobody can be asked here, and these are not said: {', '.join(missing)}", "setup receive")

    def _config(self) -> Config:
        return config_of(self.path, self.before.encode(), self.given.path("--spool") or "/nonexistent")

    def _where(self) -> tuple[str, str]:
        """A place for Maildirs, or a server of mailboxes; neither where they are our own."""
        if self.given.flag("--local"):
            return "", ""
        for name in ("--maildir", "--lmtp"):
            if self.given.flag(name):
                return (self._maildir(""), "") if name == "--maildir" else ("", self._lmtp(""))
        ask.say("Where are the mailboxes?")
        options = [
            (LOCAL, "our own: searched, filed by rules and encrypted by this program"),
            (MAILDIR, "directories of this machine, which an IMAP server reads"),
            (LMTP, "a server that takes mail by LMTP: Dovecot, …"),
        ]
        chosen = ask.chosen("A number or a name", options, LMTP if os.path.exists(DOVECOT) else LOCAL)
        if chosen == LOCAL:
            return "", ""
        if chosen == MAILDIR:
            return self._maildir(SYSTEM_MAIL if os.geteuid() == 0 else OWN_MAIL), ""
        return "", self._lmtp(DOVECOT)

    def _maildir(self, default: str) -> str:
        return self._answer("--maildir", "The Maildir of a user, with {domain} and {user} in it", _maildir, default or None)

    def _lmtp(self, default: str) -> str:
        return self._answer("--lmtp", "Where it takes mail by LMTP: a socket, or HOST:PORT", _lmtp, default or None)

    def _certificate(self, hostname: str) -> CertificateFiles:
        found = CertificateFiles.found(hostname)
        question = f"The certificate for {hostname}, a file; {NONE}: there is none yet"
        certificate = self._answer("--certificate", question, _file, found.certificate or NONE, alone=found.certificate or NONE)
        if not certificate:
            return CertificateFiles()
        key = found.key if certificate == found.certificate else ""
        return CertificateFiles(certificate, self._answer("--key", "Its key; nothing: it is in the same file", _file, key, alone=key))

    def _answer(self, name: str, question: str, read: Callable[[str], str], default: str | None, *, alone: str = "") -> str:
        """What was given, or is asked; where nobody can be, `alone` holds."""
        said = self.given.text(name)
        if said is None and self.person:
            return ask.text(question, read, default)
        try:
            return read(alone if said is None else said)
        except ValueError as error:
            raise usage(f"{name}: {error}", "setup receive") from None

    def _wanted(self, name: str, question: str, *, offered: bool, usual: bool = True) -> bool:
        if self.given.flag(name):
            return True
        if self.given.flag(f"--no-{name[2:]}") or not offered or not self.person:
            return False
        return ask.yes(question, default=usual)

    def _password(self) -> str:
        """The password of the first user; empty where one is to be made up."""
        if self.given.flag("--password-stdin"):
            return first_line()
        if not self.person:
            return ""
        return ask.secret("His password (it is not shown; nothing: one is made up)", empty=True)

    # What is made

    def _owner(self, plan: ReceivingPlan) -> FileOwner:
        spool = self._spool(plan)
        if self._unit and os.geteuid() == 0:
            return service_owner(spool, (), self._say)
        return keeper_of(spool)

    def _spool(self, plan: ReceivingPlan) -> str:
        return plan.spool or config_of(self.path, plan.document(self.before).encode()).spool

    def _written(self, plan: ReceivingPlan, owner: FileOwner) -> Config:
        """The configuration in its place, with a key that signs where its domain had none."""
        signs = any(key.ascii_domain == plan.domain for key in self._config().dkim)
        key = None if signs else self._key(plan, owner)
        try:
            text = replace(plan, key=key).document(self.before)
            self._each(receiving.write(self.path, text))
        except BaseException:
            if key is not None:
                forget(key.path)
            raise
        return config_of(self.path, text.encode(), plan.spool or None)

    def _key(self, plan: ReceivingPlan, owner: FileOwner) -> dkim.Published:
        order = dkim.Order.of(dkim.KeyWish())
        made = dkim.make(plan.domain, order, plan.key_file(order.selector), owner)
        self._say(f"made {made.path}, the key that mail of {plan.domain} is signed with (DKIM)")
        return made

    def _user(self, plan: ReceivingPlan, config: Config, password: str) -> None:
        """The first user. That there is one already is no trouble, nor that users are kept elsewhere."""
        try:
            book = users.users_of(config, make=True)
            terms, scram = users.UserTerms(), config.accounts.keeps_keys
            made = asyncio.run(_added(book, plan.user, terms, password, scram=scram))
        except Problem as problem:
            complain(f"{problem}; the configuration is written", OK)
            return
        self._say(f"made the user {made.address}")
        if made.password:
            show.say(f"  his password, which is shown once: {made.password}")

    def _mailboxes(self, plan: ReceivingPlan, owner: FileOwner) -> Iterable[str]:
        if not plan.maildir:
            return ()
        mover = daemon_user() if self._unit and os.geteuid() == 0 else owner
        return make_place(_place(plan.maildir), mover or owner)

    # What is said

    def _say(self, line: str) -> None:
        if not self.given.flag("--quiet"):
            ask.say(line)

    def _each(self, lines: Iterable[str]) -> None:
        for line in lines:
            self._say(line)

    def _last_words(self, plan: ReceivingPlan, config: Config, *, runs: bool) -> None:
        """The records to publish, and what is left to do."""
        if self.given.flag("--quiet"):
            return
        self._say("")
        self._say(f"Publish these records in the DNS, for {plan.domain} and this machine:")
        records = receiving.zone(config, plan.domain)
        for record in records:
            show.say(f"    {record.zone}")
        self._say("")
        self._say("Then:")
        if not any(record.type in ("A", "AAAA") for record in records):
            self._say(f"  - publish the public address of this machine, which is not known here, as the A record of {plan.hostname}")
        for line in self._left(plan, runs=runs):
            self._say(f"  - {line}")
        self._settings(config, plan.user)

    def _settings(self, config: Config, address: str) -> None:
        """What the first user types into his phone."""
        found = client_settings(config, address)
        if not found.services:
            return
        self._say("")
        self._say("Into a phone or a mail program, which asks for it unless it finds the records above:")
        show.show([user_settings.table(found)], pages=False)
        if found.profile:
            show.say(f"iPhone, iPad, Mac: open {found.profile}")

    def _left(self, plan: ReceivingPlan, *, runs: bool) -> Iterable[str]:
        """What setup cannot do itself."""
        if not plan.certificate.certificate:
            yield f"get a certificate for {plan.hostname}: without one mail comes in the clear, and no user can log in to send or to read"
        elif plan.certificate.certificate.startswith(receiving.LETS_ENCRYPT):
            yield f"let the daemon's user read {plan.certificate.key}: a deploy hook that copies it, and runs mailer reload"
        if plan.web and plan.certificate.certificate:
            names = f"autoconfig.{plan.domain} and autodiscover.{plan.domain}"
            yield f"let the certificate name {names} as well: mail programs ask there; the API needs a key (mailer api key add)"
        yield f"let whoever runs the network name this machine's address {plan.hostname} (PTR)"
        if not runs:
            yield "start the daemon: mailer run; port 25 takes root, or CAP_NET_BIND_SERVICE"
        yield f"see whether the world agrees: mailer check {plan.domain}; and this machine: mailer doctor"
        yield f"more users: mailer user add NAME@{plan.domain}; what comes and what is refused: mailer received"


async def _added(book: SqliteUsers, address: str, terms: users.UserTerms, password: str, *, scram: bool) -> users.UserPassword:
    try:
        return await users.add(book, address, terms, time.time(), password=password, scram=scram)
    finally:
        await book.close()


def _place(maildir: str) -> str:
    """The directory above all that differs from user to user."""
    return maildir.partition("{")[0].rpartition("/")[0]


def _hostname(text: str) -> str:
    name = ascii_domain(text)
    if "." not in name:
        raise ValueError(f"{text} is no full name; others know this machine by one such as mail.example.com")
    return name


def _user_of(domain: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        address = str(parse(text if "@" in text else f"{text}@{domain}"))
        if ascii_domain(address.rpartition("@")[2]) != domain:
            raise ValueError(f"{address} is not of {domain}")
        return address

    return read


def _maildir(text: str) -> str:
    path = os.path.expanduser(text)
    HOME.read(f"maildir:{path}")
    return path


def _lmtp(text: str) -> str:
    if text.startswith("/"):
        return text
    place = HostPort.read(text)
    if not place.port:
        raise ValueError(f"{text} has no port; LMTP is often at 24")
    return text


def _file(text: str) -> str:
    if text in ("", NONE):
        return ""
    path = os.path.abspath(os.path.expanduser(text))
    if not os.path.isfile(path):
        raise ValueError(f"there is no file {path}")
    return path


COMMANDS = {
    "receive": Subcommand(
        "setup receive",
        run,
        summary="a few questions, and the mail of a domain comes to this machine",
        about=(
            "Asks for the domain, where its mailboxes are, the certificate and the first user. Then it adds what that takes to the "
            "configuration: doors for the world and, with a certificate, for users who send and, where mailboxes are our own, read (kinds "
            "mx, submission and imap of [[listen]]), the domain, and a key that signs its mail (DKIM). What stands there stays as it was "
            "written, and is kept with .old behind its name. It makes the user, whose password is shown once unless he chose it, and "
            "prints the records to publish in the DNS, what is left to do, and the settings that a person types into a phone (`mailer "
            "user settings` shows them again).\n\n"
            "Each answer can be an option; what is one is not asked. Without a terminal nothing is asked; what is missing is one error. "
            "Nothing is made before all answers are there and the configuration that they make is right.\n\n"
            "With --unit root lets the service of systemd open port 25, and write where Maildirs are, in a file beside the unit. "
            "mailer-receiving(7) tells the rest."
        ),
        options=(
            Option("--domain", metavar="DOMAIN", help="whose mail shall come here"),
            Option("--hostname", metavar="NAME", help="what others call this machine, in MX and in its certificate"),
            Option("--local", help="mailboxes are our own"),
            Option("--maildir", metavar="PATH", help="mailboxes are Maildirs there: /srv/mail/{domain}/{user}"),
            Option("--lmtp", metavar="PLACE", help="a server keeps them, and takes mail by LMTP at a socket or HOST:PORT"),
            Option("--certificate", metavar="FILE", help="the certificate for NAME; none: there is none yet"),
            Option("--key", metavar="FILE", help="its key, if that is in another file"),
            Option("--pop3", help="users read by POP3 too, where mailboxes are our own"),
            Option("--no-pop3", help="they do not, and nobody is asked"),
            Option("--no-web", help="no such door, and nobody is asked"),
            Option("--web", help="a door at port 443, where mail programs ask for the settings; it takes the extra web"),
            Option("--user", metavar="ADDRESS", help="the first user, who gets the mail for postmaster too"),
            Option("--password-stdin", help="his password, from standard input; else one is asked for, or made up"),
            Option("--unit", help="start the daemon now and at each boot, by systemd"),
            Option("--no-unit", help="do not, and do not ask"),
        ),
        examples=(
            "sudo mailer setup receive",
            "sudo mailer setup receive --domain example.com --local --user ann --unit",
        ),
        epilog=(
            "exit codes: 0 set up · 64 an answer is missing or wrong · 69 systemd refuses · 73 the domain is there already · 77 no "
            "permission · 78 the configuration is wrong"
        ),
    )
}
