"""``mailer user settings``: what a user types into his phone, or his mail program, to read his mail and to send some."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailer.mail.problem import Problem

from . import OK, show
from .options import JSON, Subcommand
from .user_asked import address_of, config_of, names

if TYPE_CHECKING:
    from mailer.config import Config
    from mailer.operate.client_settings import ClientSettings

    from .options import Given


def settings(given: Given) -> int:
    """Show the settings of a mail program."""
    from mailer.operate.client_settings import client_settings

    address, config = address_of(given), config_of(given)
    found = client_settings(config, address)
    if given.flag("--json"):
        show.json_line(found.as_json())
    elif not found.services:
        text = "there are no doors by which users read or send mail: [[listen]] of the kinds imap, pop3 and submission"
        raise Problem(f"{text}; `mailer setup receive` writes them", "no-such")
    else:
        show.show([table(found)])
        if found.profile:
            show.say(f"iPhone, iPad, Mac: open {found.profile}")
    return OK


def table(found: ClientSettings) -> show.Table:
    """The settings as people read them; no password is among them."""
    from mailer.operate.client_settings import TITLES, WORDS

    columns = [show.Column(name) for name in ("", "SERVER", "PORT", "SECURITY", "USER NAME")]
    rows = [[TITLES[each.kind], each.host, str(each.port), WORDS[each.security], found.address] for each in found.typed]
    return show.Table(columns, rows)


def hint(config: Config, address: str) -> None:
    """Say below what was made where the settings are, if there are any."""
    from mailer.discovery.services import services_of

    if services_of(config):
        show.note(f"his mail program is set up with what `mailer user settings {address}` shows")


COMMANDS = {
    "settings": Subcommand(
        "user settings",
        settings,
        summary="what a person types into a phone to read and send mail",
        about=(
            "Shows the servers, ports and kinds of TLS that a mail program asks for, by the doors of the configuration: [[listen]] of the "
            "kinds imap, pop3 and submission. Of each kind it is the best door; POP3 is shown where there is no IMAP. The password is the "
            "user's own, or better one for that program alone: `mailer user app-password`.\n\n"
            "Most programs find all that by themselves, by the records that `mailer check DOMAIN` prints, or by the web; see "
            "mailer-access(7). Where the web has a door that phones get to, its address is shown too: opened on an iPhone, an iPad or a "
            "Mac, it sets the account up."
        ),
        operands="ADDRESS",
        words=names,
        options=(JSON,),
        examples=("mailer user settings ann@example.com",),
        epilog="exit codes: 0 · 64 usage · 67 there are no such doors · 78 configuration",
    )
}
