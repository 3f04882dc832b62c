"""``mailer probe``: how far a session with a server comes, and what it shows of itself; sends nothing."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from mailer.mail.address import printable
from mailer.mail.failure import NO_PERMISSION, OK, TRY_AGAIN, UNAVAILABLE, Failure
from mailer.mail.when import rfc3339

from . import show
from .options import JSON, Command, Option, usage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mailer.client.probe import Finding
    from mailer.config import Config
    from mailer.config.sections.relay import Relay
    from mailer.delivery.reaction import Reactions
    from mailer.smtp.reply import Reply

    from .options import Given

PATIENCE = 30  # seconds for each step, unless --timeout says otherwise: a person waits
SUBMISSIONS = 465  # the port on which TLS comes first, RFC 8314 §3.3
HERE = "probe"  # what the route to the server is called in the configuration that is made for it


def run(given: Given) -> int:
    """Open a session, show it, and tell by the exit code how far it came."""
    from mailer.config import load
    from mailer.delivery.reaction import Reactions
    from mailer.delivery.terms import TermsTable

    if len(given.operands) != 1:
        raise usage("it needs one relay or host", "probe")
    seconds = given.number("--timeout", PATIENCE, least=1, most=86400)
    config = _config(load(given.text("--config"), given.text("--spool")), given.operands[0], given.text("--tls"))
    relay = config.relays.get(given.operands[0])
    sender, known = _sender(config, relay, given.text("--from")), Reactions(TermsTable(config))
    if relay and (relay.secret or relay.oauth or relay.client_certificate):  # which are the daemon's to read
        config = _config(_become(given, config), given.operands[0], None)
    found = asyncio.run(_probe(config, float(seconds), sender))
    if given.flag("--json"):
        show.json_line(_record(given.operands[0], found))
    elif not given.flag("--quiet"):
        show.show(_blocks(found))
    return _verdict(found, config, known)


def _sender(config: Config, relay: Relay | None, wanted: str | None) -> str:
    """Whom to ask about: `wanted`, or for a relay the sender of mail that names none, as that would leave; else nobody."""
    from mailer.identity import reverse_path

    if relay is None or wanted is not None:
        return wanted or ""  # a stranger's host takes mail for its own people only
    sender = config.submitting.sender()
    return reverse_path(sender, relay.author) if relay.author else sender


def _become(given: Given, config: Config) -> Config:
    """Be the user whom the daemon runs as, if root asks: what works for root need not for him. Returns the configuration as he reads it.

    His may not be the files of the library.
    """
    from mailer.client import probe  # noqa: F401
    from mailer.config import load
    from mailer.config.owner import owner_of
    from mailer.delivery import finder  # noqa: F401
    from mailer.net import oauth  # noqa: F401

    if show.terminal():
        import rich.console
        import rich.table  # noqa: F401
    return load(given.text("--config") or config.path, config.spool) if owner_of(config.spool).become() else config


def _verdict(found: Finding, config: Config, known: Reactions) -> int:
    """0, or the error as the program's own. Raises `Failure` (69, 77)."""
    from mailer.client.errors import SmtpAuthenticationError

    if found.error is None and found.refusal is not None:
        raise Failure(_refused(found, config, known), UNAVAILABLE)
    if found.error is None:
        return OK
    raise Failure(str(found.error), NO_PERMISSION if isinstance(found.error, SmtpAuthenticationError) else UNAVAILABLE)


def _refused(found: Finding, config: Config, known: Reactions) -> str:
    """What is refused, and what mends it where the words are known."""
    from mailer.delivery.blame import BLAME, mended

    assert found.refusal is not None
    phase, reply = found.refusal
    relay = config.routes[0].via[0].name
    text = f"{found.endpoint.host} would take no mail from {found.sender}: {reply}"
    cause = known.meaning(f"relay:{relay}", phase, reply)
    return f"{text}; {BLAME[cause].what}, which this mends: {mended(cause, config, relay)}" if cause in BLAME else text


# Where to


def _config(config: Config, target: str, tls: str | None) -> Config:
    """The configuration of a machine that sends all mail to `target`: so it is called as the daemon would call it."""
    from mailer.config.forms import Via
    from mailer.config.sections.relay import PORTS, Relay
    from mailer.config.sections.route import everything

    if tls is not None and (tls not in PORTS or target in config.relays):
        hint = f"--tls takes {', '.join(PORTS)}" if tls not in PORTS else f"the terms of the relay {target} stand in the configuration"
        raise usage(hint, "probe")
    if target in config.relays:
        return config.but(routes=(everything(Via("relay", target)),))
    host, port = _place(target)
    relay = Relay(name=HERE, host=host, port=port, tls=tls or ("implicit" if port == SUBMISSIONS else "opportunistic"))
    return config.but(relays={HERE: relay}, routes=(everything(Via("relay", HERE)),))


