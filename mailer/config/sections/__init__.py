"""The sections of the configuration: how they are declared, and those that everybody goes by who hands mail in.

A section is a class whose attributes are settings, and a value that has in their place what was read. All the others have a file for those
rooms that go by them: `relay` (and routes), `login` which it shares with others, `delivery` (and TLS, the DNS, what is asked of others),
`shaping`, `dkim`, `bounce` and `report_source` for mail that comes back, `domain`, `receiving` and `mailboxes` for mail that others bring,
`filtering` for who judges that, `forwarding` for what is passed on, `suppress` for whom nobody mails, `alarm` for who is told of trouble,
`webhook` for who is told of events, `amqp` for a message queue, `doors` for where others call, `accounts` for the users whose mail lives
here, `access` for how they read it, and `daemon` for what is taken from users and told. So a new setting is one declaration, from which
all else follows, and a new section is a class and a line in `mailer.config.model`.

They are no dataclasses, and the first ones stand here, because ``mailer send`` reads these and no others: the import of `dataclasses`
costs more than all that it does, and each module more is a part of it.
"""

from __future__ import annotations

from .. import values

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Any, Generic, Protocol, Self, TypeVar

    from ..places import Path

    T_co = TypeVar("T_co", covariant=True)

    class Of(Generic[T_co]):
        """Says of what type the value is."""

    class Validated(Protocol):
        """A file that is being validated: its sections by their words, with None for each that is wrong in itself."""

        @property
        def named(self) -> Mapping[str, Mapping[str, Any]]:
            """The sections that have names of their own, by these."""

        @property
        def once(self) -> Mapping[str, Any]:
            """The sections that stand there once, by their words."""

        @property
        def listed(self) -> Mapping[str, Sequence[Any]]:
            """The sections of which there may be several, in the order of the file."""

        def line(self, path: Path) -> int:
            """The line of the file that `path` stands in."""

else:
    T_co, Of = 0, (object,)  # `Of[T_co]` is a plain object to an interpreter

REQUIRED = object()
"""The default of a setting that has to be there."""

UNSET = (None, "", ())
"""Defaults that are the program's value for what is not set."""


class Kind(Of[T_co]):
    """A kind of values. `read` takes what TOML has, and raises `ValueError`; `kinds.write` gives that back.

    `name` stands beside the setting in `mailer-config(5)`; `words` are all that there are, if they are few, and a list is `of` a kind.
    """

    def __init__(self, name: str, read: Callable[[object], T_co], words: tuple[str, ...] = (), of: Kind[Any] | None = None) -> None:
        self.name = name
        self.read = read
        self.words = words
        self.of = of


class Setting(Of[T_co]):
    """One key of a section.

    `default` is as the file writes it; None, "" or () stand for what is not set, and a function works it out. `shown` says how, if
    that is not all of it, and `example` is what the example file has in its place. A `private` value is shown only in part.
    """

    def __init__(
        self, kind: Kind[T_co], sentence: str, default: object = REQUIRED, *, shown: str = "", example: str = "", private: bool = False
    ) -> None:
        self.key = ""
        self.kind = kind
        self.sentence = sentence
        self.default = default
        self.shown = shown
        self.example = example
        self.private = private

    if TYPE_CHECKING:

        def __get__(self, section: object, cls: type) -> T_co:
            """In a section its place is taken by the value."""

    @property
    def required(self) -> bool:
        """Whether the key has to be there."""
        return self.default is REQUIRED

    def standard(self) -> Any:
        """What holds where the file does not say. Raises `TypeError` for what it has to say."""
        default = self.default
        if callable(default):
            return default()
        if default is REQUIRED:
            raise TypeError(f"{self.key} has to be given")
        return default if default in UNSET else self.kind.read(default)


