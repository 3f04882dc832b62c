"""``mailer bounces dmarc`` and ``mailer bounces tlsrpt``: what others report in sums."""

from __future__ import annotations

import csv
import time
from asyncio import run
from pathlib import Path
from typing import Any

import pytest

from mailer.aggregate.summary import DmarcSource
from mailer.aggregate.tlsrpt import FAILURES
from mailer.bounces.aggregates import count
from mailer.mail.dates import rfc3339
from mailer.operate.aggregates import TLS_ADVICE, advice
from tests.aggregate import letters
from tests.aggregate.letters import attached, row
from tests.cli.terminal import Shell
from tests.operate.test_schemas import right
from tests.status.office import Office

TODAY = int(time.time()) // 86400 * 86400
TIMES = {"start-datetime": rfc3339(TODAY), "end-datetime": rfc3339(TODAY + 86399)}
ESP = "<dkim><domain>esp.example</domain><selector>s</selector><result>pass</result></dkim>"


@pytest.fixture(autouse=True)
def _ours(office: Office, tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('[submission]\ndefault_domain = "example.com"\n')


def counted(office: Office, *documents: bytes) -> list[dict[str, object]]:
    """The notes on reports that have come in."""
    return [run(count(attached(each, "text/xml"), time.time(), office.recorder, "example.com".__eq__)) for each in documents]


def report(*rows: str, **more: str) -> bytes:
    return letters.dmarc(*rows, begin=TODAY, **more)


def test_senders_are_shown_with_what_to_do_those_that_fail_first(office: Office, shell: Shell) -> None:
    """Of the domains that are ours and all below; who signs for whom is told."""
    bad = row("198.51.100.9", 4, dkim="fail", spf="fail", disposition="quarantine", author="news.example.com", results=ESP)
    first, again, other = counted(office, report(row(count=6), bad), report(row(count=6), bad), report(row(count=9), id="2"))
    assert (first["counted"], again["known"], other["counted"]) == (1, 1, 1)
    said = shell("bounces", "dmarc")
    assert said.lines[0] == "15 of 19 messages passed DMARC, in 2 reports of 1 reporter."
    assert said.lines[3].split()[:7] == ["4", "0", "0", "0", "198.51.100.9", "news.example.com", "esp.example"]
    assert "have it sign as news.example.com" in said.lines[3]
    assert said.lines[4].split()[:5] == ["15", "15", "15", "15", "192.0.2.1"]
    assert len(shell("bounces", "dmarc", "--limit", "1").lines) == 4
    assert shell("bounces", "dmarc", "--domain", "other.example").out.startswith("No DMARC report")


def test_what_is_told_of_other_domains_is_never_among_ours(office: Office, shell: Shell) -> None:
    """Anybody may write a report on any domain: it is shown where it is asked for."""
    counted(
        office, report(row(author="bank.example"), domain="bank.example"), report(row(author="example.com.evil"), domain="example.com.evil")
    )
    assert "bank.example" not in shell("bounces", "dmarc").out
    assert shell("bounces", "dmarc", "--json").objects == []
    found = shell("bounces", "dmarc", "--foreign", "--json").objects
    assert [(each["domain"], each["ours"]) for each in found] == [("bank.example", False), ("example.com.evil", False)]


def test_sums_as_json(office: Office, shell: Shell) -> None:
    """One object for each address and author."""
    counted(office, report(row(count=2, results=ESP, dkim="fail"), reporter="r.example"))
    day = time.strftime("%Y-%m-%d", time.gmtime(TODAY))
    right("bounces dmarc", shell("bounces", "dmarc", "--json").out)
    assert shell("bounces", "dmarc", "--json").objects == [
        {"domain": "example.com", "author": "example.com", "source": "192.0.2.1", "messages": 2, "passed": 2, "dkim": 0, "spf": 2,
         "dispositions": {"none": 2}, "signer": "esp.example", "path": None, "override": None, "reporters": ["r.example"],
         "first_day": day, "last_day": day, "ours": True,
         "advice": "no signature agrees: it passes by SPF alone, which breaks where mail is forwarded"}
    ]  # fmt: skip


def test_a_spreadsheet_gets_no_formula(office: Office, shell: Shell) -> None:
    """A reporter calls himself what he likes."""
    counted(office, report(reporter="=cmd()|' /C calc'!A0"))
    head, line = csv.reader(shell("bounces", "dmarc", "--csv").out.splitlines())
    assert line[head.index("reporters")] == "'=cmd()|' /C calc'!A0"
    assert shell("bounces", "dmarc", "--csv", "--json").code == 64


def test_tls_failures_are_shown_with_host_and_remedy(office: Office, shell: Shell) -> None:
    """First what failed, then what went well."""
    expired: dict[str, object] = {
        "result-type": "certificate-expired",
        "receiving-mx-hostname": "mx1.example.com",
        "failed-session-count": 3,
    }
    content = attached(letters.tlsrpt(expired, good=7, bad=3, times=TIMES), "application/tlsrpt+json")
    assert run(count(content, time.time(), office.recorder, "example.com".__eq__))["counted"] == 1
    said = shell("bounces", "tlsrpt")
    assert said.lines[0] == "7 of 10 sessions had the TLS that was asked for, in 1 report of 1 reporter."
    assert said.lines[3].split()[:4] == ["3", "certificate-expired", "example.com", "mx1.example.com"]
    assert said.lines[3].endswith("the certificate of mx1.example.com has expired: renew it, and have the server load it")
    right("bounces tlsrpt", shell("bounces", "tlsrpt", "--json").out, lines=2)
    assert [each["result"] for each in shell("bounces", "tlsrpt", "--json").objects] == ["certificate-expired", "success"]
    assert "No TLS report" in shell("bounces", "tlsrpt", "--since", "2099-01-01").out


def test_what_cannot_be_read_is_noted(office: Office) -> None:
    """With the reason, for whoever lists reports."""
    (note,) = counted(office, b"<feedback><!-- no end")
    assert (note["counted"], note["problems"]) != (0, [])
    (note,) = counted(office, report(row("nowhere"), row()))
    assert (note["counted"], note["bad_rows"]) == (1, 1)


def test_each_failure_has_a_remedy() -> None:
    """Those of RFC 8460, and each way in which DMARC fails."""
    assert TLS_ADVICE.keys() == FAILURES
    failed = DmarcSource("example.com", "192.0.2.1", "none", dkim=False, spf=False)
    ways: list[dict[str, Any]]
    ways = [{}, {"override": "mailing_list"}, {"signer": "a.example", "signed": "pass"}, {"path": "a.example", "allowed": "pass"},
            {"signer": "example.com", "signed": "fail"}, {"disposition": "reject"}]  # fmt: skip
    assert len({advice(failed._replace(**way)) for way in ways} - {""}) == len(ways)
