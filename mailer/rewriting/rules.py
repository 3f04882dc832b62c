"""The rules themselves: what an address that somebody wrote becomes, and which setting says so."""

from __future__ import annotations

from mailer.io.machine import is_this_machine
from mailer.mail.address import Address, AddressError, is_private, parse, parse_reverse_path
from mailer.mail.address_list import boxes, in_header
from mailer.mail.problem import Problem

from .aliases import DISCARD, EVERYBODY, Aliases, refusal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Protocol

    class Settings(Protocol):
        """The settings that the rules are made of; see mailer-config(5)."""

        aliases: tuple[tuple[str, tuple[str, ...]], ...]
        aliases_file: str
        authors: tuple[tuple[str, str], ...]
        default_domain: str
        hostname: str
        masquerade: tuple[str, ...]
        masquerade_except: tuple[str, ...]
        replace_every_author: bool


DEEPEST = 50  # aliases of aliases

_NOWHERE = "nowhere.invalid"  # stands for the domain that somebody does not have


class Became:
    """What an address became: `addresses` (an author's is one), the `author` with his name, and `why`, empty if nothing changed.

    `problems` (65, 78) are what is wrong with some or all of those behind a recipient; `discards` says that one of them is /dev/null.
    """

    __slots__ = ("addresses", "author", "discards", "problems", "why")

    def __init__(
        self, addresses: Sequence[str], why: str, author: str = "", *, problems: Sequence[Problem] = (), discards: bool = False
    ) -> None:
        self.addresses = addresses
        self.why = why
        self.author = author
        self.problems = problems
        self.discards = discards


class Rules:
    """The rules of `settings` for mail that the user `user` submits; asked for his name only where there are rules for users."""

    __slots__ = ("_aliases", "_settings", "_user")

    def __init__(self, settings: Settings, user: Callable[[], str]) -> None:
        self._settings = settings
        self._user = user
        self._aliases = Aliases(settings.aliases, settings.aliases_file)

    def recipient(self, text: str) -> Became:
        """The recipients of mail for `text`; an alias that leads nowhere keeps nobody else from his. Raises `AddressError`."""
        found: dict[str, None] = {}
        why: dict[str, None] = {}
        problems: list[Problem] = []
        try:
            self._expand(text, (), found, why, problems)
        except Problem as failure:
            problems.append(failure)
        discards = DISCARD in found
        found.pop(DISCARD, None)
        return Became([*found], "; ".join(why), problems=problems, discards=discards)

    def _expand(self, text: str, path: tuple[str, ...], found: dict[str, None], why: dict[str, None], problems: list[Problem]) -> None:
        """`path` are the aliases that led to `text`; each is followed once, for `why` knows it then.

        Raises `AddressError`, and `Problem` (bad-config) for an alias that is followed in circles, or cannot be read.
        """
        if path and text == DISCARD:
            found[text] = None
            return
        address = parse(text.removeprefix("\\") if path else text, _NOWHERE)
        local = self._is_local(address)
        whole = f"{address.local}@{address.host}".lower()
        key = address.local.lower() if local else whole
        last = path and (key == path[-1] or text.startswith("\\"))
        alias = None if last else self._aliases.get(whole, local=False) or self._aliases.get(key, local=local)
        if alias is None and local and not last and EVERYBODY not in path:
            alias = self._aliases.get(EVERYBODY, local=True)
            path = (*path, EVERYBODY) if alias else path
        if alias is None:
            found[self._complete(text, address, why)] = None
            return
        if key in path or len(path) > DEEPEST:
            problem = "leads back to itself" if key in path else "leads on and on"
            raise Problem(f"{alias.where}: the alias {key} {problem}: {' → '.join((*path, key))}", "bad-config")
        if f"alias {key}, {alias.where}" in why:
            return
        why[f"alias {key}, {alias.where}"] = None
        for target in alias.targets or [""]:
            problem = refusal(target)
            try:
                if not problem:
                    self._expand(target, (*path, key), found, why, problems)
            except AddressError as error:
                problem = f"leads nowhere: {error}"
            except Problem as failure:
                problems.append(failure)
            if problem:
                problems.append(Problem(f"{alias.where}: the alias {key} {problem}", "bad-config"))

    def _complete(self, text: str, address: Address, why: dict[str, None]) -> str:
        domain = self._settings.default_domain
        if address.domain != _NOWHERE and not (domain and self._is_local_only(address)):
            return address.path
        path = parse(f"{address.local}@{domain}" if domain else text.removeprefix("\\")).path
        why["submission.default_domain"] = None
        return path

    def author(self, text: str, *, replace: bool = True) -> Became:
        """The author that `text` becomes; without `replace` he stays one even where a rule replaces all. Raises `AddressError`."""
        address = parse(text, _NOWHERE)
        settings = self._settings
        if settings.authors and ((settings.replace_every_author and replace) or self._is_local(address)):
            user, author = self._own()
            new = _address(author)
            if new and new != str(address):
                return Became([new], f"submission.authors, {user}", author if author.strip("<>") != new else "")
        why = []
        domain = settings.default_domain or settings.hostname
        if address.domain == _NOWHERE or (address.domain.lower() != domain.lower() and self._is_local_only(address)):
            why.append("submission.default_domain" if settings.default_domain else "mailer.hostname")
            address = parse(f"{address.local}@{domain}")
        if above := self._above(address):
            why.append("submission.masquerade")
            address = Address(address.local, above)
        return Became([address.path], "; ".join(why))

    def own(self) -> str:
        """The address of the author that the rules give to mail of this user; empty if they give none."""
        return _address(self._own()[1])

    def written(self, address: str) -> str:
        """`address` as a From field has it: with the name that the rules give this user, if it is his."""
        return written(self._own()[1]) if address == self.own() else address

    def _own(self) -> tuple[str, str]:
        """The user, or ``*``, and the author that the rules give to his mail; empty if they give none."""
        authors = dict(self._settings.authors)
        user = self._user() if authors else ""
        if user not in authors:
            user = EVERYBODY
        return user, authors.get(user, "")

    def _above(self, address: Address) -> str:
        """The domain that stands for that of `address`, if one does."""
        domain = address.host
        kept = self._settings.masquerade_except
        if (
            f"{address.local}@{domain}".lower() in kept
            or address.local.lower() in kept
            or any(_is_below(domain, one) or domain == one for one in kept)
        ):
            return ""
        return max((above for above in self._settings.masquerade if _is_below(domain, above)), key=len, default="")

    def _is_local(self, address: Address) -> bool:
        """Whether it is a name of this machine."""
        return address.domain == _NOWHERE or is_this_machine(address.host, self._settings.hostname)

    def _is_local_only(self, address: Address) -> bool:
        """Whether it is one with a domain of this machine that is none to the world."""
        return is_private(address.domain) and self._is_local(address)


def _is_below(domain: str, above: str) -> bool:
    return domain.endswith("." + above)


def _address(author: str) -> str:
    """The address in ``Name <address>``, as an envelope has it; empty if there is none."""
    return parse_reverse_path(next(in_header(author), ""))


def written(author: str) -> str:
    """``Name <address>`` as it stands in a header."""
    (_, start, _, _, _), *_ = boxes(author)
    display = author[: max(start - 1, 0)].strip().strip('"').replace("\\", "")
    if not display:
        return author
    from mailer.mail.mime import phrase

    return f"{phrase(display)} {author[start - 1 :]}"
