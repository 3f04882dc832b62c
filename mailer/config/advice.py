"""What a configuration that is right in itself still leaves to worry about.

For ``mailer config check``: whether what the file refers to is there, and safe, for the user whom the daemon runs as; and what is
allowed but seldom meant. Reads secrets, so commands for them run; opens no connection.
"""

from __future__ import annotations

import os
import stat
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING

from mailer.io.extras import installing
from mailer.mail.problem import Problem

from .file import Mistake
from .secret import Secret, check_ancestors, read_key, read_private
from .sections.login import SECRETS
from .sections.relay import homes
from .values import SYSTEM_SPOOL, nowhere

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .model import Config
    from .sections.mailboxes import MailboxSection, MailboxStoreSection
    from .sections.relay import Relay

LOOKING = 10.0
"""Seconds for the command of a password, where nobody is there whom it could ask: who checks does not wait for what hangs."""


def missing(config: Config) -> Iterator[Mistake]:
    """Mistakes that mail would fail on, for the user of this process: secrets that cannot be read, files that are not there."""
    yield from _spool(config)
    for name, relay in config.relays.items():
        yield from _secret(config, relay)
        yield from _readable(config, f"relay.{name}.client_key", relay.client_key, "the key")
        if relay.oauth:
            yield from _writable(config, f"relay.{name}.oauth_token_file", relay.oauth_token_file)
        yield from _readable(config, f"relay.{name}.ca_file", relay.ca_file)
        yield from _readable(config, f"relay.{name}.client_certificate", relay.client_certificate)
        for place in ("oauth_refresh_token_file", "oauth_client_secret_file", "proxy_password_file"):
            if path := getattr(relay, place):
                yield from _told(config, f"relay.{name}.{place}", Secret("file", (path,)))
    yield from _readable(config, "tls.ca_file", config.tls.ca_file)
    yield from _doors(config)
    yield from _mailboxes(config)
    yield from _databases(config)
    yield from _master_keys(config)
    yield from _sources(config)
    if config.amqp.url_file:
        yield from _told(config, "amqp.url_file", Secret("file", (config.amqp.url_file,)))
    yield from _readable(config, "amqp.ca_file", config.amqp.ca_file)
    for at, hook in enumerate(config.webhooks):
        read = partial(read_private, hook.secret_file, "the secret file", 1, None, hook.maker)
        yield from _told(config, f"webhook.{at}.secret_file", read)
    yield from _writable(config, "log.file", config.log.file)
    yield from _aliases(config)
    yield from _domain_aliases(config)
    if problem := mute(config):
        yield Mistake(config.lines.get("alarm.command", 0), problem)
    for at, key in enumerate(config.dkim):
        yield from _told(config, f"dkim.{at}.key_file", partial(read_key, key.key_file))


def _doors(config: Config) -> Iterator[Mistake]:
    """What a door would not open for."""
    for at, door in enumerate(config.listens):
        yield from _readable(config, f"listen.{at}.certificate_file", door.certificate_file, "the certificate")
        yield from _readable(config, f"listen.{at}.key_file", door.key_file, "the key")
        for place in door.address:
            directory = os.path.dirname(place.path)
            if place.path and not os.access(directory, os.W_OK | os.X_OK):
                text = f"address: no socket can be made in {directory}; make it, for the user that the daemon runs as"
                yield Mistake(config.lines.get(f"listen.{at}.address", 0), text)
    if config.web_doors and not all(map(find_spec, ("starlette", "uvicorn"))):
        text = f"a door of the kind web needs the extra web: {installing('web')}"
        yield Mistake(config.lines.get("listen.0.kind", 0), text)


def _mailboxes(config: Config) -> Iterator[Mistake]:
    """Places of mailboxes that are not ours to write, nor to make, as a daemon does when it starts."""
    for at, domain in enumerate(config.domains):
        for place in [way.name[: way.name.index("{")].rpartition("/")[0] for way in domain.via if way.kind == "maildir"]:
            there = place
            while there and not os.path.lexists(there):
                there = there.rpartition("/")[0]
            if not (os.path.isdir(there or "/") and os.access(there or "/", os.W_OK | os.X_OK)):
                text = f"via: no mailbox can be made in {place or '/'}; make it, for the user that the daemon runs as"
                yield Mistake(config.lines.get(f"domain.{at}.via", 0), text)
    if os.path.lexists(path := config.forwarding.secret_file):
        read = partial(read_private, path, "the file of SRS secrets", 1)
        yield from _told(config, "forwarding.secret_file", read)


