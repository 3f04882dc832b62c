"""``mailer oauth``: the refresh token that a relay logs in with, got from its provider with somebody's consent."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from mailer.mail.text import one_line
from mailer.operate.oauth import PATIENCE, login

from . import OK, show
from .options import JSON, Option, Subcommand, usage
from .selectors import relays

if TYPE_CHECKING:
    from collections.abc import Callable

    from mailer.operate.oauth import Invitation

    from .options import Given

LONGEST = 3600


def sign_in(given: Given) -> int:
    """Let somebody consent, and keep the token."""
    from mailer.config import load

    if len(given.operands) != 1:
        raise usage("it needs one relay", "oauth login")
    way = chosen_way(given, "oauth login")
    port = given.number("--port", 0, least=1, most=65535)
    seconds = given.number("--timeout", PATIENCE, least=1, most=LONGEST)
    config = load(given.text("--config"), given.text("--spool"))
    kept = login(config, given.operands[0], way, inviting(browser=not given.flag("--no-browser")), port, seconds)
    if given.flag("--json"):
        show.json_line(kept.as_json())
    elif not given.flag("--quiet"):
        show.say(f"the refresh token is in {kept.path}, which only {kept.user} can read; `mailer probe {kept.relay}` logs in with it")
    return OK


def chosen_way(given: Given, command: str) -> str:
    """Which way was asked for; empty for the one that there is. Raises `Problem` (usage)."""
    if given.flag("--device") and given.flag("--redirect"):
        raise usage("--device and --redirect are two ways; take one", command)
    return "device" if given.flag("--device") else "redirect" if given.flag("--redirect") else ""


def inviting(*, browser: bool) -> Callable[[Invitation], None]:
    """What tells somebody what to do, on standard error; with `browser` it opens one where there is one."""

    def invite(invitation: Invitation) -> None:
        url = one_line(invitation.complete or invitation.url)
        if browser and opened(url):
            _say("a browser shows you the provider's page; if it does not, open")
        elif invitation.way == "device":
            _say("open this page in a browser, here or elsewhere")
        else:
            _say("open this address in a browser on this machine")
        _say(f"  {one_line(invitation.url)}")
        if invitation.code:
            _say(f"and type this code: {one_line(invitation.code)}")
        elif not (browser and has_browser()):
            _say(f"(from elsewhere: ssh -L {invitation.port}:127.0.0.1:{invitation.port} brings the answer back here)")
        _say(f"waiting up to {show.span(invitation.seconds)} for your consent; Ctrl-C gives up, and nothing is changed")

    return invite


def has_browser() -> bool:
    """Whether a page can be shown: by what BROWSER names, or in a window. Root has none of his own."""
    window = os.geteuid() != 0 and any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))
    return window or bool(os.environ.get("BROWSER"))


def opened(url: str) -> bool:
    """Whether a browser was told to show `url`."""
    if not has_browser():
        return False
    import webbrowser

    return webbrowser.open(url)


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


WAY_OPTIONS = (
    Option("--device", help="by a code that is typed into a browser, here or elsewhere (RFC 8628)"),
    Option("--redirect", help="by a browser on this machine, which the provider sends back to a port here (RFC 8252)"),
    Option("--no-browser", help="open no browser, print the address only"),
)

COMMANDS = {
    "login": Subcommand(
        "oauth login",
        sign_in,
        summary="get a refresh token for a relay, and keep it",
        about="A provider that takes tokens in place of passwords gives one out when the owner of the account consents in a browser. The "
        "token is written into the oauth_refresh_token_file of [relay.NAME], mode 0600, for the user whom the daemon runs as; what was "
        "there before stays until then. The daemon fetches access tokens with it from the next login on.\n\n"
        "There are two ways. With a device code a page of the provider asks for a short code that is printed here; the browser may be on "
        "any machine. With a redirect the browser has to come back to a port of this machine; PKCE (RFC 7636) keeps what it brings from "
        "being of use to others. Without an option it is the device code where the provider gives codes for mail, as Microsoft does, and "
        "else the redirect, as with Google. Of other providers the configuration says where they let somebody consent: "
        "oauth_device_endpoint, oauth_authorization_endpoint; scopes are in oauth_scope.\n\n"
        "The program has to be registered at the provider first, as a desktop or public client; that gives the oauth_client_id, and "
        "with some a secret, for the file oauth_client_secret_file. No secret and no token is printed or taken on the command line.",
        operands="RELAY",
        words=relays,
        options=(
            *WAY_OPTIONS,
            Option(
                "--port",
                metavar="N",
                help="listen there for the browser; for a provider that wants to know it beforehand, or for ssh -L",
            ),
            Option("--timeout", metavar="SECONDS", help=f"how long to wait for the browser; {PATIENCE} by default"),
            JSON,
        ),
        examples=("mailer oauth login gmail", "mailer oauth login office365 --device", "mailer oauth login gmail --redirect --port 8085"),
        epilog=(
            "exit codes: 0 the token is kept · 64 usage · 67 no such relay · 69 nobody consented in time · 73, 74 the file cannot be "
            "written · 75 the provider cannot be reached · 77 consent was refused · 78 configuration, or the provider knows no such client "
            "or scope"
        ),
    )
}
