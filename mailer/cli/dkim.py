"""``mailer dkim``: keys that sign mail, the records that publish them, and whether signatures hold."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from mailer.mail.dates import rfc3339
from mailer.mail.problem import Problem

from . import BAD_MESSAGE, OK, TRY_AGAIN, show
from .options import JSON, Option, Subcommand, usage

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mailer.config import Config
    from mailer.operate.dkim import KeyWish, Published, Signature
    from mailer.operate.rotation import Rotation

    from .options import Given

LARGEST = 64 << 20  # bytes of a message that is verified


def keygen(given: Given) -> int:
    """Make a key and say what to publish and what to configure."""
    from mailer.operate import dkim

    domain = _domain(_one(given, "DOMAIN"))
    try:
        order = dkim.Order.of(_wish(given))
    except ValueError as error:
        raise usage(str(error), given.command.name) from None
    path = given.path("--out") or dkim.place(given.text("--config"), domain, order.selector)
    made = dkim.make(domain, order, os.path.abspath(path), dkim.keeper(given.text("--config"), given.text("--spool")))
    _tell(given, [made])
    if not given.flag("--quiet") and not given.flag("--json"):
        for line in ("", "When the record can be seen, let mail be signed with the key:", "", *made.section()):
            show.say(line)
    return OK


def record(given: Given) -> int:
    """Print the records of the keys that are configured, or of the one in a file."""
    from mailer.operate import dkim

    if len(given.operands) > 1:
        raise usage("there can be only one DOMAIN", "dkim record")
    if path := given.path("--key"):
        domain, selector = _domain(_one(given, "DOMAIN")), given.text("--selector")
        if not selector:
            raise usage("--key needs --selector", "dkim record")
        keeper = dkim.keeper(given.text("--config"), given.text("--spool"))
        found = [dkim.published(domain, _selector(selector), os.path.abspath(path), keeper)]
    else:
        config = _config(given)
        found = dkim.configured(config, _domain(given.operands[0]) if given.operands else None, given.text("--selector"))
    _tell(given, found)
    return OK


def _wish(given: Given) -> KeyWish:
    """What is said of a key that is to be made."""
    from mailer.operate.dkim import KeyWish

    selector = given.text("--selector")
    bits = given.number("--bits", 0) if given.flag("--bits") else None
    return KeyWish(given.text("--type"), bits, _selector(selector) if selector else None)


def _domain(text: str) -> str:
    """A domain from the command line as the DNS has it. Raises `Problem` (usage)."""
    from mailer.mail.domain import ascii_domain

    try:
        return ascii_domain(text)
    except ValueError as error:
        raise usage(str(error), "dkim") from None


def _selector(text: str) -> str:
    """A selector from the command line. Raises `Problem` (usage)."""
    from mailer.config.kinds import SELECTOR

    try:
        return str(SELECTOR.read(text))
    except ValueError as error:
        raise usage(str(error), "dkim") from None


def _tell(given: Given, found: Iterable[Published]) -> None:
    """The records: in all their forms, or in the one that is asked for."""
    for at, key in enumerate(found):
        if given.flag("--json"):
            show.json_line(key.as_json())
        elif given.flag("--zone"):
            show.say(key.zone())
        elif given.flag("--one-line"):
            show.say(key.text)
        elif not given.flag("--quiet"):
            _print(key, first=not at)


def _print(key: Published, *, first: bool) -> None:
    """What the key is, where its record goes, and the record in the forms that people copy, which stand alone on their lines, whole."""
    rows: list[tuple[str, show.Piece]] = [("key", f"{key.key.kind}, {key.key.bits} bits, in {key.path}")]
    if key.state:
        rows.append(("state", _state(key)))
    show.show([*([] if first else [show.BLANK]), show.Fields([*rows, ("name", key.name), ("type", "TXT")])])
    for line in ("", "in one piece, for forms that ask for the value:", "", key.text, "", "for a zone file:", "", *key.zone().split("\n")):
        show.say(line)


def _state(key: Published) -> show.Cell:
    if key.state == "retired":
        return show.Cell(f"retired; its record is needed until {rfc3339(key.needed_until)}", "quiet")
    return show.Cell(*{"signs": ("signs mail", "good"), "waiting": ("waits until its record is published", "wait")}[key.state])


def rotate(given: Given) -> int:
    """Take the next step for the keys of a domain; 0 if it was taken, 75 if a record is not published yet."""
    import asyncio

    from mailer.config import file
    from mailer.config.values import find
    from mailer.operate import rotation

    named = _one(given, "DOMAIN")
    path, data = find(given.text("--config"))
    if not path:
        raise Problem("there is no configuration file, so no key in use; `mailer dkim keygen` makes one", "usage")
    config = file.config_of(path, data, given.text("--spool"))
    try:
        done = asyncio.run(rotation.rotate(path, data, config, _domain(named), _wish(given), checked=not given.flag("--unchecked")))
    except ValueError as error:
        raise usage(str(error), given.command.name) from None
    if not given.flag("--quiet"):
        _tell_step(done)
    return TRY_AGAIN if done.missing else OK


def _tell_step(done: Rotation) -> None:
    for key in done.made:
        _print(key, first=True)
    if done.made:
        show.say("")
        show.say("Publish this, and run the same command again: the new key signs as soon as its record is there.")
    for key, problem, retired in done.switched:
        signs = f"{key.selector} signs mail of {key.domain} now."
        show.say(f"{key.name} {problem}; {key.selector} goes on waiting" if problem else signs)
        for old, until in retired:
            left = f"Leave its record {old.name} where it is until {rfc3339(until)}, for what is in flight."
            show.say(f"{old.selector} has signed its last mail. {left}")
    if not all(each.problem for each in done.switched):
        show.say("A running daemon takes this on with `mailer reload`.")


def verify(given: Given) -> int:
    """Tell of each signature of a message whether it holds, and why not."""
    import asyncio
    import sys

    from mailer.operate import dkim

    config = _config(given)
    data = sys.stdin.buffer.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise Problem(f"the message is larger than {LARGEST >> 20} MiB", "bad-message")
    found = asyncio.run(dkim.verify(config, data))
    for signature in found:
        if given.flag("--json"):
            show.json_line(signature.as_json())
        elif not given.flag("--quiet"):
            show.show([*([show.BLANK] if signature.number > 1 else []), show.Fields([*_rows(signature)])])
    if not found and not given.flag("--json") and not given.flag("--quiet"):
        show.say("the message has no signature")
    words = {signature.word for signature in found}
    return OK if "pass" in words else TRY_AGAIN if "temperror" in words else BAD_MESSAGE


def _rows(signature: Signature) -> Iterator[tuple[str, show.Piece]]:
    claim, author = signature.claim, signature.author
    yield "signature", str(signature.number)
    yield "result", show.Cell(signature.word, {"pass": "good", "neutral": "quiet", "temperror": "wait"}.get(signature.word, "bad"))
    if signature.why:
        yield "because", signature.why
    if claim.domain:
        yield "domain", claim.domain + ("" if not author or signature.aligned else f" (and the mail is from {author})")
        yield "selector", claim.selector
    if claim.algorithm:
        yield "algorithm", claim.algorithm + (f", {claim.bits} bits" if claim.bits else "")


def _one(given: Given, what: str) -> str:
    if len(given.operands) != 1:
        raise usage(f"it takes one {what}", given.command.name)
    return given.operands[0]


def _signing(given: Given) -> list[str]:
    """The domains that have keys."""
    return [*dict.fromkeys(key.domain for key in _config(given).dkim)]


def _config(given: Given) -> Config:
    from mailer.config import load

    return load(given.text("--config"), given.text("--spool"))


SELECTOR = Option("--selector", metavar="NAME", help="the selector: the name of the key in the DNS")
TYPE = Option(
    "--type",
    metavar="TYPE",
    words=("rsa", "ed25519"),
    help="the kind of key: rsa, which all verify, or ed25519, which many do not know; by default rsa",
)
BITS = Option(
    "--bits",
    metavar="BITS",
    words=("2048", "3072", "4096"),
    help="of an RSA key: 2048, 3072 or 4096; by default 2048, or as many as the key before",
)

COMMANDS = {
    "keygen": Subcommand(
        "dkim keygen",
        keygen,
        summary="make a key, and print its record and its part of the configuration",
        about="The key goes into a file that only its owner may read; a file that exists is not touched. What root makes "
        "belongs to the user whom the spool belongs to, for the daemon has to read it.\n\n"
        "To sign with both kinds of keys, make two; a message then gets two signatures. Without --selector the "
        "selector is the type and the date. Without --out the file is in the directory dkim beside the configuration.",
        operands="DOMAIN",
        examples=("mailer dkim keygen example.com", "mailer dkim keygen example.com --type ed25519 --selector s2"),
        options=(SELECTOR, TYPE, BITS, Option("--out", metavar="FILE", help="write the key to FILE"), JSON),
    ),
    "record": Subcommand(
        "dkim record",
        record,
        summary="print the DNS records of keys",
        about="Of all keys that are configured, of those of DOMAIN, or of the one in a file. Each record is printed in one piece, as "
        "forms of DNS providers want it, and in strings of at most 255 octets, as zone files want it. Of a key that is "
        "retired, it says until when its record is needed.",
        operands="[DOMAIN]",
        words=_signing,
        examples=("mailer dkim record", "mailer dkim record example.com --zone"),
        options=(
            SELECTOR,
            Option("--key", metavar="FILE", help="the key in FILE, of DOMAIN and --selector"),
            Option("--zone", help="print only the form for zone files"),
            Option("--one-line", help="print only the value, in one piece"),
            JSON,
        ),
    ),
    "verify": Subcommand(
        "dkim verify",
        verify,
        summary="check the signatures of a message",
        about="Reads a message from standard input and tells of each signature whether it holds, and if not, why. The keys are "
        "looked up in the DNS. At most 5 signatures are looked at. RSA keys below 1024 or above 8192 bits are "
        "refused, and so are SHA-1 and l=, which leaves the end of the message open.\n\n"
        "The words for results are those of RFC 8601: pass, fail, policy, neutral, temperror, permerror. A signature is "
        "aligned if its domain is that of the From field, or above or below it.",
        options=(JSON,),
        examples=("mailer dkim verify < message.eml",),
        epilog="exit codes: 0 a signature holds · 65 none does · 75 the DNS did not answer · 64 usage · 78 configuration",
    ),
    "rotate": Subcommand(
        "dkim rotate",
        rotate,
        summary="replace the keys of a domain, in two steps",
        about="The first time it makes a new key beside each that signs, adds it to the configuration as one that waits, and "
        "prints its record. When that is published, the same command lets the new key sign and retires the old "
        "one. What is in flight then still refers to the old record: it is told until when that is needed. "
        "A running daemon takes each step on with `mailer reload`.",
        operands="DOMAIN",
        words=_signing,
        options=(
            SELECTOR,
            Option("--type", metavar="TYPE", words=("rsa", "ed25519"), help="only the keys of this type, rsa or ed25519"),
            BITS,
            Option("--unchecked", help="let the new key sign without looking for its record"),
        ),
        examples=("mailer dkim rotate example.com",),
        epilog="exit codes: 0 the step is taken · 75 a record is not published yet · 64 usage · 67 no key signs · 78 configuration",
    ),
}
