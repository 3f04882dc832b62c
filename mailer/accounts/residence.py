"""The residence of an address: what becomes of mail for it, by the domains that are ours, the users and the aliases.

`expanding` decides, and touches nothing: it is a generator that asks who of some addresses is a user, and returns a `Residence`;
`residents` drives it. In a domain of ours an address is, in this order, an alias as it is written, a user as it is written, and then both
without the ``+tag`` behind a name; then anybody, where the next hop is asked who lives there; then whoever catches all; and postmaster and
abuse are always somebody (RFC 5321 §4.5.1, RFC 2142 §4, §5).

An alias leads to addresses anywhere: that is no relaying, for a stranger can name only the alias. It is followed `DEEPEST` times, to as
many recipients as one message may have; what leads on and on, or back to itself, is refused before there is a message. A local part that
names a way to go on elsewhere (``user%other``, ``other!user``) is nobody unless a user or an alias is called so.

What is not known is never "nobody": an address of a domain whose aliases could not be read is trouble for now.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from mailer.mail.address import MAX_ADDRESS, AddressError, ascii_address, parse, plain_local
from mailer.mail.address_key import key_of
from mailer.mail.envelope import Recipient
from mailer.rewriting.aliases import DISCARD, EVERYBODY, refusal
from mailer.smtp.reply import Reply
from mailer.srs import NotTurnedBack, is_rewritten

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from mailer.config.sections.domain import LocalDomain
    from mailer.mail.address import Address
    from mailer.rewriting.aliases import Alias

    from .users.api import User

DEEPEST: Final = 10  # aliases of aliases
ALWAYS: Final = frozenset({"postmaster", "abuse"})

NOBODY = Reply.own(550, "5.1.1", "nobody of that name lives here")
RELAYING = Reply.own(550, "5.7.1", "that is no domain of ours, and nothing is passed on for strangers")
CIRCLE = Reply.own(550, "5.4.6", "the alias leads on and on, or back to itself")
CROWD = Reply.own(550, "5.5.3", "the alias leads to more recipients than a message may have")
NOT_NOW = Reply.own(451, "4.3.0", "who lives here cannot be looked up for now, come back later")


class Residence(NamedTuple):
    """What becomes of mail for one address.

    It goes to a ``mailbox`` of ours, by a ``forward`` to one address elsewhere, or to a ``group`` of several; `recipients` are those of
    the envelope, and `asks` the addresses among them on which the next hop has the last word. Or it is refused with `reply`: nobody of
    ours is called so (``unknown``), it is not ours to know (``elsewhere``), or that cannot be said for now (``trouble``). `problems` are
    for the operator.
    """

    kind: Literal["mailbox", "forward", "group", "unknown", "elsewhere", "trouble"]
    recipients: Sequence[Recipient] = ()
    reply: Reply | None = None
    asks: Collection[str] = ()
    problems: Sequence[str] = ()


class OwnDomain(NamedTuple):
    """A domain of ours: its `section`, and its aliases by their names, None while they could not be read."""

    section: LocalDomain
    aliases: Mapping[str, Alias] | None = {}


class Registry(NamedTuple):
    """All that is known of who lives here, users apart: our domains by their names, what else counts, and how many one message may reach.

    `host` is this machine's own name, `postmaster` who gets the mail for postmaster where nobody is called so. `turned_back` gives the
    sender that an address stands for which we have rewritten, or raises `NotTurnedBack`; such an address may be at the domain `forwarding`,
    too.
    """

    domains: Mapping[str, OwnDomain]
    host: str = ""
    postmaster: str = ""
    turned_back: Callable[[str], str] | None = None
    forwarding: str = ""
    most: int = 1000


class _Step(NamedTuple):
    """An address that is to be followed, and the keys of the aliases that led there. `plain`: it is no alias any more.

    `key` is how it is compared, and `untagged` the same without its tag, empty if it has none (RFC 5233).
    """

    address: Address
    home: str
    key: str
    untagged: str
    path: tuple[str, ...] = ()
    plain: bool = False

    @classmethod
    def of(cls, address: Address, path: tuple[str, ...] = (), *, plain: bool = False) -> _Step:
        """The step to `address`."""
        home = address.host
        key = key_of(f"{address.local}@{home}")
        name, plus, _ = key.rpartition("@")[0].partition("+")
        return cls(address, home, key, f"{name}@{home}" if plus and name and key[0] != '"' else "", path, plain)

    @property
    def in_circles(self) -> bool:
        """Whether the aliases lead too far, or one of them twice to here."""
        return len(self.path) > DEEPEST or len(set(self.path)) < len(self.path)


Resolving = Generator[Sequence[str], Sequence["User | None"], Residence]
"""What yields addresses, is sent the user of each or None, and returns what becomes of the mail."""


def expanding(address: str, registry: Registry, *, denied: bool = False) -> Resolving:
    """What becomes of mail for `address`. `denied`: the next hop says that it knows nobody of that name."""
    try:
        first = parse(address, longest=MAX_ADDRESS)
    except AddressError:
        return Residence("unknown", reply=NOBODY)
    if first.local.lower() == "postmaster" and first.host == registry.host and first.host not in registry.domains and registry.domains:
        first = parse(f"postmaster@{next(iter(registry.domains))}")
    if registry.turned_back is not None and is_rewritten(address) and first.host in (*registry.domains, registry.forwarding):
        return _turned_back(address, registry.turned_back)
    if first.host not in registry.domains:
        return Residence("elsewhere", reply=RELAYING)
    return (yield from _Expansion(registry, denied).run(_Step.of(first)))


def _turned_back(address: str, turn: Callable[[str], str]) -> Residence:
    """The way back to a sender whose mail we have passed on, and to nobody else."""
    try:
        return Residence("forward", [Recipient(parse(turn(address), longest=MAX_ADDRESS).path, behalf=address)])
    except (NotTurnedBack, AddressError):
        return Residence("unknown", reply=NOBODY)


class _Expansion:
    """Follows one address to all that it leads to."""

    def __init__(self, registry: Registry, denied: bool) -> None:
        self._registry = registry
        self._denied = denied
        self._found: dict[str, Recipient] = {}
        self._asks: list[str] = []
        self._seen: set[str] = set()
        self._problems: list[str] = []

    def run(self, first: _Step) -> Resolving:
        """Level by level, so that few questions are asked however many an alias leads to."""
        steps = [first]
        while steps:
            if circle := next((step.path for step in steps if step.in_circles), ()):
                return Residence("unknown", reply=CIRCLE, problems=[f"the alias {circle[0]} leads on and on: {' → '.join(circle)}"])
            behind: list[_Step] = []
            asked = [step for step in steps if not self._follows(step, behind)]
            if any(self._registry.domains[step.home].aliases is None for step in asked):
                return Residence("trouble", reply=NOT_NOW)
            wanted = [*dict.fromkeys(name for step in asked for name in (step.key, step.untagged) if name)]
            users = dict(zip(wanted, (yield wanted), strict=True)) if wanted else {}
            for step in asked:
                self._settle(step, users, behind)
            if len(self._found) + len(behind) > self._registry.most:
                return Residence("unknown", reply=CROWD, problems=[f"{first.key} leads to more than {self._registry.most} recipients"])
            steps = behind
        return self._result()

    def _result(self) -> Residence:
        people = [*self._found.values()]
        if not people:
            return Residence("unknown", reply=NOBODY, problems=self._problems)
        if len(people) > 1:
            return Residence("group", people, asks=self._asks, problems=self._problems)
        return Residence("forward" if people[0].behalf else "mailbox", people, asks=self._asks, problems=self._problems)

    def _follows(self, step: _Step, behind: list[_Step]) -> bool:
        """Whether nobody has to be asked about it: it leads elsewhere, or to others, who are added to `behind`."""
        home = self._registry.domains.get(step.home)
        if home is None:
            path = ascii_address(str(step.address))
            self._found.setdefault(key_of(path), Recipient(path, behalf=step.path[-1]))
            return True
        alias = None if step.plain or home.aliases is None else _alias(home.aliases, step.key)
        if alias is None:
            return False
        self._lead(step, step.key, alias.targets, alias.where, behind)
        return True

    def _settle(self, step: _Step, users: Mapping[str, User | None], behind: list[_Step]) -> None:
        """Say who it is, of whom it is known now which of his names are users."""
        home = self._registry.domains[step.home]
        assert home.aliases is not None
        asks = home.section.verify
        if user := users[step.key]:
            self._reach(user.address, asks=asks)
        elif not step.plain and step.untagged and (alias := _alias(home.aliases, step.untagged)):
            self._lead(step, step.untagged, alias.targets, alias.where, behind)
        elif user := users.get(step.untagged):
            local, _, domain = user.address.rpartition("@")
            self._reach(f"{local}+{step.address.local.partition('+')[2]}@{domain}", asks=asks)
        elif home.section.users == "any" and not (self._denied and not step.path) and _leads_nowhere_else(step.address):
            self._reach(f"{step.address.local}@{step.home}", asks=True)
        else:
            self._otherwise(step, home, behind)

    def _otherwise(self, step: _Step, home: OwnDomain, behind: list[_Step]) -> None:
        """Nobody is called so: who catches all, or has to be there."""
        assert home.aliases is not None
        name, local = home.section.name, step.key.rpartition("@")[0]
        everybody, always = home.aliases.get(EVERYBODY), local in ALWAYS
        caught = (everybody.targets, everybody.where) if everybody else ([home.section.catch_all], f"catch_all of {name}")
        if always and self._registry.postmaster and f"{local}@{name}" not in step.path:
            self._lead(step, step.key, [self._registry.postmaster], "receiving.postmaster", behind)
        elif any(caught[0]) and f"*@{name}" not in step.path:
            self._lead(step, f"*@{name}", caught[0], caught[1], behind)
        elif always and home.section.via:
            self._reach(f"{local}@{name}")
        elif step.path:
            self._problems.append(f"the alias {step.path[-1]} leads to {step.key}, and nobody of that name lives here")

    def _reach(self, address: str, *, asks: bool = False) -> None:
        path = ascii_address(address)
        if key_of(path) not in self._found:
            self._found[key_of(path)] = Recipient(path)
            self._asks += [path] if asks else []

    def _lead(self, step: _Step, key: str, targets: Sequence[str], where: str, behind: list[_Step]) -> None:
        """Go on with those whom an alias names."""
        if key in self._seen and key not in step.path:  # by another way: whom it leads to is known
            return
        self._seen.add(key)
        for target in targets or [""]:
            if len(self._found) + len(behind) > self._registry.most:  # that is refused, and costs no more than what is not
                return
            if problem := refusal(target):
                self._problems.append(f"{where}: the alias {key} {problem}")
            elif target == DISCARD:
                outcome = {
                    "verdict": "delivered",
                    "code": 250,
                    "enhanced": "2.0.0",
                    "text": f"discarded: alias {key}",
                    "cause": "discarded",
                }
                self._found.setdefault(DISCARD, Recipient(str(step.address), outcome=outcome))
            else:
                to = parse(target.removeprefix("\\"), step.home)
                found = _Step.of(to, (*step.path, key))
                behind.append(found._replace(plain=found.key == key or target.startswith("\\")))


def _alias(aliases: Mapping[str, Alias], key: str) -> Alias | None:
    return aliases.get(key) or aliases.get(key.rpartition("@")[0])


def _leads_nowhere_else(address: Address) -> bool:
    """Whether no next hop could read another way to go on out of its local part."""
    return not any(char in "%!@|/\\" or char <= " " for char in plain_local(address.local))
