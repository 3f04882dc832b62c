"""Classes of refusals: by our cause, by words, by codes; and that the table holds together."""

from __future__ import annotations

import tomllib
from importlib.resources import files

import pytest

from mailer.dsn.classes import WhoseFault, class_of, classify
from mailer.mail.outcome import CAUSES, Cause

TABLE = tomllib.loads(files("mailer.dsn").joinpath("classes.toml").read_text("utf-8"))
SUMMARIES = TABLE.pop("summaries")


@pytest.mark.parametrize(
    ("code", "enhanced", "text", "name"),
    [
        (550, "5.1.1", "The email account that you tried to reach does not exist. Please try double-checking", "unknown-user"),
        (550, "5.1.10", "RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup", "unknown-user"),
        (550, "5.4.1", "Recipient address rejected: Access denied. [AM0.example.prod.outlook.com]", "unknown-user"),
        (554, "5.2.2", "mailbox full; STOREDRV.Deliver.Exception:QuotaExceededException.MapiExceptionShutoffQuotaExceeded", "full"),
        (550, "5.1.1", "<a@example.net> user mailbox is over quota", "full"),
        (550, "5.7.1", "Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org", "blocked"),
        (550, "5.7.26", "Unauthenticated email from example.org is not accepted due to domain's DMARC policy", "auth"),
        (421, "4.7.28", "Our system has detected an unusual rate of unsolicited mail", "rate"),
        (450, "4.2.0", "<a@example.net>: Recipient address rejected: Greylisted, see http://postgrey.example", "greylisted"),
        (552, "5.3.4", "Message size exceeds fixed limit", "too-large"),
        (554, "5.7.1", "Relay access denied", "relay"),
        (530, "5.7.0", "Must issue a STARTTLS command first", "tls"),
        (550, "5.7.1", "message contains spam or virus", "spam"),
        (554, "", "delivery error: dd This user doesn't have a yahoo.com account (a@yahoo.com) [0]", "unknown-user"),
        (550, "", "Requested action not taken: mailbox unavailable", "unknown-user"),
        (550, "5.1.1", "", "unknown-user"),
        (550, "5.2.1", "", "inactive"),
        (556, "5.1.10", "", "bad-domain"),
        (550, "5.0.0", "", "other"),
        (0, "", "", "other"),
        (550, "5.1.1", "<spam@blocklist.example>: user unknown", "unknown-user"),  # an address is no reason
        (550, "", "terrible producer", "other"),  # "rbl", "uce" within words are none
    ],
)
def test_what_hosts_say(code: int, enhanced: str, text: str, name: str) -> None:
    """Words before codes, for a code is given for anything."""
    assert classify(code, enhanced, text).name == name


def test_a_cause_of_ours_is_stronger_than_words() -> None:
    """We judged it when it was said."""
    assert classify(550, "5.7.1", "user unknown", Cause.BLOCKLISTED).name == "blocked"


@pytest.mark.parametrize(("code", "enhanced", "hard"), [(550, "5.1.1", True), (450, "4.1.1", False), (450, "", False), (0, "", True)])
def test_what_may_change_is_not_hard(code: int, enhanced: str, hard: bool) -> None:
    """A host that says that there is no such user for now may know him tomorrow."""
    found = classify(code, enhanced, "user unknown")
    assert (found.name, found.hard, found.status[0]) == ("unknown-user", hard, "5" if hard else "4")


def test_only_what_is_wrong_with_the_address_is_hard() -> None:
    """That is what suppression goes by."""
    assert all(WhoseFault(rule["fault"]) is WhoseFault.RECIPIENT for rule in TABLE.values() if rule.get("hard"))


def test_each_cause_has_one_class() -> None:
    """So that our own refusals are counted whole; what is no failure has none."""
    named = [cause for rule in TABLE.values() for cause in rule.get("causes", ())]
    assert sorted(named) == sorted(set(named))
    assert set(named) <= set(CAUSES)
    none = {Cause.FOLDING, Cause.FOLDED, Cause.TRAPPED, Cause.REDIRECTED}
    assert set(CAUSES) - set(named) == {cause.value for cause in none}


def test_each_code_and_phrase_has_one_class() -> None:
    """No two say different things of one."""
    for of in ("codes", "words", "hints"):
        found = [each for rule in TABLE.values() for each in rule.get(of, ())]
        assert sorted(each for each in set(found) if found.count(each) > 1) == []


@pytest.mark.parametrize("summary", SUMMARIES)
def test_what_a_gateway_sums_up_counts_for_nothing(summary: str) -> None:
    """The words of the host that refused, behind it, do; without any, the code."""
    assert classify(550, "5.1.0", f"5.1.0 - {summary} 550-'message was rejected as spam'").name == "spam"
    assert classify(550, "5.1.0", f"5.1.0 - {summary} 550").name == "unknown-user"


def test_a_class_is_known_by_its_name() -> None:
    """And what it leads to."""
    found = class_of("complaint")
    assert (found.fault, found.hard) == (WhoseFault.RECIPIENT, True)
