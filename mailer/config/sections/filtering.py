"""The sections about judging what strangers bring: what becomes of it by the sum of all scores, and each filter that is asked."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

from .. import values
from ..kinds import COMMAND, NAME, PATIENCE, PERIOD, SCORE, SCORES, HostPort, choice
from . import COUNT, DOMAIN, DOMAINS, DURATION, OPTIONAL_PATH, SIZE, SWITCH, TEXT, Kind, Section, Setting
from .doors import DoorPlace

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from ..places import Path
    from . import Validated

KINDS = ("rspamd", "spamd", "clamd", "milter", "program", "blocklist")
PORTS = {"rspamd": 11333, "spamd": 783, "clamd": 3310, "milter": 0}
"""The ports of those that are called; that of a milter has to be said."""

TIMEOUTS = {"rspamd": 10.0, "spamd": 20.0, "clamd": 30.0, "milter": 30.0, "program": 30.0, "blocklist": 5.0}
CONTROLLER = 11334  # the port of rspamd's controller
LEARNERS = ("rspamd", "spamd")
SCORERS = ("rspamd", "spamd", "blocklist")
SHORT = 900.0  # seconds of patience with a scorer: longer than a restart takes, shorter than a night
LIMITS = {"clamd": 25_000_000, "spamd": 512_000}
"""What is not even sent to those, by their own limits: clamd's StreamMaxLength, and what spamc takes."""


def _optional_command(value: object) -> tuple[str, ...]:
    return COMMAND.read(value) if value else ()


OPTIONAL_COMMAND = Kind("command", _optional_command)


class FilteringSection(Section, header="[filtering]", member="filtering"):
    """What becomes of mail that strangers bring, by the sum of all that speaks against it.

    Each filter, each list of addresses, and what a message cannot prove of its sender adds a score. A virus, a milter and a program refuse
    by themselves. Nothing is ever thrown away. What a mail server of yours hands on by a door of the kind lmtp was judged where it came in:
    only filters of content look at it.
    """

    mark = Setting(SCORE, "From this sum on a message is marked: X-Spam-Flag, by which it is sorted into Junk.", 5)
    hold: Setting[float | None] = Setting(
        SCORE,
        "From this sum on it is taken and held, until somebody says `mailer queue release ID`.",
        None,
        shown="nothing is held for its score",
        example="10",
    )
    refuse = Setting(SCORE, "From this sum on it is refused, and whoever brings it hears so.", 15)
    spoof = Setting(
        SWITCH,
        "Whether mail from outside whose author is of a domain of ours is refused where nothing proves it, whatever the DMARC record of "
        "that domain says.",
        True,
    )
    dmarc = Setting(
        choice("obey", "record"),
        "Whether mail is refused whose author's domain asks for that and that proves nothing (DMARC, p=reject), or only what was found is "
        "written down in Authentication-Results.",
        "obey",
    )
    trusted_forwarders = Setting(
        DOMAINS,
        "Domains of forwarders and lists whose seal (ARC) counts as proof where a message that they pass on has lost its own.",
        (),
        example="lists.example.org",
    )
    deadline = Setting(PERIOD, "How long all of it may take for one message; whoever brings it waits.", "60s")
    greet_delay = Setting(
        DURATION, "How long the greeting waits for a client that a list has: who talks before it is a program that waits for nobody.", 0
    )
    early_score = Setting(SCORE, "What it adds that the client talked before its turn; receiving.strict_pipelining refuses it.", 2)
    greylist = Setting(
        SWITCH,
        "Whether mail is put off once that has a bad sign: a list has the client, or it has no name, or the sender's domain does not say "
        "that it sends for it. A server comes again, and most programs that spread spam do not.",
        False,
    )
    greylist_wait = Setting(PERIOD, "How long it has to wait.", "5m")
    greylist_retry = Setting(PERIOD, "How long it may take to come again.", "36h")
    greylist_keep = Setting(PERIOD, "How long it is remembered that it did, since it came last.", "35d")

    def problems(self) -> Iterator[tuple[str, str]]:
        """Numbers that contradict one another."""
        if self.mark > self.refuse:
            yield "refuse", "this is less than mark: everything that could be marked is refused"
        if self.hold is not None and not self.mark <= self.hold <= self.refuse:
            yield "hold", "this is not between mark and refuse"
        if self.greylist_wait >= self.greylist_retry:
            yield "greylist_retry", "this is shorter than greylist_wait: nobody could come again"


