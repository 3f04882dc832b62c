"""All who judge what strangers bring, as the configuration has them, and a `FilterCase` for each session.

What costs little comes first. When a client calls, the lists of addresses are asked, and nobody waits for that. At its recipients the lists
alone may refuse it, milters have their say, and who has a bad sign may be put off once. When the message is there, it is judged by what it
proves; where that refuses it, or the sum is too much already, no filter is asked. Then all others are asked at the same time, and all of it
ends when `filtering.deadline` is over.

Filters are shown a message with our own Authentication-Results on top, and without what strangers forged; what is taken is the message as
it came, unless a milter wants it changed.
"""

from __future__ import annotations

import asyncio
from functools import partial
from secrets import token_hex
from typing import TYPE_CHECKING

from mailer.auth import results
from mailer.events import Alarm, Mended
from mailer.mail.message import header_end, is_normal, normalise
from mailer.mail.trace import without_forged
from mailer.net.aside import LARGE, aside
from mailer.net.os_error import reason_of
from mailer.scan.opinion import ScanError
from mailer.smtp.reply import Reply

from .api import Amendment, FilterStep, Ruling
from .attended import AttendedFilter, alarm_keys
from .blocklist import AddressList, asked
from .disposition import ProofSettings
from .grey import GreyDoor
from .letter import FilterLetter
from .marks import written
from .milter import MilterSession
from .milters import MilterRow
from .program import ProgramScanner
from .proof import Proof, prove
from .replays import ReplayWatch
from .scanners import SCANNERS, Scanner
from .verdict import decide, step_of

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence
    from typing import Any

    from mailer.config import Config
    from mailer.config.sections.filtering import FilterSection
    from mailer.events import Event
    from mailer.io.clock import Clock
    from mailer.mail.arrival import Arrival
    from mailer.net.dns import Resolver
    from mailer.scan.milter_changes import MilterMail

    from .attended import FilterFinding
    from .blocklist import ListAnswer
    from .greylist.api import Greylist

EARLY = "early talker"

UNPROVED = Proof((), "accept", None, b"", False, "", "none", "none", "none", (), "")


class FilterPanel:
    """A `Panel` by `config`. `greylist` is where it is remembered who was put off."""

    def __init__(self, config: Config, resolver: Resolver, tell: Callable[[Event], None], clock: Clock, greylist: Greylist) -> None:
        self.resolver = resolver
        self.clock = clock
        self._tell = tell
        self._greylist = greylist
        self._replays = ReplayWatch()
        self._lists: dict[FilterSection, AddressList] = {}
        self._filters: dict[FilterSection, AttendedFilter] = {}
        self.use(config)

    def use(self, config: Config) -> None:
        """Judge by `config` from now on. Sessions that stand go on as they were; a filter that stays as it was keeps its health."""
        self.config = config
        lists = [each for each in config.filters if each.kind == "blocklist"]
        others = [each for each in config.filters if each.kind != "blocklist"]
        gone = {*self._lists, *self._filters} - {*config.filters}
        self._lists = {each: self._lists.get(each) or AddressList(each, self.resolver, self._tell, self.clock) for each in lists}
        self._filters = {each: self._filters.get(each) or AttendedFilter(each, self._tell, self.clock) for each in others}
        for section in gone:
            for key in alarm_keys(section.name):
                self._tell(Mended(self.clock.now(), "filter", key, "it is asked no more as it was"))
        domains = frozenset(domain.name for domain in config.domains)
        marks = config.filtering
        trusted = frozenset(marks.trusted_forwarders)
        self.proving = ProofSettings(config.hostname, domains, marks.dmarc == "obey", marks.spoof, trusted)
        self.grey = GreyDoor(self._greylist, marks, self.resolver, self._tell, self.clock) if marks.greylist else None

    def case(self, ip: str) -> FilterCase:
        """A session of the client at this address begins."""
        return FilterCase(self, ip)

    async def pinged(self) -> list[tuple[FilterSection, str, str]]:
        """Each filter with how it is, or what is wrong with it: one of the two is empty. In the order of the file; nothing raises."""
        lists = [(section, each.ping()) for section, each in self._lists.items()]
        others = [(section, _pinger(section, self.config.hostname)) for section in self._filters]
        found = await asyncio.gather(*(_pinged(section, ping) for section, ping in [*lists, *others]))
        order = [*self.config.filters]
        return sorted(found, key=lambda each: order.index(each[0]))

    @property
    def lists(self) -> Sequence[AddressList]:
        """The lists of addresses that are asked."""
        return [*self._lists.values()]

    def of_kind(self, *kinds: str) -> list[AttendedFilter]:
        """The filters of these kinds, in the order of the file."""
        return [each for section, each in self._filters.items() if section.kind in kinds]

    def watch(self, proof: Proof, ip: str) -> None:
        """Tell of a message that comes again and again, from everywhere, with a signature that holds."""
        now = self.clock.now()
        for domain, mark in proof.signatures:
            if self._replays.seen(domain, mark, ip, now):
                text = f"one message that {domain} has signed comes again and again, from many networks: somebody sends it in its name"
                self._tell(Alarm(now, "replay", text, domain))

    async def sweep(self) -> None:
        """Test the lists where that is due, though nobody calls, and forget who was put off too long ago."""
        await asyncio.gather(*(each.believed() for each in self.lists))
        if self.grey is not None:
            await self.grey.sweep()

    async def close(self) -> None:
        """Let go of what is open."""
        for each in self._lists.values():
            each.close()
        await self._greylist.close()


