"""What each command prints with ``--json``, as JSON Schema (2020-12): one object a line, which one of the command's schemas describes.

A schema here is a table: member → `MemberKind`. All members are always there unless it says otherwise; a later version may have more, and a
program does well to pass over what it does not know. ``mailer help --schema COMMAND`` prints them; a test holds what commands print
against them.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from mailer.mail.problem import Problem

DRAFT = "https://json-schema.org/draft/2020-12/schema"


class MemberKind(NamedTuple):
    """The kind of a value: its schema, and whether its member may be missing."""

    schema: dict[str, Any]
    missing: bool = False

    @property
    def or_null(self) -> MemberKind:
        """A value of this kind, or null."""
        return MemberKind({**self.schema, "type": [*_types(self.schema), "null"]}, self.missing)

    @property
    def or_none(self) -> MemberKind:
        """A value of this kind, in a member that may be missing."""
        return MemberKind(self.schema, True)


def _types(schema: dict[str, Any]) -> list[str]:
    types = schema["type"]
    return [types] if isinstance(types, str) else types


def _object(members: dict[str, MemberKind], title: str = "") -> MemberKind:
    made: dict[str, Any] = {"title": title} if title else {}
    made |= {"type": "object", "properties": {name: kind.schema for name, kind in members.items()}}
    return MemberKind({**made, "required": [name for name, kind in members.items() if not kind.missing]})


def _list(kind: MemberKind) -> MemberKind:
    return MemberKind({"type": "array", "items": kind.schema})


def _map(kind: MemberKind) -> MemberKind:
    return MemberKind({"type": "object", "additionalProperties": kind.schema})


TEXT = MemberKind({"type": "string"})
COUNT = MemberKind({"type": "integer", "minimum": 0})
NUMBER = MemberKind({"type": "number"})
FLAG = MemberKind({"type": "boolean"})
TIME = MemberKind({"type": "string", "format": "date-time"})
ANY = MemberKind({"type": ["string", "number", "boolean", "array", "object", "null"]})
SOME = TEXT.or_null
CODE = MemberKind({"type": "integer", "minimum": 200, "maximum": 599}).or_null

TRIED = {"verdict": TEXT, "reply": SOME, "score": NUMBER, "fields": TEXT}
TRIED |= {"steps": _list(_object({"step": TEXT, "result": TEXT, "reason": TEXT, "score": NUMBER}))}
REPLY = {"code": CODE, "enhanced_code": SOME, "reply": SOME, "host": SOME, "ours": FLAG, "cause": SOME, "besides": SOME}
RECIPIENT = {"address": TEXT, "type": TEXT, "status": TEXT, **REPLY, "updated_at": TIME}
MESSAGE = {
    "id": SOME,
    "message_id": SOME,
    "request_id": SOME,
    "status": SOME,
    "from": TEXT,
    "subject": SOME,
    "size": COUNT,
    "priority": TEXT,
    "queued_at": TIME,
    "last_attempt_at": TIME.or_null,
    "next_attempt_at": TIME.or_null,
    "sent_at": TIME.or_null,
    "attempts": COUNT,
    "stream": SOME,
    "recipients": _list(_object(RECIPIENT)),
}
CHANGE = _object(dict.fromkeys(("action", "what", "before", "after", "why"), TEXT))
SANDBOX = _object({"mode": TEXT, "to": SOME, "allow": _list(TEXT), "keep": SOME}).or_null
DAEMON = {"running": FLAG, "pid": COUNT.or_null}
ALARM = _object({"kind": TEXT, "key": SOME, "severity": TEXT, "since": TIME, "last_at": TIME, "count": COUNT, "text": TEXT, "remedy": SOME})
UNDELIVERED = {"id": TEXT, "from": TEXT, "subject": SOME, "message_status": TEXT, "address": TEXT, "status": TEXT, **REPLY}
UNDELIVERED |= {"class": TEXT, "hard": FLAG, "updated_at": TIME, "at": TIME}
JUDGED = {"class": SOME, "hard": FLAG.or_null}
REPORT = {
    "id": TEXT,
    "state": TEXT,
    "at": TIME,
    "source": TEXT,
    "size": COUNT,
    "recipient": SOME,
    "mail_from": SOME,
    "peer": SOME,
    "tls": SOME,
}
REPORT |= {"note": ANY}
DAY = MemberKind({"type": "string", "format": "date"})
HEARD = {"reporters": _list(TEXT), "first_day": DAY, "last_day": DAY, "ours": FLAG, "advice": SOME}
SENDER = {
    "domain": TEXT,
    "author": TEXT,
    "source": SOME,
    "messages": COUNT,
    "passed": COUNT,
    "dkim": COUNT,
    "spf": COUNT,
    "dispositions": _map(COUNT),
    "signer": SOME,
    "path": SOME,
    "override": SOME,
    **HEARD,
}
TLS_OUTCOME = {"domain": TEXT, "policy": SOME, "result": TEXT, "host": SOME, "reason": SOME, "sessions": COUNT, **HEARD}
HEARD_OF = dict.fromkeys(("address", "action", "status", "diagnostic", "class", "fault", "original", "final", "remote"), SOME)
UNDERSTOOD = {
    "kind": TEXT,
    "recipients": _list(_object({**HEARD_OF, "hard": FLAG})),
    "unread": COUNT,
    "message_id": SOME,
    "envid": SOME,
    "sender": SOME,
    "at": TIME.or_null,
    "matched": SOME,
}
STANDING = {
    "destination": TEXT,
    "kind": TEXT,
    "waiting": COUNT,
    "sessions": COUNT,
    "window": _object({"size": NUMBER, "cap": NUMBER}),
    "breaker": _object({"state": TEXT, "failures": COUNT, "open_until": TIME.or_null, "reason": SOME}),
    "pause": _object({"until": TIME.or_null, "reason": SOME}).or_null,
    "rate_until": TIME.or_null,
    "last_reply": SOME,
    "last_at": TIME.or_null,
    "wait": _object({"kind": SOME, "detail": SOME, "until": TIME.or_null}),
    "updated_at": TIME.or_null,
}
PILE = _object({"total": COUNT, "by_age_minutes": _map(COUNT), "oldest_at": TIME.or_null})
FINDING = {
    "domain": SOME,
    "check": TEXT,
    "subject": TEXT,
    "result": TEXT,
    "evidence": ANY,
    "advice": SOME,
    "record": _object(dict.fromkeys(("name", "type", "value", "zone"), TEXT)).or_null,
}
PAUSE = {"target": TEXT, "until": TIME.or_null, "why": TEXT, "at": TIME, "reason": SOME}
ACTED = {"id": TEXT, "action": TEXT, "done": FLAG, "was": SOME, "error": SOME}
KEY = {
    **dict.fromkeys(("domain", "selector", "type"), TEXT),
    "bits": COUNT,
    "key_file": SOME,
    "state": SOME,
    "needed_until": TIME.or_null,
    **dict.fromkeys(("name", "record"), TEXT),
    "strings": _list(TEXT),
    "zone": TEXT,
}
OUTCOME = {
    "at": TIME,
    "address": TEXT,
    "verdict": TEXT,
    "scope": TEXT,
    "code": COUNT,
    "phase": TEXT,
    "enhanced_code": SOME,
    "reply": SOME,
    **dict.fromkeys(("enhanced", "text", "queue_id", "source", "cause", "besides", "host", "ip", "tls_wanted", "tls", "due"), TEXT.or_none),
    "port": COUNT.or_none,
    "seconds": NUMBER.or_none,
    "waited": NUMBER.or_none,
    "counts": FLAG.or_none,
    "moved": FLAG.or_none,
}
TRY = {
    "recipient": TEXT,
    "at": TIME,
    "verdict": TEXT,
    "scope": TEXT,
    "host": SOME,
    "ip": SOME,
    "port": COUNT.or_null,
    "tls": _object({"wanted": SOME, "achieved": SOME}),
    "phase": SOME,
    **{name: kind for name, kind in REPLY.items() if name != "host"},
    "seconds": NUMBER,
    "remote_queue_id": SOME,
    "steps_ms": _map(NUMBER).or_null,
    "connection_reused": FLAG.or_null,
    **JUDGED,
    "means": SOME,
    "dialog": _list(_object({"ms": NUMBER.or_null, "from": TEXT, "text": TEXT})).or_null,
}
BLOCKER = _object({"kind": TEXT, "detail": TEXT, "until": TIME.or_null, "what_would_unblock": SOME})
RECEIVED = {
    "at": TIME,
    "event": MemberKind({"type": "string", "enum": ["taken", "refused"]}),
    "door": TEXT,
    **dict.fromkeys(("ip", "proxy", "name", "hello"), SOME),
    "protocol": TEXT,
    **dict.fromkeys(("tls", "user", "from"), SOME),
    "to": _list(TEXT),
    "id": SOME,
    "size": COUNT.or_null,
    "verdict": MemberKind({"type": "string", "enum": ["accept", "mark", "hold", "refuse"]}),
    **dict.fromkeys(("reason", "phase", "reply", "why"), SOME),
    "times": COUNT,
    "since": TIME,
}

EXPLAINED = {
    **MESSAGE,
    "recipients": _list(
        _object({**RECIPIENT, "for": SOME, **JUDGED, "means": SOME, "next_attempt_at": TIME.or_null, "blocked_by": _list(BLOCKER)})
    ),
    "submitter": _object({"uid": COUNT.or_null}),
    "arrival": _object(RECEIVED).or_null,
    "asked_for": ANY,
    "expires_at": TIME.or_null,
    "tries": _list(_object(TRY)),
    "ways": _list(_object({"domain": TEXT, "destination": SOME, "hosts": _list(_object({"host": TEXT, "port": COUNT})), "error": SOME})),
    "reports": _list(_object({"id": TEXT, "to": TEXT, "status": TEXT, "queued_at": TIME})),
    "heard": _list(
        _object(
            {
                "id": TEXT,
                "at": TIME,
                "source": TEXT,
                "kind": TEXT,
                "trust": TEXT,
                "message": SOME,
                "recipient": SOME,
                "action": SOME,
                "status": SOME,
                "diagnostic": SOME,
                "class": SOME,
                "effect": SOME,
            }
        )
    ),
    "daemon": _object(DAEMON),
    "sandbox": SANDBOX,
    "not_known": _list(TEXT),
}
SUMMARY = {
    "spool": TEXT,
    "subscribers": _list(_object({"name": TEXT, "behind": COUNT, "behind_seconds": NUMBER})),
    "daemon": _object({**DAEMON, "elsewhere": _list(TEXT)}),
    "counts": _map(COUNT),
    "oldest": _map(TIME),
    "next_attempt_at": TIME.or_null,
    "leaves_at": TIME.or_null,
    "handed_in": COUNT,
    "corrupt": COUNT,
    "incoming": _object(dict.fromkeys(("accept", "mark", "hold", "refuse"), COUNT)).or_null,
    "failures": _list(_object(UNDELIVERED)),
    "alarms": _list(ALARM),
    "waits": _list(
        _object({"destination": TEXT, "count": COUNT.or_null, "since": TIME.or_null, "reason": TEXT, "next_look_at": TIME.or_null})
    ),
    "no_room": SOME,
    "sandbox": SANDBOX,
}
HEALTH = {
    "health": TEXT,
    "symptoms": _list(_object({"health": TEXT, "text": TEXT, "remedy": SOME})),
    "alarms": _list(ALARM),
    "waiting": COUNT,
    "oldest_seconds": COUNT.or_null,
    "sandbox": SANDBOX,
}
REFUSED_WAY = _object({"verdict": TEXT, "code": CODE, "enhanced_code": TEXT, "reply": TEXT, "enhanced": TEXT, "text": TEXT})
ROUTE = {
    "address": TEXT,
    "sandbox": SANDBOX,
    "diverted": FLAG,
    "domain": TEXT,
    "rule": _object({"match": TEXT, "via": _list(TEXT), "line": COUNT.or_null}),
    "ours": FLAG,
    "resident": _object(
        {"kind": TEXT, "recipients": _list(_object({"address": TEXT, "for": SOME, "sender": SOME})), "reply": SOME}
    ).or_null,
    "verdict": SOME,
    "ways": _list(
        _object(
            {
                "via": TEXT,
                "destination": SOME,
                "mailbox": SOME,
                "hosts": _list(_object({"host": TEXT, "port": COUNT, "preference": COUNT, "addresses": _list(TEXT)})),
                "notes": _list(TEXT),
                "tls": _object({"mode": TEXT, "verified": FLAG, "server_name": SOME, "source": TEXT}),
                "username": SOME,
                "return_path": SOME,
                "sessions": _object({"first": NUMBER, "most": NUMBER}).or_null,
                "error": REFUSED_WAY.or_null,
            }
        )
    ),
    "destination": SOME,
    "limits": _list(_object({"name": TEXT, "value": ANY, "source": TEXT, "line": COUNT.or_null, "shared_by": SOME})),
    "limits_in_all": _map(SOME),
}
CERTIFICATE = {
    "subject": SOME,
    "names": _list(TEXT),
    "issuer": SOME,
    "not_before": TIME.or_null,
    "not_after": TIME.or_null,
    "sha256": TEXT,
}
PROBE = {
    **dict.fromkeys(("target", "host"), TEXT),
    "port": COUNT,
    "ip": TEXT,
    "address": TEXT,
    "ok": FLAG,
    "seconds": NUMBER,
    "greeting": SOME,
    "tls": _object({"mode": TEXT, "version": SOME, "verified": FLAG, "problem": SOME}),
    "certificates": _list(_object(CERTIFICATE)),
    "extensions": ANY,
    "mechanisms": _list(TEXT),
    "size_limit": COUNT.or_null,
    "login": _object({"username": TEXT, "ok": FLAG}).or_null,
    "sender": _object({"address": TEXT, "ok": FLAG}).or_null,
    "steps": _list(_object({"said": SOME, "code": CODE, "enhanced_code": SOME, "reply": _list(TEXT), "seconds": NUMBER})),
    "error": _object(
        {"kind": TEXT, "phase": TEXT, "code": COUNT, "enhanced_code": SOME, "reply": TEXT, "retryable": FLAG, "ours": FLAG}
    ).or_null,
}
API_KEY = {
    **dict.fromkeys(("name", "id"), TEXT),
    **dict.fromkeys(("scopes", "senders", "networks"), _list(TEXT)),
    "stream": SOME,
    "rate": SOME,
    "created_at": TIME.or_null,
    "expires_at": TIME.or_null,
    "rotating_until": TIME.or_null,
    "disabled": FLAG,
    "usable": FLAG,
}
MAILBOX = {
    "address": TEXT,
    "id": TEXT,
    "messages": COUNT.or_null,
    "octets": COUNT.or_null,
    "quota": COUNT.or_null,
    "quota_messages": COUNT.or_null,
    "created_at": TIME,
    "state": TEXT,
    "trouble": SOME,
}
FOLDER = {
    "folder": TEXT,
    "role": SOME,
    "messages": COUNT,
    "unseen": COUNT,
    "octets": COUNT,
    "uidvalidity": COUNT,
    "uidnext": COUNT,
    "modseq": COUNT,
    "subscribed": FLAG,
}
KEPT_MAIL = {
    "folder": TEXT,
    "uid": COUNT,
    "id": TEXT,
    "received_at": TIME,
    "octets": COUNT,
    "from": TEXT,
    "to": TEXT,
    "subject": TEXT,
    "message_id": SOME,
    "flags": _list(TEXT),
}
FLAW = {"address": TEXT, "what": TEXT, "mail": TEXT, "folder": TEXT, "mended": FLAG}
MAIL_IMPORTED = {"address": TEXT, "put": COUNT, "octets": COUNT, "there": COUNT, "passed": COUNT, "folders": COUNT}
MAIL_BACKED_UP = {
    "address": TEXT,
    "state": TEXT,
    "messages": COUNT,
    "copied": COUNT,
    "octets": COUNT,
    "lost": _list(TEXT),
    "forgotten": COUNT,
}
MAIL_RESTORED = {
    "address": TEXT,
    "id": TEXT,
    "state": TEXT,
    "made_at": TIME,
    "messages": COUNT,
    "added": COUNT,
    "flaws": _list(_object({"what": TEXT, "mail": TEXT, "folder": TEXT})),
}
MAIL_COMPARED = {"state": TEXT, "made_at": TIME, "both": COUNT, "backup_only": _list(TEXT), "mailbox_only": _list(TEXT)}
MAIL_EXPORTED = {"address": TEXT, "path": TEXT, "messages": COUNT, "octets": COUNT, "folders": COUNT, "left": COUNT}
MAILBOX_MOVED = {"address": TEXT, "from": TEXT, "to": TEXT, "rows": COUNT, "messages": COUNT, "frozen": NUMBER}
USER = {
    "address": TEXT,
    "disabled": FLAG,
    "has_password": FLAG,
    "app_passwords": _list(_object({"name": TEXT, "purposes": _list(TEXT), "created_at": TIME.or_null, "expires_at": TIME.or_null})),
    "sends_as": _list(TEXT),
    "quota": COUNT.or_null,
    "quota_messages": COUNT.or_null,
    "created_at": TIME.or_null,
}
USE = {"app": SOME, "at": TIME, "ip": SOME, "door": TEXT}
SERVICE = {"kind": TEXT, "host": TEXT, "port": COUNT, "security": TEXT}
USER_SESSION = {"id": TEXT, "user": TEXT, "door": TEXT, "process": TEXT, "ip": SOME, "app": SOME, "since": TIME}
LOGIN_LINE = {
    **dict.fromkeys(("user", "door"), TEXT),
    **dict.fromkeys(("ip", "mechanism", "app"), SOME),
    "well": FLAG,
    "why": SOME,
    **dict.fromkeys(("first_at", "last_at"), TIME),
    "many": COUNT,
}
BATCH = {"number": COUNT, "id": SOME, "request_id": SOME, "repeat": FLAG, "error": SOME, "refused": _list(CHANGE).or_none}
_OF_SINK = {"event": TEXT, "at": TIME, "from": TEXT, "peer": TEXT}

EVENT = {
    "id": TEXT, "at": TIME, "type": TEXT, "message": SOME, "request_id": SOME, "key": SOME, "stream": SOME, "to": SOME, "code": CODE,
    "enhanced": SOME, "reply": SOME, "host": SOME, "tls": SOME, "class": SOME, "attempt": COUNT.or_null, "next": TIME.or_null,
}  # fmt: skip
WEBHOOK = {
    **dict.fromkeys(("name", "url", "format"), TEXT),
    "events": _list(TEXT),
    **dict.fromkeys(("stream", "state"), TEXT),
    "why": SOME,
    "failures": COUNT,
    **dict.fromkeys(("failing_since", "next_attempt_at", "off_since", "last_success_at"), TIME.or_null),
    "behind": COUNT,
    "oldest_seconds": NUMBER,
    **dict.fromkeys(("lost", "dead", "posted", "failed", "refused"), COUNT),
}

SUPPRESSION = {
    **dict.fromkeys(("address", "scope"), TEXT),
    "reason": MemberKind({"type": "string", "enum": ["hard", "complaint", "unsubscribe", "manual", "import"]}),
    **dict.fromkeys(("class", "source", "evidence"), SOME),
    "at": TIME,
    "until": TIME.or_null,
    **dict.fromkeys(("by", "note"), SOME),
}

SUPPRESSION_CHANGE = {
    "change": COUNT,
    "at": TIME,
    "act": MemberKind({"type": "string", "enum": ["add", "remove", "expire"]}),
    **dict.fromkeys(("address", "scope"), TEXT),
    **dict.fromkeys(("by", "note", "reason", "evidence"), SOME),
    **dict.fromkeys(("before", "after"), _object(SUPPRESSION).or_null),
}


def _counted(*by: str) -> tuple[MemberKind, ...]:
    return tuple(_object({each: TEXT, "count": COUNT, "example": TEXT}, f"with --by {each}") for each in by)


OWN_SCRIPT = {"name": TEXT, "active": FLAG, "octets": COUNT, "changed_at": TIME}
FILING_PLAN = {
    "folders": _list(_object({"folder": TEXT, "flags": _list(TEXT)})),
    "forwards": _list(TEXT),
    "answer": SOME,
    "withheld": _list(TEXT),
    "failed": SOME,
}
OWN_RULE = {
    "name": TEXT,
    "conditions": _list(_object({"what": TEXT, "how": TEXT, "value": TEXT, "field": TEXT, "negated": FLAG})),
    "actions": _list(_object({"do": TEXT, "value": TEXT})),
    "every": FLAG,
    "last": FLAG,
    "active": FLAG,
}
AWAY = {
    "address": TEXT,
    "answers": FLAG,
    "text": TEXT.or_none,
    "subject": TEXT.or_none,
    "since": TEXT.or_none,
    "until": TEXT.or_none,
    "days": COUNT.or_none,
    "addresses": _list(TEXT).or_none,
}
OWN_FORWARD = {"address": TEXT, "kind": TEXT, "confirmed_at": TIME.or_null, "asked_at": TIME}

SCHEMAS: dict[str, tuple[MemberKind, ...]] = {
    "send": (
        _object(
            {**MESSAGE, "changes": _list(CHANGE).or_none},
            "a message as it was queued, as it became with --wait, or as it would be with --dry-run",
        ),
        _object(BATCH, "with --batch: one message of it"),
    ),
    "status": (
        _object(MESSAGE, "a message that was named or selected"),
        _object(SUMMARY, "without arguments: the summary"),
        _object(HEALTH, "with --check"),
        _object(
            {"destination": TEXT, "backlog": PILE, "state": _object(STANDING).or_null, "stale": FLAG},
            "with --destinations",
        ),
        _object({"domain": TEXT, "backlog": PILE}, "with --destinations --by domain"),
        _object({"reason": TEXT, "destination": TEXT, "backlog": PILE}, "with --destinations --by reason"),
    ),
    "explain": (_object(EXPLAINED),),
    "received": (_object(RECEIVED, "a message that was taken, or refusals that say the same"),),
    "filter test": (_object(TRIED),),
    "filter learn": (_object({"name": TEXT, "new": FLAG, "trouble": SOME}),),
    "filter list": (_object(dict.fromkeys(("name", "kind", "place", "well", "trouble", "otherwise"), SOME), "a filter"),),
    "bounces": (
        _object(UNDELIVERED, "a recipient who did not get it"),
        *_counted("reason", "domain", "code", "class"),
    ),
    "bounces ingest": (
        _object({"id": TEXT}),
        _object({"source": TEXT, "taken": COUNT, "left": COUNT, "larger": COUNT}, "with --source"),
        _object(UNDERSTOOD, "with --dry-run"),
    ),
    "bounces reports": (_object(REPORT, "a report"),),
    "bounces key": (_object({"file": TEXT, "keys": _list(_object({"made_at": TIME, "signs": FLAG}))}, "the keys that sign tokens"),),
    "bounces dmarc": (_object(SENDER, "an address that sends in the name of a domain"),),
    "bounces tlsrpt": (_object(TLS_OUTCOME, "sessions that ended alike"),),
    "bounces show": (_object({**REPORT, "content": TEXT}),),
    "queue list": (
        _object(MESSAGE, "a message"),
        *(
            _object(
                {by: TEXT, "count": COUNT, "size": COUNT, "oldest_at": TIME, "example": TEXT, **more, "oldest": TIME}, f"with --by {by}"
            )
            for by, more in (("sender", {"from": TEXT}), ("subject", {}), ("submitter", {}))
        ),
    ),
    "queue show": (
        _object(
            {
                **MESSAGE,
                "submitter": _map(ANY),
                "options": _map(ANY),
                "outcomes": _list(_object(OUTCOME)),
                "header": _list(_list(TEXT)),
                "body": TEXT.or_none,
            }
        ),
    ),
    **{f"queue {verb}": (_object(ACTED),) for verb in ("hold", "release", "retry", "cancel")},
    "queue replay": (_object({**ACTED, "as": SOME}),),
    **{f"queue {verb}": (_object({**PAUSE, "heard": FLAG}),) for verb in ("pause", "resume")},
    "queue pauses": (_object(PAUSE),),
    "route": (_object(ROUTE),),
    "srs": (
        _object({"file": TEXT, "secrets": COUNT, "made_at": TIME.or_null}, "the secrets"),
        _object({"sender": TEXT, "rewritten": TEXT}, "with an ADDRESS"),
    ),
    "probe": (_object(PROBE),),
    "check": (_object(FINDING),),
    "doctor": (_object(FINDING, "a finding"), _object({"repaired": TEXT}, "with --repair: what was put right")),
    **{f"dkim {verb}": (_object(KEY),) for verb in ("keygen", "record")},
    "dkim verify": (
        _object(
            {
                "signature": COUNT,
                "result": TEXT,
                **dict.fromkeys(("reason", "domain", "selector", "algorithm"), SOME),
                "bits": COUNT.or_null,
                "aligned": FLAG,
            }
        ),
    ),
    "config show": (_object({"key": TEXT, "value": ANY, "source": TEXT, "line": COUNT.or_null}),),
    **{f"api key {verb}": (_object({"name": TEXT, "key": TEXT}),) for verb in ("add", "rotate")},
    **{f"api key {verb}": (_object(API_KEY),) for verb in ("list", "disable", "enable")},
    "api key remove": (_object({"name": TEXT, "removed": FLAG}),),
    "mailbox script": (_object(OWN_SCRIPT, "with list"), _object(FILING_PLAN, "with test")),
    "mailbox rules": (_object(OWN_RULE),),
    "mailbox vacation": (_object(AWAY),),
    "mailbox forward": (_object(OWN_FORWARD),),
    **{f"user {verb}": (_object({"address": TEXT, "name": SOME, "password": SOME}),) for verb in ("add", "passwd", "restore")},
    "mailbox list": (_object(MAILBOX), _object(FOLDER, "of one mailbox")),
    "mailbox show": (_object(KEPT_MAIL),),
    "mailbox verify": (_object(FLAW),),
    "mailbox import": (_object(MAIL_IMPORTED),),
    "mailbox export": (_object(MAIL_EXPORTED),),
    "mailbox backup": (_object(MAIL_BACKED_UP),),
    "mailbox restore": (_object(MAIL_RESTORED), _object(MAIL_COMPARED, "with --compare")),
    "mailbox key": (_object({"number": COUNT, "there": FLAG, "mailboxes": COUNT, "made_at": TIME.or_null, "exported": FLAG.or_null}),),
    "mailbox rekey": (_object({"address": TEXT, "key": COUNT.or_null, "changed": COUNT, "lost": _list(TEXT), "trouble": SOME}),),
    "mailbox move": (_object(MAILBOX_MOVED),),
    "user app-password": (_object({"address": TEXT, "name": SOME, "password": SOME}), _object(USER, "with --remove")),
    **{f"user {verb}": (_object(USER),) for verb in ("list", "quota", "send-as", "disable", "enable")},
    "user show": (
        _object({**USER, "used": _list(_object(USE)), "sessions": _list(_object(USER_SESSION)), "logins": _list(_object(LOGIN_LINE))}),
    ),
    "user settings": (
        _object(
            {"address": TEXT, "username": TEXT, "services": _list(_object(SERVICE)), "profile": SOME},
            "services: the best of each kind first; profile: where an iPhone or a Mac gets them",
        ),
    ),
    "user sessions": (_object(USER_SESSION), _object({"address": TEXT, "ended": COUNT}, "with --end")),
    "user logins": (_object(LOGIN_LINE),),
    "user remove": (_object({"address": TEXT, "removed": FLAG, "mailbox_kept_until": TIME.or_null}),),
    "events": (_object(EVENT),),
    "hooks list": (_object(WEBHOOK),),
    "hooks test": (
        _object(
            {"name": TEXT, "verdict": TEXT, "why": SOME, "status": COUNT.or_null, "address": SOME, "seconds": NUMBER, "answer": SOME},
            "verdict: good, wait, refused or gone; answer: the first 4096 octets of its body",
        ),
    ),
    **{f"hooks {verb}": (_object({"name": TEXT, "wish": TEXT, "heard": FLAG}),) for verb in ("replay", "enable", "disable")},
    "hooks rotate": (_object({"name": TEXT, "secret": SOME, "file": TEXT, "signatures": COUNT}),),
    **{f"suppress {verb}": (_object(SUPPRESSION),) for verb in ("add", "remove", "export")},
    "suppress list": (_object(SUPPRESSION, "an entry"), *_counted("reason", "class", "scope", "source", "domain")),
    "suppress why": (
        _object(
            {
                "address": TEXT,
                "suppressed": FLAG,
                "entry": _object(SUPPRESSION).or_null,
                "entries": _list(_object(SUPPRESSION)),
                "log": _list(_object(SUPPRESSION_CHANGE)),
            }
        ),
    ),
    "suppress log": (_object(SUPPRESSION_CHANGE),),
    "suppress import": (
        _object(
            {
                **dict.fromkeys(("added", "already", "soft", "wrong"), COUNT),
                "change": COUNT.or_null,
                "problems": _list(_object({"line": COUNT, "problem": TEXT})),
            },
            "soft: left out, for they bounced for the moment only; problems: the first 20 of those that are wrong",
        ),
    ),
    "suppress undo": (
        _object(
            {"change": COUNT, "undone": _list(COUNT), "entries": COUNT, "left": COUNT},
            "entries are as they were before the changes; left: those that were changed again since",
        ),
    ),
    "oauth login": (_object({"relay": TEXT, "file": TEXT, "user": TEXT}),),
    "access": (_object({"event": TEXT, "places": _list(TEXT)}, "it listens, and can be called there"),),
    "web": (_object({"event": TEXT, "urls": _list(TEXT)}, "it listens, and can be called there"),),
    "sink": (
        _object({"event": TEXT, "host": TEXT, "port": COUNT, "maildir": TEXT.or_none, "certificate": TEXT.or_none}, "it listens"),
        _object(
            {
                **_OF_SINK,
                "recipients": _list(TEXT),
                "size": COUNT,
                "to": _list(TEXT),
                "octets": COUNT,
                "hello": TEXT,
                **dict.fromkeys(("tls", "user", "file"), SOME),
            },
            "a message was taken",
        ),
        _object(
            {
                **_OF_SINK,
                "phase": TEXT,
                "code": CODE,
                "to": SOME,
                **dict.fromkeys(("enhanced_code", "enhanced"), SOME),
                "reply": TEXT,
                "text": TEXT,
            },
            "a command or a message was refused, or a connection dropped",
        ),
    ),
}
"""Command → what one of its lines can be."""


def schema(command: str) -> dict[str, Any]:
    """The schema of a line of ``mailer COMMAND --json``. Raises `Problem` (no-such) for a command without one."""
    found = SCHEMAS.get(command)
    if found is None:
        from difflib import get_close_matches

        near = get_close_matches(command, SCHEMAS, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(SCHEMAS)}"
        raise Problem(f"{command!r} prints no JSON; {hint}", "no-such")
    about = {"$schema": DRAFT, "title": f"mailer {command} --json", "description": "one line of what it prints"}
    if len(found) == 1:
        return {**found[0].schema, **about}
    return {**about, "anyOf": [kind.schema for kind in found]}
