"""The lines of what comes by the doors: a message that was taken, what was refused, and who has logged in or tried to.

Programs that keep attackers out read them (``examples/fail2ban``), so they are stable: the client's address stands directly behind the
event, in each form of the log, and is as we saw it ourselves. All that a stranger has said comes after that, and is escaped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from mailer.events import ClientIdentified, LoggedIn, LoginFailed, MailFetched, TakenIn, TurnedAway

from .cut import cut

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mailer.events import Event
    from mailer.mail.arrival import Arrival

SHOWN: Final = ("name", "version", "vendor", "os", "os-version", "device")  # RFC 2971 §3.3, and what phones say besides
MOST_SAID: Final = 100  # characters of one


def _begin(event: str, arrival: Arrival) -> dict[str, object]:
    return {"event": event, "ip": arrival.ip or None, "door": arrival.door}


def _client(arrival: Arrival) -> dict[str, object]:
    """What else is known of the client."""
    return {
        "name": cut(arrival.name) or None,
        "hello": cut(arrival.hello) or None,
        "protocol": arrival.protocol,
        "tls": arrival.tls or "none",
        "proxy": arrival.proxy or None,
    }


def _taken(event: TakenIn) -> dict[str, object]:
    return {
        **_begin("taken", event.arrival),
        "id": event.id,
        "from": cut(event.sender) or "<>",
        "to": cut(event.recipients[0]) if event.recipients else None,
        "recipients": len(event.recipients),
        "size": event.size,
        "verdict": event.verdict,
        "why": cut(event.why) or None,
        "user": cut(event.arrival.user) or None,
        **_client(event.arrival),
    }


def _refused(event: TurnedAway) -> dict[str, object]:
    known = event.phase not in ("connect", "greeting", "ehlo", "starttls", "auth")  # before MAIL nobody has named a sender
    return {
        **_begin("refused", event.arrival),
        "reason": cut(event.reason),
        "phase": event.phase,
        "from": cut(event.sender) or ("<>" if known else None),
        "to": cut(event.recipient) or None,
        "reply": cut(event.reply),
        "why": cut(event.why) or None,
        "user": cut(event.arrival.user) or None,
        **_client(event.arrival),
    }


def _logged_in(event: LoggedIn) -> dict[str, object]:
    said = {"user": cut(event.arrival.user), "mechanism": event.mechanism, "app": cut(event.app) or None}
    return {**_begin("login", event.arrival), **said, **_client(event.arrival)}


def _failed(event: LoginFailed) -> dict[str, object]:
    said = {"user": cut(event.shown) or None, "mechanism": cut(event.mechanism), "reason": cut(event.reason)}
    return {**_begin("login-failed", event.arrival), **said, **_client(event.arrival)}


def _identified(event: ClientIdentified) -> dict[str, object]:
    """Fields may have any name, thirty of them (RFC 2971 §3.3): those that say what the program is are shown, and no others."""
    program = ", ".join(f"{name}: {cut(event.said[name], MOST_SAID)}" for name in SHOWN if name in event.said)
    return {**_begin("client", event.arrival), "user": cut(event.arrival.user) or None, "program": program, **_client(event.arrival)}


def _fetched(event: MailFetched) -> dict[str, object]:
    return {
        **_begin("fetched", event.arrival),
        "user": cut(event.arrival.user) or None,
        "messages": event.messages,
        "octets": event.octets,
        "removed": event.removed,
        "failed": "yes" if event.failed else None,
        **_client(event.arrival),
    }


INCOMING: Final[Mapping[type[Event], tuple[str, Callable[[Any], dict[str, object]]]]] = {
    TakenIn: ("info", _taken),
    TurnedAway: ("info", _refused),
    LoggedIn: ("info", _logged_in),
    LoginFailed: ("warning", _failed),
    ClientIdentified: ("info", _identified),
    MailFetched: ("info", _fetched),
}
"""The level of each event, and what makes its line."""
