"""A line of the log as a sentence, for who sits in front of ``mailer run``: what happened to whom, and what comes next, by the clock here.

Nothing reads it back: what has to be read by a program is in the forms ``human`` and ``json``, which say more.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from mailer.mail.dates import parse_rfc3339
from mailer.mail.neighbours import NEIGHBOURS
from mailer.mail.text import one_line

if TYPE_CHECKING:
    from collections.abc import Mapping

UNITS = (("h", 3600), ("min", 60))


def sentence(line: Mapping[str, object], most: int) -> str:
    """What `line` says, on one line that nobody outside can break or colour; each text of at most `most` characters."""
    event = str(line["event"])
    make = SENTENCES.get(event, _outcome if "to" in line or "same" in line else _other)
    said = {key: one_line(str(value), most) for key, value in line.items() if value not in ("", None)}
    return f"{_clock(said['at'], '%H:%M:%S')} {event:<10} {make(said)}"


def _clock(at: str, form: str = "%H:%M") -> str:
    return time.strftime(form, time.localtime(parse_rfc3339(at)))


def _many(count: str, noun: str) -> str:
    return f"{count} {noun}" if count == "1" else f"{count} {noun}s"


def _span(seconds: str) -> str:
    whole = float(seconds)
    return next((f"{whole / length:.3g} {unit}" for unit, length in UNITS if whole >= length), f"{whole:.3g} s")


def _queued(said: Mapping[str, str]) -> str:
    return f"{said['id']} from {said['from']} to {_many(said['recipients'], 'recipient')}, {int(said['size']):,} bytes"


def _outcome(said: Mapping[str, str]) -> str:
    if "same" in said:
        host = f" at {said['host']}" if "host" in said else ""
        return f"{said['same']} more for the same reason{host}: {said.get('reply', '')}"
    by = "" if said.get("by") == "mailer" else " ".join(said[key] for key in ("code", "enhanced_code") if key in said)
    reply = " ".join(filter(None, (by, said.get("reply", ""))))
    host = f", {said['host']}" if "host" in said else ""
    safe = f" over {said['tls'].partition(' ')[0]}" if said.get("tls", "none") != "none" and said["event"] == "sent" else ""
    after = f", after {_span(said['delay'])}" if said["event"] == "sent" else ""
    then = f"; next try {_clock(said['next'])}" if "next" in said else ""
    return f"{said['id']} to {said['to']}{host}{safe}{after}: {reply}{then}"


def _alarm(said: Mapping[str, str]) -> str:
    if said.get("state") == "end":
        told = f" and {_many(said['count'], 'time')}" if said.get("count", "1") != "1" else ""
        detail = f": {said['detail']}" if "detail" in said else ""
        return f"over after {_span(said.get('seconds', '0'))}{told}: {said['what']}{detail}"
    remedy = f"; to mend it: {said['remedy']}" if "remedy" in said else ""
    return f"{said.get('detail', said['what'])}{remedy}"


def _daemon(said: Mapping[str, str]) -> str:
    return f"{said['what']}: {said['detail']}" if "detail" in said else said["what"]


def _other(said: Mapping[str, str]) -> str:
    return ", ".join(
        f"next try {_clock(value)}" if key == "next" else value for key, value in said.items() if key not in ("at", "level", "event")
    )


def _request(said: Mapping[str, str]) -> str:
    what = f"{said['method']} {said['path']}" if "method" in said else said.get("reason", "")
    key = f" with the key {said['key']}" if "key" in said else ""
    ref = f", a bug of ours: {said['ref']}" if "ref" in said else ""
    return f"{said['status']} {what} from {said.get('client', '')}{key}, after {_span(said['seconds'])}{ref}"


def _report(said: Mapping[str, str]) -> str:
    more = int(said.get("recipients", "1")) - 1
    about = f" about {said['to']}{f' and {more} more' if more > 0 else ''}" if "to" in said else ""
    reason = " ".join(said[key] for key in ("enhanced_code", "reply") if key in said)
    words = [f"{said['kind']}{about}", reason, said.get("effect", "")]
    return " ".join(filter(None, (said.get("id"), ": ".join(filter(None, words)))))


def _unsubscribed(said: Mapping[str, str]) -> str:
    return f"{said['to']} wants no more mail of {said['stream']}"


def _client(said: Mapping[str, str]) -> str:
    """Who it was; the address comes first in each line of the doors."""
    name = f" {said['name']}" if "name" in said else ""
    proxy = f" through {said['proxy']}" if "proxy" in said else ""
    return f"{said.get('ip', 'a unix socket')}{name} ({said['door']}{proxy})"


def _taken(said: Mapping[str, str]) -> str:
    more = int(said["recipients"]) - 1
    people = f"{said.get('to', 'nobody')}{f' and {more} more' if more > 0 else ''}"
    user = f", by {said['user']}" if "user" in said else ""
    verdict = {"mark": ", marked", "hold": ", held"}.get(said["verdict"], "")
    why = f": {said['why']}" if "why" in said else ""
    return f"{_client(said)}{user}: {said['id']} from {said['from']} to {people}, {int(said['size']):,} bytes{verdict}{why}"


def _refused(said: Mapping[str, str]) -> str:
    sender = f" from {said['from']}" if "from" in said else ""
    to = f" to {said['to']}" if "to" in said else ""
    why = f" ({said['why']})" if "why" in said else ""
    return f"{_client(said)}: {said.get('reason', '')}{sender}{to}: {said.get('reply', '')}{why}"


def _judged(said: Mapping[str, str]) -> str:
    return f"{said.get('user', said['owner'])} says that {said['mail']} is {'spam' if said['verdict'] == 'spam' else 'no spam'}"


def _login(said: Mapping[str, str]) -> str:
    reason = f": {said['reason']}" if "reason" in said else ""
    app = f" with the password of {said['app']}" if "app" in said else ""
    return f"{_client(said)}: {said.get('user', 'nobody')} by {said.get('mechanism', 'nothing')}{app}{reason}"


def _program(said: Mapping[str, str]) -> str:
    return f"{_client(said)}: {said.get('user', 'somebody')} uses {said.get('program', 'nothing that has a name')}"


def _fetched(said: Mapping[str, str]) -> str:
    what = f"{_many(said['messages'], 'message')}, {int(said['octets']):,} bytes"
    removed = f", {said['removed']} removed" if said["removed"] != "0" else ""
    failed = ", what was deleted is still there" if "failed" in said else ""
    return f"{_client(said)}: {said.get('user', 'somebody')} has fetched {what}{removed}{failed}"


SENTENCES = {
    "taken": _taken,
    "refused": _refused,
    "login": _login,
    "login-failed": _login,
    "client": _program,
    "fetched": _fetched,
    "judged": _judged,
    "queued": _queued,
    "alarm": _alarm,
    "daemon": _daemon,
    "request": _request,
    "report": _report,
    "unsubscribed": _unsubscribed,
    **dict.fromkeys(NEIGHBOURS, _daemon),
}
"""What makes the sentence of an event; all else is an outcome, where it has a recipient, or its values one after the other."""
