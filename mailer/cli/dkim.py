"""``mailer dkim``: keys that sign mail, the records that publish them, and whether signatures hold."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from mailer.mail.failure import BAD_MESSAGE, OK, TRY_AGAIN, Failure

from . import show
from .options import JSON, Command, Option, usage

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mailer.config import Config
    from mailer.config.owner import Owner
    from mailer.dkim.verify import Claim

    from .dkim_keys import Published
    from .options import Given

LARGEST = 64 << 20  # bytes of a message that is verified


def keygen(given: Given) -> int:
    """Make a key and say what to publish and what to configure."""
    from . import dkim_keys

    domain = dkim_keys.domain_of(_one(given, "DOMAIN"))
    order = dkim_keys.ordered(given)
    path = given.path("--out") or dkim_keys.place(given.text("--config"), domain, order.selector)
    made = dkim_keys.make(domain, order, os.path.abspath(path), _keeper(given))
    _tell(given, [made])
    if not given.flag("--quiet") and not given.flag("--json"):
        show.say("")
        show.say("When the record can be seen, let mail be signed with the key:")
        show.say("")
        for line in dkim_keys.section(made):
            show.say(line)
    return OK


def record(given: Given) -> int:
    """Print the records of the keys that are configured, or of the one in a file."""
    from . import dkim_keys

    if len(given.operands) > 1:
        raise usage("there can be only one DOMAIN", "dkim record")
    if path := given.path("--key"):
        domain, selector = dkim_keys.domain_of(_one(given, "DOMAIN")), given.text("--selector")
        if not selector:
            raise usage("--key needs --selector", "dkim record")
        found = [dkim_keys.published(domain, dkim_keys.selector_of(selector), os.path.abspath(path), _keeper(given))]
    else:
        found = dkim_keys.configured(_config(given), given.operands, given.text("--selector"))
    _tell(given, found)
    return OK


def _keeper(given: Given) -> Owner:
    """Whose keys are looked at, and who gets a new one.

    A mistake in the daemon's part of the configuration does not matter, nor that it is written only when the key is there.
    """
    from mailer.config.owner import keeper_of
    from mailer.config.quick import submission

    path, spool = given.text("--config"), given.text("--spool")
    named = path or os.environ.get("MAILER_CONFIG", "")
    if os.geteuid() == 0 and (os.path.exists(named) or not named):  # others have their own keys
        spool = submission(path, spool).spool
    return keeper_of(spool or "")


def _tell(given: Given, found: Iterable[Published]) -> None:
    """The records: in all their forms, or in the one that is asked for."""
    for at, key in enumerate(found):
        if given.flag("--json"):
            show.json_line(key.facts())
        elif given.flag("--zone"):
            show.say(key.zone())
        elif given.flag("--one-line"):
            show.say(key.text)
        elif not given.flag("--quiet"):
            show.show([*([show.BLANK] if at else []), *key.blocks()])
            for line in key.forms():
                show.say(line)


def rotate(given: Given) -> int:
    """Put a new key in the place of the one in use: first beside it, and when its record is there, in front of it."""
    from . import dkim_rotate

    return dkim_rotate.rotate(given, _one(given, "DOMAIN"))


def verify(given: Given) -> int:
    """Tell of each signature of a message whether it holds, and why not."""
    import asyncio
    import sys
    import time

    from mailer.dkim.author import domains
    from mailer.dkim.verify import claims
    from mailer.mail.message import normalise

    if given.operands:
        raise usage("dkim verify takes no operands; the message is read from standard input", "dkim verify")
    config = _config(given)
    data = sys.stdin.buffer.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise Failure(f"the message is larger than {LARGEST >> 20} MiB", BAD_MESSAGE)
    content = normalise(data)
    found = list(claims(content, time.time()))
    asyncio.run(_ask(config, found))
    author = next(domains(content), "")
    for number, claim in enumerate(found, 1):
        _show(given, number, claim, author)
    if not found and not given.flag("--json") and not given.flag("--quiet"):
        show.say("the message has no signature")
    words = {claim.result.word for claim in found if claim.result}
    return OK if "pass" in words else TRY_AGAIN if "temperror" in words else BAD_MESSAGE


async def _ask(config: Config, found: Iterable[Claim]) -> None:
    """Ask the DNS for the keys, all at once: who wrote the message does not choose how long this takes."""
    import asyncio

    from .dkim_keys import Texts

    texts = Texts(config)
    open = [claim for claim in found if claim.result is None]
    for claim, answer in zip(open, await asyncio.gather(*(texts.of(claim.name) for claim in open)), strict=True):
        if isinstance(answer, str):
            claim.trouble(answer)
        else:
            claim.check(answer)


def _show(given: Given, number: int, claim: Claim, author: str) -> None:
    if given.flag("--json"):
        show.json_line(_record(number, claim, author))
    elif not given.flag("--quiet"):
        show.show([*([show.BLANK] if number > 1 else []), show.Fields([*_rows(number, claim, author)])])


def _record(number: int, claim: Claim, author: str) -> dict[str, object]:
    assert claim.result is not None
    return {
        "signature": number,
        "result": claim.result.word,
        "reason": claim.result.why or None,
        "domain": claim.domain or None,
        "selector": claim.selector or None,
        "algorithm": claim.algorithm or None,
        "bits": claim.bits or None,
        "aligned": _aligned(claim, author),
    }


def _rows(number: int, claim: Claim, author: str) -> Iterator[tuple[str, show.Piece]]:
    assert claim.result is not None
    word, why = claim.result
    yield "signature", str(number)
    yield "result", show.Cell(word, {"pass": "good", "neutral": "quiet", "temperror": "wait"}.get(word, "bad"))
    if why:
        yield "because", why
    if claim.domain:
        yield "domain", claim.domain + ("" if not author or _aligned(claim, author) else f" (and the mail is from {author})")
        yield "selector", claim.selector
    if claim.algorithm:
        yield "algorithm", claim.algorithm + (f", {claim.bits} bits" if claim.bits else "")


def _aligned(claim: Claim, author: str) -> bool:
    """Whether the domain that signed is the author's, or above or below it."""
    if not claim.domain or not author:
        return False
    shorter, longer = sorted((claim.domain, author), key=len)
    return longer == shorter or longer.endswith("." + shorter)


