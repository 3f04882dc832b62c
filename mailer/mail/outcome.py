"""What happened to one recipient of one message in one attempt.

The value that travels from the connection that learned it to everybody who wants to know: spool,
status, bounce, log. A failure that we noticed ourselves (no route, a name that does not exist, a
timeout) has a reply too, written by us with a code of RFC 3463; its `cause` says that it is ours, and wherever it is
shown, it is shown as that.

`Cause` says by name why an outcome is what it is: a closed vocabulary, written down with the outcome and never guessed back from a code.
A cause is what we noticed or decided ourselves (`Cause.ours`): then the reply is in our words, and nobody else said it. Or it is what
another host meant by its refusal, where its reply is known (`mailer.shaping.replies`). Without a cause, all that is known is what the
host said.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Literal, NamedTuple, Protocol, Self, get_args

WaitKind = Literal["", "pause", "breaker", "rate", "window", "connections"]
"""Why mail that is due waits at its destination, in a word; empty where nothing waits."""

BreakerState = Literal["closed", "open", "half-open"]
"""Whether a destination is called: as usual, not at all until a time, or by one session that finds out."""


class Cause(StrEnum):
    """The cause of an outcome, by its word in a record; `mailer-spool(5)` lists them."""

    # Nobody was asked, because
    PAUSED = "paused"  # an operator lets the destination wait
    SUSPENDED = "suspended"  # it rests because of what it said, as a rule for such replies has it
    BREAKER = "breaker"  # it did not answer, repeatedly
    CONGESTED = "congested"  # as much as there is room for waits for it already
    FOLDING = "folding"  # it waits to be folded with others that are equal
    FOLDED = "folded"  # another message stands for it and for others that are equal
    FUSED = "fused"  # its submitter hands in more than he may
    SOURCE_EXHAUSTED = "source_exhausted"  # no address of ours may send there now
    OFFLINE = "offline"  # this machine has no network
    TOO_LATE = "too_late"  # the time is up in which the sender wanted it there
    UNSIGNED = "unsigned"  # it must not leave without a signature
    CREDENTIAL = "credential"  # what we log in with cannot be had: a password, a token, a certificate of ours
    SETTING = "setting"  # a setting or a file of ours cannot be used
    UNWRITABLE = "unwritable"  # a mailbox of this machine cannot be written
    SHORT = "short"  # this machine has no descriptor, memory or room on its disk left
    UNFIT = "unfit"  # the host does not take such a message, and said so before
    LOOP = "loop"  # it goes round in circles, or would come back to us
    CANCELLED = "cancelled"  # an operator has withdrawn it
    SUPPRESSED = "suppressed"  # the recipient is not to be mailed
    MISWRITTEN = "miswritten"  # the recipient is written as no address is
    ALIAS = "alias"  # an alias of ours leads nowhere
    DISCARDED = "discarded"  # an alias of ours leads to /dev/null
    TRAPPED = "trapped"  # a sandbox holds, and it was not sent
    REDIRECTED = "redirected"  # a sandbox holds, and somebody else got it
    DNS = "dns"  # the DNS gave no answer
    NO_DOMAIN = "no_domain"  # there is no such domain
    NULL_MX = "null_mx"  # the domain says that it takes no mail, RFC 7505
    NO_ADDRESS = "no_address"  # no host for it has an address
    PRIVATE = "private"  # its hosts are only where mail of others must not go
    BUG = "bug"  # an error in this program
    STUCK = "stuck"  # the attempt made no progress

    # It was asked, and
    UNREACHABLE = "unreachable"  # there is no way to the address
    TIMEOUT = "timeout"  # what was waited for did not come in time
    CONNECTION_REFUSED = "connection_refused"  # the machine is there, and nobody listens
    LOST = "lost"  # the connection broke
    PROTOCOL = "protocol"  # the answer was none of SMTP
    TLS = "tls"  # the connection could not be encrypted as it has to be
    LOGIN = "login"  # it offers no login that we may use, or did not prove itself

    # It refused, and what it said is known to mean: something of ours
    LOGIN_REFUSED = "login_refused"  # user name or password
    LOGIN_WANTED = "login_wanted"  # there has to be a login
    TLS_WANTED = "tls_wanted"  # there has to be encryption first
    ACCOUNT_DISABLED = "account_disabled"
    NAME_REFUSED = "name_refused"  # our name in EHLO
    ADDRESS_REFUSED = "address_refused"  # the address of ours that we call from, or its name in DNS
    BLOCKLISTED = "blocklisted"  # that address is on a blocklist, or has a bad reputation
    RELAYING_DENIED = "relaying_denied"  # it does not take mail from us for others
    SENDER_REFUSED = "sender_refused"  # the sender's address, which we may not use there
    SENDER_UNKNOWN = "sender_unknown"  # the sender's domain does not exist, or its mailbox does not
    UNAUTHENTICATED = "unauthenticated"  # SPF, DKIM or DMARC of the sender's domain
    QUOTA_USED_UP = "quota_used_up"  # what the account may send
    TOO_FAST = "too_fast"  # more than is taken in such a time
    # something of the message or of the recipient
    MALFORMED = "malformed"  # its header or its lines
    UNWANTED = "unwanted"  # taken for spam or for a virus
    TOO_LARGE = "too_large"
    NO_MAILBOX = "no_mailbox"
    MAILBOX_FULL = "mailbox_full"
    MAILBOX_DISABLED = "mailbox_disabled"
    RESTRICTED = "restricted"  # whoever it is for takes mail from some senders only
    GREYLISTED = "greylisted"

    @property
    def ours(self) -> bool:
        """Whether the reply is in our words."""
        return self in _OURS


CAUSES: dict[str, Cause] = {cause.value: cause for cause in Cause}
"""By the word in a record; a word of a later version is none."""

DIVERTED = frozenset({Cause.TRAPPED, Cause.REDIRECTED})
"""What counts as delivered, and has not reached whom it names."""

_MEMBERS = [*Cause]
_OURS = frozenset(_MEMBERS[: _MEMBERS.index(Cause.LOGIN) + 1])
REFUSALS = tuple(_MEMBERS[len(_OURS) :])
"""What a host can mean by a refusal."""

Verdict = Literal["delivered", "defer", "fail", "expire", "cancel"]
"""`delivered`: the next hop took responsibility (RFC 5321 §2.1). `defer`: again later. The other three
are final without delivery: refused, too old, withdrawn by an operator."""

Scope = Literal["recipient", "message", "host", "destination", "us"]
"""How far the cause reaches: this recipient, this message, this host, every host of the destination,
or our own fault (a wrong password), which pauses and alarms but never bounces."""

Phase = Literal["", "dns", "connect", "greeting", "ehlo", "starttls", "auth", "mail", "rcpt", "data", "body", "noop", "quit", "settle"]
"""The step of an attempt that decided, empty where none was made; the last three are what an attempt was stuck in."""

PHASES: tuple[Phase, ...] = ("dns", "connect", "greeting", "ehlo", "starttls", "auth", "mail", "rcpt", "data", "body")
"""The steps of an attempt, in their order."""

PHASE_OF: dict[str, Phase] = {phase: phase for phase in get_args(Phase)}
"""By the word in a record; a word of a later version is none."""

OURS = "mailer: "
"""What stands before a reply of ours wherever it is shown: the host did not say it."""

MOST_BESIDES = 3  # other addresses whose trouble is told

VERDICT_OF: dict[str, Verdict] = {verdict: verdict for verdict in get_args(Verdict)}
SCOPE_OF: dict[str, Scope] = {scope: scope for scope in get_args(Scope)}


class Hop(NamedTuple):
    """Where an attempt got to. All empty where it never left this host."""

    host: str = ""  # the name that was looked up
    ip: str = ""
    port: int = 0
    tls_wanted: str = ""  # none, opportunistic, starttls, implicit
    tls: str = ""  # achieved: "", or "TLSv1.3 verified" or "TLSv1.3 unverified"


NOWHERE = Hop()


class Trace(Protocol):
    """How an attempt went, step by step: made into text only by whoever writes it down. Never part of a record in the spool."""

    reused: bool
    """Whether the connection served other messages before, so that its first steps were not spent on this one."""

    def after(self, earlier: Self) -> None:
        """Put before this the steps at another host, `earlier`, which was tried first."""

    def steps(self) -> str:
        """A JSON object: milliseconds by phase."""

    def dialog(self) -> str:
        """What was said, as JSON: a list of [milliseconds or null, who, text], without secrets and without the message."""


class Outcome(NamedTuple):
    """The verdict for recipient number `to` of the envelope, and the reply it rests on."""

    to: int
    verdict: Verdict
    scope: Scope
    code: int  # SMTP, RFC 5321 §4.2
    enhanced: str  # RFC 3463, "" if there is none
    text: str  # the reply's text, one line
    phase: Phase
    hop: Hop = NOWHERE
    at: float = 0.0  # seconds since the epoch
    seconds: float = 0.0  # from the start of the attempt
    due: float = 0.0  # when it is tried again; only with `defer`
    queue_id: str = ""  # the next hop's name for the message, where its reply tells
    counts: bool = True  # False: we never tried (offline, a limit of ours): no attempt, no backoff
    trace: Trace | None = None  # None where no host was called, and in what was read from the spool
    source: str = ""  # the name of the source that it left from, where there are some and it was not delivered
    waited: float | None = None  # seconds that its message had really waited by then; only with `defer`, None in older records
    cause: Cause | None = None  # why, where more is known than what the reply says; see `Cause`
    besides: str = ""  # what went wrong at other addresses, where it got less far
    moved: bool = False  # the clock was set: only the times are new, the rest is what was learned before

    @property
    def final(self) -> bool:
        """Whether this recipient is done with."""
        return self.verdict != "defer"

    @property
    def reply(self) -> str:
        """The reply as one line: ``550 5.1.1 no such user``."""
        return reply_line(self.code, self.enhanced, self.text)

    @property
    def ours(self) -> bool:
        """Whether the reply is in our words."""
        return is_ours(self.cause)

    @property
    def told(self) -> str:
        """The reply for a person, who has to see whose words it is."""
        return told(self.reply, self.cause)

    def to_record(self) -> dict[str, object]:
        """The members of an outcome record in a spool file (`mailer-spool(5)`); `at` and `to` are the file's to write."""
        record: dict[str, object] = {"verdict": self.verdict, "scope": self.scope, "code": self.code, "phase": self.phase}
        for name in ("enhanced", "text", "queue_id", "source", "cause", "besides"):
            if value := getattr(self, name):
                record[name] = value
        record.update((name, value) for name, value in self.hop._asdict().items() if value)
        if self.seconds:
            record["seconds"] = round(self.seconds, 4)
        if self.due:
            record["due"] = round(self.due, 3)
        if not self.counts:
            record["counts"] = False
        if self.waited is not None:
            record["waited"] = round(self.waited, 1)
        if self.moved:
            record["moved"] = True
        return record

    @classmethod
    def from_record(cls, to: int, at: float, record: Mapping[str, object]) -> Outcome:
        """The reverse of `to_record`. Raises `ValueError` for members that no version ever wrote."""
        verdict = VERDICT_OF.get(_text(record, "verdict"))
        if verdict is None:
            raise ValueError("the verdict of a record is unknown")
        hop = Hop(
            _text(record, "host"), _text(record, "ip"), int(_number(record, "port")),
            _text(record, "tls_wanted"), _text(record, "tls"),
        )  # fmt: skip
        return cls(
            to,
            verdict,
            SCOPE_OF.get(str(record.get("scope")), "recipient"),
            int(_number(record, "code")),
            _text(record, "enhanced"),
            _text(record, "text"),
            PHASE_OF.get(_text(record, "phase"), ""),
            hop if any(hop) else NOWHERE,
            at,
            _number(record, "seconds"),
            _number(record, "due"),
            _text(record, "queue_id"),
            record.get("counts") is not False,
            source=_text(record, "source"),
            waited=_number(record, "waited") if "waited" in record else None,
            cause=CAUSES.get(_text(record, "cause")),
            besides=_text(record, "besides"),
            moved=record.get("moved") is True,
        )


