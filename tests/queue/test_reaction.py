"""Reactions: what refusals lead to, through the manager, with rules of our own and with those that are shipped."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from mailer.config.file import config_of
from mailer.mail.outcome import Cause, Outcome
from mailer.shaping.replies import Reactions, shipped
from mailer.shaping.sources import Book, Sources
from mailer.shaping.table import TermsTable
from mailer.spool.files.spool import FileSpool
from mailer.spool.files.store import SpoolDirectory
from mailer.tlspolicy import Requirement
from mailer.transport.route import Endpoint, NextHop, Route
from tests.fakes.mail import outcome

from .post import DAY, HOP, NOW, Post, play

GOOGLE = "mx:alt1.gmail-smtp-in.l.google.com,gmail-smtp-in.l.google.com"
YAHOO = "mx:mta5.am0.yahoodns.net"
OUTLOOK = "mx:example-com.mail.protection.outlook.com"
OTHER = "mx:mx.example.net"


def post(root: Path, text: str = "", key: str = OTHER) -> Post:
    """A post office with a configuration, where mail for example.net goes to `key`."""
    office = Post(root)
    table = TermsTable(config_of("c.toml", text.encode()))
    sources = Sources(table, Book(FileSpool(SpoolDirectory(str(root))))) if table.config.sources else None
    office.change(reactions=Reactions(table, sources))
    office.finder.routes["example.net"] = key
    return office


def rule(reply: str, action: str, duration: str = "", *more: str) -> str:
    """A section of the file."""
    time = [f'duration = "{duration}"'] if duration else []
    return "\n".join(["[[reaction]]", f"reply = '{reply}'", f'action = "{action}"', *time, *more, ""])


def said(code: int, text: str, phase: str = "rcpt", scope: str = "recipient") -> Outcome:
    """What somebody said."""
    verdict = "fail" if code >= 500 else "defer"
    return outcome(0, verdict, code=code, enhanced="", text=text, phase=phase, scope=scope, hop=HOP)  # type: ignore[arg-type]


def last(office: Post, id: str) -> Outcome:
    """What the spool knows of the message's only recipient."""
    return office.spool.read(id).history.last[0]


def test_a_message_that_is_to_come_back(tmp_path: Path) -> None:
    """It is tried when the rule says; who says so for ever is not believed, and the schedule holds again."""

    async def scenario() -> None:
        office = post(tmp_path, rule("come back", "defer", "10m"))
        office.courier.script["a@example.net"] = [said(450, "come back later")]
        async with office.running():
            id = office.put("a@example.net")
            for seconds in (600, 600, 600):
                await office.settled(id, "deferred")
                assert last(office, id).due == office.clock.now() + seconds
                office.advance(seconds)
                await office.until("tried", lambda: office.spool.find(id) == "deferred" and last(office, id).at == office.clock.now())
            assert last(office, id).due == office.clock.now() + 300

    play(scenario())


def test_a_message_that_is_given_up(tmp_path: Path) -> None:
    """A rule may know better than a code that says for now; and one for later saves a message that was refused for good."""

    async def scenario() -> None:
        office = post(tmp_path, rule("gone for ever", "fail") + rule("not today", "defer", "1h"))
        office.courier.script["a@example.net"] = [said(450, "user is gone for ever")]
        office.courier.script["b@example.net"] = [said(550, "not today")]
        async with office.running():
            never, later = office.put("a@example.net"), office.put("b@example.net")
            await office.settled(never, "failed")
            await office.settled(later, "deferred")
            assert last(office, later).due == NOW + 3600

    play(scenario())


def test_a_pause(tmp_path: Path) -> None:
    """Nothing goes there for the time, whatever else waits or comes; others are served, and then it goes on."""

    async def scenario() -> None:
        office = post(tmp_path, rule("unusual volume", "pause", "30m"))
        office.courier.script["a@example.net"] = [said(421, "unusual volume", "mail", "host"), "delivered"]
        async with office.running():
            first = office.put("a@example.net")
            await office.settled(first, "deferred")
            assert last(office, first).due == NOW + 1800
            second, other = office.put("b@example.net"), office.put("c@example.org")
            await office.settled(second, "deferred")
            await office.settled(other, None)
            told = last(office, second)
            assert told.reply.startswith("451 4.4.1 not tried: the destination rests because of its reply 421 unusual volume")
            assert (told.counts, told.due >= NOW + 1800) == (False, True)
            assert office.tries(second) == 0
            office.advance(2 * 1800)
            await office.settled(first, None)
            await office.settled(second, None)

    play(scenario())