def _databases(config: Config) -> Iterator[Mistake]:
    """Databases of mailboxes that could not be asked, as far as this machine tells."""
    places: list[tuple[str, MailboxSection | MailboxStoreSection]] = [("mailboxes", config.mailboxes)]
    places += [(f"mailbox_store.{at}", store) for at, store in enumerate(config.mailbox_stores)]
    for where, place in places:
        if place.database and find_spec("psycopg") is None:
            text = f"database needs the extra cluster: {installing('cluster')}"
            yield Mistake(config.lines.get(f"{where}.database", 0), text)
        if place.secret is not None:
            yield from _told(config, f"{where}.database_password_file", place.secret)


def _master_keys(config: Config) -> Iterator[Mistake]:
    """Keys without which no mailbox opens, and no mail is taken for one."""
    section = config.mailboxes
    if section.encryption == "age" and not all(map(find_spec, ("pyrage", "apsw"))):
        text = f"encryption needs the extra mailboxes: {installing('mailboxes')}"
        yield Mistake(config.lines.get("mailboxes.encryption", 0), text)
    if section.key_file:
        read = partial(read_private, section.key_file, "the file of master keys", 1)
        yield from _told(config, "mailboxes.key_file", read)
    elif section.key_command:
        yield from _told(config, "mailboxes.key_command", partial(Secret("command", section.key_command), LOOKING))
    elif section.encryption == "age" and not _has_keys(keys := f"{config.mailboxes_path}/keys"):
        text = f"encryption needs a master key, and {keys} has none: put it back, or make the first one: mailer mailbox key make"
        yield Mistake(config.lines.get("mailboxes.encryption", 0), text)


def _has_keys(directory: str) -> bool:
    """Whether there is a key, as far as this user can see."""
    try:
        return any(name.endswith(".key") for name in os.listdir(directory))
    except PermissionError:
        return True
    except OSError:
        return False


def _sources(config: Config) -> Iterator[Mistake]:
    """Mailboxes of reports that could not be looked into, as far as this machine tells."""
    for at, source in enumerate(config.report_sources):
        if source.path and not os.access(f"{source.path}/new", os.R_OK | os.W_OK | os.X_OK):
            text = f"path: no report can be taken out of {source.path}/new; it has to be there, and to be writable for the daemon's user"
            yield Mistake(config.lines.get(f"report_source.{at}.path", 0), text)
        if source.secret is not None and source.secret.kind == "file":
            yield from _told(config, f"report_source.{at}.password_file", source.secret)


def _spool(config: Config) -> Iterator[Mistake]:
    if not config.spool:
        yield Mistake(0, str(nowhere()))
        return
    yield from _told(config, "mailer.spool", partial(check_ancestors, config.spool))
    if problem := closed(config.spool):
        yield Mistake(config.lines.get("mailer.spool", 0), problem)


def mute(config: Config) -> str:
    """Why the program that is told of alarms cannot be started by the user of this process; empty if it can, or there is none."""
    for program in config.alarm.command[:1]:
        places = [program] if "/" in program else [os.path.join(each, program) for each in os.get_exec_path()]
        if not any(os.path.isfile(place) and os.access(place, os.X_OK) for place in places):
            there = any(map(os.path.isfile, places))
            why = f"may not be run by {_me()}: chmod a+rx, and the directories above" if there else "is not there"
            return f"alarm.command: {program} {why}, so nobody hears of an alarm by it"
    return ""


def _me() -> str:
    from mailer.io.machine import called

    return called(os.geteuid())


def closed(spool: str) -> str:
    """Why the user of this process cannot work in `spool`, or make it; empty if he can. What helps stands behind a semicolon."""
    from mailer.io.machine import called

    me, below = called(os.geteuid()), spool
    if not os.path.lexists(spool):
        while not os.path.lexists(below):
            below = os.path.dirname(below)
        make = f"install -d -m 0711 -o {os.geteuid()} -g {os.getegid()} {spool}"
        return "" if os.access(below, os.W_OK | os.X_OK) else f"there is no spool {spool}, and {me} may not make it; as root: {make}"
    if not os.path.isdir(spool):
        return f"the spool {spool} is no directory"
    for path in (spool, *(f"{spool}/{name}" for name in sorted(os.listdir(spool)) if os.path.isdir(f"{spool}/{name}"))):
        if not os.access(path, os.R_OK | os.W_OK | os.X_OK):
            owner = called(os.stat(path).st_uid)
            hint = f"while no daemon runs: chown -R --no-dereference {os.geteuid()}:{os.getegid()} {spool}"
            return f"{path}, in the spool of {me}, belongs to {owner}, so no daemon can work with it; {hint}"
    return ""


