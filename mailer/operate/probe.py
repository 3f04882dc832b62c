"""How far a session with a server comes, and what it shows of itself: as the daemon would open it, and no mail is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from mailer.mail.address import printable
from mailer.mail.dates import rfc3339
from mailer.mail.problem import Problem

from .route import finder_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from mailer.client.probe import ProbeFinding
    from mailer.config import Config
    from mailer.shaping.replies import Reactions

SMTP = 25
SUBMISSIONS = 465  # the port on which TLS comes first, RFC 8314 §3.3
HERE = "probe"  # what the route to the server is called in the configuration that is made for it


class Probed(NamedTuple):
    """What the session with `target` showed: a relay of the configuration or a host."""

    target: str
    found: ProbeFinding

    def as_json(self) -> dict[str, Any]:
        """As ``mailer probe --json`` has it."""
        found = self.found
        endpoint = found.endpoint
        error = found.error
        return {
            "target": self.target,
            "host": endpoint.host,
            "port": endpoint.port,
            "ip": found.address,
            "address": found.address,  # what it was called first
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
                "ours": found.ours,  # whether the server was not asked, as something of ours cannot be had
            },
        }

    def problem(self, config: Config, known: Reactions) -> Problem | None:
        """Why no mail could be sent there (unavailable, no-permission), with what mends it where that is known; None if it could."""
        from mailer.client.errors import SmtpAuthenticationError

        error = self.found.error
        endpoint = self.found.endpoint
        if error is not None and (why := unreached(self.found)):
            address = f" ({self.found.address})" if self.found.address not in ("", endpoint.host) else ""
            return Problem(f"{endpoint.host}:{endpoint.port}{address} cannot be reached: {why} [{error.kind}]", "unavailable")
        if error is not None:
            text = f"{endpoint.host}:{endpoint.port} was not asked: {error.reply} [{error.kind}]" if self.found.ours else str(error)
            return Problem(text, "no-permission" if isinstance(error, SmtpAuthenticationError) else "unavailable")
        return Problem(_refused(self.found, config, known), "unavailable") if self.found.refusal else None


def unreached(found: ProbeFinding) -> str:
    """Why no server was reached, in the words of the machine, for none has said anything; empty where one was, or was not asked."""
    error = found.error
    return error.reply.removeprefix("no connection: ") if error is not None and error.phase == "connect" and not found.ours else ""


def _refused(found: ProbeFinding, config: Config, known: Reactions) -> str:
    """What is refused, and what mends it where the words are known."""
    from mailer.shaping.blame import BLAME, mended

    assert found.refusal is not None
    phase, reply = found.refusal
    relay = config.routes[0].via[0].name
    text = f"{found.endpoint.host} would take no mail from {found.sender}: {reply}"
    cause = known.meaning(f"relay:{relay}", phase, reply)
    return f"{text}; {BLAME[cause].what}, which this mends: {mended(cause, config, relay)}" if cause in BLAME else text


def reactions_of(config: Config) -> Reactions:
    """The rules by which the replies of the hosts of `config` are known."""
    from mailer.shaping.replies import Reactions
    from mailer.shaping.table import TermsTable

    return Reactions(TermsTable(config))


def become(config: Config, again: Callable[[], Config]) -> tuple[Config, str]:
    """Be the user whom the daemon runs as, if root asks: what works for root need not for him.

    Returns the configuration as he reads it, and his name, which is empty where nothing has changed.

    `again` reads it. His may not be the files of the library, so all of it that a probe needs is loaded before.
    """
    from mailer.client import probe  # noqa: F401
    from mailer.config.secret import owner_of
    from mailer.net import oauth  # noqa: F401
    from mailer.routing import resolve  # noqa: F401

    owner = owner_of(config.spool)
    return (again(), owner.name) if owner.become() else (config, "")


def sender_for(config: Config, target: str) -> str:
    """The sender to ask a relay about: that of mail that names none, as that would leave. A host is not asked, for it takes mail for
    its own people only: empty."""
    from mailer.rewriting import reverse_path

    relay = config.relays.get(target)
    if relay is None:
        return ""
    sender = config.submitting.sender()
    return reverse_path(sender, relay.author) if relay.author else sender


def config_for(config: Config, target: str, tls: str | None) -> Config:
    """The configuration of a machine that sends all mail to `target`: so it is called as the daemon would call it.

    Raises `ValueError` for a target that is none, and for `tls` (a mode) where a relay has its own terms.
    """
    from mailer.config.kinds import HostPort, Via
    from mailer.config.sections.relay import PORTS, Relay, everything

    if tls is not None and (tls not in PORTS or target in config.relays):
        hint = f"--tls takes {', '.join(PORTS)}" if tls not in PORTS else f"the terms of the relay {target} stand in the configuration"
        raise ValueError(hint)
    if target in config.relays:
        return config.but(routes=(everything(Via("relay", target)),))
    try:
        host, port = HostPort.read(target)
    except ValueError:
        raise ValueError(f"{printable(target)!r} is neither a relay of the configuration nor HOST or HOST:PORT") from None
    relay = Relay(name=HERE, host=host, port=port or SMTP, tls=tls or ("implicit" if port == SUBMISSIONS else "opportunistic"))
    return config.but(relays={HERE: relay}, routes=(everything(Via("relay", HERE)),))


async def probe(config: Config, target: str, seconds: float, sender: str) -> Probed:
    """Open a session with the host to which `config` sends all mail; each step may take so many seconds.

    With a `sender` the server is asked whether it would take mail from that address to that address, which is then taken back.
    Raises `Problem` (unavailable, try-again).
    """
    from mailer.client.probe import probe
    from mailer.transport.route import Timeouts, Unroutable

    try:
        route = await finder_of(config).find("localhost")
    except Unroutable as trouble:
        raise Problem(trouble.text.removeprefix(f"relay {HERE}: "), "try-again" if trouble.offline else "unavailable") from None
    hop = route.hops[0]
    timeouts = Timeouts(connect=seconds, greeting=seconds, ehlo=seconds, mail=seconds, rcpt=seconds)
    return Probed(target, await probe(hop.endpoint, hop.addresses, timeouts, sender))
