"""What becomes of a recipient after what the other side said: the one place that judges.

A judgement is a verdict and a scope: how far the cause reaches decides what else is tried. The cases, in
the order in which `judge` looks at them:

===========================================  =========  ===========  ================================================
what happened                                verdict    scope        because
===========================================  =========  ===========  ================================================
the final reply is 2xx                       delivered  recipient    the next hop took responsibility, RFC 5321 §4.2.5
what we log in with cannot be had            defer      us           nothing is wrong with the host or the message
a relay refuses our password, or wants one   defer      us           a mistake of ours never bounces anybody's mail
a relay refuses our name, sender, address …  defer      us           the same; what it says is in a table (`reaction`)
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
is no news about the recipient. `net.connection` already carries MAIL's reply to those recipients.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mailer.mail.cause import Cause

if TYPE_CHECKING:
    from mailer.mail.outcome import Scope, Verdict
    from mailer.smtp.reply import Reply

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


def judge(phase: str, kind: str, reply: Reply, *, relay: bool, cause: Cause | None = None) -> Judgement:
    """Judge one recipient's answer.

    `phase` is the step of the session in which the deciding reply came, `kind` what kind of answer it is
    (``reply`` for the other side's words, else one of `net.connection.SessionError.kind`, ``loop`` or ``local``), `cause` what is
    known of its meaning.
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


def stops_all(phase: str, cause: Cause | None) -> bool:
    """Whether trouble of ours at one message is met by all others that go the same way."""
    return phase in BEFORE_MAIL or cause in ALL_OF_IT


def _broken(phase: str, reply: Reply, *, relay: bool) -> Judgement:
    """There was no transaction to speak of: the host is at fault, and mail waits."""
    if phase == "greeting" and reply.code in NO_MAIL_HERE and not relay:
        return Judgement("fail", "host")
    return DEFER_HOST
