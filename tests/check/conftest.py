"""A world to look at: its DNS, in a real name server, and what a configuration finds in it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailer.check.examine import domains_of, examine
from mailer.check.finding import Finding, ZoneRecord
from mailer.config import load
from tests.dkim.keys import key
from tests.peers.nsd import Nsd
from tests.peers.postfix import scratch

from .zones import HOME, WORLD, ZONES

CONFIG = """
[mailer]
hostname = "mail.good.example"
[check]
deadline = "60s"
blocklists = ["bl.example"]
port_domain = "nowhere.example"
time_server = ""
"""


class Look:
    """Looks at the world of a name server with the eyes of a configuration."""

    def __init__(self, nsd: Nsd, directory: Path) -> None:
        self.nsd = nsd
        self.file = directory / "config.toml"
        self.configure()

    def configure(self, more: str = "", head: str = CONFIG, timeout: str = "10s") -> None:
        """Write the configuration; `more` are sections of it."""
        self.file.write_text(f'{head}[dns]\nnameservers = ["{self.nsd.address}"]\ntimeout = "{timeout}"\nlifetime = "600s"\n{more}')

    def __call__(self, *domains: str, from_ips: tuple[str, ...] = (HOME,), https_port: int = 443, now: float = 0.0) -> list[Finding]:
        """The findings."""
        config = load(str(self.file), None)
        return asyncio.run(examine(config, domains or domains_of(config), from_ips, now or time.time(), https_port))

    def one(self, check: str, *domains: str, **more: object) -> Finding:
        """The only finding of a check."""
        (found,) = self.many(check, *domains, **more)
        return found

    def many(self, check: str, *domains: str, **more: object) -> list[Finding]:
        """All findings of a check."""
        return [finding for finding in self(*domains, **more) if finding.check == check]  # type: ignore[arg-type]


def txt(name: str, text: str) -> str:
    return ZoneRecord(name, "TXT", text).zone + "\n"


def keys() -> str:
    """Records of keys, at selectors that say what is right or wrong with them."""
    rsa, ed25519, short = key().record, key("ed25519").record, key("rsa", 1024).record
    records = {"rsa": rsa, "ed": ed25519, "short": short, "other": key("rsa", 3072).record, "testing": rsa.replace("; k=", "; t=y; k=")}
    records |= {"revoked": "v=DKIM1; p=", "garbage": "v=DKIM1; k=rsa; p=AAAA", "huge": "v=DKIM1; k=rsa; p=" + "A" * 60_000}
    where = (".signed.example", ".strict.example")
    lines = [txt(f"{selector}._domainkey{domain}", text) for selector, text in records.items() for domain in where]
    lines += [txt("selector1._domainkey.provided.example", "v=DKIM1; p="), txt("keys.provider.example", rsa)]
    lines += [f"{selector}._domainkey.provided.example. IN CNAME keys.provider.example.\n" for selector in ("selector2", "s1")]
    lines += [txt("_dmarc.provided.example", "v=DMARC1; p=reject; rua=mailto:a@provided.example")]
    lines += [txt("twice._domainkey.signed.example", rsa), txt("twice._domainkey.signed.example", ed25519)]
    lines += ["circle._domainkey.signed.example. IN CNAME circle2.signed.example.\n"]
    return "".join([*lines, "circle2.signed.example. IN CNAME circle._domainkey.signed.example.\n"])


@pytest.fixture(scope="session")
def nsd() -> Iterator[Nsd]:
    """The name server. Tests that use it are marked ``peer("nsd")``."""
    with scratch("nsd") as home, Nsd(home, {**ZONES, ".": WORLD + keys()}) as running:
        yield running


@pytest.fixture
def look(nsd: Nsd, tmp_path: Path) -> Look:
    """See `Look`."""
    return Look(nsd, tmp_path)