class Section:
    """One section of the file, or what holds without it: a value that does not change, with an attribute for each setting.

    A subclass says how its header is written: ``[word]``, ``[word.NAME]``, or ``[[word]]`` where there may be several in order, which
    are called `plural`. `member` is what `Config` calls it.
    """

    header = ""
    word = ""
    member = ""
    plural = ""
    settings: tuple[Setting[Any], ...] = ()
    """In the order in which the manual lists them."""

    def __init_subclass__(cls, *, header: str = "", member: str = "", plural: str = "") -> None:
        settings = [setting for base in cls.__bases__ for setting in getattr(base, "settings", ())]
        for key, value in vars(cls).items():
            if isinstance(value, Setting):
                value.key = key
                settings.append(value)
        cls.settings = (*settings,)
        cls.header = header
        cls.word = header.strip("[]").partition(".")[0]
        cls.member = member or cls.word
        cls.plural = plural

    def __init__(self, **given: Any) -> None:
        """`given` are the program's values by their keys. Raises `TypeError` for one that there is not, or that is missing."""
        values = self.__dict__
        for setting in self.settings:
            key = setting.key
            values[key] = given.pop(key) if key in given else setting.standard()
        if given:
            raise TypeError(f"{type(self).__name__} has no setting {', '.join(given)}")
        self.settle(values)

    def settle(self, values: dict[str, Any]) -> None:
        """Work out what depends on other settings."""

    def problems(self) -> Iterable[tuple[str, str]]:
        """What the settings mean together and must not: pairs of a key and what is wrong with it."""
        return ()

    @classmethod
    def conflicts(cls, validated: Validated) -> Iterable[tuple[Path, str]]:  # noqa: ARG003 - for those that can have some
        """What the sections of this class must not mean beside each other, or beside others."""
        return ()

    def but(self, **changes: Any) -> Self:
        """A section like this with other values for some settings."""
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__, **changes)
        return other

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a section does not change; `but` makes another one with its own {name}")

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and self.__dict__ == other.__dict__

    def __hash__(self) -> int:
        return hash(tuple(self.__dict__.values()))

    def __repr__(self) -> str:
        hidden = {setting.key for setting in self.settings if setting.private}
        return f"{type(self).__name__}({', '.join(f'{key}={value!r}' for key, value in self.__dict__.items() if key not in hidden)})"


TEXT = Kind("text", values.text)
COUNT = Kind("number", values.count)
DURATION = Kind("duration", values.duration)
SIZE = Kind("size", values.size)
SWITCH = Kind("true | false", values.switch)
HOSTNAME = Kind("domain", values.hostname)
DOMAIN = Kind("domain", values.domain)
OPTIONAL_DOMAIN = Kind("domain", values.optional_domain)
DOMAINS = Kind("list of domain", values.domains)
ADDRESS = Kind("address", values.address)
KEPT = Kind("list of name", values.kept)
ALIASES = Kind("table of addresses", values.aliases)
AUTHORS = Kind("table of addresses", values.authors)
PUBLIC_URL = Kind("url", values.public_url)
PATH = Kind("path", values.path)
OPTIONAL_PATH = Kind("path", values.optional_path)
SANDBOX_MODE = Kind("live | trap | redirect | allowlist", values.sandbox_mode, words=values.SANDBOX_MODES)
ALLOWED = Kind("list of address or pattern", values.allowed, of=Kind("address or pattern", values.allowed_one))


class Mailer(Section, header="[mailer]"):
    """What this machine is called, and where its queue lies."""

    hostname = Setting(
        HOSTNAME,
        "The name that this machine gives itself in EHLO, in Message-ID fields and in reports.",
        values.own_hostname,
        shown="the name of the machine, from hostname(1), /etc/hostname or /etc/hosts",
        example="mail.example.com",
    )
    spool = Setting(
        PATH,
        "The directory of the queue. See mailer-spool(5).",
        values.own_spool,
        shown="$XDG_STATE_HOME/mailer, which is ~/.local/state/mailer; /var/spool/mailer for root and for its owner",
        example=values.SYSTEM_SPOOL,
    )
    postmaster = Setting(
        ADDRESS,
        "The address in the From field of the reports about mail that could not be delivered.",
        "",
        shown="mailer-daemon at the hostname",
        example="postmaster@example.com",
    )

    def settle(self, values: dict[str, Any]) -> None:
        """Let the postmaster be one of this machine where none was named."""
        values["postmaster"] = values["postmaster"] or f"mailer-daemon@{values['hostname']}"


class SubmissionSection(Section, header="[submission]"):
    """What is taken in, and how it is completed."""

    default_domain = Setting(
        OPTIONAL_DOMAIN,
        "The domain of addresses that have none, such as root. Without it such addresses are refused.",
        "",
        example="example.com",
    )
    max_message_size = Setting(SIZE, "The largest message that is taken.", "25MB")
    max_recipients = Setting(COUNT, "The most recipients that one message may have.", 10_000)
    from_address = Setting(
        ADDRESS,
        "The sender of mail that names none.",
        "",
        shown="the user's name at default_domain, or at the hostname",
        example="robot@example.com",
    )
    request_id_ttl = Setting(DURATION, "How long a request id is remembered: the same id with the same message is queued once.", "7d")
    aliases = Setting(
        ALIASES,
        "Who gets the mail for a name of this machine, such as root, or for an address: one address or a list, /dev/null to discard it. "
        "* is every other name.",
        (),
        example="root = you@example.com",
    )
    aliases_file = Setting(
        OPTIONAL_PATH, "A file with more aliases, in the form of aliases(5); those above go before it.", "", example="/etc/aliases"
    )
    authors = Setting(
        AUTHORS,
        "The author of the mail that a user of this machine sends, in header and envelope; * is every other user.",
        (),
        example="www-data = Our shop <shop@example.com>",
    )
    replace_every_author = Setting(
        SWITCH, "Whether that replaces all authors, or those only that have no domain or the name of this machine.", False
    )
    masquerade = Setting(
        DOMAINS, "Domains that stand for those below them: an author at host.example.com is one at example.com.", (), example="example.com"
    )
    masquerade_except = Setting(KEPT, "Users, addresses and domains that keep theirs.", (), example="lists.example.com")
    strict = Setting(
        SWITCH,
        "Whether a message is refused instead of mended: lines too long, octets that do not say what they are, fields that stand twice, "
        "addresses without a comma between them.",
        False,
    )
    public_url = Setting(
        PUBLIC_URL,
        "Where others reach the doors of the kind web, by HTTPS: links to unsubscribe lead there, to /u/ below it.",
        "",
        example="https://mail.example.com",
    )
    max_header_size = Setting(SIZE, "The largest header that a message may have.", "1MB")
    min_free_space = Setting(
        SIZE,
        "What has to stay free on the disk of the spool: mail that would take of it is refused for now (75), and no reports are written.",
        "50MB",
    )
    min_free_inodes = Setting(COUNT, "The same for the number of files that the file system has room for.", 1000)
    max_attachments = Setting(COUNT, "The most attachments that a message may be composed with.", 50)
    max_attachment_size = Setting(SIZE, "The largest of them.", "25MB")
    max_subject_length = Setting(COUNT, "The longest subject that a message may be composed with, in characters.", 1000)


