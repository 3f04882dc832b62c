"""A webhook: where events are posted to, and which."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailer.mail.web_url import WebUrl

from .. import values
from ..kinds import NAME, PERIOD, SECRET_PATH, choice, several
from . import SWITCH, TEXT, Kind, Section, Setting

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..places import Path
    from . import Validated

EVENTS = (
    "accepted", "delivered", "deferred", "failed", "expired", "cancelled", "bounced", "complained", "unsubscribed", "suppressed", "alarm",
)  # fmt: skip
"""What may have happened; the journal writes these words."""

LONGEST_TIMEOUT = 60.0


def _name(value: object) -> str:
    name = NAME.read(value)
    if len(name) > 64 or not name[0].isalnum():
        raise ValueError(f"{values.written(value)} is no name; begin it with a letter or a digit, and use up to 64 characters")
    return name


def _url(value: object) -> WebUrl:
    return WebUrl.read(values.text(value))


class Webhook(Section, header="[[webhook]]", member="webhooks", plural="webhooks"):
    """An endpoint that is told what became of mail, by HTTPS: each event is posted as JSON, signed as Standard Webhooks are.

    Each event arrives at least once, and those of one message in their order. What an endpoint that is down has not had, it gets when it
    is back, as long as the journal has it. See mailer-hooks(1).
    """

    name = Setting(Kind("name", _name), "The name of the endpoint in commands, figures and files.", example="shop")
    url = Setting(
        Kind("url", _url),
        "Where events are posted to. It is called at addresses that everybody can reach, by https, and no redirect is followed.",
        example="https://app.example.com/mail-events",
    )
    events = Setting(
        several(choice("*", *EVENTS, name="event"), least=1),
        f"Which events it gets: {', '.join(EVENTS)}; * stands for all. With format listmonk it gets failed, expired, bounced and "
        "complained of these.",
        ["*"],
    )
    secret_file = Setting(
        SECRET_PATH,
        "The file with the secret that events are signed with; `mailer hooks rotate` makes it. With format listmonk, user:password.",
        example="/etc/mailer/shop.secret",
    )
    stream = Setting(TEXT, "The stream of mail whose events it gets: that of an API key or a queue; * is all mail.", "*", example="shop")
    format = Setting(choice("standard", "listmonk"), "What is posted: the event whole, or what listmonk takes as a bounce.", "standard")
    timeout = Setting(PERIOD, "How long one post may take, all in all, up to a minute.", "10s")
    private = Setting(
        SWITCH, "Whether the endpoint may be one of your own: at a private address, at another port than 443, or without TLS.", False
    )

    @property
    def maker(self) -> str:
        """What makes its secret, for whoever has none yet."""
        return f"mailer hooks rotate {self.name} makes it" if self.format == "standard" else "write user:password into it, mode 0600"

    def wants(self, type: str, stream: str) -> bool:
        """Whether the endpoint is told of an event of this type, about mail of this stream. An alarm is about the mail of all."""
        return ("*" in self.events or type in self.events) and (self.stream in ("*", stream) or type == "alarm")

    def problems(self) -> Iterator[tuple[str, str]]:
        """What may not be called, and what cannot be signed."""
        if not self.secret_file:
            yield "secret_file", f"this is empty; name a file, and let `mailer hooks rotate {self.name}` make it"
        if not self.private and (trouble := self.url.trouble()):
            yield "url", f"{trouble}; if the endpoint is your own, write private = true below it"
        if self.timeout > LONGEST_TIMEOUT:
            yield "timeout", "one post must not take longer than a minute"

    @classmethod
    def conflicts(cls, validated: Validated) -> Iterator[tuple[Path, str]]:
        """Two of one name, who would have one cursor."""
        seen: dict[str, int] = {}
        for at, hook in enumerate(validated.listed["webhook"]):
            if hook:
                name, path = hook.name.lower(), ("webhook", at, "name")
                if earlier := seen.get(name):
                    yield path, f"line {earlier} has a webhook of this name already"
                seen.setdefault(name, validated.line(path))
