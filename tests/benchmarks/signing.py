#!/usr/bin/env python3
"""How fast mail is signed: beside dkimpy, and as part of a drain.

    python tests/benchmarks/signing.py [--seconds 2] [--rounds 3] [--drain] [-n 2000]

Both sign the same messages with the same key, in relaxed/relaxed, on one processor, in turns. dkimpy is given the key as it wants it,
which is the file, each time. With ``--drain`` a queue is drained with and without signing; the sink and the
daemon share the machine, and the RSA signatures are made on the processor that the sink leaves free.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import time
from base64 import b64encode
from collections.abc import Callable, Mapping
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import dkim
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from mailer.dkim.key import private_key
from mailer.dkim.sign import Seal, sign
from tests.benchmarks import drain
from tests.benchmarks.measure import figure, message, ratio
from tests.peers.postfix import scratch
from tests.peers.smtpsink import SmtpSink

DOMAIN = "bench.example"
SIZES = {1024: "must be at least 20", 102_400: "must be at least 10"}
DAY = 86400.0


def main() -> None:
    """Measure, and print."""
    given = arguments()
    for size, bound in SIZES.items():
        rates = alone(message(size), given.seconds, given.rounds, f"{size} bytes")
        ratio(f"sign {size} bytes, RSA-2048, mailer / dkimpy", rates["mailer, RSA-2048"], rates["dkimpy, RSA-2048"], bound)
    if given.drain:
        drained(given.count, given.rounds)


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=2.0, help="of signing in a round (default %(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of each, in turns (default %(default)s)")
    parser.add_argument("--drain", action="store_true", help="also drain a queue, with and without signing")
    parser.add_argument("-n", dest="count", type=int, default=2000, help="messages of one drain (default %(default)s)")
    return parser.parse_args()


def pem(kind: str) -> bytes:
    """A new key, as dkimpy reads it."""
    if kind == "ed25519":
        return Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return generate_private_key(65537, 2048).private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())


def alone(content: bytes, seconds: float, rounds: int, what: str) -> dict[str, float]:
    """Signatures a second of each contender."""
    rsa, ed25519 = pem("rsa"), pem("ed25519")
    seals = [Seal(DOMAIN, "s", private_key(key), 14 * DAY) for key in (rsa, ed25519)]
    seed = b64encode(Ed25519PrivateKey.generate().private_bytes_raw())
    form = (b"relaxed", b"relaxed")
    contenders: dict[str, Callable[[], object]] = {
        "dkimpy, RSA-2048": lambda: dkim.sign(content, b"s", DOMAIN.encode(), rsa, canonicalize=form),
        "dkimpy, Ed25519": lambda: dkim.sign(
            content, b"s", DOMAIN.encode(), seed, canonicalize=form, signature_algorithm=b"ed25519-sha256"
        ),
        "mailer, RSA-2048": lambda: sign(content, seals[:1], time.time()),
        "mailer, Ed25519": lambda: sign(content, seals[1:], time.time()),
        "mailer, both": lambda: sign(content, seals, time.time()),
    }
    return in_turns(contenders, seconds, rounds, what)


def in_turns(contenders: Mapping[str, Callable[[], object]], seconds: float, rounds: int, what: str) -> dict[str, float]:
    """The median rate of each, a round being `seconds` long."""
    found: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, contender in contenders.items():
            found[name].append(rate(contender, seconds))
    return {name: figure(f"sign {what}, {name}", rates, "messages/s", 0) for name, rates in found.items()}


def rate(contender: Callable[[], object], seconds: float) -> float:
    """How often a second, by the clock of the processor: others that work on the machine do not count."""
    begin = time.process_time()
    count = 0
    while (spent := time.process_time() - begin) < seconds:
        contender()
        count += 1
    return count / spent


def drained(count: int, rounds: int) -> None:
    """The drain of 1 KB messages, unsigned and signed."""
    with contextlib.ExitStack() as stack:
        sink = stack.enter_context(SmtpSink())
        found: dict[str, list[drain.Drained]] = {}
        contenders = {}
        for what, kinds in (("unsigned", ()), ("RSA-2048", ("rsa",)), ("RSA-2048 and Ed25519", ("rsa", "ed25519"))):
            home = stack.enter_context(scratch("bench"))
            contenders[what] = drain.Once(home, {"sink": sink.port})
            configure(home, kinds)
        for _ in range(rounds):
            for what, contender in contenders.items():
                found.setdefault(what, []).append(contender.drain(sink, count, 1024))
    rates = {
        what: figure(f"drain {count} of 1024 bytes, {what}", [one.rate for one in results], "messages/s", 0)
        for what, results in found.items()
    }
    unsigned = rates.pop("unsigned")
    for what, signed in rates.items():
        ratio(f"drain of 1024 bytes, {what} / unsigned", signed, unsigned, "must be at least 0.6")


def configure(home: Path, kinds: tuple[str, ...]) -> None:
    """Let the daemon of that home sign."""
    with home.joinpath("config.toml").open("a") as config:
        for kind in kinds:
            path = home / f"{kind}.pem"
            path.write_bytes(pem(kind))
            path.chmod(0o600)
            config.write(f'[[dkim]]\ndomain = "{DOMAIN}"\nselector = "{kind}"\nkey_file = "{path}"\n')


if __name__ == "__main__":
    main()