class Sandbox(Section, header="[sandbox]"):
    """A machine for development and tests, whose mail must not get to the people whom it names.

    What becomes of mail is decided when it is routed, so mail that was queued before obeys, too. What was submitted while a sandbox held
    and is still there when none does is held, until somebody says that it may leave: mailer queue release --yes. Without this
    section, mail is live.
    """

    mode = Setting(
        SANDBOX_MODE,
        "What becomes of mail: live sends it to whom it names; trap sends none, and each message counts as delivered, and says that it was "
        "trapped; redirect sends all of it to one address, with the field X-Sandbox-Recipients; allowlist sends it to those who are "
        "allowed, and traps the rest. It has to be said where anything else of this section is.",
        "",
        shown="live",
        example="trap",
    )
    to = Setting(ADDRESS, "The address that gets all mail with redirect.", "", example="developer@example.com")
    allow = Setting(
        ALLOWED,
        "The addresses that get mail with allowlist; * stands for any text.",
        (),
        example="*@example.com",
    )
    keep = Setting(
        OPTIONAL_PATH,
        "A Maildir for what is trapped, each message as it would have left. It is made if it is not there. Without it, only the status "
        "says what was trapped.",
        "",
        example="/srv/trapped",
    )

    @property
    def holds(self) -> bool:
        """Whether mail is kept from some whom it names."""
        return self.mode not in ("", "live")

    @property
    def words(self) -> str:
        """What it does with mail, for a person."""
        if self.mode == "redirect":
            return f"all mail goes to {self.to} (redirect)"
        kept = f", and kept in {self.keep}" if self.keep else ""
        if self.mode == "allowlist":
            return f"only mail to {', '.join(self.allow)} is sent, all else is trapped{kept} (allowlist)"
        return f"no mail is sent, all is trapped{kept} (trap)" if self.holds else "mail is live"

    def as_json(self) -> dict[str, object] | None:
        """As ``--json`` has it; None where mail is live."""
        return {"mode": self.mode, "to": self.to or None, "allow": [*self.allow], "keep": self.keep or None} if self.holds else None

    def problems(self) -> Iterable[tuple[str, str]]:
        """A mode that lacks what it is about, or is not said: nothing of that is guessed."""
        if not self.mode and (self.to or self.allow or self.keep):
            yield "mode", 'the sandbox has no mode; write mode = "trap", or mode = "live"'
        if self.mode == "redirect" and not self.to:
            yield "mode", 'redirect needs an address; write to = "developer@example.com" below it'
        if self.mode == "allowlist" and not self.allow:
            yield "mode", 'allowlist needs whom it lets through; write allow = ["*@example.com"] below it, or mode = "trap"'


class SubmissionSettings(Mailer, SubmissionSection):
    """All settings of the first two sections, `config_path`, the file that they stand in (empty if there is none), and the `sandbox`."""

    config_path: str
    sandbox: Sandbox

    def __init__(self, config_path: str = "", sandbox: Sandbox | None = None, **given: Any) -> None:
        """Raises `Problem` (bad-config) where there is no place for a spool."""
        super().__init__(**given)
        if not self.spool:
            raise values.nowhere()
        self.__dict__.update(config_path=config_path, sandbox=sandbox or Sandbox())

    @property
    def rules(self) -> bool:
        """Whether there are rules that may change addresses that are whole."""
        return bool(self.aliases or self.aliases_file or self.authors or self.masquerade)

    def sender(self) -> str:
        """The sender of mail that names none: `from_address`, or the user's name at the default domain or host."""
        return values.sender(self.from_address, self.default_domain, self.hostname)
