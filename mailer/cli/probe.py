"""``mailer probe``: how far a session with a server comes, and what it shows of itself; sends nothing."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

from mailer.mail.dates import rfc3339
from mailer.mail.problem import Problem
from mailer.mail.text import human_size
from mailer.operate.probe import become, config_for, probe, reactions_of, sender_for, unreached
from mailer.operate.trust import Look, apart, pinnable, trust

from . import OK, show
from .options import JSON, Option, Subcommand, usage
from .selectors import relays

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mailer.client.probe import ProbeFinding
    from mailer.smtp.reply import Reply

    from .options import Given

PATIENCE = 30  # seconds for each step, unless --timeout says otherwise: a person waits


def run(given: Given) -> int:
    """Open a session, show it, and tell by the exit code how far it came; write down whom to trust, if that is asked for."""
    if len(given.operands) != 1:
        raise usage("it needs one relay or host", "probe")
    if given.flag("--trust"):
        return _trust(given)
    look = _look(given)
    if look.problem:
        raise look.problem
    return OK


def _look(given: Given) -> Look:
    """Open a session as the daemon would, and show it."""
    from mailer.config import load

    target, seconds, sender = given.operands[0], given.number("--timeout", PATIENCE, least=1, most=86400), given.text("--from")
    config = load(given.text("--config"), given.text("--spool"))
    try:
        config = config_for(config, target, given.text("--tls"))
    except ValueError as error:
        raise usage(str(error), "probe") from None
    relay, known = config.relays.get(target), reactions_of(config)
    sender = sender_for(config, target) if sender is None else sender
    if relay and (relay.secret or relay.oauth or relay.client_certificate):  # which are the daemon's to read
        if show.terminal():  # the daemon's user may not read the files of the library
            import rich.console
            import rich.table  # noqa: F401
        path, spool = given.text("--config") or config.path, config.spool
        config, seen_by = become(config, lambda: load(path, spool))
        if seen_by and not given.flag("--quiet"):
            show.note(f"asked as {seen_by}, whom the spool {spool} belongs to, and so the daemon runs as")
        config = config_for(config, target, None)
    probed = asyncio.run(probe(config, target, float(seconds), sender))
    if given.flag("--json"):
        show.json_line(probed.as_json())
    elif not given.flag("--quiet"):
        show.show(_blocks(probed.found), pages=not given.flag("--trust"))
    sys.stdout.flush()  # a process of its own ends without that
    return Look.of(probed, config, known)


def _trust(given: Given) -> int:
    """Look, ask whether the certificate that was shown is the right one, write it down, and look again."""
    from mailer.config import load

    from . import ask

    if not given.flag("--yes") and not ask.person():
        raise usage("--trust asks before it writes; where nobody can be asked, say --yes", "probe")
    name = given.operands[0]
    relay = pinnable(load(given.text("--config"), given.text("--spool")), name)
    look = apart(lambda: _look(given))
    if not look.fingerprint:
        raise look.problem or Problem(f"{relay.host} showed no certificate, so there is none to trust", "unavailable")
    if look.fingerprint in relay.fingerprints:
        show.note(f"the certificate {look.fingerprint} is trusted already; nothing was changed")
    else:
        caution = " (it is accepted as it is; written down, each new one has to be, too)" if look.verified else ""
        question = f"Trust the certificate with the SHA-256 {look.fingerprint} of {relay.host} from now on{caution}?"
        if not given.flag("--yes") and not ask.yes(question, default=False):
            show.note("nothing was changed")
        else:
            show.note(trust(load(given.text("--config"), given.text("--spool")), name, look.fingerprint))
            look = apart(lambda: _look(given))
    if look.problem:
        raise look.problem
    return OK


# For people


def _blocks(found: ProbeFinding) -> Iterator[show.Block]:
    if found.steps:
        yield show.Table((show.Column("seconds", right=True), show.Column("session")), [*_dialog(found)])
        yield show.BLANK
    yield show.Fields([*_facts(found)])


def _dialog(found: ProbeFinding) -> Iterator[tuple[str, show.Cell]]:
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


def _facts(found: ProbeFinding) -> Iterator[tuple[str, show.Piece]]:
    endpoint = found.endpoint
    yield "host", show.Cell(f"{endpoint.host}:{endpoint.port} at {found.address}", "strong")
    yield "TLS", _tls(found)
    yield from _certificate(found)
    offers = found.extensions
    if offers.keywords:
        yield "extensions", ", ".join(f"{name} {values}".strip() for name, values in offers.keywords.items() if name != "AUTH")
        yield "mechanisms", ", ".join(sorted(offers.mechanisms)) or "none"
        yield "size limit", human_size(offers.size) if offers.size else "none said"
    if endpoint.login:
        yield "login", _login(found, endpoint.login.username or "our certificate")
    if found.taken or found.refusal:
        yield "sender", show.Cell(f"{found.sender} is {'taken' if found.taken else 'refused'}", "good" if found.taken else "bad")
    yield "time", f"{found.seconds:.3f} s"
    if why := unreached(found):
        yield "verdict", show.Cell(f"not reached: {why}", "bad")
        return
    trouble = found.error.message if found.error else f"refused: {found.refusal[1]}" if found.refusal else ""
    yield "verdict", show.Cell(trouble, "bad") if trouble else show.Cell("mail could be sent", "good")


def _tls(found: ProbeFinding) -> show.Piece:
    wanted = found.endpoint.requirement.mode
    if found.unverified:
        return show.Cell(f"{found.hop.tls or 'none'}: {found.unverified}", "wait" if found.encrypted else "bad")
    if not found.encrypted:
        return "none" + ("; it is not offered" if wanted in ("opportunistic", "starttls") and found.extensions.keywords else "")
    return show.Cell(found.hop.tls, "good")


def _certificate(found: ProbeFinding) -> Iterator[tuple[str, show.Piece]]:
    for certificate in found.certificates[:1]:
        if certificate.subject or certificate.names:
            yield "subject", certificate.subject
            yield "names", ", ".join(certificate.names) or "none"
            yield "issuer", certificate.issuer
            yield "valid", f"{rfc3339(int(certificate.not_before))} to {rfc3339(int(certificate.not_after))}"
        yield "SHA-256", certificate.fingerprint


def _login(found: ProbeFinding, username: str) -> show.Piece:
    if found.logged_in:
        return show.Cell(f"accepted for {username}", "good")
    refused = found.error is not None and found.error.phase == "auth" and not found.ours
    return show.Cell(f"refused for {username}", "bad") if refused else f"not tried for {username}"


COMMAND = Subcommand(
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
        "With --trust, the SHA-256 fingerprint of the certificate that a relay shows is added to the fingerprints of [relay.NAME], once "
        "somebody has said yes, and the relay is asked again. From then on it has to show that certificate, and nothing else about it "
        "counts: for servers whose certificate nobody known has signed. Compare the fingerprint with what the server's operator tells.\n\n"
        "Whether the certificate would be accepted is found out even where nothing depends on it. Passwords are neither shown "
        "nor sent where mail would not send them."
    ),
    operands="RELAY|HOST[:PORT]",
    words=relays,
    options=(
        Option("--tls", metavar="MODE", words=("none", "opportunistic", "starttls", "implicit"),
               help="of a HOST: none, opportunistic, starttls or implicit; by default opportunistic, "
               "and implicit on port 465"),
        Option("--from", metavar="ADDRESS", help="ask about this sender; of a HOST, too"),
        Option("--timeout", metavar="SECONDS", help=f"how long each step may take; {PATIENCE} by default"),
        Option("--trust", help="write the fingerprint of the certificate that a RELAY shows into the configuration, after a question"),
        Option("--yes", help="answer that question with yes: the fingerprint was compared elsewhere, or comes first and is compared later"),
        JSON,
    ),
    examples=(
        "mailer probe out",
        "mailer probe out --from shop@example.com",
        "mailer probe mx.example.com",
        "mailer probe smtp.example.com:587 --tls starttls --json",
        "mailer probe out --trust",
    ),
    epilog="""\
exit codes: 0 mail could be sent · 69 not reachable, refused, or TLS not as required · 75 this machine is offline ·
77 login refused · 64 usage · 78 configuration""",
)  # fmt: skip
