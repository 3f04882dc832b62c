"""What a message proves of its sender: the DNS is asked what it needs to be, and what follows from it is decided.

Used by the panel of filters and by ``mailer filter test``. The rules are those of `mailer.auth` and `mailer.dkim`, and what follows is for
`disposition` to say. All that is asked is asked at once, and ends within `PATIENCE`; what takes long of a large message is done in a
thread.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from mailer.auth import arc, dmarc, results, spf
from mailer.auth.author import author_of
from mailer.auth.dmarc import DmarcResult, Identifier
from mailer.auth.records import DnsQuestion, DnsRecords
from mailer.auth.results import MethodResult, shown
from mailer.dkim.verify import SignedMessage, claims_of
from mailer.mail.domain import compared
from mailer.mail.message import Message, is_normal, normalise
from mailer.net.aside import LARGE, aside
from mailer.net.records import Inquiry

from .api import FilterStep
from .disposition import Voucher, decide

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from mailer.auth.arc import ArcChain
    from mailer.auth.author import Author
    from mailer.auth.dmarc import DmarcPolicy
    from mailer.auth.records import Rule
    from mailer.auth.spf import Evaluation
    from mailer.dkim.verify import SignatureClaim
    from mailer.io.clock import Clock
    from mailer.mail.arrival import Arrival
    from mailer.net.records import RecordLookup
    from mailer.smtp.reply import Reply

    from .api import Verdict
    from .disposition import Disposition, ProofSettings

T = TypeVar("T")

PATIENCE = 10.0  # seconds for all questions to the DNS together; what is not answered by then is as if no name server could say
SCORES = {"fail": 2.0, "softfail": 1.0}
"""What SPF adds to the sum of scores where the author is not proved; mail that is forwarded has no better SPF, but proves him."""

BEST = ("pass", "temperror", "fail", "policy", "neutral", "permerror")
"""Of several signatures the first of these counts."""


@dataclass(frozen=True, slots=True)
class Proof:
    """What was found, and what follows.

    `verdict` is accept, mark, refuse or tempfail, `reply` what the client hears for the last two, and `reason` the word for them. `field`
    is Authentication-Results with its line end. `proven`: SPF or DMARC proved the reverse-path. `domain` is the author's, where DMARC
    passed, else empty. `spf`, `dkim` and `dmarc` are words of RFC 8601; of several signatures it is the best. `signatures` are those that
    hold: the domain of each, and what tells it from others.
    """

    steps: Sequence[FilterStep]
    verdict: Verdict
    reply: Reply | None
    field: bytes
    proven: bool
    domain: str
    spf: str
    dkim: str
    dmarc: str
    signatures: Sequence[tuple[str, str]]
    reason: str


async def prove(content: bytes, arrival: Arrival, sender: str, resolver: RecordLookup, clock: Clock, settings: ProofSettings) -> Proof:
    """What `content`, which came so and from `sender`, proves: octets as the client sent them, with whatever line ends they have.

    What another host of ours brings (LMTP) came to it from a network that is not known here: then SPF is not asked, and a failure of
    DMARC would mean nothing. Nothing of the DNS raises.
    """
    asking, now, settings = _Asking(resolver), clock.now(), settings.at(arrival.door)
    letter = await _beside(content, partial(_taken_apart, content, now))
    author = letter.author
    path = asking.begin(spf.evaluate(arrival.ip if arrival.door == "mx" else "", sender, arrival.hello))
    chain = asking.begin(arc.verify(letter.message, now))
    policies = asking.begin(dmarc.walks([author.domain] if author.domain else author.named))
    keys = asking.begin(_keys(letter))
    await asking.finish(path, chain, policies, keys)
    await _checked(letter, keys.found)
    found = path.found
    judging = asking.begin(_judged(letter, found, policies.found))
    await asking.finish(judging)
    result = judging.found
    wishes = {} if author.domain else {domain: dmarc.binding(policy, domain) for domain, policy in policies.found.items()}
    voucher = Voucher(arc.vouched(chain.found, author.domain, settings.trusted), chain.found.trouble)
    end = decide(author, result, wishes, voucher, settings)
    said = _Findings(arrival, sender, found, letter.claims, chain.found, result, end)
    return said.proof(settings.host, _proves_path(found, result, policies.found, sender))


class _Letter(NamedTuple):
    """A message, taken apart: who has written it, and who signed it."""

    content: bytes
    author: Author
    message: SignedMessage
    claims: Sequence[SignatureClaim]


def _taken_apart(content: bytes, now: float) -> _Letter:
    """The header counts as it will be kept, for that is what people see; the body is judged octet by octet as it came.

    Where that makes two different headers, the body counts as it will be kept, too.
    """
    whole = content if is_normal(content) else normalise(content)
    judged = content if whole is content or content.startswith(Message.head(whole).header) else whole
    message = SignedMessage(judged)
    claims = [*claims_of(message, now)]
    if len(content) > LARGE:
        for claim in (*claims, arc.last_signature(message, now)):
            if claim is not None:
                claim.hash_body()
    return _Letter(content, author_of(message.fields), message, claims)


async def _beside(content: bytes, work: Callable[[], T]) -> T:
    """What `work` on `content` returns; a large one in a thread."""
    return await aside(work) if len(content) > LARGE else work()


class _Asking:
    """The DNS, until the time for it is over."""

    def __init__(self, resolver: RecordLookup) -> None:
        self._resolver = resolver
        self._until = asyncio.get_running_loop().time() + PATIENCE

    def begin(self, rule: Rule[T]) -> Inquiry[T]:
        """A rule on its way."""
        return Inquiry(rule, self._resolver.remembered)

    async def finish(self, *inquiries: Inquiry[Any]) -> None:
        """Ask for what they still want to know, all at once."""
        if open := [each.finish(self._ask) for each in inquiries if not each.is_over]:
            await asyncio.gather(*open)

    async def _ask(self, name: str, type: str) -> DnsRecords:
        try:
            async with asyncio.timeout_at(self._until):
                return await self._resolver.records(name, type)
        except TimeoutError:
            return DnsRecords(name, trouble="no answer in time")


def _keys(letter: _Letter) -> Rule[Sequence[DnsRecords]]:
    """The answers for the keys of all signatures that need one."""
    return (yield [DnsQuestion(claim.name, "TXT") for claim in letter.claims if claim.result is None])


async def _checked(letter: _Letter, answers: Sequence[DnsRecords]) -> None:
    """Let each signature have its result."""
    open = [claim for claim in letter.claims if claim.result is None]
    for claim, answer in zip(open, answers, strict=True):
        if answer.trouble:
            claim.trouble(answer.trouble)
        else:
            await _beside(letter.content, partial(claim.check, answer.records))


def _judged(letter: _Letter, found: Evaluation, policies: Mapping[str, DmarcPolicy]) -> Rule[DmarcResult]:
    """What DMARC says of the author; where there is no single one, it fails."""
    domain = letter.author.domain
    if not domain:
        return DmarcResult("fail", "", why=letter.author.problem)
    signed = [Identifier(compared(claim.domain), "dkim", claim.result.word) for claim in letter.claims if claim.result]
    known = [one for one in (Identifier(found.domain, "spf", found.result), *signed) if one.word in ("pass", "temperror")]
    return (yield from dmarc.judge(domain, policies[domain], known))


def _proves_path(found: Evaluation, result: DmarcResult, policies: Mapping[str, DmarcPolicy], sender: str) -> bool:
    """Whether a report may go to `sender`: SPF says that it is his, for others than everybody; or he is of the author's organisation."""
    if not sender:
        return False
    if found.result == "pass" and found.term.lower() not in ("all", "+all"):
        return True
    return result.word == "pass" and dmarc.is_part(found.domain, policies[result.domain].organisation)