def _secret(config: Config, relay: Relay) -> Iterator[Mistake]:
    if relay.secret is None or _is_unset(relay.secret):
        return
    key = next(key for key in SECRETS if getattr(relay, key))
    patience = None if os.isatty(0) else LOOKING
    yield from _told(config, f"relay.{relay.name}.{key}", partial(relay.secret, patience))


def _is_unset(secret: Secret) -> bool:
    """Whether it is in an environment variable that is not set here; whether it is for the daemon, only that one knows."""
    return secret.kind == "env" and secret.place[0] not in os.environ


def _told(config: Config, key: str, read: Callable[[], object]) -> Iterator[Mistake]:
    try:
        read()
    except Problem as failure:
        yield Mistake(config.lines.get(key, 0), str(failure))


def _aliases(config: Config) -> Iterator[Mistake]:
    """Aliases that mail cannot follow: submission reports them one by one, to those who write to them."""
    from mailer.rewriting import Rules
    from mailer.rewriting.aliases import read

    path, line = config.submission.aliases_file, config.lines.get("submission.aliases_file", 0)
    told: set[str] = set()
    places = dict.fromkeys((name for name, _ in config.submission.aliases), config.lines.get("submission.aliases", 0))
    try:
        for name, _ in read(path) if path else ():
            places.setdefault(name, line)
    except Problem as failure:
        told.add(str(failure))
        yield Mistake(line, str(failure))
    rules = Rules(config.submitting, str)
    for name, at in places.items():
        for problem in map(str, rules.recipient(name).problems):
            if problem not in told:
                told.add(problem)
                yield Mistake(at, problem)


def _domain_aliases(config: Config) -> Iterator[Mistake]:
    """Files of aliases that strangers' mail would go by, and targets in them that it cannot go to."""
    from mailer.rewriting.aliases import read, refusal

    for at, domain in enumerate(config.domains):
        line = config.lines.get(f"domain.{at}.aliases_file", 0)
        try:
            found = [*read(domain.aliases_file, strict=True)] if domain.aliases_file else []
        except Problem as failure:
            yield Mistake(line, str(failure))
            continue
        for name, alias in found:
            for problem in filter(None, map(refusal, alias.targets)):
                yield Mistake(line, f"{alias.where}: the alias {name} {problem}")


def _writable(config: Config, key: str, path: str) -> Iterator[Mistake]:
    """A file that the daemon makes, or appends to: its directory has to be there, and to let him."""
    if not path:
        return
    name, directory, line = key.rpartition(".")[2], os.path.dirname(path), config.lines.get(key, 0)
    if not os.path.isdir(directory):
        yield Mistake(line, f"{name}: there is no directory {directory}; make it, for the user that the daemon runs as")
    elif not os.access(path if os.path.exists(path) else directory, os.W_OK) or os.path.isdir(path):
        yield Mistake(line, f"{name}: {path} cannot be written; `ls -ld` shows who may")


def _readable(config: Config, key: str, path: str, what: str = "the certificates") -> Iterator[Mistake]:
    if not path:
        return
    try:
        with open(path, "rb"):
            return
    except OSError as error:
        yield Mistake(config.lines.get(key, 0), f"cannot read {what} in {path}: {error.strerror}")


def warnings(config: Config) -> Iterator[Mistake]:
    """Settings that work, and may still surprise."""
    lines = config.lines
    if "." not in config.hostname:
        yield Mistake(lines.get("mailer.hostname", 0), f"the hostname {config.hostname} has no domain; many servers refuse it")
    used = {via.name for route in config.routes for via in route.via} | {via.name for via in config.alarm.via} | homes(config.domains)
    for name, relay in config.relays.items():
        if name not in used:
            yield Mistake(lines.get(f"relay.{name}.host", 0), f"no route uses the relay {name}")
        if relay.secret and _is_unset(relay.secret):
            text = f"{relay.secret} is not set here; the daemon needs it in its own environment"
            yield Mistake(lines.get(f"relay.{name}.password_env", 0), text)
        if relay.username and relay.tls in ("none", "opportunistic"):
            yield Mistake(
                lines.get(f"relay.{name}.tls", 0), f"the password of relay {name} can be read on its way: nothing verifies the host"
            )
    if config.intake.enabled and "mailer.spool" not in lines:
        text = f'mailer.spool is not set, and other users\' programs look for it in their homes; write spool = "{SYSTEM_SPOOL}"'
        yield Mistake(lines.get("intake.enabled", 0), text)
    if config.delivery.allow_private:
        yield Mistake(lines.get("delivery.allow_private", 0), "any domain can make this host connect to its own private network")
    if config.path and os.stat(config.path).st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        yield Mistake(0, f"others can write this file; run: chmod go-w {config.path}")
