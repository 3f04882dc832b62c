"""The answers that ``mailer setup`` needs: each is an option, or is asked for; and what was never answered is named in one error.

A person who is asked again, since the relay would not have it, finds what he said before behind each question.
"""

from __future__ import annotations

import asyncio
import os
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from mailer.config import values
from mailer.config.kinds import HostPort
from mailer.config.providers import PRESETS, TENANT, Consent
from mailer.config.secret import Secret
from mailer.config.sections.relay import PORTS
from mailer.mail.address import parse
from mailer.mail.problem import Problem
from mailer.operate.guess import Guess, guess, named
from mailer.operate.machine import ALIASES, usable_aliases
from mailer.operate.plan import READERS, SetupPlan, TokenPlan, is_here

from . import ask, show
from .oauth import chosen_way
from .options import usage

if TYPE_CHECKING:
    from collections.abc import Callable

    from mailer.config import Config
    from mailer.config.providers import Preset

    from .options import Given

RELAY, DIRECT = "relay", "direct"
PASSWORDS = ("--password-file", "--password-command", "--password-stdin")
TOKENS = (
    "--oauth-client-id", "--oauth-secret-file", "--oauth-refresh-file", "--oauth-endpoint", "--oauth-device",
    "--oauth-authorize", "--oauth-scope", "--oauth-tenant", "--device", "--redirect",
)  # fmt: skip


