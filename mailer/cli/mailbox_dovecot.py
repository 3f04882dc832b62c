"""``mailer mailbox dovecot``: a configuration for Dovecot, and the file that tells it who our users are."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

from mailer.operate import dovecot as operate

from . import OK, show
from .mailbox_opening import config_of
from .options import Option, Subcommand, usage

if TYPE_CHECKING:
    from mailer.accounts.users.api import User

    from .options import Given

TERMS = operate.DovecotTerms()


def dovecot(given: Given) -> int:
    """Print a configuration for Dovecot, or the file of users."""
    if given.operands:
        raise usage("it takes no addresses", given.command.name)
    if given.flag("--users"):
        return _users(given)
    certificate, key = given.path("--certificate"), given.path("--key")
    if bool(certificate) != bool(key):
        raise usage("--certificate and --key go together", given.command.name)
    run, user = given.path("--run"), given.text("--user")
    known = operate.without_root(TERMS, run) if run else TERMS
    terms = known._replace(
        version=given.text("--version") or known.version,
        mail=given.path("--mail") or known.mail,
        users=given.path("--users-file") or known.users,
        socket=given.path("--socket") or known.socket,
        user=user or known.user,
        group=user or known.group,
        address=given.text("--listen") or "",
        ports=(given.number("--imap", 143, 1, 65535), given.number("--pop3", 110, 1, 65535)),
        certificate=certificate,
        key=key,
    )
    sys.stdout.write(operate.configuration(terms))
    if terms.version != "2.3" and not given.flag("--quiet"):
        show.note(f"this is made after the documentation of Dovecot {terms.version}, and was never run: try it with doveconf -n first")
    return OK


def _users(given: Given) -> int:
    from mailer.operate import users as everybody

    config = config_of(given)

    async def asked() -> list[User]:
        users = everybody.users_of(config)
        try:
            return [user async for user in everybody.everybody(users)]
        finally:
            await users.close()

    text, without = operate.passwd_file(asyncio.run(asked()))
    sys.stdout.write(text)
    for address in without:
        show.note(
            f"{address} is left out: Dovecot cannot check the password that is kept; mailer user passwd {address} makes one that it can"
        )
    return OK


COMMANDS = {
    "dovecot": Subcommand(
        "mailbox dovecot",
        dovecot,
        summary="print a configuration with which Dovecot serves our users",
        about="Dovecot gives the users their mail by IMAP and POP3 then; we bring it by LMTP, and Dovecot keeps it, in Maildirs below "
        "--mail. mailer mailbox export writes a Maildir with which it goes on where we were. The first lines of what is printed say "
        "what belongs into our own configuration. With --run it runs without rights of root.\n\n"
        "With --users it prints who the users are: a file with keys that prove their passwords, which nobody else should read. It is "
        "made anew when a user or a password changes. Passwords of single programs, which are ours alone, do not open Dovecot.",
        options=(
            Option("--users", help="print the file of users instead"),
            Option("--version", metavar="V", help="of Dovecot: 2.3, which is the default, or 2.4", words=operate.VERSIONS),
            Option("--mail", metavar="DIR", help=f"where Maildirs are, DOMAIN/NAME/Maildir below it; {TERMS.mail} by default"),
            Option("--users-file", metavar="FILE", help=f"where Dovecot finds the file of users; {TERMS.users} by default"),
            Option("--socket", metavar="PATH", help=f"where it takes mail by LMTP; {TERMS.socket} by default"),
            Option("--user", metavar="NAME", help=f"the user of the system whose all mail is; {TERMS.user} by default"),
            Option("--certificate", metavar="FILE", help="its certificate; without one it listens on this machine alone, unencrypted"),
            Option("--key", metavar="FILE", help="the key of the certificate"),
            Option(
                "--listen", metavar="ADDRESS", help="the address that it listens on; all of them by default, where it has a certificate"
            ),
            Option("--imap", metavar="PORT", help="the port of IMAP; 143 by default, and 993 with TLS from the start"),
            Option("--pop3", metavar="PORT", help="the port of POP3; 110 by default, and 995 with TLS from the start"),
            Option("--run", metavar="DIR", help="run without rights of root, as who calls this, with DIR for sockets and log"),
        ),
        examples=(
            "mailer mailbox dovecot --certificate /etc/mailer/mx.pem --key /etc/mailer/mx.key > /etc/dovecot/dovecot.conf",
            "mailer mailbox dovecot --users > /etc/dovecot/users",
        ),
        epilog="exit codes: 0 · 64 usage · 78 users are not ours",
    ),
}