def foretold(to: int, at: float, record: Mapping[str, object]) -> Outcome:
    """What submission knew of recipient number `to`, whom nobody is asked about: the outcome in the envelope (`mailer.mail.envelope`)."""
    return Outcome.from_record(to, at, record)._replace(counts=False)


def cancelled(recipients: Iterable[int], why: str, at: float) -> list[Outcome]:
    """Outcomes of what an operator withdrew, who says `why`, `at` (seconds since the epoch): no reply, no attempt."""
    return [Outcome(to, "cancel", "message", 0, "", why, "", at=at, counts=False, cause=Cause.CANCELLED) for to in recipients]


def reply_line(code: int, enhanced: str, text: str) -> str:
    """A reply as one line; code 0 is none. An enhanced code that the words repeat, as some servers' do, stands there once."""
    if enhanced and text.partition(" ")[0] == enhanced:
        enhanced = ""
    return " ".join(part for part in (str(code) if code else "", enhanced, text) if part)


def is_ours(cause: Cause | None) -> bool:
    """Whether a reply with that cause is in our words; without one it is somebody else's."""
    return cause is not None and cause.ours


def told(reply: str, cause: Cause | None) -> str:
    """A reply as it is shown: marked where it is ours."""
    return OURS + reply if is_ours(cause) else reply


def reach(phase: Phase, cause: Cause | None, wanted: str = "") -> tuple[int, int]:
    """How far an attempt got, to be compared: by its last step, and in the connection by how much of the host there was.

    `wanted` is `Hop.tls_wanted`: with implicit TLS the handshake comes before the greeting.
    """
    order = _IMPLICIT if wanted == "implicit" else PHASES
    return order.index(phase) if phase in order else -1, _NEARER.get(cause, 3)


_IMPLICIT: tuple[Phase, ...] = ("dns", "connect", "starttls", "greeting", "ehlo", "auth", "mail", "rcpt", "data", "body")
_NEARER: dict[Cause | None, int] = {Cause.UNREACHABLE: 0, Cause.TIMEOUT: 1, Cause.CONNECTION_REFUSED: 2}


def _text(record: Mapping[str, object], name: str) -> str:
    value = record.get(name, "")
    if not isinstance(value, str):
        raise ValueError(f"{name!r} of a record is no text")
    value.encode()  # half a surrogate is no character: UnicodeError is a ValueError
    return value


def _number(record: Mapping[str, object], name: str) -> float:
    value = record.get(name, 0)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not -1e12 < value < 1e12:
        raise ValueError(f"{name!r} of a record is no number in range")
    return value
