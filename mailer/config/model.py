"""Every section there is, and `Config`, which has them all: what the operator has written down, as one value, and how that is shown.

Used by everybody who needs a setting. All values have their final types: durations are seconds, sizes are bytes, paths are
absolute, and what depends on other settings has been worked out. ``Config()`` is what holds when nothing is configured.

`as_lines` and `as_rows` say setting by setting what is in force and where it comes from, as a configuration or for JSON; `as_document` is
the whole as TOML has it. No secret is in any: the configuration knows only where one is, and of a command for it, whose arguments may
tell more, only the program is shown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import values
from .kinds import literal, write
from .sections import Mailer, Sandbox, SubmissionSection, SubmissionSettings
from .sections.access import AccessSection
from .sections.accounts import AccountSection
from .sections.alarm import AlarmSection
from .sections.amqp import Amqp, AmqpQueue
from .sections.bounce import Bounce
from .sections.daemon import Fold, FuseSection, Intake, JournalSection, LogSection, Metrics, StatusSection, Submitter, TraceSection
from .sections.delivery import BreakerSection, CheckSection, Delivery, Dns, Retry, TimeoutSection, Tls
from .sections.dkim import Dkim
from .sections.domain import LocalDomain
from .sections.doors import Api, Listen
from .sections.filtering import FilteringSection, FilterSection
from .sections.forwarding import Forwarding
from .sections.mailboxes import MailboxSection, MailboxStoreSection
from .sections.receiving import Receiving
from .sections.relay import Relay, RouteRule, completed, homes
from .sections.report_source import ReportSource
from .sections.shaping import Reaction, Shape, Source
from .sections.suppress import Suppress
from .sections.webhook import Webhook

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Self

    from .sections import Section, Setting

SECTIONS: tuple[type[Section], ...] = (
    Mailer, SubmissionSection, Sandbox, Intake, Submitter, FuseSection, Fold, Relay, RouteRule, Dkim, Delivery, Shape, Source, Reaction,
    BreakerSection,
    TimeoutSection, Retry, Tls, Dns, CheckSection, Bounce, ReportSource, Suppress,
    StatusSection,
    JournalSection, Listen, Receiving, LocalDomain, MailboxSection, MailboxStoreSection, AccountSection, AccessSection, Forwarding,
    FilteringSection, FilterSection, Api, Amqp, AmqpQueue, LogSection,
    AlarmSection, Metrics, TraceSection, Webhook,
)  # fmt: skip
"""In the order in which a reader of the manual wants to meet them."""

NAMED = {cls.word: cls for cls in SECTIONS if "." in cls.header}
"""Those that stand in the file as ``[section.NAME]``; `Config` has a mapping of each."""

LISTED = {cls.word: cls for cls in SECTIONS if cls.plural}
"""Those that stand there as ``[[section]]``, in order; `Config` has a tuple of each."""

TABLES = {cls.word: cls for cls in SECTIONS if cls.word not in NAMED and cls.word not in LISTED}
"""Those that stand there once, as ``[section]``."""


class Config:  # noqa: PLW1641 - compared, and never a key
    """All settings, one member a section. `routes` ends with a route for ``*``, so that one always matches."""

    mailer: Mailer
    submission: SubmissionSection
    sandbox: Sandbox
    intake: Intake
    submitters: tuple[Submitter, ...]
    fuse: FuseSection
    fold: Fold
    relays: Mapping[str, Relay]
    routes: tuple[RouteRule, ...]
    dkim: tuple[Dkim, ...]
    delivery: Delivery
    shapes: tuple[Shape, ...]
    sources: tuple[Source, ...]
    reactions: tuple[Reaction, ...]
    breaker: BreakerSection
    timeouts: TimeoutSection
    retry: Retry
    tls: Tls
    dns: Dns
    check: CheckSection
    bounce: Bounce
    report_sources: tuple[ReportSource, ...]
    suppress: Suppress
    amqp: Amqp
    amqp_queues: tuple[AmqpQueue, ...]
    status: StatusSection
    journal: JournalSection
    listens: tuple[Listen, ...]
    receiving: Receiving
    domains: tuple[LocalDomain, ...]
    mailboxes: MailboxSection
    mailbox_stores: tuple[MailboxStoreSection, ...]
    forwarding: Forwarding
    accounts: AccountSection
    access: AccessSection
    filtering: FilteringSection
    filters: tuple[FilterSection, ...]
    api: Api
    log: LogSection
    alarm: AlarmSection
    metrics: Metrics
    trace: TraceSection
    webhooks: tuple[Webhook, ...]
    path: str
    """The file that it was read from; empty if there is none."""
    lines: Mapping[str, int]
    """Where settings stand in that file: ``"relay.out.host"`` and its line. What is not here has its default."""

    def __init__(self, *, path: str = "", lines: Mapping[str, int] | None = None, **members: Any) -> None:
        """`members` are the sections that the file has; of others there is the default, or none."""
        found = self.__dict__
        for cls in SECTIONS:
            given = members.pop(cls.member, None)
            found[cls.member] = _absent(cls) if given is None else given
        if members:
            raise TypeError(f"there is no section {', '.join(members)}")
        outward = [name for name in self.relays if name not in homes(self.domains)]
        found.update(routes=completed(self.routes, outward), path=path, lines=lines or {})

    def but(self, **changes: Any) -> Self:
        """A configuration like this with other values for some members."""
        return type(self)(**{**vars(self), **changes})

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a configuration does not change; `but` makes another one with its own {name}")

    def __eq__(self, other: object) -> bool:
        """Whether the settings are the same, wherever in the file they stand."""
        return isinstance(other, Config) and {**vars(self), "lines": None} == {**vars(other), "lines": None}

    def __repr__(self) -> str:
        return f"Config({', '.join(f'{name}={value!r}' for name, value in vars(self).items() if name != 'lines')})"

    @property
    def spool(self) -> str:
        """The directory of the queue."""
        return self.mailer.spool

    @property
    def hostname(self) -> str:
        """The EHLO name of this machine."""
        return self.mailer.hostname

    @property
    def postmaster(self) -> str:
        """The address that reports come from."""
        return self.mailer.postmaster

    @property
    def readers(self) -> tuple[str, ...]:
        """The names of the cursors of all who have to hear every event of the journal, wherever they are configured."""
        amqp = ("amqp",) if self.amqp.configured and self.amqp.events else ()
        return (*(f"hooks.{hook.name}" for hook in self.webhooks), *amqp)

    @property
    def journaled(self) -> bool:
        """Whether the journal is written: somebody subscribes, may do so, or it is to be kept."""
        return self.journal.keep or bool(self.readers or self.web_doors)

    @property
    def mail_doors(self) -> tuple[Listen, ...]:
        """The doors that mail comes in by, of the kinds reports, mx, submission and lmtp, in the order of the file."""
        return tuple(listen for listen in self.listens if listen.kind not in ("web", "imap", "pop3"))

    @property
    def access_doors(self) -> tuple[Listen, ...]:
        """The doors that users read their mail by, of the kinds imap and pop3, in the order of the file."""
        return tuple(listen for listen in self.listens if listen.kind in ("imap", "pop3"))

    @property
    def has_mailboxes(self) -> bool:
        """Whether the mailboxes of a domain of ours are our own."""
        return any(way.kind == "local" for domain in self.domains for way in domain.via)

    @property
    def mailboxes_path(self) -> str:
        """The directory of the mailboxes; empty where there is no place for any."""
        return self.mailboxes.path or values.mailboxes_beside(self.spool)

    @property
    def heard_at(self) -> str:
        """The address whose reports we read, by a door or in a mailbox; empty where there is none."""
        doors = any(listen.kind in ("reports", "mx", "lmtp") for listen in self.listens)
        return self.bounce.address if doors or self.report_sources else ""

    @property
    def web_doors(self) -> tuple[Listen, ...]:
        """The doors of the kind web, in the order of the file."""
        return tuple(listen for listen in self.listens if listen.kind == "web")

    @property
    def submitting(self) -> SubmissionSettings:
        """The settings that go with submission. Raises `Problem` (bad-config) where there is no place for a spool."""
        return SubmissionSettings(self.path, self.sandbox, **vars(self.mailer), **vars(self.submission))


def _absent(cls: type[Section]) -> Any:
    """What a configuration has where the file has no such section."""
    return {} if cls.word in NAMED else () if cls.word in LISTED else cls()


def _in_force(config: Config) -> Iterator[tuple[str, str, Section]]:
    """All sections, with every relay, route and key: the header in the file, how the names of its settings begin, and the section."""
    for word, cls in TABLES.items():
        yield cls.header, word, getattr(config, cls.member)
    for word, cls in NAMED.items():
        for name, section in getattr(config, cls.member).items():
            yield f"[{word}.{literal(name) if '.' in name else name}]", f"{word}.{name}", section
    for word, cls in LISTED.items():
        for at, section in enumerate(getattr(config, cls.member)):
            yield cls.header, f"{word}.{at}", section


def as_rows(config: Config) -> Iterator[dict[str, Any]]:
    """One object a setting: ``key``, ``value`` as the file writes it or null, ``source`` and ``line``."""
    for _, prefix, section in _in_force(config):
        for setting in section.settings:
            source, line = _source(config, f"{prefix}.{setting.key}")
            yield {"key": f"{prefix}.{setting.key}", "value": _value(setting, section), "source": source, "line": line}


def as_document(config: Config) -> dict[str, Any]:
    """All that is set or has a default, as TOML has it: tables by name, of relays by their names, and lists of tables."""
    document: dict[str, Any] = {}
    for _, prefix, section in _in_force(config):
        found = {setting.key: value for setting in section.settings if (value := _value(setting, section)) is not None}
        word, _, name = prefix.partition(".")
        if word in NAMED:
            document.setdefault(word, {})[name] = found
        elif word in LISTED:
            document.setdefault(word, []).append(found)
        else:
            document[word] = found
    return document


def as_lines(config: Config) -> Iterator[str]:
    """The settings as a file would have them, each with its source in a comment."""
    for at, (header, prefix, section) in enumerate(_in_force(config)):
        if at:
            yield ""
        yield header
        for setting in section.settings:
            source, line = _source(config, f"{prefix}.{setting.key}")
            value = _value(setting, section)
            if value is None:
                yield f"# {setting.key} is not set" + (f": {setting.shown}" if setting.shown else "")
            else:
                yield f"{setting.key} = {literal(value)}".ljust(50) + f"  # {source}" + (f":{line}" if line else "")


def _source(config: Config, key: str) -> tuple[str, int | None]:
    """The file and the line, or ``default``, or ``command line``."""
    line = config.lines.get(key)
    if line is None:
        return "default", None
    return (config.path, line) if line else ("command line", None)


def _value(setting: Setting[Any], section: Section) -> Any:
    """The value as the file writes it; `None` if it is not set."""
    value = getattr(section, setting.key)
    if value in (None, "", ()):
        return None
    if setting.private:
        return [value[0], *("…" for _ in value[1:2])]
    return write(setting.kind, value)
