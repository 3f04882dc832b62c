"""What becomes of a recipient after what the other side said: the one place that judges.

A judgement is a verdict and a scope: how far the cause reaches decides what else is tried. The cases, in
the order in which `judge` looks at them:

===========================================  =========  ===========  ================================================
what happened                                verdict    scope        because
===========================================  =========  ===========  ================================================
the final reply is 2xx                       delivered  recipient    the next hop took responsibility, RFC 5321 §4.2.5
a relay refuses our password, or wants one   defer      us           a mistake of ours never bounces anybody's mail
this machine has no descriptor or memory     defer      us           it says nothing about any host
TLS is not good enough                       defer      host         another host may do; policy is never lowered
connection lost, timed out, garbled, 421     defer      host         RFC 5321 §3.8; the next host is tried at once
521 or 556 in the greeting                   fail       host         the host takes no mail at all, RFC 7504 §3
the host is this one                         fail       host         mail would come back, RFC 5321 §6.3; another host may do
any other refusal before MAIL                defer      host         says nothing about this message
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

if TYPE_CHECKING:
    from mailer.mail.outcome import Scope, Verdict
    from mailer.smtp.reply import Reply

BEFORE_MAIL = frozenset({"dns", "connect", "greeting", "ehlo", "starttls", "auth"})
NO_MAIL_HERE = frozenset({521, 556})  # RFC 7504 §3, RFC 7505 §3
OUR_LOGIN = frozenset({530, 534, 535, 538})  # RFC 4954 §6


class Judgement(NamedTuple):
    """The verdict for one recipient and how far its cause reaches."""

    verdict: Verdict
    scope: Scope


DELIVERED = Judgement("delivered", "recipient")
DEFER_HOST = Judgement("defer", "host")


def judge(phase: str, kind: str, reply: Reply, *, relay: bool) -> Judgement:
    """Judge one recipient's answer.

    `phase` is the step of the session in which the deciding reply came, `kind` what kind of answer it is
    (``reply`` for the other side's words, else one of `net.connection.SessionError.kind`, ``loop`` or ``local``).
    `relay` is true when the host is one that the configuration names: no refusal to talk is final there, and a
    login can be mended. An MX host that wants one (530) refuses the mail, and its sender has to know.
    """
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
    if phase == "body" and reply.code // 100 == 2:  # 354 once more would not do
        return DELIVERED
    if reply.permanent:
        return Judgement("fail", "recipient" if phase == "rcpt" else "message")
    return Judgement("defer", "recipient" if phase == "rcpt" else "message")


def _broken(phase: str, reply: Reply, *, relay: bool) -> Judgement:
    """There was no transaction to speak of: the host is at fault, and mail waits."""
    if phase == "greeting" and reply.code in NO_MAIL_HERE and not relay:
        return Judgement("fail", "host")
    return DEFER_HOST