class Interview:
    """Options and questions, until there is a `SetupPlan`. `config` names the name servers; `before` is the plan that did not do."""

    def __init__(self, given: Given, path: str, config: Config, before: SetupPlan | None = None) -> None:
        self.given = given
        self.path = path
        self.config = config
        self.before = before
        self.person = ask.person()
        self.missing: list[str] = []
        self.found = ""

    def plan(self) -> SetupPlan:
        """All answers. Raises `Problem` (usage) with those that are missing."""
        address = self._answer("--address", "Your mail address", _address, self.before.address if self.before else None)
        if not self.person and self.missing:
            self._server(None)
            raise self._unanswered()
        system = os.geteuid() == 0
        known = usable_aliases(ALIASES) if system else ""
        plan = SetupPlan(address, self.path, system=system, spool=self._spool(), aliases_file=known)
        preset, plan = self._server(plan)
        if plan.host:
            plan = self._login(preset, plan)
        if self.missing:
            raise self._unanswered()
        if self.found and not self.person and not self.given.flag("--quiet"):
            show.note(self.found)
        return plan

    def _unanswered(self) -> Problem:
        return usage(f"nobody can be asked here, and these are not said: {', '.join(self.missing)}", "setup")

    def _spool(self) -> str:
        return self.given.path("--spool") or (values.SYSTEM_SPOOL if os.geteuid() == 0 else "")

    # One answer

    def _said(self, option: str) -> str | None:
        """What the option says, unless it did not do before."""
        return None if self.before else self.given.text(option)

    def _answer(self, option: str, question: str, read: Callable[[str], Any], default: str | None = None) -> Any:
        """What the option says, or the person; `default` counts where neither says anything, None if somebody has to."""
        said = self._said(option)
        if said is not None:
            try:
                return read(said)
            except ValueError as error:
                raise usage(f"{option}: {error}", "setup") from None
        if self.person and question:
            return ask.text(question, read, default)
        if default is None:
            self.missing.append(option)
            return ""
        return read(default)

    # The server

    def _server(self, plan: SetupPlan | None) -> tuple[Preset | None, Any]:
        """Whose server, and where it is."""
        direct, relay, provider = (not self.before and self.given.flag(name) for name in ("--direct", "--relay", "--provider"))
        if direct and (relay or provider):
            raise usage("--direct is without a relay: leave --relay and --provider out", "setup")
        if plan is None:
            if not (direct or relay or provider):
                self.missing.append("--provider, --relay or --direct")
            return None, plan
        if direct:
            return None, plan
        found = Guess() if relay or provider else self._guessed(plan.address)
        preset = found.preset
        if provider:
            preset = self._answer("--provider", "", named)
        elif self.person and not relay:
            preset, direct = self._whose(found)
            if direct:
                return None, plan
        elif not (found.host or preset or relay):
            self.missing.append("--provider, --relay or --direct")
            return None, plan
        host, port = self._host(preset, found)
        plan = replace(plan, name=preset.name if preset else "out", host=host)
        if preset:
            plan = replace(plan, size=preset.size, parallel=preset.parallel)
        tls, port = self._tls(preset, found, port)
        if self.before and (self.before.host, self.before.port) == (host, port):
            ca_file, fingerprints = self.before.ca_file, self.before.fingerprints  # that much was settled
        else:
            ca_file = self._answer("--ca-file", "", READERS["ca_file"], "")
            fingerprints = self._answer("--fingerprint", "", lambda text: READERS["fingerprints"]([text] if text else []), "")
        return preset, replace(plan, port=port, tls=tls, ca_file=ca_file, fingerprints=fingerprints)

    def _guessed(self, address: str) -> Guess:
        found = asyncio.run(guess(address, self.config))
        if self.person and found.why:
            ask.say(found.why)
        self.found = found.why
        return found

    def _whose(self, found: Guess) -> tuple[Preset | None, bool]:
        """Who sends the mail, as a person chooses; the second: nobody but us."""
        options = [(name, preset.title) for name, preset in PRESETS.items()]
        options += [(RELAY, "another server that takes mail from you"), (DIRECT, "nobody: straight to the recipients' MX hosts")]
        default = found.preset.name if found.preset else RELAY
        if self.before:
            default = self.before.name if self.before.name in PRESETS else RELAY if self.before.host else DIRECT
        ask.say()
        ask.say("Who sends your mail to the world?")
        name = ask.chosen("A number or a name", options, default)
        return PRESETS.get(name), name == DIRECT

    def _host(self, preset: Preset | None, found: Guess) -> tuple[str, int]:
        default = found.host or (preset.host if preset else "")
        if self.before and self.before.name == (preset.name if preset else "out"):
            default = self.before.endpoint
        fixed = preset and preset.host and not self.before and preset.name not in ("amazon-ses", "mailgun")
        if preset and preset.note and self.person:
            ask.say(preset.note)
        host, port = self._answer("--relay", "" if fixed else "Its server, HOST or HOST:PORT", _server, default or None) or ("", None)
        return host, port or 0

    def _tls(self, preset: Preset | None, found: Guess, port: int) -> tuple[str, int]:
        """The encryption, and the port: each follows from the other where only one is said."""
        said = self._said("--port")
        if said is not None:
            port = self.given.number("--port", 0, least=1, most=65535)
        port = port or (found.port if not preset else 0)
        usual = found.tls or ("implicit" if port == PORTS["implicit"] else "starttls")
        asked = not preset and port not in (0, PORTS["implicit"], PORTS["starttls"])
        tls = self._answer("--tls", "Encryption: starttls, implicit, none" if asked else "", _mode, usual)
        return tls, port or PORTS[tls]

    # The login

    def _login(self, preset: Preset | None, plan: SetupPlan) -> SetupPlan:
        if not self.before and self.given.flag("--no-login"):
            return plan
        said = [name for name in (*PASSWORDS, "--oauth") if not self.before and self.given.flag(name)]
        tokens = "--oauth" in said or any(not self.before and self.given.flag(name) for name in TOKENS)
        if len(said) > 1 or (tokens and said not in ([], ["--oauth"])):
            raise usage(f"{said[0]} and {said[1] if len(said) > 1 else '--oauth'} are two ways to log in; take one", "setup")
        username = self._username(preset, plan)
        if not username:
            return plan
        plan = replace(plan, username=username, auth=preset.auth if preset else "auto")
        if self.person and not said and not tokens and preset and preset.consent:
            way = ask.chosen(
                "How do you log in", [("password", preset.password), ("token", "OAuth: you consent in a browser")], _way(preset)
            )
            tokens = way == "token"
        if tokens:
            return replace(plan, tokens=self._tokens(preset))
        if plan.tls in ("none", "opportunistic") and not is_here(plan.host):
            raise usage(f"the password would travel to {plan.host} unencrypted; use --tls starttls or implicit, or --no-login", "setup")
        return self._password(preset, plan)

    def _username(self, preset: Preset | None, plan: SetupPlan) -> str:
        default = preset.login if preset and preset.login else plan.address
        if self.before and self.before.username:
            default = self.before.username
        fixed = preset is not None and bool(preset.login)
        question = "" if fixed else 'The name to log in with ("-": without a login)'
        name = str(self._answer("--username", question, READERS["username"], default))
        return "" if name == "-" else name

    def _password(self, preset: Preset | None, plan: SetupPlan) -> SetupPlan:
        if said := self._said("--password-file"):
            path: str = self._answer("--password-file", "", READERS["password_file"], said)
            if not self.given.flag("--no-probe") and not os.path.exists(os.path.expanduser(path)):
                raise usage(f"--password-file: {path} is not there", "setup")
            return replace(plan, password_file=path)
        if said := self._said("--password-command"):
            READERS["password_command"](said)
            return replace(plan, password_command=said)
        if not self.before and self.given.flag("--password-stdin"):
            return replace(plan, password=first_line())
        if not self.person:
            self.missing.append(f"{', '.join(PASSWORDS)}, --oauth or --no-login")
            return plan
        if preset:
            ask.say(f"The password is {preset.password}.")
        return replace(plan, password=ask.secret("Password (it is not shown)"))

    def _tokens(self, preset: Preset | None) -> TokenPlan:
        way = chosen_way(self.given, "setup")
        read = READERS["oauth_client_id"]
        consent = preset.consent if preset else None
        if self._said("--oauth-endpoint") is not None or consent is None:
            device, authorization = ("--oauth-device", "--oauth-authorize")
            consent = Consent(
                self._answer("--oauth-endpoint", "Where tokens are fetched (https://…)", _https, None),
                self._answer(authorization, "Where a browser consents (https://…, Enter: nowhere)", _https_or_nothing, ""),
                self._answer(device, "Where device codes come from (https://…, Enter: nowhere)", _https_or_nothing, ""),
                self._answer("--oauth-scope", "The scope to ask for (Enter: none)", read, ""),
                renewed=True,
            )
        elif TENANT in consent.token:
            consent = consent.of(self._answer("--oauth-tenant", "The directory (tenant) of your organisation", _word, "common"))
        client_id = self._answer("--oauth-client-id", "The client id, from registering this program at the provider", _some(read), None)
        secret = ""
        if said := self._said("--oauth-secret-file"):
            secret = Secret("file", (values.given(said),))()
        elif self.person:
            secret = ask.secret("The client's secret (it is not shown; Enter: it has none)", empty=True)
        return TokenPlan(consent, client_id, secret, way, self.given.path("--oauth-refresh-file"))


