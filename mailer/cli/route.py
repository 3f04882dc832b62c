"""``mailer route``: which way mail for an address would go, by the configuration and the DNS of this moment."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from mailer.mail.address import AddressError, parse
from mailer.operate.route import SHARED, Preview, plain, preview

from . import OK, TRY_AGAIN, UNAVAILABLE, show
from .options import JSON, Subcommand, usage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mailer.config import Config
    from mailer.mail.address import Address
    from mailer.routing.resolve import WayOut
    from mailer.shaping.table import Said
    from mailer.tlspolicy import Requirement

    from .options import Given

NAMED = 20
"""Recipients behind an alias that are named."""

NOT = {"fail": "never", "defer": "not now"}
"""What stands before the reply of a way that leads nowhere."""


def run(given: Given) -> int:
    """Show the way of each address; tells by the exit code whether all have one."""
    from mailer.config import load

    config = load(given.text("--config"), given.text("--spool"))
    previews = asyncio.run(preview(config, _addresses(given, config)))
    for at, each in enumerate(previews):
        if given.flag("--json"):
            show.json_line(each.as_json())
        else:
            show.show([*([show.BLANK] if at else []), *_blocks(each)])
    verdicts = {each.resolution.trouble.verdict for each in previews if each.resolution.trouble}
    return UNAVAILABLE if "fail" in verdicts else TRY_AGAIN if verdicts else OK


def _addresses(given: Given, config: Config) -> list[Address]:
    if not given.operands:
        raise usage("it needs an address", "route")
    try:
        return [parse(text, config.submission.default_domain) for text in given.operands]
    except AddressError as error:
        raise usage(str(error), "route") from None


def _blocks(what: Preview) -> Iterator[show.Block]:
    rows: list[tuple[str, show.Cell | str]] = [("address", show.Cell(str(what.address), "strong"))]
    if what.diverted:
        rows.append(("SANDBOX", show.Cell(what.diverted, "wait")))
    rows.append(("rule", _rule(what)))
    rows += _residents(what)
    if what.stays:
        for way in what.resolution.ways:
            rows += _way(what, way)
        if what.resolution.key:
            rows += _limits(what)
    yield show.Fields(rows)


def _rule(what: Preview) -> str:
    resolution = what.resolution
    if what.line is None:
        return "none matches" if resolution.ways[0].via.kind == "mx" else "none; there is one relay, which takes all mail"
    word = "domain" if resolution.home else "match"
    return f'{word} = "{resolution.rule.match.form}" ({what.config.path}:{what.line})'


def _residents(what: Preview) -> Iterator[tuple[str, show.Cell | str]]:
    """Who lives there: nobody, a mailbox, or those whom an alias stands for."""
    residence = what.residence
    if residence is None:
        return
    if residence.reply is not None:
        yield (
            "NOBODY" if residence.kind == "unknown" else "not now",
            show.Cell(str(residence.reply), "bad" if residence.reply.permanent else "wait"),
        )
    people = residence.recipients
    if not what.stays:
        for one in people[:NAMED]:
            sender = what.sender_for(one.behalf) if one.behalf else ""
            yield "leads to", f"{one.address}{f', from {sender} where a stranger writes' if sender else ''}"
        if len(people) > NAMED:
            yield "leads to", f"{len(people) - NAMED} more"


def _way(what: Preview, way: WayOut) -> Iterator[tuple[str, show.Cell | str]]:
    via = "the MX hosts of the domain" if way.via.kind == "mx" else str(way.via)
    if way.trouble:
        yield "via", via
        yield NOT[way.trouble.verdict], show.Cell(str(way.trouble), "bad" if way.trouble.verdict == "fail" else "wait")
    if not way.found:
        return
    if mailbox := what.mailbox(way):
        yield "mailbox", mailbox
        return
    login = what.login(way)
    yield "via", f"{via}, as {login}" if login else via
    yield "TLS", f"{_terms(way.requirement)} ({what.source_of_tls(way)})"
    if sender := what.return_path(way):
        yield "sender", f"{sender} ({what.source_of_sender(way)})"
    for target in way.found.hosts:
        preference = f" (MX {target.preference})" if way.via.kind == "mx" else ""
        yield "host", f"{target.host}:{target.port}{preference} at {', '.join(target.addresses)}"
    for note in way.found.notes:
        yield "left out", show.Cell(note, "quiet")


def _terms(requirement: Requirement) -> str:
    modes = {
        "none": "none",
        "opportunistic": "if the host offers it, whatever its certificate",
        "starttls": "required, by STARTTLS",
        "implicit": "required, from the first byte",
    }
    name = requirement.server_name or "the name of the host"
    return modes[requirement.mode] + (f", with a valid certificate for {name}" if requirement.verified else "")


def _limits(what: Preview) -> Iterator[tuple[str, show.Cell | str]]:
    """The destination and all that holds for it, each with its place in the file."""
    yield "destination", what.resolution.key
    for said in what.limits():
        together = f", together with all of {said.shared}" if said.shared and said.name in SHARED else ""
        value = "no limit" if said.value is None else _written(said)
        yield said.name.replace("_", " "), f"{value} ({said.where}{together})"
    for name, rate, where in what.limits_in_all():
        if rate:
            yield "in all", f"{name.replace('_', ' ')} {rate} ({where})"


def _written(said: Said) -> str:
    value = plain(said)
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


COMMAND = Subcommand(
    "route",
    run,
    summary="how mail for an address would travel; sends nothing",
    about=(
        "Shows the rule that matches, the ways out in order, the hosts with their addresses in the order in which they would "
        "be tried, what is required of them, and the limits of the destination, each with the line of the configuration that it comes "
        "from. Only the DNS is asked; no other connection is opened. Hosts of the same preference are shown in the order that "
        "chance gave them this time."
    ),
    operands="ADDRESS…",
    options=(JSON,),
    examples=("mailer route you@example.net", "mailer route --json a@example.net b@example.com | jq .destination"),
    epilog="exit codes: 0 all have a way · 69 one has none and never will · 75 one has none now · 64 usage · 78 configuration",
)
