"""What the daemon takes from other users of this machine, and what it tells of mail: reports, the record, the journal, the log,
figures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import values
from ..kinds import LISTEN, PERIOD, RATE, SHARE, HostPort, Rate, choice, several
from . import COUNT, DURATION, OPTIONAL_PATH, SIZE, SWITCH, Kind, Section, Setting

if TYPE_CHECKING:
    from collections.abc import Iterable


def _who(value: object) -> str:
    name = values.text(value)
    if not name.removeprefix("@") or " " in name or ":" in name:
        raise ValueError(f'{values.written(value)} is no user; write "www-data", a group as "@staff", or "*"')
    return name


def _sender(value: object) -> str:
    pattern = values.text(value)
    if pattern != "*" and not ("@" in pattern and pattern.rpartition("@")[2]):
        raise ValueError(f'{values.written(value)} is no sender; write "robot@example.com", "*@example.com", "{{user}}@example.com" or "*"')
    return pattern


def _burst(rate: Rate | None, burst: int | None) -> Iterable[tuple[str, str]]:
    if burst and not rate:
        yield "burst", 'a burst is let through before a rate counts; write rate = "100/h" above it'


def _few(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= 1000:
        raise ValueError(f"{values.written(value)} is no whole number from 0 to 1000")
    return value


def _collector(value: object) -> str:
    url = values.text(value)
    scheme, _, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    if url and (scheme not in ("http", "https") or not host or not (slash and path) or " " in url):
        raise ValueError('this is no address of a collector; write "http://127.0.0.1:4318/v1/traces"')
    if "@" in host:  # not repeated: it is a password
        raise ValueError("a name or a password has no place in an address; set the environment variable OTEL_EXPORTER_OTLP_HEADERS")
    return url


FEW = Kind("number", _few)
COLLECTOR = Kind("URL", _collector)
WHO = Kind("user | @group | *", _who)
SENDER = Kind("address or pattern", _sender)


class Intake(Section, header="[intake]"):
    """Mail from other users of this machine than the owner of the spool, who run `mailer send` or sendmail(8) themselves.

    No program needs privileges for that: a user hands mail to the daemon by a socket in the spool, which tells the daemon who is
    calling, or leaves it in a directory while the daemon is down. See mailer-spool(5). Without this, a spool is its owner's alone.
    """

    enabled = Setting(
        SWITCH, "Whether others may hand mail in. The daemon then opens the spool to that when it starts; nobody can read in it.", False
    )
    max_connections = Setting(COUNT, "How many of them are served at a time; a quarter of that for one user.", 64)
    timeout = Setting(PERIOD, "How long one may take to say what he wants, or to take the answer.", "30s")


class Submitter(Section, header="[[submitter]]", member="submitters", plural="submitters"):
    """A user who may send besides root, and as whom; the first section that fits a user counts.

    Where there is none, all users may send, as anybody. Where there are some, a user whom none fits may not send at all. Root and
    the owner of the spool always may. The daemon sees to it, so nobody gets around it with a program of his own.
    """

    user = Setting(WHO, 'The name of a user, of a group with "@" before it, or "*" for everybody.', example="www-data")
    senders = Setting(
        several(SENDER, least=1),
        "The addresses that may stand as envelope sender, in From and in Sender; * stands for any text, {user} for the user's name. "
        "The null sender always may be one.",
        ["*"],
    )
    rate: Setting[Rate | None] = Setting(
        RATE,
        "How many messages he may hand in in a time, beyond the burst. What is more waits its turn, with an alarm (sender), and nothing "
        "is lost. This holds for root and the owner of the spool, too.",
        None,
        shown="fuse.rate",
        example="100/h",
    )
    burst: Setting[int | None] = Setting(
        COUNT, "How many go at once, before the rate counts.", None, shown="a tenth of the number in the rate", example="50"
    )

    def problems(self) -> Iterable[tuple[str, str]]:
        """A burst of nothing."""
        return _burst(self.rate, self.burst)


class FuseSection(Section, header="[fuse]"):
    """A limit for each submitter who has none of his own in ``[[submitter]]``: for a program that sends without an end, by mistake.

    The daemon sees to it when it reads a message for the first time. Mail of other submitters waits for nobody's fuse, and handing in is
    as fast as ever. `mailer queue retry` sends what waits at once.
    """

    rate: Setting[Rate | None] = Setting(
        RATE, "How many messages one submitter may hand in in a time, beyond the burst.", None, shown="no limit", example="1000/h"
    )
    burst: Setting[int | None] = Setting(
        COUNT, "How many go at once, before the rate counts.", None, shown="a tenth of the number in the rate", example="500"
    )

    def problems(self) -> Iterable[tuple[str, str]]:
        """A burst of nothing."""
        return _burst(self.rate, self.burst)


class Fold(Section, header="[fold]"):
    """Equal mail of programs becomes one message: for those that send the same words every minute until somebody looks.

    The first goes at once; what comes within the window after it is gathered into one message that says how many there were, with the
    first and the last few enclosed. Equal is what has the same submitter, sender and recipients, and a subject that differs in numbers and
    times alone. See mailer-delivery(7).
    """

    window = Setting(DURATION, "For how long equal mail is gathered. With 0 none is.", "0s", shown="nothing is folded", example="10m")
    senders = Setting(
        several(SENDER),
        "The envelope senders whose mail is folded; * stands for any text. People write equal subjects, too, so name programs.",
        (),
        example="root@*",
    )
    most = Setting(COUNT, "The most messages that are gathered into one; when there are so many, it leaves.", 1000)
    enclosed = Setting(COUNT, "How many of the first, and how many of the last, are enclosed whole.", 3)

    def problems(self) -> Iterable[tuple[str, str]]:
        """A window for nobody."""
        if self.window and not self.senders:
            yield "window", 'whose mail is folded has to be said; write senders = ["root@*"] below it'


class Metrics(Section, header="[metrics]"):
    """Figures of the daemon for Prometheus, or whatever else reads its format.

    This needs the library prometheus-client: pip install 'mailer-mta[metrics]'. mailer-metrics(7) lists the figures.
    """

    listen: Setting[HostPort | None] = Setting(
        LISTEN,
        "Where they are served, by HTTP. Without it nothing is counted. Whoever gets there may read them, without a password: they name "
        "no address, but say how much mail there is, and how much of it goes to which relay or operator.",
        None,
        example="127.0.0.1:9925",
    )
    hosts = Setting(
        FEW,
        "How many hosts have figures of their own, each a relay or the operator of MX hosts: the busiest of the last day. The rest is "
        "counted together, as other; with 0 all are.",
        50,
    )


class TraceSection(Section, header="[trace]"):
    """Traces of deliveries, for a collector that speaks OTLP over HTTP: which step of an attempt took how long.

    This needs the libraries of OpenTelemetry: pip install 'mailer-mta[otel]'. See mailer-metrics(7).
    """

    endpoint = Setting(
        COLLECTOR,
        "Where the collector takes traces. Without it none are made. What it wants in header fields, a key for instance, is in the "
        "environment variable OTEL_EXPORTER_OTLP_HEADERS.",
        "",
        example="http://127.0.0.1:4318/v1/traces",
    )
    sample = Setting(SHARE, "The share of messages whose attempts are traced, from 0 to 1.", 0.01)
    failures = Setting(SWITCH, "Whether each attempt is traced that a recipient got nothing by; up to 100 a second.", True)
    slow = Setting(DURATION, "Each attempt is traced that takes as long as this or longer; with 0 none is for that.", "10s")


class StatusSection(Section, header="[status]"):
    """The record of what became of messages."""

    retention = Setting(DURATION, "How long the record of a finished message is kept.", "30d")
    received_retention = Setting(
        DURATION,
        "How long it is remembered what came by the doors, for `mailer received`: how a message came, and what was refused. Of either no "
        "more than the last 100,000 are.",
        "7d",
    )


class JournalSection(Section, header="[journal]", member="journal"):
    """The journal: what becomes of mail, event by event, for programs that have to hear all of it.

    It is written where somebody reads it, and with keep. See mailer-events(1), and mailer-spool(5) for its files.
    """

    keep = Setting(SWITCH, "Whether it is written where nobody subscribes, too: for mailer events.", False)
    retention = Setting(
        DURATION, "How long an event is kept. One that a subscriber has not had yet is kept longer, as long as there is room.", "7d"
    )
    size = Setting(
        SIZE,
        "The most that all events together take on the disk of the spool. Beyond it the oldest are deleted, also those that a subscriber "
        "has not had yet, which is an alarm.",
        "1GB",
    )

    def problems(self) -> Iterable[tuple[str, str]]:
        """A size that does not hold what is being written."""
        if self.size < values.size("64MB"):
            yield "size", "less than 64MB is too little: events are deleted in files of 16 MiB"


class LogSection(Section, header="[log]"):
    """What the daemon tells."""

    format = Setting(
        choice("auto", "sentence", "human", "json"),
        "How lines look: auto is a sentence on a terminal and JSON elsewhere; human is all that JSON has, as key=value.",
        "auto",
    )
    level = Setting(choice("debug", "info", "warning", "error"), "The least important lines that are written.", "info")
    addresses = Setting(
        choice("full", "domain"),
        "How much of an address is written: with domain, you@example.com is ***@example.com, also in what a host has said.",
        "full",
    )
    file = Setting(OPTIONAL_PATH, "A file that the log is appended to.", "", shown="standard error", example="/var/log/mailer.log")
