"""How much of the world may be asked of whom: limits by destination, addresses of ours and their warm-up, what replies lead to.

Declared here, worked out in `mailer.shaping`: `table` for limits, `sources`, and `replies`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailer.mail.outcome import REFUSALS

from .. import values
from ..expression import Expression, Phrase
from ..kinds import NAME, PERIOD, RATE, SOURCE, TARGET, Rate, choice, nearest, several
from . import COUNT, HOSTNAME, SWITCH, Kind, Section, Setting
from .relay import unknown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..places import Path
    from . import Validated

LEFT = "what the next section that matches says, else [delivery]"
PHASES = ("greeting", "ehlo", "starttls", "auth", "mail", "rcpt", "data", "body")


def _own(value: object) -> str:
    address = SOURCE.read(value)
    if not address:
        raise ValueError("this is empty; write an address of this machine")
    return str(address)


def _phrase(value: object) -> Phrase:
    text = values.text(value)
    try:
        return Phrase.read(text)
    except ValueError:
        raise ValueError(f"{values.written(value)} is too short to say anything, or too long") from None


def _code(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 400 <= value <= 599:
        raise ValueError(f"{values.written(value)} is no code of a refusal; write a number from 400 to 599")
    return value


OWN = Kind("address", _own)
EXPRESSION = Kind("regular expression", lambda value: Expression(values.text(value)))
CODE = Kind("number", _code)
PHRASE = Kind("text", _phrase)


class Shape(Section, header="[[shape]]", member="shapes", plural="shapes"):
    """Limits for some destinations.

    A destination is a relay, or all domains with the same MX hosts. All sections that match it count, in the order of the file: each
    setting is that of the first one that has it, else that of [delivery], [breaker] or [retry]. `mailer route ADDRESS` shows
    what that comes to, and where each number is from.

    A rate counts a message once for each recipient that it has there, and is kept evenly. Reports about mail that could not be
    delivered are not counted, and wait for no message_rate.
    """

    match = Setting(
        several(TARGET, least=1),
        'What it holds for: domains of recipients or names of MX hosts ("example.net", or "*.example.net" for all below it), relays '
        '("relay:NAME"), all that is found by MX records ("mx"), or everything ("*"). One that fits is enough.',
        example="*.google.com",
    )
    share = Setting(
        SWITCH,
        "Whether the rates, and max_connections, are for all the destinations together that it matches, and not for each. For an "
        "operator whose customers have MX hosts of their own.",
        False,
    )
    max_connections: Setting[int | None] = Setting(COUNT, "The most connections at a time.", None, shown=LEFT, example="10")
    initial_connections: Setting[int | None] = Setting(
        COUNT, "How many there may be before it has proved itself.", None, shown=LEFT, example="2"
    )
    message_rate: Setting[Rate | None] = Setting(RATE, "How many messages may begin in a time.", None, shown=LEFT, example="100/min")
    connection_rate: Setting[Rate | None] = Setting(
        RATE, "How many connections may be opened in a time.", None, shown=LEFT, example="30/min"
    )
    messages_per_connection: Setting[int | None] = Setting(
        COUNT, "After how many messages a connection is replaced.", None, shown=LEFT, example="100"
    )
    recipients_per_message: Setting[int | None] = Setting(
        COUNT, "How many recipients one transaction has at most.", None, shown=LEFT, example="50"
    )
    breaker_threshold: Setting[int | None] = Setting(COUNT, "As threshold in [breaker].", None, shown="that of [breaker]", example="5")
    breaker_first: Setting[float | None] = Setting(PERIOD, "As first in [breaker].", None, shown="that of [breaker]", example="5m")
    breaker_longest: Setting[float | None] = Setting(PERIOD, "As longest in [breaker].", None, shown="that of [breaker]", example="30m")
    retry_schedule = Setting(several(PERIOD, least=1), "As schedule in [retry].", (), shown="that of [retry]", example="10m")
    sources = Setting(
        several(NAME, least=1),
        "The names of the sources that its mail leaves from, in order of preference.",
        (),
        shown="all of them for MX hosts, none for relays",
        example="first",
    )
    warm_up = Setting(
        several(COUNT, least=1),
        "How many messages a source that is being warmed up sends there, in place of its own warm_up.",
        (),
        shown="that of the source",
        example="50",
    )

    @classmethod
    def conflicts(cls, validated: Validated) -> Iterator[tuple[Path, str]]:
        """Relays and sources that there are not."""
        yield from _unknown_targets("shape", validated)
        sources = {source.name: source for source in validated.listed["source"] if source}
        for at, shape in enumerate(validated.listed["shape"]):
            for name in shape.sources if shape and all(validated.listed["source"]) else ():
                if name not in sources:
                    yield ("shape", at, "sources"), f"there is no source {name}{nearest(name, sources)}"


def _unknown_targets(word: str, validated: Validated) -> Iterator[tuple[Path, str]]:
    """Relays that the rules in the sections `word` are for, and that there are not."""
    for at, rule in enumerate(validated.listed[word]):
        for text in unknown((target.relay for target in rule.match if target.relay), validated.named["relay"]) if rule else ():
            yield (word, at, "match"), text


class Source(Section, header="[[source]]", member="sources", plural="sources"):
    """An address of this machine that mail leaves from, and how it is made known to the world.

    A new address that sends much is not trusted. With warm_up a source sends only so many messages a day to each destination (or to
    all that share a [[shape]]), the first number on the first day that it sends there, the last one on the last; from then on it
    is warm. What is more goes by the next source that has room, and waits until tomorrow where there is none. Days are those of
    UTC. Mail that is tried again leaves from the same source, and is not counted again.
    """

    name = Setting(NAME, "What [[shape]] calls it.", example="first")
    addresses = Setting(several(OWN, least=1), "Its address; one of IPv4 and one of IPv6 where it has both.", example="192.0.2.10")
    hello = Setting(HOSTNAME, "Its name in EHLO, which should be that of its PTR record.", "", shown="hostname", example="a.example.com")
    warm_up = Setting(
        several(COUNT, least=1), "How many messages it sends a day to each destination, day by day.", (), shown="it is warm", example="50"
    )

    def problems(self) -> Iterator[tuple[str, str]]:
        """What the settings mean together and must not."""
        families = [":" in address for address in self.addresses]
        if len(set(families)) < len(families):
            yield "addresses", "a source has one address of each family; make another source of the other one"

    @classmethod
    def conflicts(cls, validated: Validated) -> Iterator[tuple[Path, str]]:
        """Two sources with one name."""
        seen: dict[str, int] = {}
        for at, source in enumerate(validated.listed["source"]):
            if source:
                if earlier := seen.get(source.name):
                    yield ("source", at, "name"), f"line {earlier} has a source {source.name} already"
                seen.setdefault(source.name, validated.line(("source", at, "name")))


class Reaction(Section, header="[[reaction]]", member="reactions", plural="reactions"):
    """What a refusal means, and what it leads to, besides what its code says.

    The first section with an action whose expression is found in the reply counts, and the first one that says what it means. Behind
    those of this file come the ones that mailer knows of mail servers and of the large operators, unless [delivery] says that they do
    not. What a relay is known to refuse of ours (its name, its login, the sender, its quota) gives up no mail: it waits, with an
    alarm, until that has been mended.
    """

    reply: Setting[Expression | None] = Setting(
        EXPRESSION,
        'A regular expression that is looked for in the reply, such as "421 4.7.0 Try again later"; capitals make no difference. '
        "Of a long reply the first 400 characters count, 200 where the expression has two repetitions such as .* in it.",
        None,
        shown="there are words",
        example="too many connections",
    )
    words = Setting(
        several(PHRASE, least=1),
        "Words that are looked for in the reply, any of these; * between two stands for a few others, and capitals make no difference.",
        (),
        shown="there is an expression",
        example="sender * not allowed",
    )
    match = Setting(
        several(TARGET, least=1), "The destinations whose replies are looked at, as in [[shape]].", (), shown="all", example="*.google.com"
    )
    codes = Setting(several(CODE, least=1), "The codes that the reply may have.", (), shown="any", example="421")
    phases = Setting(
        several(choice(*PHASES), least=1), "The steps of the session in which it may come.", (), shown="any", example="greeting"
    )
    action = Setting(
        choice("pause", "slow", "source", "defer", "fail"),
        "What is done: nothing is sent there for a time; half as much is; the source rests and the message leaves by another one; "
        "this message is tried again after a time; it is given up.",
        "",
        shown="nothing but what the code says",
        example="slow",
    )
    means = Setting(
        choice(*REFUSALS, name="word"),
        "What the reply means, by one of the words in mailer-delivery(7).",
        "",
        shown="what its code says",
        example="sender_refused",
    )
    duration: Setting[float | None] = Setting(
        PERIOD, "How long that holds, or the message waits.", None, shown="needed but for fail", example="1h"
    )

    def problems(self) -> Iterator[tuple[str, str]]:
        """What the settings mean together and must not."""
        if not self.reply and not self.words:
            yield "means" if self.means else "action", "a reply is known by an expression (reply), or by words; write one of these"
        elif not self.action and not self.means:
            yield "reply" if self.reply else "words", 'this leads to nothing; write action = "slow", or what the reply means'
        if self.action not in ("", "fail") and self.duration is None:
            yield "action", f'{self.action} needs a time; write duration = "1h"'
        if self.action in ("", "fail") and self.duration is not None:
            what = "a message that is given up waits for nothing" if self.action else "without an action nothing waits"
            yield "duration", f"{what}; take this away"

    @classmethod
    def conflicts(cls, validated: Validated) -> Iterator[tuple[Path, str]]:
        """Relays that there are not."""
        return _unknown_targets("reaction", validated)
