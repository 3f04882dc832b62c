"""The sections about a message queue: the broker that mail is taken from and results go to, and what a queue may send."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import values
from ..kinds import LISTEN, SECRET_PATH, HostPort, choice, nearest, several
from . import COUNT, OPTIONAL_PATH, SWITCH, TEXT, Kind, Section, Setting
from .daemon import SENDER

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ..places import Path
    from . import Validated

LONGEST_NAME = 255  # octets of a short string, AMQP 0-9-1 §4.2.5.3
MOST_AHEAD = 1000  # messages of a queue that are in memory
RESERVED = "amq."


def _queue(value: object) -> str:
    name = values.text(value)
    if not name or not name.isprintable() or len(name.encode()) > LONGEST_NAME or name.startswith(RESERVED):
        raise ValueError(f'{values.written(name[:40])} is no name of a queue; write up to 255 characters that do not begin with "amq."')
    return name


def _optional(value: object) -> str:
    return "" if value == "" else _queue(value)


def _ahead(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= MOST_AHEAD:
        raise ValueError(f"{values.written(value)} is no whole number from 1 to {MOST_AHEAD}")
    return value


QUEUE = Kind("name", _queue)
OPTIONAL_QUEUE = Kind("name", _optional)
AHEAD = Kind("number", _ahead)


class Amqp(Section, header="[amqp]"):
    """A broker that speaks AMQP 0-9-1, such as RabbitMQ: mail is taken from its queues, and results are given to it.

    What a message has to be, and what becomes of it, mailer-amqp(1) says.

    `mailer run` starts the process for that where url_file is set.
    """

    url_file = Setting(
        SECRET_PATH,
        "A file that nobody but its owner may read, with the broker's address: amqps://user:password@host:5671/vhost, or amqp:// without "
        "TLS.",
        "",
        shown="there is no broker",
        example="/etc/mailer/amqp.url",
    )
    queues = Setting(
        several(QUEUE),
        "The queues that mail is taken from, in order of priority: of what is there, that of the first goes first.",
        ["mailer.in"],
    )
    type = Setting(
        choice("quorum", "classic"),
        "What queues are made as: quorum queues survive a machine of the broker and count deliveries, classic ones know priorities.",
        "quorum",
    )
    prefetch = Setting(AHEAD, "How many messages of a queue are under way at a time; so many bodies are in memory.", 64)
    declare = Setting(
        SWITCH, "Whether queues and exchanges that are missing are made. Without it, the administrator of the broker has made all.", True
    )
    delivery_limit = Setting(COUNT, "How often the broker delivers a message before it is a dead letter, as a quorum queue counts it.", 20)
    dead_letter = Setting(
        QUEUE,
        "The exchange for what is refused, and the queue behind it. Why it was refused is in the queue of this name "
        "with .reasons behind it.",
        "mailer.dead",
    )
    events = Setting(
        OPTIONAL_QUEUE,
        "The topic exchange that is given each result, with a key such as delivered.example.net. What was given is remembered, so nothing "
        "is left out while the broker is away, for as long as the journal keeps it.",
        "",
        shown="results are not given to the broker",
        example="mailer.events",
    )
    failed = Setting(OPTIONAL_QUEUE, "The queue that is given permanent failures besides, where events is set.", "mailer.failed")
    ca_file = Setting(
        OPTIONAL_PATH, "The certificate authorities for the broker.", "", shown="those of [tls]", example="/etc/mailer/broker-ca.pem"
    )
    allow_plaintext_auth = Setting(SWITCH, "Whether the password may travel unencrypted to another machine (amqp://).", False)

    metrics: Setting[HostPort | None] = Setting(
        LISTEN,
        "Where the figures of this process are served for Prometheus; those of the daemon are at metrics.listen. Whoever gets there may "
        "read them. A change counts when the process is started anew.",
        None,
        example="127.0.0.1:9927",
    )

    @property
    def configured(self) -> bool:
        """Whether there is a broker."""
        return bool(self.url_file)

    @property
    def reasons(self) -> str:
        """The queue that says why something is a dead letter."""
        return f"{self.dead_letter}.reasons"

    def problems(self) -> Iterable[tuple[str, str]]:
        """A queue that would be read and written, or is named twice."""
        if len(set(self.queues)) < len(self.queues):
            yield "queues", "a queue is named twice"
        for key in ("dead_letter", "events", "failed"):
            if getattr(self, key) in self.queues:
                yield key, f"mail is taken from {getattr(self, key)}; what is given to the broker needs another name"
        if not self.queues and not self.events:
            yield "queues", "mail is taken from no queue, and no results are given: name a queue, or events"


class AmqpQueue(Section, header="[[amqp_queue]]", member="amqp_queues", plural="amqp_queues"):
    """What a queue of [amqp] may send, and what kind of mail it is. A queue that has no section of its own may send as anybody."""

    name = Setting(QUEUE, "The queue.", example="mailer.in")
    senders = Setting(
        several(SENDER, least=1),
        "The addresses that may stand as envelope sender, in From and in Sender; * stands for any text. The null sender always may be one.",
        ["*"],
    )
    stream = Setting(
        TEXT, "What kind of mail it is, as status and results show it.", "", shown="the name of the queue", example="newsletter"
    )
    ignore_suppression = Setting(
        SWITCH,
        "Whether a message of the queue may ask to be sent to who is on the suppression list. Without it, one that does is refused.",
        False,
    )

    @classmethod
    def conflicts(cls, validated: Validated) -> Iterator[tuple[Path, str]]:
        """Sections for a queue that no mail is taken from, or that has one already."""
        broker = validated.once.get("amqp")
        known = broker.queues if broker is not None else ()
        seen: set[str] = set()
        for at, section in enumerate(validated.listed["amqp_queue"]):
            if section is None:
                continue
            if section.name in seen:
                yield ("amqp_queue", at, "name"), f"there is a section for {section.name} already"
            elif section.name not in known:
                yield ("amqp_queue", at, "name"), f"amqp.queues has no {section.name}{nearest(section.name, known)}"
            seen.add(section.name)
