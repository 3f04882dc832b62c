"""Users with a Dovecot, which is asked over its sockets: whether a password is right, and who there is.

Two protocols of its processes, both of version 1, lines of words with tabs between them (doc.dovecot.org, "Authentication Protocol"):
that of the service ``auth`` for its clients, by which a password is checked with PLAIN, and that for looking up users, at the socket
``auth-userdb``. So whatever Dovecot has its users in (PAM, LDAP, SQL, files) is ours as well.

Each question has a connection of its own, so that a Dovecot which is started anew is met by the next one. What it does not say within
`SECONDS` is not known for now. Without the socket for looking up, those are known who have logged in of late.
"""

from __future__ import annotations

import asyncio
import os
from binascii import b2a_base64
from collections import OrderedDict
from typing import TYPE_CHECKING, Final

from mailer.mail.address import AddressError, parse
from mailer.mail.address_key import key_of
from mailer.mail.problem import Problem

from .api import Proved, User

if TYPE_CHECKING:
    from collections.abc import Sequence

SECONDS: Final = 15.0  # a password that is wrong takes Dovecot some by itself
MOST: Final = 64  # questions at a time
LONGEST: Final = 8192  # octets of a line, as Dovecot has it
LINES: Final = 1000  # that it may say before the answer
REMEMBERED: Final = 10_000  # users
VERSION: Final = "1"


class DovecotUsers:
    """The users of a Dovecot that checks passwords at the socket `auth` and looks up users at `lookup`: `Users`, and `Logins`.

    A name without a domain is one at `domain`.
    """

    def __init__(self, auth: str, lookup: str = "", domain: str = "") -> None:
        self._auth = auth
        self._lookup = lookup
        self._domain = domain
        self._under_way = 0
        self._seen: OrderedDict[str, User] = OrderedDict()

    async def find(self, addresses: Sequence[str]) -> Sequence[User | None]:
        """The users with these addresses."""
        if not self._lookup:
            return self.find_now(addresses)
        return [await self._found(address) for address in addresses]

    def find_now(self, addresses: Sequence[str]) -> Sequence[User | None]:
        """The users who have logged in of late."""
        return [self._seen.get(key_of(address)) for address in addresses]

    async def check(self, name: str, password: str, purpose: str) -> Proved | None:
        """The user who logs in as `name`; the `purpose` is what Dovecot calls the service. Raises `Problem` as `Logins` says."""
        if not name or not _is_word(name) or "\0" in password:
            return None
        response = b2a_base64(f"\0{name}\0{password}".encode("utf-8", "surrogateescape"), newline=False).decode()
        service = "smtp" if purpose == "submission" else purpose
        hello = f"VERSION\t{VERSION}\t1\nCPID\t{os.getpid()}\n"
        words = await self._asked(self._auth, f"{hello}AUTH\t1\tPLAIN\tservice={service}\tsecured\tnologin\tresp={response}\n")
        if words[0] == "OK":
            said = next((word.partition("=")[2] for word in words[2:] if word.startswith("user=")), name)
            return Proved(self._remembered(said))
        if words[0] == "FAIL" and not {"temp", "code=temp_fail"} & {*words[2:]}:
            return None
        raise Problem(f"Dovecot at {self._auth} cannot check passwords now; its log says why", "try-again")

    def is_gone(self, address: str) -> bool:  # noqa: ARG002
        """False: a Dovecot would have to be asked."""
        return False

    def stand_in(self) -> User | None:
        """None is needed."""

    async def close(self) -> None:
        """Nothing is open."""

    async def _found(self, address: str) -> User | None:
        if not _is_word(address):
            return None
        words = await self._asked(self._lookup, f"VERSION\t{VERSION}\t0\nUSER\t1\t{address}\tservice=smtp\n")
        if words[0] == "USER":
            return self._user(words[2] if len(words) > 2 else address, address)
        if words[0] == "NOTFOUND":
            return None
        raise Problem(f"Dovecot at {self._lookup} cannot look up users now; its log says why", "try-again")

    def _user(self, name: str, asked: str) -> User | None:
        """The user whom Dovecot calls `name`: by his address, whether it calls him by that or not."""
        address = name if "@" in name else asked if "@" in asked else f"{name}@{self._domain}" if self._domain else ""
        try:
            return User(str(parse(address)))
        except AddressError:
            return None

    def _remembered(self, name: str) -> User:
        user = self._user(name, "")
        if user is None:
            text = f"Dovecot calls a user {name!r}, which is no address; write default_domain in [submission]"
            raise Problem(text, "bad-config")
        self._seen[user.key] = user
        self._seen.move_to_end(user.key)
        if len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)
        return user

    async def _asked(self, path: str, question: str) -> list[str]:
        """The words of the answer to the question with the number 1. Raises `Problem` (try-again)."""
        if self._under_way >= MOST:
            raise Problem("too many are logging in at this moment; try again", "try-again")
        self._under_way += 1
        try:
            async with asyncio.timeout(SECONDS):
                return await _conversation(path, question)
        except TimeoutError:
            raise Problem(f"Dovecot at {path} does not answer", "try-again") from None
        except (OSError, EOFError, ValueError) as error:
            why = getattr(error, "strerror", None) or "it breaks off, or says what nobody understands"
            raise Problem(f"Dovecot at {path} cannot be asked: {why}", "try-again") from None
        finally:
            self._under_way -= 1


async def _conversation(path: str, question: str) -> list[str]:
    """Raises `OSError`, `EOFError`, `ValueError`."""
    reader, writer = await asyncio.open_unix_connection(path, limit=LONGEST)
    try:
        writer.write(question.encode("utf-8", "surrogateescape"))
        for _ in range(LINES):
            line = await reader.readuntil(b"\n")
            words = line.decode("utf-8", "replace").rstrip("\n").split("\t")
            if words[0] == "VERSION" and words[1:2] != [VERSION]:
                raise ValueError(words)
            if words[0] in ("OK", "FAIL", "CONT", "USER", "NOTFOUND") and words[1:2] == ["1"]:
                return words
        raise EOFError
    except asyncio.LimitOverrunError as error:
        raise ValueError(str(error)) from None
    finally:
        writer.close()


def _is_word(text: str) -> bool:
    """Whether Dovecot can be told `text` as one word; no name of a user has a control character."""
    return bool(text) and text.isprintable() and len(text) < 1000