def _place(text: str) -> tuple[str, int]:
    """``host``, ``host:port``, ``2001:db8::1`` or ``[2001:db8::1]:port``. Raises `Failure` (64)."""
    host, colon, port = text.rpartition(":")
    if not colon or (":" in host.strip("[]") and not host.startswith("[")) or text.endswith("]"):
        host, port = text, "25"
    if not host.strip("[]") or not (port.isascii() and port.isdigit() and 0 < int(port[:9]) < 65536):
        raise usage(f"{printable(text)!r} is neither a relay of the configuration nor HOST or HOST:PORT", "probe")
    return host.removeprefix("[").removesuffix("]").removesuffix("."), int(port)


async def _probe(config: Config, seconds: float, sender: str) -> Finding:
    import random

    from mailer.client.probe import probe
    from mailer.delivery.finder import Finder
    from mailer.delivery.hosts import Unroutable
    from mailer.net.dns import Resolver
    from mailer.net.endpoint import Timeouts

    dns = config.dns
    finder = Finder(config, Resolver(dns.nameservers, dns.timeout, dns.lifetime, family=config.delivery.family), random.shuffle)
    try:
        way = await finder.find("localhost")
    except Unroutable as trouble:
        raise Failure(trouble.text.removeprefix(f"relay {HERE}: "), TRY_AGAIN if trouble.offline else UNAVAILABLE) from None
    stop = way.stops[0]
    timeouts = Timeouts(connect=seconds, greeting=seconds, ehlo=seconds, mail=seconds, rcpt=seconds)
    return await probe(stop.endpoint, stop.addresses, timeouts, sender)


# For people


def _blocks(found: Finding) -> Iterator[show.Block]:
    if found.steps:
        yield show.Table((show.Column("seconds", right=True), show.Column("session")), [*_dialog(found)])
        yield show.BLANK
    yield show.Fields([*_facts(found)])


def _dialog(found: Finding) -> Iterator[tuple[str, show.Cell]]:
    """Who said what, a line each; the time stands beside what ended it."""
    for step in found.steps:
        time = f"{step.seconds:.3f}"
        if step.ours:
            yield time, show.Cell(f"* {step.said}: {step.reply.text}".replace("connect: ", ""))
            continue
        if step.said:
            yield "", show.Cell(f"> {step.said}", "strong")
        lines = [*_lines(step.reply)]
        yield from (("", show.Cell(f"< {line}", _mood(step.reply))) for line in lines[:-1])
        yield time, show.Cell(f"< {lines[-1]}", _mood(step.reply))


def _lines(reply: Reply) -> Iterator[str]:
    """A reply as it came over the wire."""
    enhanced = f"{reply.enhanced} " if reply.enhanced else ""
    for at, line in enumerate(reply.lines, 1):
        yield f"{reply.code}{'-' if at < len(reply.lines) else ' '}{enhanced}{line}"


def _mood(reply: Reply) -> str:
    return "quiet" if reply.positive else "wait" if reply.transient else "bad"


def _facts(found: Finding) -> Iterator[tuple[str, show.Piece]]:
    endpoint = found.endpoint
    yield "host", show.Cell(f"{endpoint.host}:{endpoint.port} at {found.address}", "strong")
    yield "TLS", _tls(found)
    yield from _certificate(found)
    offers = found.extensions
    if offers.keywords:
        yield "extensions", ", ".join(f"{name} {values}".strip() for name, values in offers.keywords.items() if name != "AUTH")
        yield "mechanisms", ", ".join(sorted(offers.mechanisms)) or "none"
        yield "size limit", show.size(offers.size) if offers.size else "none said"
    if endpoint.login:
        yield "login", _login(found, endpoint.login.username or "our certificate")
    if found.taken or found.refusal:
        yield "sender", show.Cell(f"{found.sender} is {'taken' if found.taken else 'refused'}", "good" if found.taken else "bad")
    yield "time", f"{found.seconds:.3f} s"
    trouble = found.error.message if found.error else f"refused: {found.refusal[1]}" if found.refusal else ""
    yield "verdict", show.Cell(trouble, "bad") if trouble else show.Cell("mail could be sent", "good")


