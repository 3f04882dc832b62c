"""What becomes of a recipient after what the other side said: the one place that judges.

A judgement is a verdict and a scope: how far the cause reaches decides what else is tried. The cases, in
the order in which `judge` looks at them:

===========================================  =========  ===========  ================================================
what happened                                verdict    scope        because
===========================================  =========  ===========  ================================================
the final reply is 2xx                       delivered  recipient    the next hop took responsibility, RFC 5321 §4.2.5
what we log in with cannot be had            defer      us           nothing is wrong with the host or the message
a relay refuses our password, or wants one   defer      us           a mistake of ours never bounces anybody's mail
a relay refuses our name, sender, address …  defer      us           the same; what it says is in a table (`replies`)
this machine has no descriptor or memory     defer      us           it says nothing about any host
TLS is not good enough                       defer      host         another host may do; policy is never lowered
connection lost, timed out, garbled, 421     defer      host         RFC 5321 §3.8; the next host is tried at once
521 or 556 in the greeting                   fail       host         the host takes no mail at all, RFC 7504 §3
the host is this one                         fail       host         mail would come back, RFC 5321 §6.3; another host may do
any other refusal before MAIL                defer      host         says nothing about this message
our name in EHLO, refused by another host    defer      message      ours to mend, but a stranger's word: it expires as ever
4xx to MAIL, DATA or the content             defer      message
5xx to MAIL, DATA or the content             fail       message
4xx to RCPT                                  defer      recipient
5xx to RCPT                                  fail       recipient
we refuse it (size, 8-bit, UTF-8 address)    fail       message
===========================================  =========  ===========  ================================================

The first refusal explains the rest: that a pipelining server answers RCPT with 503 after it refused MAIL
is no news about the recipient. `transport.connection` already carries MAIL's reply to those recipients.

What we decide without a host's word has a function each, named after its cause: every outcome of ours is made here, with a
reply in our words and its `Cause`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mailer.mail.dates import rfc3339
from mailer.mail.outcome import NOWHERE, Cause, Outcome
from mailer.smtp.reply import queue_id

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mailer.mail.outcome import Hop, Phase, Scope, Trace, Verdict
    from mailer.smtp.reply import AnswerKind, Reply
    from mailer.smtp.transaction import RecipientAnswer

    from .route import Unroutable

BEFORE_MAIL = frozenset({"dns", "connect", "greeting", "ehlo", "starttls", "auth"})
NO_MAIL_HERE = frozenset({521, 556})  # RFC 7504 §3, RFC 7505 §3
OUR_LOGIN = {530: Cause.LOGIN_WANTED, **dict.fromkeys((534, 535, 538), Cause.LOGIN_REFUSED)}  # RFC 4954 §6

OURS_TO_MEND = frozenset(
    {
        Cause.LOGIN_REFUSED,
        Cause.LOGIN_WANTED,
        Cause.TLS_WANTED,
        Cause.ACCOUNT_DISABLED,
        Cause.NAME_REFUSED,
        Cause.ADDRESS_REFUSED,
        Cause.BLOCKLISTED,
        Cause.RELAYING_DENIED,
        Cause.SENDER_REFUSED,
        Cause.SENDER_UNKNOWN,
        Cause.UNAUTHENTICATED,
        Cause.QUOTA_USED_UP,
    }
)
"""What a relay can refuse that is neither the recipient's nor the message's fault: its mail waits until somebody has mended it."""

ALL_OF_IT = frozenset(
    {
        Cause.CREDENTIAL,
        Cause.SETTING,
        Cause.LOGIN,
        Cause.LOGIN_REFUSED,
        Cause.LOGIN_WANTED,
        Cause.TLS_WANTED,
        Cause.ACCOUNT_DISABLED,
        Cause.NAME_REFUSED,
        Cause.QUOTA_USED_UP,
    }
)
"""What any other message to the same destination would meet, too. The rest may depend on the sender or the recipient."""


class Judgement(NamedTuple):
    """The verdict for one recipient and how far its cause reaches."""

    verdict: Verdict
    scope: Scope


DELIVERED = Judgement("delivered", "recipient")
DEFER_HOST = Judgement("defer", "host")


def judge(phase: Phase, kind: AnswerKind, reply: Reply, *, relay: bool, cause: Cause | None = None) -> Judgement:
    """Judge one recipient's answer.

    `phase` is the step of the session in which the deciding reply came, `kind` what kind of answer it is, `cause` what is known of
    its meaning.
    `relay` is true when the host is one that the configuration names: no refusal to talk is final there, and a
    login can be mended. An MX host that wants one (530) refuses the mail, and its sender has to know.
    """
    if kind == "reply" and phase == "body" and reply.code // 100 == 2:  # 354 once more would not do
        return DELIVERED
    if kind == "ours" or (relay and cause in OURS_TO_MEND):
        return Judgement("defer", "us")
    if kind == "auth" or (relay and reply.code in OUR_LOGIN):
        return Judgement("defer", "us" if reply.code in OUR_LOGIN or reply.permanent else "host")
    if kind == "short":
        return Judgement("defer", "us")
    if kind == "loop":
        return Judgement("fail", "host")
    if kind == "local":
        return Judgement("fail" if reply.permanent else "defer", "message")
    if kind != "reply" or reply.code == 421:
        return _broken(phase, reply, relay=relay)
    if phase in BEFORE_MAIL:
        return _broken(phase, reply, relay=relay)
    if cause is Cause.NAME_REFUSED:
        return Judgement("defer", "message")
    if reply.permanent:
        return Judgement("fail", "recipient" if phase == "rcpt" else "message")
    return Judgement("defer", "recipient" if phase == "rcpt" else "message")


def stops_all(phase: Phase, cause: Cause | None) -> bool:
    """Whether trouble of ours at one message is met by all others that go the same way."""
    return phase in BEFORE_MAIL or cause in ALL_OF_IT


def _broken(phase: Phase, reply: Reply, *, relay: bool) -> Judgement:
    """There was no transaction to speak of: the host is at fault, and mail waits."""
    if phase == "greeting" and reply.code in NO_MAIL_HERE and not relay:
        return Judgement("fail", "host")
    return DEFER_HOST


# What a host was asked, and what it said


def answered(
    answer: RecipientAnswer,
    cause: Cause | None,
    hop: Hop,
    *,
    relay: bool,
    at: float,
    seconds: float,
    trace: Trace | None,
    besides: str,
) -> Outcome:
    """The outcome for the recipient of `answer`, which came from `hop` after `seconds`; `relay` and `cause` as for `judge`."""
    judgement = judge(answer.phase, answer.kind, answer.reply, relay=relay, cause=cause)
    reply, text = answer.reply, answer.reply.brief
    ours = answer.kind == "local"  # what we refuse ourselves came from nowhere
    return Outcome(
        answer.to,
        judgement.verdict,
        judgement.scope,
        reply.code,
        reply.enhanced,
        text,
        answer.phase,
        NOWHERE if ours else hop,
        at,
        seconds,
        0.0,
        queue_id(text) if judgement.verdict == "delivered" else "",
        True,
        None if ours else trace,
        cause=cause,
        besides=besides,
    )


# What was decided without asking: outcomes for all `recipients` at the time `now`, `due` when it is looked at again; 0.0 by the schedule


def paused(recipients: Iterable[int], why: str, now: float, due: float) -> list[Outcome]:
    """Outcomes while an operator lets the destination wait: no attempt. RFC 3463 §3.4: system not accepting network messages"""
    return _not_tried(recipients, "4.3.2", why, now, due, Cause.PAUSED)


def congested(recipients: Iterable[int], now: float, due: float) -> list[Outcome]:
    """Outcomes where the destination has its share of the memory: no attempt. RFC 3463 §3.5: congestion"""
    return _not_tried(recipients, "4.4.5", "much mail waits for the same destination", now, due, Cause.CONGESTED)


def source_exhausted(recipients: Iterable[int], why: str, now: float, due: float) -> list[Outcome]:
    """Outcomes where no address of ours may send there now: no attempt. RFC 3463 §3.5: congestion"""
    return _not_tried(recipients, "4.4.5", why, now, due, Cause.SOURCE_EXHAUSTED)


def suspended(recipients: Iterable[int], why: str, now: float, due: float, *, ours: bool = False) -> list[Outcome]:
    """Outcomes while a rule lets the destination rest: no attempt; `ours`: it is our fault. RFC 3463 §3.5: no answer from host"""
    return _not_tried(recipients, "4.4.1", why, now, due, Cause.SUSPENDED, scope="us" if ours else "destination")


def breaker_open(recipients: Iterable[int], why: str, now: float, due: float, *, ours: bool = False, besides: str = "") -> list[Outcome]:
    """Outcomes while the breaker is open, for hosts that did not answer, or for `ours`: no attempt. RFC 3463 §3.5: no answer from host"""
    outcomes = _not_tried(recipients, "4.4.1", why, now, due, Cause.BREAKER, scope="us" if ours else "destination")
    return [outcome._replace(besides=besides) for outcome in outcomes] if besides else outcomes


def met_before(recipients: Iterable[int], trouble: Outcome, now: float, due: float) -> list[Outcome]:
    """Outcomes with what the last session met, for those that are not tried because of it and have no time left."""
    met = trouble._replace(verdict="defer", at=now, seconds=0.0, due=due, counts=False, source="")
    return [met._replace(to=to) for to in recipients]


def unroutable(recipients: Iterable[int], trouble: Unroutable, now: float, due: float) -> list[Outcome]:
    """Outcomes where no way leads there. Being offline is our own trouble, with no age at which it fails."""
    scope: Scope = "us" if trouble.offline else "destination"
    return _ours(
        recipients, trouble.verdict, scope, trouble.code, trouble.enhanced, trouble.text, trouble.phase, trouble.cause, now=now, due=due
    )


def loop(recipients: Iterable[int], text: str, now: float) -> list[Outcome]:
    """Outcomes of a message that goes round in circles. RFC 3463 §3.5: routing loop detected"""
    return _ours(recipients, "fail", "message", 554, "5.4.6", text, "", Cause.LOOP, now=now)


def too_late(recipients: Iterable[int], now: float) -> list[Outcome]:
    """Outcomes of what was to be there by now or to come back (RFC 2852 §4.2): no attempt. RFC 3463 §3.5: delivery time expired"""
    text = "the time is up in which the sender wanted it delivered"
    return _ours(recipients, "expire", "message", 554, "5.4.7", text, "", Cause.TOO_LATE, now=now, counts=False)


def suppressed(to: int, since: float, why: str, address: str, now: float) -> Outcome:
    """Outcome of a recipient who is not to be mailed since then (seconds since the epoch), for a reason in words: nobody is asked.

    RFC 3463 §3.8: delivery not authorized, message refused
    """
    text = f"suppressed since {rfc3339(since)[:10]} ({why}): mailer suppress why {address}"
    [outcome] = _ours([to], "fail", "recipient", 554, "5.7.1", text, "", Cause.SUPPRESSED, now=now, counts=False)
    return outcome


def unasked(recipients: Iterable[int], why: str, now: float, due: float) -> list[Outcome]:
    """Outcomes of mail of which nobody can say whether it may go: it waits. RFC 3463 §3.4: other mail system status"""
    return _ours(recipients, "defer", "us", 451, "4.3.0", f"not tried: {why}", "", Cause.SETTING, now=now, due=due, counts=False)


def folding(recipients: Iterable[int], now: float, due: float) -> list[Outcome]:
    """Outcomes of mail that waits until it is folded with others that are equal: no attempt. RFC 3463 §3.1: other undefined status"""
    text = "not tried: mail like it was sent a moment ago, and what comes now is folded into one message ([fold])"
    return _ours(recipients, "defer", "us", 451, "4.0.0", text, "", Cause.FOLDING, now=now, due=due, counts=False)


def folded(recipients: Iterable[int], into: str, now: float) -> list[Outcome]:
    """Outcomes of mail that the message `into` stands for: no reply, no attempt."""
    return _ours(recipients, "cancel", "message", 0, "", f"folded into {into}", "", Cause.FOLDED, now=now, counts=False)


def fused(recipients: Iterable[int], why: str, now: float, due: float) -> list[Outcome]:
    """Outcomes of mail that waits its turn, for its submitter hands in too much: no attempt. RFC 3463 §3.4: mail system full"""
    return _ours(recipients, "defer", "us", 451, "4.3.1", f"not tried: {why}", "", Cause.FUSED, now=now, due=due, counts=False)


def trapped(recipients: Iterable[int], now: float) -> list[Outcome]:
    """Outcomes of mail that a sandbox keeps from leaving: nobody was asked, and it is done with."""
    return _ours(recipients, "delivered", "recipient", 250, "2.0.0", "trapped", "", Cause.TRAPPED, now=now)


def untrapped(recipients: Iterable[int], why: str, now: float) -> list[Outcome]:
    """Outcomes of mail that a sandbox is to keep and cannot: it waits. RFC 3463 §3.4: other mail system status"""
    text = f"it was trapped, and cannot be kept (sandbox.keep): {why}"
    return _ours(recipients, "defer", "us", 451, "4.3.0", text, "", Cause.SETTING, now=now)


def in_mailbox(to: int, place: str, now: float, *, fresh: bool) -> Outcome:
    """Outcome of a recipient in whose mailbox of this machine, at `place`, the message is; it may have been there before."""
    text = f"{'put' if fresh else 'it was put before'} into {place}"
    return Outcome(to, "delivered", "recipient", 250, "2.0.0", text, "body", at=now)


def nobody(to: int, reply: Reply, now: float) -> Outcome:
    """Outcome of a recipient at a domain of ours of whom `reply` says that nobody is called so."""
    return _ours([to], "fail", "recipient", reply.code, reply.enhanced, reply.text, "rcpt", Cause.NO_MAILBOX, now=now)[0]


def nobody_knows(to: int, now: float, due: float) -> Outcome:
    """Outcome of a recipient at a domain of ours of whom nobody can say who he is: he waits. RFC 3463 §3.4: other mail system status"""
    text = "who lives here cannot be looked up for now; the log says why"
    return _ours([to], "defer", "us", 451, "4.3.0", text, "rcpt", Cause.SETTING, now=now, due=due, counts=False)[0]


def led_on(to: int, id: str, now: float) -> Outcome:
    """Outcome of a recipient who is an alias, and those whom it stands for are written to in the message `id`."""
    return Outcome(to, "delivered", "recipient", 250, "2.0.0", f"an alias leads on, with the message {id}", "", at=now)


def not_led_on(to: int, why: str, now: float, due: float) -> Outcome:
    """Outcome of a recipient who is an alias, where there can be no message to those whom it stands for. RFC 3463 §3.4"""
    text = f"those whom the alias stands for cannot be written to: {why}"
    return _ours([to], "defer", "us", 451, "4.3.0", text, "rcpt", Cause.SHORT, now=now, due=due, counts=False)[0]


def no_mailbox_name(to: int, address: str, why: str, now: float) -> Outcome:
    """Outcome of a recipient for whom there can be no mailbox. RFC 3463 §3.2: bad destination mailbox address syntax"""
    return _ours([to], "fail", "recipient", 553, "5.1.3", f"{address}: {why}", "rcpt", Cause.MISWRITTEN, now=now)[0]


def mailbox_full(to: int, why: str, now: float) -> Outcome:
    """Outcome of a recipient whose mailbox of this machine has no more room: it waits for him. RFC 3463 §3.3: mailbox full"""
    return _ours([to], "defer", "recipient", 452, "4.2.2", why, "rcpt", Cause.MAILBOX_FULL, now=now)[0]


def unwritable(to: int, why: str, now: float, *, short: bool) -> Outcome:
    """Outcome of a recipient whose mailbox of this machine cannot be written, or not because we are `short` of something: no mail bounces.

    RFC 3463 §3.4: other mail system status, or mail system full
    """
    enhanced, cause = ("4.3.1", Cause.SHORT) if short else ("4.3.0", Cause.UNWRITABLE)
    return _ours([to], "defer", "us", 451, enhanced, f"the mailbox cannot be written: {why}", "body", cause, now=now)[0]


def filed(to: int, now: float, *, fresh: bool) -> Outcome:
    """Outcome of a recipient whose mailbox, which is our own, has the message; it may have had it before."""
    text = "it is in the mailbox" if fresh else "it was put into the mailbox before"
    return Outcome(to, "delivered", "recipient", 250, "2.0.0", text, "body", at=now)


def over_quota(to: int, why: str, now: float, *, late: bool) -> Outcome:
    """Outcome of a recipient whose quota is used up: it waits for him, unless that is `late`. RFC 3463 §3.3: mailbox full"""
    if late:
        return _ours([to], "fail", "recipient", 552, "5.2.2", why, "rcpt", Cause.MAILBOX_FULL, now=now)[0]
    return mailbox_full(to, why, now)


def frozen(to: int, why: str, now: float) -> Outcome:
    """Outcome of a recipient whose mailbox is being moved: for seconds. RFC 3463 §3.3: mailbox disabled, not accepting messages"""
    return _ours([to], "defer", "recipient", 451, "4.2.1", why, "rcpt", Cause.MAILBOX_DISABLED, now=now)[0]


def unwritable_mailbox(to: int, why: str, now: float, *, short: bool) -> Outcome:
    """Outcome of a recipient whose mailbox cannot be written: its key is missing, its database is busy or broken, or we are `short`.

    No mail bounces for that. RFC 3463 §3.4: other mail system status, or mail system full
    """
    code, enhanced, cause = (452, "4.3.1", Cause.SHORT) if short else (451, "4.3.0", Cause.UNWRITABLE)
    return _ours([to], "defer", "us", code, enhanced, f"the mailbox cannot be written: {why}", "body", cause, now=now)[0]


def redirected(outcome: Outcome, to: str) -> Outcome:
    """`outcome` of mail that went to `to` in place of its recipient, where that was taken."""
    if outcome.verdict != "delivered":
        return outcome
    return outcome._replace(text=f"redirected to {to}, whose host said: {outcome.text}", cause=Cause.REDIRECTED)


class Unsigned(Exception):
    """A message must not leave as it is, and that is our own fault; `str()` is the reply to its recipients."""


def unsigned(recipients: Iterable[int], text: str, now: float) -> list[Outcome]:
    """Outcomes of mail that must not leave without a signature: no mail bounces for that. RFC 3463 §3.8: cryptographic failure"""
    return _ours(recipients, "defer", "us", 451, "4.7.5", text, "mail", Cause.UNSIGNED, now=now)


def stuck(recipients: Iterable[int], why: str, phase: Phase, now: float) -> list[Outcome]:
    """Outcomes of an attempt that made no progress in `phase`, and was broken off. RFC 3463 §3.5: bad connection"""
    return _ours(recipients, "defer", "host", 451, "4.4.2", f"broken off: {why}", phase, Cause.STUCK, now=now)


def short_of_memory(recipients: Iterable[int], phase: Phase, now: float, due: float) -> list[Outcome]:
    """Outcomes where this process got no more memory in `phase`: no attempt. RFC 3463 §3.4: other mail system status"""
    text = "there was not enough memory to deliver it"
    return _ours(recipients, "defer", "us", 451, "4.3.0", text, phase, Cause.SHORT, now=now, due=due, counts=False)


def bug(recipients: Iterable[int], error: Exception, phase: Phase, now: float) -> list[Outcome]:
    """Outcomes of an error in this program. RFC 3463 §3.4: other mail system status"""
    text = f"an error in mailer: {type(error).__name__}: {error}"
    return _ours(recipients, "defer", "message", 451, "4.3.0", text, phase, Cause.BUG, now=now)


# What an outcome turns into, where its reason is ours


def offline(outcomes: Iterable[Outcome], due: float) -> list[Outcome]:
    """`outcomes` where no connection could be begun because this machine has no network: no attempt."""
    return [outcome._replace(scope="us", counts=False, due=due, cause=Cause.OFFLINE) for outcome in outcomes]


def short_of_descriptors(outcomes: Iterable[Outcome], due: float) -> list[Outcome]:
    """`outcomes` where no connection could be begun because this machine lacks what one needs: no attempt, and no host was called."""
    return [outcome._replace(counts=False, due=due, phase="", hop=NOWHERE, trace=None) for outcome in outcomes]


def kept_back(outcome: Outcome, due: float) -> Outcome:
    """`outcome`, put off with what the host said until there is room for the report of it. RFC 3463 §3.4: mail system full"""
    text = f"the disk of the spool has no room for the report that is due: {outcome.told}"
    return outcome._replace(verdict="defer", scope="us", code=451, enhanced="4.3.1", text=text, counts=False, due=due, cause=Cause.SHORT)


def _not_tried(
    recipients: Iterable[int], enhanced: str, why: str, now: float, due: float, cause: Cause, scope: Scope = "destination"
) -> list[Outcome]:
    """It waits, and that is no attempt."""
    return _ours(recipients, "defer", scope, 451, enhanced, f"not tried: {why}", "connect", cause, now=now, due=due, counts=False)


def _ours(
    recipients: Iterable[int],
    verdict: Verdict,
    scope: Scope,
    code: int,
    enhanced: str,
    text: str,
    phase: Phase,
    cause: Cause,
    *,
    now: float,
    due: float = 0.0,
    counts: bool = True,
) -> list[Outcome]:
    return [Outcome(to, verdict, scope, code, enhanced, text, phase, at=now, due=due, counts=counts, cause=cause) for to in recipients]