def test_slow_down(tmp_path: Path) -> None:
    """The window is halved once, however many sessions hear it, and stays small for the time; the rate too."""

    async def scenario() -> None:
        office = post(tmp_path, rule("too fast", "slow", "1h") + '[[shape]]\nmatch = ["*"]\nmessage_rate = "10/min"\n')
        office.courier.script["slow@example.net"] = [said(450, "too fast"), said(450, "too fast"), "delivered"]
        async with office.running():
            await office.settled(office.put("a@example.net"), None)
            window = office.scheduler.destinations[OTHER].window
            window.size = 8.0
            refused = office.put("slow@example.net")
            await office.settled(refused, "deferred")
            await office.settled(office.put("slow@example.net"), "deferred")
            assert (window.size, window.cap) == (4.0, 4)
            assert last(office, refused).due == NOW + 60  # the message itself waits as ever
            reactions = office.context.policy.reactions
            assert reactions is not None
            throttle = reactions.table(Route(OTHER, (), relay=False)).throttle
            throttle.took(NOW, 1)
            assert throttle.ready(NOW, 1) == NOW + 12
            office.advance(3600)
            await office.settled(office.put("b@example.net"), None)
            assert window.cap == 20

    play(scenario())


SOURCES = '[[source]]\nname = "one"\naddresses = ["192.0.2.1"]\n[[source]]\nname = "two"\naddresses = ["192.0.2.2"]\n'


def office_with_sources(root: Path, text: str) -> Post:
    """One whose ways have a host that can be called."""
    office = post(root, text)
    hop = NextHop(Endpoint("mx.example.net", 25, Requirement("none")), ("198.51.100.1",), relay=False)

    async def find(domain: str) -> Route:
        return Route(f"mx:{domain}", (hop,), relay=False)

    office.finder.find = find  # type: ignore[method-assign]
    return office


def test_another_source(tmp_path: Path) -> None:
    """The message leaves by the next source soon, although it was refused for good; the first one rests for a while."""

    async def scenario() -> None:
        office = office_with_sources(tmp_path, SOURCES)
        office.courier.script["a@example.net"] = [said(554, "192.0.2.1 blocked using zen.spamhaus.org", "mail", "message"), "delivered"]
        async with office.running():
            id = office.put("a@example.net")
            await office.settled(id, "deferred")
            assert (last(office, id).source, last(office, id).due) == ("one", NOW + 30)
            office.advance(30)
            await office.settled(id, None)
            office.courier.script["b@example.net"] = [said(450, "try again")]
            other = office.put("b@example.net")
            await office.settled(other, "deferred")
            assert last(office, other).source == "two"

    play(scenario())


def test_no_other_source(tmp_path: Path) -> None:
    """Then the reply counts as what it is, and the sender gets to know."""

    async def scenario() -> None:
        office = office_with_sources(tmp_path, SOURCES.partition('[[source]]\nname = "two"')[0])
        office.courier.script["a@example.net"] = [said(554, "blocked using zen.spamhaus.org", "mail", "message")]
        async with office.running():
            await office.settled(office.put("a@example.net"), "failed")

    play(scenario())


def test_greylisted_mail_comes_back_from_where_it_came(tmp_path: Path) -> None:
    """Also after it had to wait for another reason in between, and although the day's number is used up by then."""

    async def scenario() -> None:
        office = office_with_sources(tmp_path, SOURCES.replace('["192.0.2.1"]\n', '["192.0.2.1"]\nwarm_up = [1]\n'))
        office.courier.script["a@example.net"] = [said(450, "greylisted, come back")]
        office.courier.script["b@example.net"] = [said(450, "greylisted, come back")]
        async with office.running():
            first, second = office.put("a@example.net"), office.put("b@example.net")
            for _ in range(3):
                await office.settled(first, "deferred")
                await office.settled(second, "deferred")
                assert (last(office, first).source, last(office, second).source) == ("one", "two")
                office.advance(360)
                await office.until("both tried again", lambda: last(office, second).at == office.clock.now() == last(office, first).at)

    play(scenario())