def _tls(found: Finding) -> show.Piece:
    wanted = found.endpoint.requirement.mode
    if found.unverified:
        return show.Cell(f"{found.hop.tls or 'none'}: {found.unverified}", "wait" if found.encrypted else "bad")
    if not found.encrypted:
        return "none" + ("; it is not offered" if wanted in ("opportunistic", "starttls") and found.extensions.keywords else "")
    return show.Cell(found.hop.tls, "good")


def _certificate(found: Finding) -> Iterator[tuple[str, show.Piece]]:
    for certificate in found.certificates[:1]:
        if certificate.subject or certificate.names:
            yield "subject", certificate.subject
            yield "names", ", ".join(certificate.names) or "none"
            yield "issuer", certificate.issuer
            yield "valid", f"{rfc3339(int(certificate.not_before))} to {rfc3339(int(certificate.not_after))}"
        yield "SHA-256", certificate.fingerprint


def _login(found: Finding, username: str) -> show.Piece:
    if found.logged_in:
        return show.Cell(f"accepted for {username}", "good")
    refused = found.error is not None and found.error.phase == "auth" and not found.ours
    return show.Cell(f"refused for {username}", "bad") if refused else f"not tried for {username}"


# For programs


def _record(target: str, found: Finding) -> dict[str, Any]:
    endpoint = found.endpoint
    error = found.error
    return {
        "target": target,
        "host": endpoint.host,
        "port": endpoint.port,
        "address": found.address,
        "ok": error is None and found.refusal is None,
        "seconds": round(found.seconds, 4),
        "greeting": found.greeting or None,
        "tls": {
            "mode": endpoint.requirement.mode,
            "version": found.hop.tls.partition(" ")[0] or None,
            "verified": found.hop.tls.endswith(" verified"),
            "problem": found.unverified or None,
        },
        "certificates": [
            {
                "subject": each.subject or None,
                "names": [*each.names],
                "issuer": each.issuer or None,
                "not_before": rfc3339(int(each.not_before)) if each.not_before else None,
                "not_after": rfc3339(int(each.not_after)) if each.not_after else None,
                "sha256": each.fingerprint,
            }
            for each in found.certificates
        ],
        "extensions": found.extensions.keywords,
        "mechanisms": sorted(found.extensions.mechanisms),
        "size_limit": found.extensions.size or None,
        "login": endpoint.login and {"username": endpoint.login.username, "ok": found.logged_in},
        "sender": {"address": found.sender, "ok": found.taken} if found.taken or found.refusal else None,
        "steps": [
            {
                "said": step.said or None,
                "code": None if step.ours else step.reply.code,
                "enhanced_code": step.reply.enhanced or None,
                "reply": [*step.reply.lines],
                "seconds": round(step.seconds, 4),
            }
            for step in found.steps
        ],
        "error": error
        and {
            "kind": str(error.kind),
            "phase": error.phase,
            "code": error.code,
            "enhanced_code": error.enhanced_code or None,
            "reply": error.text,
            "retryable": error.retryable,
        },
    }


COMMAND = Command(
    "probe",
    run,
    summary="connect, EHLO, TLS, AUTH, report; sends nothing",
    about=(
        "Opens a session with a server as the daemon would, and shows each step with the time it took: the connection, the "
        "greeting, what the server offers, the TLS handshake with the certificate, and the login. A RELAY is one of the "
        "configuration, with its port, TLS and login; a HOST is any other server, on port 25 unless a PORT is given, "
        "without a login. No mail is sent.\n\n"
        "A relay is also asked whether it would take mail from the sender of mail that names none, to that sender: MAIL and RCPT are "
        "said, and taken back with RSET. So it is known whether our name, our address and our sender are welcome there.\n\n"
        "Root asks about a RELAY as the user whom the spool belongs to, for he has to be able to read its secrets.\n\n"
        "Whether the certificate would be accepted is found out even where nothing depends on it. Passwords are neither shown "
        "nor sent where mail would not send them."
    ),
    operands="RELAY|HOST[:PORT]",
    options=(
        Option("--tls", metavar="MODE", help="of a HOST: none, opportunistic, starttls or implicit; by default opportunistic, "
               "and implicit on port 465"),
        Option("--from", metavar="ADDRESS", help="ask about this sender; of a HOST, too"),
        Option("--timeout", metavar="SECONDS", help=f"how long each step may take; {PATIENCE} by default"),
        JSON,
    ),
    epilog="""\
examples:
  mailer probe out
  mailer probe out --from shop@example.com
  mailer probe mx.example.com
  mailer probe smtp.example.com:587 --tls starttls --json

exit codes: 0 mail could be sent · 69 not reachable, refused, or TLS not as required · 75 this machine is offline ·
77 login refused · 64 usage · 78 configuration""",
)  # fmt: skip
