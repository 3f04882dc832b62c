"""Rspamd over HTTP: one POST of a message to ``/checkv2``, with what is known of its sender in fields, and one answer in JSON.

Its actions are words of ours: ``reject`` refuses, ``add header`` and ``rewrite subject`` mark, ``greylist`` and ``soft reject`` put off.
One that nobody knows is none, as ``no action`` is. Its score is on the scale of its own thresholds, which by default are near ours (6
marks, 15 refuses).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import h11

from mailer.smtp.reply import Reply

from .opinion import Opinion, ScanError, Unlearnable, plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mailer.mail.arrival import Arrival

    from .opinion import Act, Class

MOST = 1 << 20  # octets of an answer
HEAD = 1 << 16  # octets of its header
SLOW = 1 << 16  # octets of JSON that are read in the event loop at most
TESTS = 100  # names of what was found that are kept
LONGEST_FIELD = 1000  # octets of what is told in one field
RECIPIENTS = 1000  # that are told
LARGEST = 1_000_000.0  # a score

ACTS: dict[str, Act] = {
    "reject": "refuse",
    "add header": "mark",
    "rewrite subject": "mark",
    "quarantine": "hold",
    "greylist": "tempfail",
    "soft reject": "tempfail",
}
"""What its actions mean here; ``no action``, and what is not here, is none."""


def request(length: int, arrival: Arrival, sender: str, recipients: Sequence[str], host: str, id: str = "") -> bytes:
    """What is sent ahead of a message of so many octets; `host` is what it is called by, `id` what both logs have for it. RFC 9112 §3"""
    known = {
        "Host": host,
        "User-Agent": "mailer",
        "Connection": "close",
        "Content-Length": str(length),
        "IP": arrival.ip,
        "Helo": arrival.hello,
        "Hostname": arrival.name,
        "User": arrival.user,
        "From": sender,
        "Queue-Id": id,
        "TLS-Version": arrival.tls,
    }
    lines = [f"{name}: {text}" for name, value in known.items() if (text := _field(value))]
    lines += [f"Rcpt: {text}" for each in recipients[:RECIPIENTS] if (text := _field(each))]
    return "\r\n".join(["POST /checkv2 HTTP/1.1", *lines, "", ""]).encode()


def lesson(length: int, known: Class, host: str, password: str = "", recipient: str = "") -> bytes:
    """What is sent to its controller ahead of a message of so many octets that it is to learn as spam or ham.

    It unlearns by itself what the message was before. Who calls from where its ``secure_ip`` does not lead needs a `password`.
    """
    known_fields = {"Host": host, "User-Agent": "mailer", "Connection": "close", "Content-Length": str(length)}
    more = {"Password": password, "Rcpt": recipient, "Deliver-To": recipient}
    lines = [f"{name}: {text}" for name, value in {**known_fields, **more}.items() if (text := _field(value))]
    return "\r\n".join([f"POST /learn{known} HTTP/1.1", *lines, "", ""]).encode()


def _field(value: str) -> str:
    """A value as a field of HTTP takes it; without what would end it. RFC 9110 §5.5"""
    return "".join(char for char in value[:LONGEST_FIELD] if char.isprintable()).strip()


class RspamdEar:
    """Takes the answer in pieces of any size, up to the end of the connection, and gives its body when it is `whole`."""

    def __init__(self) -> None:
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=HEAD)
        self._http.send(h11.Request(method="POST", target="/checkv2", headers=[("Host", "rspamd"), ("Content-Length", "0")]))
        self._http.send(h11.EndOfMessage())
        self._status = 0
        self._body = bytearray()
        self.whole = False

    def hear(self, data: bytes) -> None:
        """Take some octets; none mean that the connection is over. Raises `ScanError`."""
        try:
            self._http.receive_data(data)
            while not self.whole and (event := self._http.next_event()) is not h11.NEED_DATA:
                self._take(event)
        except h11.RemoteProtocolError as error:
            raise ScanError(f"rspamd speaks no HTTP: {plain(str(error), 80)}") from None
        if not data and not self.whole:
            raise ScanError("rspamd hung up within its answer")

    def _take(self, event: object) -> None:
        if isinstance(event, h11.Response):
            self._status = event.status_code
        elif isinstance(event, h11.Data):
            self._body += event.data
            if len(self._body) > MOST:
                raise ScanError(f"rspamd says more than {MOST} octets")
        elif isinstance(event, h11.EndOfMessage):
            self.whole = True
        elif not isinstance(event, h11.InformationalResponse):
            raise ScanError("rspamd hung up within its answer")

    @property
    def learned(self) -> bool:
        """Whether it has learned from a message; if not, it knew it already (208), or its own conditions are against it (204, 404).

        Raises `ScanError` for an answer that says that it cannot, and `Unlearnable` for one that says so of this message.
        """
        if self._status in (204, 208, 404):
            return False
        said = f"rspamd answers {self._status}: {plain(bytes(self._body), 100)}"
        if self._status in (400, 413, 415, 422):
            raise Unlearnable(said)
        if self._status != 200:
            raise ScanError(said)
        return True

    @property
    def body(self) -> bytes:
        """The body of an answer that is whole. Raises `ScanError` for one that says that there is none."""
        if self._status != 200:
            raise ScanError(f"rspamd answers {self._status}: {plain(bytes(self._body), 100)}")
        return bytes(self._body)


def read(body: bytes, weight: float = 1.0) -> Opinion:
    """What the JSON of an answer says. Raises `ScanError`."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        raise ScanError(f"rspamd says what is no JSON: {plain(body, 60)!r}") from None
    if not isinstance(found, dict) or not isinstance(found.get("action"), str):
        raise ScanError("rspamd names no action")
    score, action = _score(found.get("score", 0.0)), found["action"]
    act = ACTS.get(action, "pass")
    if found.get("is_skipped") is True and act == "pass":  # it also skips the rest where one rule has decided
        return Opinion(unscanned="rspamd skips it, as it is told to")
    reason = f"{plain(action, 40)}, {score:g} of {_score(found.get('required_score', 0.0)):g}"
    return Opinion(act, score * weight, reason, _reply(act, found), _tests(found.get("symbols")))


def _reply(act: Act, found: dict[str, Any]) -> Reply | None:
    """What it wants the client to hear."""
    messages = found.get("messages")
    text = plain(said) if isinstance(messages, dict) and isinstance(said := messages.get("smtp_message"), str) else ""
    if act == "refuse":
        return Reply.own(550, "5.7.1", text or "the message looks like spam")
    return Reply.own(451, "4.7.1", text or "try again later") if act == "tempfail" else None


def _score(value: object) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not abs(value) <= LARGEST:
        raise ScanError("rspamd has a score that is no number")
    return float(value)


def _tests(symbols: object) -> tuple[str, ...]:
    names = [*symbols][: TESTS * 10] if isinstance(symbols, dict) else []
    return tuple(sorted(filter(None, (plain(name, 60) for name in names if isinstance(name, str)))))[:TESTS]