def _way(preset: Preset) -> str:
    """What most people have to take there."""
    return "token" if preset.consent and preset.consent.device else "password"


def _address(text: str) -> str:
    if "@" not in text:
        raise ValueError(f"{text!r} has no domain; write the whole address, as in you@example.com")
    parsed = parse(text)
    if "." not in parsed.host and not parsed.host.startswith("["):
        raise ValueError(f"{text} is no address that mail from elsewhere could reach; its domain has no dot")
    return str(parsed)


def _server(text: str) -> tuple[str, int | None]:
    if not text:
        raise ValueError("write HOST or HOST:PORT")
    found = HostPort.read(text)
    return READERS["host"](found.host), found.port


def _mode(text: str) -> str:
    try:
        mode: str = READERS["tls"](text)
    except ValueError:
        raise ValueError(f"{text!r} is no way to encrypt; write starttls, implicit or none") from None
    return mode


def _https(text: str) -> str:
    if not text.startswith("https://") or not text.isprintable() or " " in text:
        raise ValueError("write an address that begins with https://")
    return text


def _https_or_nothing(text: str) -> str:
    return _https(text) if text else ""


def _word(text: str) -> str:
    if not text or not text.replace("-", "").replace(".", "").isalnum() or not text.isascii():
        raise ValueError("write its name or its number, of letters, digits, - and .")
    return text


def _some(read: Callable[[str], Any]) -> Callable[[str], Any]:
    def some(text: str) -> Any:
        if not text:
            raise ValueError("there has to be one")
        return read(text)

    return some


def first_line() -> str:
    """The password on standard input. Raises `Problem` (bad-config)."""
    data = sys.stdin.buffer.read(8192) if sys.stdin else b""
    line = data.removesuffix(b"\n").removesuffix(b"\r")
    try:
        password = line.decode()
    except UnicodeDecodeError:
        password = ""
    if not password or any(char in password for char in "\r\n\0") or len(line) > 4096:
        raise Problem("standard input has no password: it is to be one line of UTF-8, at most 4096 bytes", "bad-config")
    return password
