"""What is told of mail that was handled: reports to senders, the record, the log, and figures for a monitoring system."""

from __future__ import annotations

from ..kinds import LISTEN, HostPort, choice
from . import COUNT, DURATION, OPTIONAL_PATH, SWITCH, Section, Setting


class Metrics(Section, header="[metrics]"):
    """Figures of the daemon for Prometheus, or whatever else reads its format.

    This needs the library prometheus-client: pip install 'mailer[metrics]'. See mailer-delivery(7) for the figures.
    """

    listen: Setting[HostPort | None] = Setting(
        LISTEN,
        "Where they are served, by HTTP. Without it nothing is counted. Whoever gets there may read them, without a password: they name "
        "no address and no domain, but say how much mail there is.",
        None,
        example="127.0.0.1:9925",
    )


class Bounce(Section, header="[bounce]"):
    """What happens when mail is given up."""

    enabled = Setting(SWITCH, "Whether the sender gets a report.", True)
    content = Setting(choice("headers", "full"), "How much of the message the report carries.", "headers")
    delay_warning = Setting(
        DURATION,
        "After this time without delivery the sender is warned, once a message. With 0 only those are who asked for it, after 4 hours, and "
        "those whose mail waits for something of ours longer than retry.expire.",
        "0s",
    )
    max_per_hour = Setting(COUNT, "The most reports that one sender gets in an hour. What is beyond that is told in the log.", 100)
    max_per_hour_in_all = Setting(
        COUNT, "The most that all senders together get: whoever forges many addresses must not make reports to them all.", 2000
    )
    retention = Setting(DURATION, "How long a message that was given up is kept, for inspection and replay.", "7d")


class Status(Section, header="[status]"):
    """The record of what became of messages."""

    retention = Setting(DURATION, "How long the record of a finished message is kept.", "30d")


class LogSection(Section, header="[log]"):
    """What the daemon tells."""

    format = Setting(choice("auto", "human", "json"), "How lines look: auto is human on a terminal and JSON elsewhere.", "auto")
    level = Setting(choice("debug", "info", "warning", "error"), "The least important lines that are written.", "info")
    file = Setting(OPTIONAL_PATH, "A file that the log is appended to.", "", shown="standard error", example="/var/log/mailer.log")