class _Findings(NamedTuple):
    """All that was found of a message."""

    arrival: Arrival
    sender: str
    path: Evaluation
    claims: Sequence[SignatureClaim]
    chain: ArcChain
    result: DmarcResult
    end: Disposition

    def proof(self, host: str, proven: bool) -> Proof:
        """What is handed on."""
        said = [*self._methods()]
        words = {one.word for one in said if one.method == "dkim"}
        return Proof(
            steps=[FilterStep(_step(one), one.word, shown(one.reason or self._evidence(one)), self._score(one)) for one in said],
            verdict=self.end.verdict,
            reply=self.end.reply,
            field=results.write(host, [self._for_everybody(one) for one in said], utf8=not self.sender.isascii()),
            proven=proven,
            domain=self.result.domain if self.result.word == "pass" else "",
            spf=self.path.result,
            dkim=next((word for word in BEST if word in words), "none"),
            dmarc=self.result.word,
            signatures=[(claim.domain, claim.mark) for claim in self.claims if claim.result and claim.result.word == "pass"],
            reason=self.end.reason,
        )

    def _methods(self) -> Sequence[MethodResult]:
        signatures = [_signature(claim) for claim in self.claims] or [MethodResult("dkim", "none")]
        chain = [MethodResult("arc", self.chain.word, self.chain.why)] if self.chain.word != "none" else []
        if self.arrival.door == "mx":
            return (*self._iprev(), self._path(), *signatures, *chain, self._dmarc())
        return (*signatures, *chain, *([self._dmarc()] if self.result.word == "pass" else ()))

    def _for_everybody(self, one: MethodResult) -> MethodResult:
        """As the field says it, which goes where the message goes: what our name server said or did not say is for our log alone."""
        unanswered = one.word == "temperror" or (one.method == "arc" and self.chain.trouble)
        return one._replace(reason="a look-up failed") if one.reason and unanswered else one

    def _iprev(self) -> Iterator[MethodResult]:
        """RFC 8601 §2.7.3: recorded, and no reason for anything."""
        if self.arrival.ip:
            yield MethodResult("iprev", "pass" if self.arrival.name else "fail", "", (("policy.iprev", self.arrival.ip),))

    def _path(self) -> MethodResult:
        by_path = self.path.identity == "mailfrom"
        about = ("smtp.mailfrom", self.sender) if by_path else ("smtp.helo", self.arrival.hello)
        return MethodResult("spf", self.path.result, self.path.why, (about,))

    def _dmarc(self) -> MethodResult:
        why = f"{self.result.why}, but {self.end.why}" if self.end.vouched else self.result.why
        return MethodResult("dmarc", self.result.word, why, (("header.from", self.result.domain),))

    def _evidence(self, one: MethodResult) -> str:
        """What it is about, for a person, where nothing is wrong with it."""
        if one.method == "spf":
            return f"{self.path.term} of {self.path.domain}" if self.path.term else self.path.domain
        by = self.result.by
        return f"{by.method.upper()} of {by.domain}" if one.method == "dmarc" and by else ""

    def _score(self, one: MethodResult) -> float:
        proved = self.result.by is not None or self.end.vouched
        return SCORES.get(one.word, 0.0) if one.method == "spf" and not proved else 0.0


def _step(one: MethodResult) -> str:
    about = dict(one.properties).get("header.d", "") if one.method == "dkim" else ""
    return shown(f"{one.method} {about}".rstrip())


def _signature(claim: SignatureClaim) -> MethodResult:
    assert claim.result is not None
    about = (("header.d", claim.domain), ("header.s", claim.selector), ("header.a", claim.algorithm), ("header.b", claim.mark))
    return MethodResult("dkim", claim.result.word, claim.result.why, about)