def test_a_source_that_is_being_warmed_up(tmp_path: Path) -> None:
    """What is more than the day's number waits for tomorrow, is no attempt, and says why; reports leave all the same."""

    async def scenario() -> None:
        office = office_with_sources(tmp_path, '[[source]]\nname = "new"\naddresses = ["192.0.2.1"]\nwarm_up = [1, 2]\n')
        async with office.running():
            await office.settled(office.put("a@example.net"), None)
            id = office.put("b@example.net")
            await office.settled(id, "deferred")
            told = last(office, id)
            assert "source new is being warmed up and has sent its 1 for day 1 to mx:example.net" in told.reply
            assert told.counts is False
            midnight = (NOW // DAY + 1) * DAY
            assert midnight <= told.due <= midnight + 3600
            await office.settled(office.put("c@example.net", sender=""), None)
            office.advance(told.due - NOW)
            await office.settled(id, None)

    play(scenario())


def test_own_schedule(tmp_path: Path) -> None:
    """A destination may have waits of its own."""

    async def scenario() -> None:
        office = post(tmp_path, '[[shape]]\nmatch = ["*.example.net"]\nretry_schedule = ["7m", "9m"]\n')
        office.courier.script["a@example.net"] = [said(450, "busy")]
        async with office.running():
            id = office.put("a@example.net")
            await office.settled(id, "deferred")
            assert last(office, id).due == NOW + 420
            office.advance(420)
            await office.until("tried again", lambda: last(office, id).at == NOW + 420)
            await office.settled(id, "deferred")
            assert last(office, id).due == NOW + 420 + 540

    play(scenario())


def test_recipients_of_a_transaction(tmp_path: Path) -> None:
    """As many as the destination takes, in as many transactions as that makes."""

    async def scenario() -> None:
        office = post(tmp_path, '[[shape]]\nmatch = ["*.example.net"]\nrecipients_per_message = 2\n')
        assert office.context.policy.reactions
        office.scheduler.terms = office.context.policy.reactions.table
        async with office.running():
            id = office.put(*(f"{name}@example.net" for name in "abcde"))
            await office.settled(id, None)
            assert sorted(len(addresses) for _, addresses in office.courier.tried) == [1, 2, 2]

    play(scenario())


REPLIES = [
    (GOOGLE, 421, "4.7.28 Gmail has detected an unusual rate of unsolicited mail originating from your IP address.", "slow"),
    (GOOGLE, 450, "4.2.1 The user you are trying to contact is receiving mail at a rate that prevents additional messages", "defer"),
    (GOOGLE, 421, "4.7.0 Try again later, closing connection.", "slow"),
    (GOOGLE, 550, "5.7.25 The IP address sending this message does not have a PTR record setup", "source"),
    (OUTLOOK, 451, "4.7.500 Server busy. Please try again later from [192.0.2.1].", "slow"),
    (OUTLOOK, 451, "4.7.650 The mail server [192.0.2.1] has been temporarily rate limited due to IP reputation.", "slow"),
    (OUTLOOK, 550, "5.7.606 Access denied, banned sending IP [192.0.2.1]", "source"),
    (YAHOO, 421, "4.7.0 [TSS04] Messages from 192.0.2.1 temporarily deferred due to unexpected volume or user complaints", "pause"),
    (YAHOO, 421, "4.7.0 [TS01] Messages from 192.0.2.1 temporarily deferred", "source"),
    (YAHOO, 451, "[GL01] Message from (192.0.2.1) temporarily deferred", "defer"),
    (OTHER, 450, "4.2.0 <a@example.net>: Recipient address rejected: Greylisted", None),  # [retry] says when it comes back
    (OTHER, 450, "4.7.0 too many connections from your host", "slow"),
    (OTHER, 421, "4.7.0 too many connections from your host", None),
    (OTHER, 451, "4.7.1 Rate limit exceeded, slow down", "slow"),
    (OTHER, 554, "5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org", "source"),
    (OTHER, 550, "5.7.1 Rejected: 192.0.2.1 is blacklisted at list.example", "source"),
    (OTHER, 550, "5.1.1 no such user", None),
    (OTHER, 550, "a@example.net User not listed in Domino Directory", None),
    (OTHER, 552, "5.2.2 mailbox full", None),
    (OTHER, 452, "4.2.2 mailbox full", None),
    (OTHER, 421, "4.7.0 [TSS04] not from Yahoo", None),
    (OTHER, 450, "4.1.1 mailbox unavailable", None),
]


@pytest.mark.parametrize(("key", "code", "text", "action"), REPLIES)
def test_known_replies(key: str, code: int, text: str, action: str | None) -> None:
    """What is shipped knows the words of the large operators, each from its hosts only, and what many say."""
    reactions = Reactions(TermsTable(config_of("", b"")))
    found = reactions.rule(key, said(code, text))
    assert (found and found.action) == action


def test_our_own_rules_go_first_and_the_shipped_ones_can_be_left_out() -> None:
    """What an operator writes down counts before what we know, and instead of it if he says so."""
    throttled = said(450, "throttled")
    own = Reactions(TermsTable(config_of("", rule("throttled", "fail").encode()))).rule(OTHER, throttled)
    assert own is not None
    assert own.action == "fail"
    none = Reactions(TermsTable(config_of("", b"[delivery]\nknown_replies = false\n")))
    assert none.rule(OTHER, throttled) is None


@pytest.mark.parametrize(
    ("more", "holds"),
    [
        ("codes = [450]", True),
        ("codes = [451]", False),
        ('phases = ["rcpt"]', True),
        ('phases = ["greeting"]', False),
        ('match = ["*.example.net"]', True),
        ('match = ["*.example.org"]', False),
    ],
)
def test_what_a_rule_holds_for(more: str, holds: bool) -> None:
    """Its codes, its steps of the session, and its destinations."""
    reactions = Reactions(TermsTable(config_of("", rule("busy", "slow", "1h", more).encode())))
    assert (reactions.rule(OTHER, said(450, "busy")) is not None) == holds


def test_what_nobody_said_is_no_reply() -> None:
    """A text of ours, for a host that was not reached, leads to nothing; nor does a password that is refused."""
    reactions = Reactions(TermsTable(config_of("", rule("busy", "slow", "1h").encode())))
    assert reactions.rule(OTHER, said(450, "busy")._replace(cause=Cause.TIMEOUT)) is None
    assert reactions.rule(OTHER, said(535, "busy", "auth", "us")) is None


def test_an_operator_has_the_last_word_on_what_is_ours() -> None:
    """What a relay refuses of ours is given up where a rule of his says so."""
    reactions = Reactions(TermsTable(config_of("", rule("relay access denied", "fail").encode())))
    refused = said(554, "5.7.1 Relay access denied", scope="us")._replace(cause=Cause.RELAYING_DENIED, verdict="defer")
    found = reactions.rule("relay:out", refused)
    assert found is not None
    assert found.action == "fail"
    assert reactions.rule("relay:out", refused._replace(cause=Cause.LOGIN_WANTED)) is None


def test_the_shipped_rules() -> None:
    """They are read as a configuration is, with the same care for expressions; none gives up a message."""
    assert len(shipped()) >= 10
    assert "fail" not in {each.action for each in shipped()}
    assert all(each.codes or each.action == "source" or each.match for each in shipped() if each.action)
    assert not [each for each in shipped() if each.action and each.means]


def test_a_rule_knows_better_than_421(tmp_path: Path) -> None:
    """421 to one of several sessions is taken for one session too many, unless a rule says what it is."""

    async def scenario() -> None:
        office = post(tmp_path, rule("unusual volume", "pause", "30m"))
        gate = office.courier.gates[OTHER] = asyncio.Event()
        office.courier.script["a@example.net"] = [said(421, "unusual volume", "mail", "host")]
        async with office.running():
            first = office.put("a@example.net")
            office.put("b@example.net")
            await office.until("two sessions", lambda: office.courier.busy == 2)
            gate.set()
            await office.settled(first, "deferred")
            assert last(office, first).due == NOW + 1800
            assert office.tries(first) == 1

    play(scenario())