def _one(given: Given, what: str) -> str:
    if len(given.operands) != 1:
        raise usage(f"it takes one {what}", given.command.name)
    return given.operands[0]


def _config(given: Given) -> Config:
    from mailer.config import load

    return load(given.text("--config"), given.text("--spool"))


SELECTOR = Option("--selector", metavar="NAME", help="the selector: the name of the key in the DNS")
TYPE = Option("--type", metavar="TYPE", help="the kind of key: rsa, which all verify, or ed25519, which many do not know; by default rsa")
BITS = Option("--bits", metavar="BITS", help="of an RSA key: 2048, 3072 or 4096; by default 2048, or as many as the key before")

COMMANDS = {
    "keygen": Command(
        "dkim keygen",
        keygen,
        summary="make a key, and print its record and its part of the configuration",
        about="The key goes into a file that only its owner may read; a file that exists is not touched. What root makes "
        "belongs to the user whom the spool belongs to, for the daemon has to read it.\n\n"
        "To sign with both kinds of keys, make two; a message then gets two signatures. Without --selector the "
        "selector is the type and the date. Without --out the file is in the directory dkim beside the configuration.",
        operands="DOMAIN",
        options=(SELECTOR, TYPE, BITS, Option("--out", metavar="FILE", help="write the key to FILE"), JSON),
    ),
    "record": Command(
        "dkim record",
        record,
        summary="print the DNS records of keys",
        about="Of all keys that are configured, of those of DOMAIN, or of the one in a file. Each record is printed in one piece, as "
        "forms of DNS providers want it, and in strings of at most 255 octets, as zone files want it. Of a key that is "
        "retired, it says until when its record is needed.",
        operands="[DOMAIN]",
        options=(
            SELECTOR,
            Option("--key", metavar="FILE", help="the key in FILE, of DOMAIN and --selector"),
            Option("--zone", help="print only the form for zone files"),
            Option("--one-line", help="print only the value, in one piece"),
            JSON,
        ),
    ),
    "verify": Command(
        "dkim verify",
        verify,
        summary="check the signatures of a message",
        about="Reads a message from standard input and tells of each signature whether it holds, and if not, why. The keys are "
        "looked up in the DNS. At most 5 signatures are looked at. RSA keys below 1024 or above 8192 bits are "
        "refused, and so are SHA-1 and l=, which leaves the end of the message open.\n\n"
        "The words for results are those of RFC 8601: pass, fail, policy, neutral, temperror, permerror. A signature is "
        "aligned if its domain is that of the From field, or above or below it.",
        options=(JSON,),
        epilog="exit codes: 0 a signature holds · 65 none does · 75 the DNS did not answer · 64 usage · 78 configuration",
    ),
    "rotate": Command(
        "dkim rotate",
        rotate,
        summary="replace the keys of a domain, in two steps",
        about="The first time it makes a new key beside each that signs, adds it to the configuration as one that waits, and "
        "prints its record. When that is published, the same command lets the new key sign and retires the old "
        "one. What is in flight then still refers to the old record: it is told until when that is needed. "
        "A running daemon takes each step on with SIGHUP.",
        operands="DOMAIN",
        options=(
            SELECTOR,
            Option("--type", metavar="TYPE", help="only the keys of this type, rsa or ed25519"),
            BITS,
            Option("--unchecked", help="let the new key sign without looking for its record"),
        ),
        epilog="exit codes: 0 the step is taken · 75 a record is not published yet · 64 usage · 67 no key signs · 78 configuration",
    ),
}