class FilterCase:
    """What is known of one session: a `Case`."""

    def __init__(self, panel: FilterPanel, ip: str) -> None:
        self._panel = panel
        self._marks = panel.config.filtering
        self._milters = MilterRow(panel.of_kind("milter"), panel.config.hostname, self._marks.deadline)
        self._scanners = [(each, scanner_of(each.section)) for each in panel.of_kind("clamd", "spamd", "rspamd", "program")]
        self._asking = asyncio.ensure_future(asked(panel.lists if ip else (), ip))
        self._early = False
        self._id = token_hex(8)

    async def greeted(self) -> Reply | None:
        """Wait, where the operator wants that, to see whether a client that a list has can wait."""
        if self._marks.greet_delay:
            await asyncio.wait({self._asking}, timeout=self._marks.greet_delay)
            if not self._asking.done() or sum(answer.step.score for answer in self._asking.result()) > 0:
                await asyncio.sleep(self._marks.greet_delay)
        return None

    def talked_early(self) -> None:
        """Note it: it adds to the sum."""
        self._early = True

    async def sender(self, arrival: Arrival, sender: str) -> Reply | None:
        """Milters are told that a message begins."""
        self._id = token_hex(8)
        return await self._milters.begin(arrival, sender, self._id)

    async def recipient(self, arrival: Arrival, sender: str, recipient: str) -> Reply | None:
        """Lists whose sum is enough refuse all but the postmaster, who can be asked why; then milters, then the greylist."""
        lists = await self.answers(arrival)
        if sum(each.step.score for each in lists) >= self._marks.refuse and not recipient.lower().startswith("postmaster@"):
            listed = "; ".join(each.listed for each in lists if each.listed)
            return Reply.own(554, "5.7.1", listed)
        grey = None if arrival.relayed else self._panel.grey
        if grey is not None and (reply := await grey.put_off(arrival, sender, recipient, lists)):
            return reply
        return await self._milters.recipient(recipient)

    async def judge(self, arrival: Arrival, sender: str, recipients: Sequence[str], content: bytes) -> Ruling:
        """Judge by what the message proves, then by all filters at the same time."""
        until = asyncio.get_running_loop().time() + self._marks.deadline
        proof, lists = await self._proof(content, arrival, sender), await self.answers(arrival)
        steps = [each.step for each in lists]
        if self._early:
            steps.append(FilterStep(EARLY, "noted", "it talked before its turn", self._marks.early_score))
        steps += proof.steps
        early = _ruled_out(proof, steps, self._marks.refuse)
        if early is not None:
            return early
        if not self._scanners and not self._milters:
            return self._ruling(proof, steps, [], None)
        letter = await self._letter(arrival, sender, recipients, content, proof)
        findings, mail = await self._asked(letter, until)
        return self._ruling(proof, steps, findings, mail)

    async def answers(self, arrival: Arrival) -> Sequence[ListAnswer]:
        """What the lists say of the client; nothing of a server of ours."""
        return () if arrival.relayed else await self._asking

    async def _proof(self, content: bytes, arrival: Arrival, sender: str) -> Proof:
        """What the message proves; what comes from a server of ours was judged there, by the client that it came from."""
        if arrival.relayed:
            return UNPROVED
        panel = self._panel
        proof = await prove(content, arrival, sender, panel.resolver, panel.clock, panel.proving)
        panel.watch(proof, arrival.ip)
        return proof

    async def ended(self) -> None:
        """Milters are told that it is over."""
        self._asking.cancel()
        await self._milters.end()

    async def _letter(self, arrival: Arrival, sender: str, recipients: Sequence[str], content: bytes, proof: Proof) -> FilterLetter:
        host = self._panel.config.hostname
        if len(content) > LARGE:
            content = await aside(lambda: _cleaned(content, host, relayed=arrival.relayed))
        else:
            content = _cleaned(content, host, relayed=arrival.relayed)
        return FilterLetter(host, self._id, arrival, sender, recipients, content, proof.field)

    async def _asked(self, letter: FilterLetter, until: float) -> tuple[list[FilterFinding], MilterMail | None]:
        """What all find, in the order of the file within each kind, and the message as milters want it."""
        asking = [each.find(len(letter), until, partial(scanner.ask, letter)) for each, scanner in self._scanners]
        (of_milters, mail), found = await asyncio.gather(self._milters.judge(letter, until), asyncio.gather(*asking))
        return [*found, *of_milters], mail

    def _ruling(self, proof: Proof, steps: list[FilterStep], findings: list[FilterFinding], mail: MilterMail | None) -> Ruling:
        steps = [*steps, *map(step_of, findings)]
        score = sum(step.score for step in steps)
        decision = decide(findings, score, self._marks, proof.verdict)
        fields = mail.fields if mail else proof.field
        fields += b"".join(finding.opinion.fields for finding in findings)
        if decision.reply is None and (self._panel.config.filters or decision.verdict != "accept"):
            spoke = [step.step.replace(" ", "_") for step in steps[: len(steps) - len(findings)] if step.score]
            fields += written(findings, spoke, score, self._marks.mark, decision.verdict)
        return Ruling(decision.verdict, decision.reply, fields, steps, score, decision.reason, proof.proven, _amendment(mail))


