"""``mailer setup``: a few questions, and mail leaves this machine.

A short configuration is tried before it is there, and then a mail goes to oneself. The steps are in `setup_dialogue`, the questions in
`setup_answers`.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from mailer.config import values
from mailer.config.providers import PRESETS

from . import ask, setup_receive
from .oauth import WAY_OPTIONS
from .options import Option, Subcommand
from .setup_dialogue import Setup

if TYPE_CHECKING:
    from .options import Given


def run(given: Given) -> int:
    """Ask, try, write, send a mail, and make what was wanted besides."""
    path = os.path.abspath(given.path("--config") or os.environ.get("MAILER_CONFIG") or values.new_file())
    if given.flag("--receive"):
        return setup_receive.run(given)
    setup = Setup(given, path)
    if setup.person:
        ask.say("This sets up how mail leaves this machine. Enter takes what stands in [brackets]; Ctrl-C ends it, and nothing is written.")
        ask.say()
    setup.may_replace()
    return setup.finish(setup.written())


plain = Subcommand(
    "setup",
    run,
    summary="answer a few questions, and mail leaves this machine",
    about=(
        "Asks for your mail address, who sends your mail, and a password or token. Then it looks whether that server would take your mail, "
        "writes a short configuration, and the secret into a file of its own that only the daemon can read, and sends a mail to you. It "
        "offers to start the daemon by systemd, and to be sendmail for other programs.\n\n"
        "Many answers are found out from the address, by its domain, its MX hosts and its SRV records (RFC 6186). Each can be an option; "
        "what is one is not asked. Without a terminal nothing is asked, and what is missing is one error.\n\n"
        "Nothing is written before the server has been looked at, and what is written takes its place in one step; Ctrl-C leaves nothing "
        "behind. A configuration that is there is replaced only after a yes, and kept with .old behind its name. If the server refuses, "
        "the reason is said with what mends it, and the questions can be answered anew.\n\n"
        "Root sets up the whole machine: /etc/mailer/config.toml, and the spool /var/spool/mailer, which all users may hand mail in to. "
        "With --unit there are a user mailer and a service of systemd. Others set up their own mail, with a service of their own.\n\n"
        "Mail to all names of this machine, such as root, goes to the address, but for those that /etc/aliases has when root asks; and "
        "programs that name no author write as it. No password is taken on the command line.\n\n"
        "With --receive the mail of a domain comes to this machine: that is `mailer setup receive`, which has options of its own."
    ),
    options=(
        Option("--address", metavar="ADDRESS", help="your mail address"),
        Option("--provider", metavar="NAME", words=tuple(PRESETS), help=f"one of mailer-providers(7): {', '.join(PRESETS)}"),
        Option("--relay", metavar="HOST[:PORT]", help="the server that takes your mail; of a provider, another than its usual one"),
        Option("--direct", help="no server: straight to the recipients' MX hosts"),
        Option("--port", metavar="N", help="its port; 587 by default, 465 with --tls implicit"),
        Option("--tls", metavar="MODE", words=("starttls", "implicit", "none"), help="starttls by default, implicit on port 465; or none"),
        Option("--ca-file", metavar="FILE", help="the authorities that its certificate is signed by, if they are not those of the system"),
        Option("--fingerprint", metavar="SHA256", help="that of its certificate, where nobody known has signed it"),
        Option("--username", metavar="NAME", help="the name to log in with; your address by default"),
        Option("--no-login", help="the server takes mail from here without a login"),
        Option("--password-file", metavar="FILE", help="a file with the password; it stays where it is"),
        Option("--password-command", metavar="COMMAND", help="a command that prints the password"),
        Option("--password-stdin", help="read the password from standard input, and keep it beside the configuration"),
        Option("--oauth", help="log in with a token in place of a password; see mailer-oauth(1)"),
        Option("--oauth-client-id", metavar="ID", help="what the provider calls this program"),
        Option("--oauth-secret-file", metavar="FILE", help="the client's secret, if it has one; it is copied"),
        Option("--oauth-refresh-file", metavar="FILE", help="a refresh token that is there already: nobody has to consent"),
        Option("--oauth-tenant", metavar="NAME", help="the directory of your organisation at Microsoft; common by default"),
        Option("--oauth-endpoint", metavar="URL", help="of another provider: where tokens are fetched"),
        Option("--oauth-device", metavar="URL", help="of another provider: where device codes come from"),
        Option("--oauth-authorize", metavar="URL", help="of another provider: where a browser consents"),
        Option("--oauth-scope", metavar="SCOPE", help="of another provider: what to ask for"),
        *WAY_OPTIONS,
        Option("--receive", help="set up how the mail of a domain comes here: as `mailer setup receive`"),
        Option("--no-probe", help="write the configuration without a look at the server"),
        Option("--no-test", help="send no mail to yourself"),
        Option("--unit", help="start the daemon now and at each boot, by systemd"),
        Option("--no-unit", help="do not, and do not ask"),
        Option("--sendmail", help="make sendmail, mailq and newaliases for other programs"),
        Option("--no-sendmail", help="do not, and do not ask"),
        Option("--prefix", metavar="DIR", help="where those are made; /usr for root, else ~/.local"),
        Option("--yes", help="replace a configuration that is there, and put the sendmail of another mail system aside"),
    ),
    examples=(
        "mailer setup",
        "mailer setup --address you@gmail.com",
        "mailer setup --address web1@example.com --relay smtp.example.com --password-stdin --unit --sendmail < secret",
        "mailer setup --address you@example.com --provider office365 --oauth --oauth-client-id 00000000-0000-0000-0000-000000000000",
    ),
    epilog=(
        "exit codes: 0 set up · 64 an answer is missing or wrong · 69 the server refuses, or the mail failed · 73 something is there "
        "already · 75 interrupted, offline, or the mail was put off · 77 login refused, or no permission · 78 a bad secret"
    ),
)  # fmt: skip

COMMANDS = {"": plain, **setup_receive.COMMANDS}