class FilterSection(Section, header="[[filter]]", member="filters", plural="filters"):
    """One who is asked what he thinks of a message: a program that scores or looks for viruses, a milter, or a DNS list of addresses.

    Those that cost little are asked first, all others at the same time, milters one behind the other in the order of the file. A filter
    that does not answer stops mail for now (451), so that it can be started again without harm; `patience` says for how long. Then mail
    is taken and marked as not looked at. `mailer filter test` tries all of it with a message, `mailer filter list` shows how they do.
    """

    kind = Setting(choice(*KINDS), "What it is, and so how it is spoken to.", example="blocklist")
    name = Setting(
        Kind("name", lambda value: NAME.read(value) if value else ""),
        "What it is called in fields, log and alarms.",
        "",
        shown="the kind, or the domain of a list",
        example="zen",
    )
    address = Setting(
        TEXT,
        "Where it is: a host with a port, or the path of a unix socket; of a list, its domain. A program has a command instead.",
        "",
        example="zen.spamhaus.org",
    )
    command = Setting(
        OPTIONAL_COMMAND,
        "The program of kind program, and its arguments. No shell runs it. The message is on its standard input, and who brings it in its "
        "environment; it ends with 0, and may print fields for the header, with 20 to refuse the message for good, with 75 for now.",
        (),
        example="/usr/local/bin/look",
    )
    on_failure = Setting(
        choice("tempfail", "accept"),
        "What becomes of mail while it does not answer: put off, or taken and marked as not looked at by it.",
        "tempfail",
    )
    patience: Setting[float | None] = Setting(
        PATIENCE,
        "How long mail is put off for that. Afterwards it is taken, and marked. An alarm tells of both.",
        None,
        shown="15m for what scores, never for clamd, a milter and a program",
        example="15m",
    )
    timeout: Setting[float | None] = Setting(
        PERIOD,
        "How long it may take for an answer; a milter for each step, and twice that for the whole message.",
        None,
        shown="10s for rspamd, 20s for spamd, 30s for clamd, a milter and a program, 5s for a list",
        example="10s",
    )
    max_size: Setting[int | None] = Setting(
        SIZE,
        "The largest message that it is given. A larger one is not looked at by it, and is marked so; it is never said to be clean.",
        None,
        shown="25MB for clamd, 512KB for spamd, no limit for others",
        example="25MB",
    )
    at_once = Setting(COUNT, "How many messages it is given at a time; others wait.", 8)
    learn = Setting(
        SWITCH,
        "Whether it is told what users say of their mail by moving it to Junk or out of it: spamd, which has to be started with "
        "--allow-tell, or rspamd. What it cannot be told now it is told later.",
        False,
    )
    learn_address = Setting(
        TEXT,
        "Where rspamd learns: the address of its controller.",
        "",
        shown="the host of address, port 11334",
        example="127.0.0.1:11334",
    )
    learn_password_file = Setting(
        OPTIONAL_PATH,
        "A file with the password of rspamd's controller, if it wants one of this machine.",
        "",
        example="/etc/mailer/rspamd.secret",
    )
    weight = Setting(SCORE, "What its score is multiplied by: that of spamd or rspamd.", 1)
    score = Setting(SCORE, "What it adds that a list has the client. A list of good senders has one below zero.", 3)
    scores = Setting(
        SCORES,
        "The same by what the list answers; codes that are not here add nothing.",
        (),
        example="127.0.0.4-7 = 3",
    )

    def settle(self, values: dict[str, Any]) -> None:
        """Work out what each kind has of its own."""
        kind = values["kind"]
        values["name"] = values["name"] or (values["address"] if kind == "blocklist" else kind)
        if values["patience"] is None:
            values["patience"] = SHORT if kind in SCORERS else inf
        values["timeout"] = values["timeout"] or TIMEOUTS[kind]
        values["max_size"] = values["max_size"] or LIMITS.get(kind)

    @property
    def otherwise(self) -> str:
        """What becomes of mail while the filter does not answer, for a person."""
        if self.kind == "blocklist":
            return "the list is not counted"
        if self.on_failure == "accept":
            return "mail is taken, and marked as not looked at"
        if self.patience == inf:
            return "mail is put off"
        return f"mail is put off for {self.patience:.0f} s, then taken, and marked as not looked at"

    @property
    def place(self) -> DoorPlace:
        """Where it is called. Raises `ValueError` for an address that is none, and for the kinds that are not called."""
        if self.address.startswith("/"):
            return DoorPlace.read(self.address)
        found = HostPort.read(self.address)
        port = found.port or PORTS[self.kind]
        if not port:
            raise ValueError(f'{values.written(self.address)} has no port; write "127.0.0.1:8891", or the path of a socket')
        return DoorPlace(found.host, port)

    @property
    def learning_place(self) -> DoorPlace:
        """Where it learns. Raises `ValueError` for an address that is none."""
        if self.kind != "rspamd":
            return self.place
        if self.learn_address.startswith("/"):
            return DoorPlace.read(self.learn_address)
        found = HostPort.read(self.learn_address) if self.learn_address else HostPort(self.place.host or "localhost")
        return DoorPlace(found.host, found.port or CONTROLLER)

    def problems(self) -> Iterator[tuple[str, str]]:
        """What a kind needs, and what it has no use for."""
        yield from self._learning_problems()
        if self.kind == "program":
            if not self.command:
                yield "kind", 'a program needs a command; write command = ["/usr/local/bin/look"]'
            if self.address:
                yield "address", "a program has a command instead"
            return
        if self.command:
            yield "command", 'that is for kind = "program"'
        if not self.address:
            yield "kind", f'nothing says where it is; write address = "{_somewhere(self.kind)}"'
            return
        try:
            assert DOMAIN.read(self.address) if self.kind == "blocklist" else self.place
        except ValueError as error:
            yield "address", str(error)
        if self.kind != "blocklist" and self.scores:
            yield "scores", 'that is for kind = "blocklist"'

    def _learning_problems(self) -> Iterator[tuple[str, str]]:
        if self.learn and self.kind not in LEARNERS:
            yield "learn", f"that is for kind = {' and '.join(values.written(kind) for kind in LEARNERS)}"
        if self.learn and self.learn_address and self.kind != "rspamd":
            yield "learn_address", 'that is for kind = "rspamd"'
        elif self.learn and self.kind in LEARNERS and self.address:
            try:
                assert self.learning_place
            except ValueError as error:
                yield "learn_address", str(error)

    @classmethod
    def conflicts(cls, validated: Validated) -> Iterator[tuple[Path, str]]:
        """Two filters of one name, of which nobody could tell which is meant."""
        seen: set[str] = set()
        for at, section in enumerate(validated.listed[cls.word]):
            if section is None:
                continue
            if section.name in seen:
                yield (cls.word, at, "kind"), f'another filter is called {section.name}, too; write name = "…" below each'
            seen.add(section.name)


def _somewhere(kind: str) -> str:
    return "zen.spamhaus.org" if kind == "blocklist" else f"127.0.0.1:{PORTS[kind] or 8891}"