def _pinger(section: FilterSection, host: str) -> Coroutine[Any, Any, str]:
    return MilterSession(section, host).ping() if section.kind == "milter" else scanner_of(section).ping()


async def _pinged(section: FilterSection, ping: Coroutine[Any, Any, str]) -> tuple[FilterSection, str, str]:
    try:
        async with asyncio.timeout(section.timeout):
            return section, await ping, ""
    except TimeoutError:
        return section, "", "it does not answer in time"
    except (OSError, ScanError) as error:
        return section, "", reason_of(error)


def scanner_of(section: FilterSection) -> Scanner:
    """The scanner that asks the filter of `section`, which is no list and no milter."""
    return ProgramScanner(section) if section.kind == "program" else SCANNERS[section.kind](section)


def _cleaned(content: bytes, host: str, *, relayed: bool) -> bytes:
    """The message as the spool would have it, without the fields that only we write."""
    content = content if is_normal(content) else normalise(content)
    header = content[: header_end(content)]
    cleaned = results.strip(without_forged(header, relayed=relayed), host)
    return content if cleaned == header else cleaned + content[len(header) :]  # a large one is copied for a reason only


def _ruled_out(proof: Proof, steps: Sequence[FilterStep], refuse: float) -> Ruling | None:
    """What is clear before any filter is asked."""
    score = sum(step.score for step in steps)
    if proof.verdict in ("refuse", "tempfail"):
        return Ruling(proof.verdict, proof.reply, proof.field, steps, score, proof.reason, proof.proven)
    if score >= refuse:
        reply = Reply.own(550, "5.7.1", f"too much speaks against it ({score:.1f})")
        return Ruling("refuse", reply, proof.field, steps, score, "spam", proof.proven)
    return None


def _amendment(mail: MilterMail | None) -> Amendment | None:
    if mail is None or not (mail.touched or mail.sender is not None or mail.added or mail.removed):
        return None
    return Amendment(mail.content if mail.touched else None, mail.sender, tuple(mail.added), tuple(mail.removed))
