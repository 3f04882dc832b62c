"""The master keys, by number, and what is wrapped with them.

A master key is 32 random octets, and its number is never given again: what was wrapped names the number of its key, so that a key that is
lost is missed by its number. It encrypts the keys of each owner and nothing else, by AES-256-GCM (NIST SP 800-38D); the owner's ID, the
number, and what it is are authenticated with it, so that what was wrapped for one is of no use in the place of another.

Keys are written ``NUMBER:BASE64``, with blanks or line ends between them: in the files of a directory, in one file, or printed by a command
that asks whoever keeps them. Nothing is ever encrypted with a key that is not there, and what cannot be decrypted is an error.
"""

from __future__ import annotations

import os
import re
import time
from base64 import b64decode, b64encode
from secrets import token_bytes, token_hex
from threading import Lock
from typing import TYPE_CHECKING, Final, NamedTuple

from mailer.config.secret import read_private
from mailer.io.durable import forget, put_whole
from mailer.mail.problem import Problem, from_os

from .api import NoKey

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

SIZE: Final = 32  # octets of a master key
NONCE: Final = 12  # octets, NIST SP 800-38D §8.2.2: a random one for each encryption, of which one key makes far less than 2^32
LONGEST: Final = 16384  # octets of a file of keys
MOST_DIGITS: Final = 9  # of the number of a key
AGAIN: Final = 5.0  # seconds after which a key that was not there is looked for again
ANY: Final = 0  # what stands for the newest one, whatever its number is
DRAFT: Final = re.compile(r"[0-9]+\.(key|exported)\.[0-9]+\.[0-9a-f]{8}", re.ASCII)
LONG_AGO: Final = 60.0  # seconds; a draft is there for milliseconds
HOW: Final = "`mailer mailbox key make` makes the first one"


class MasterKeys:
    """The keys that `read` gives, which are at `where`, as people are told.

    They are read when one is needed first, and when one is missing; the same one is looked for again after `AGAIN`. It may be used by
    several threads.
    """

    def __init__(self, read: Callable[[], Mapping[int, bytes]], where: str, clock: Callable[[], float] = time.monotonic) -> None:
        self.where = where
        self._read = read
        self._clock = clock
        self._known: Mapping[int, bytes] = {}
        self._missed: dict[int, tuple[float, str]] = {}
        self._lock = Lock()

    def of(self, number: int) -> bytes:
        """The key with that number. Raises `NoKey`."""
        with self._lock:
            if number not in self._known:
                self._look(number)
        try:
            return self._known[number]
        except KeyError:
            there = ", ".join(map(str, sorted(self._known))) or "none"
            text = f"the master key {number} of the mailboxes is lost: it is not in {self.where} (there: {there}); put it back"
            raise NoKey(text) from None

    def newest(self, *, anew: bool = False) -> int:
        """The number of the key that wraps what is new; `anew` asks whether there is another since. Raises `NoKey` where there is none."""
        with self._lock:
            if anew or not self._known:
                self._look(ANY, anew=anew)
            if not self._known:
                raise NoKey(f"there is no master key of the mailboxes in {self.where}; {HOW}")
            return max(self._known)

    def numbers(self) -> list[int]:
        """The numbers of the keys that are there this moment. Raises `NoKey` where they cannot be read."""
        with self._lock:
            self._look(ANY, anew=True)
            return sorted(self._known)

    def _look(self, number: int, *, anew: bool = False) -> None:
        """Read them for the sake of one, unless that was a moment ago: a command may take seconds, and all mailboxes ask at once."""
        now = self._clock()
        at, trouble = self._missed.get(number, (now - AGAIN, ""))
        if now - at >= AGAIN or anew:
            try:
                self._known, trouble = {**self._read()}, ""
            except Problem as problem:
                trouble = f"the master keys of the mailboxes cannot be read: {problem}"
            self._missed[number] = now, trouble
        if trouble:
            raise NoKey(trouble)


class KeyFile(NamedTuple):
    """A file of the directory of keys: its number, when it was made (seconds since the epoch), whether somebody has a copy elsewhere."""

    number: int
    made: float
    exported: bool


class KeyDirectory:
    """The master keys as files ``N.key`` in the directory `path`, which the user `owner` and root alone may read."""

    def __init__(self, path: str, owner: int | None = None) -> None:
        self.path = path
        self._owner = owner

    def __call__(self) -> dict[int, bytes]:
        """All keys. Raises `Problem` for a file that others may read, or that has something else in it."""
        found: dict[int, bytes] = {}
        for number in self._numbers():
            name = f"{self.path}/{number}.key"
            text = read_private(name, "the master key", LONGEST, self._owner)
            if [*(keys := parsed_keys(text.decode("ascii", "replace"), name))] != [number]:
                raise Problem(f"the file {name} is to have the master key {number} and no other", "bad-config")
            found.update(keys)
        return found

    def files(self) -> list[KeyFile]:
        """The files, in the order of their numbers. Raises `Problem`."""
        found = []
        for number in self._numbers():
            try:
                made = os.stat(f"{self.path}/{number}.key").st_mtime
            except OSError as error:
                raise from_os("cannot look at the master key", f"{self.path}/{number}.key", error) from None
            found.append(KeyFile(number, made, os.path.lexists(self._note(number))))
        return found

    def lost(self, needed: Iterable[int] = ()) -> list[int]:
        """The numbers of keys that are not there any more: that there is a note of, or that are `needed`. Raises `Problem`."""
        return sorted({*self._numbers(".exported"), *needed} - {*self._numbers()})

    def make(self, needed: Iterable[int] = ()) -> int:
        """Have one more key on the disk; its number, which none had that we know of, or that is `needed`. The directory has to be there.

        Raises `Problem`.
        """
        self._forget_drafts()
        number = max([0, *self._numbers(), *self.lost(needed)]) + 1
        self._put(f"{self.path}/{number}.key", written_key(number, token_bytes(SIZE)).encode("ascii") + b"\n")
        return number

    def exported(self, number: int) -> None:
        """Note that somebody has a copy of this key elsewhere. Raises `Problem`."""
        self._put(self._note(number), b"")

    def _numbers(self, kind: str = ".key") -> list[int]:
        try:
            names = os.listdir(self.path)
        except FileNotFoundError:
            return []
        except OSError as error:
            raise from_os("cannot look into the directory of master keys", self.path, error) from None
        stems = [name.removesuffix(kind) for name in names if name.endswith(kind)]
        return sorted(int(stem) for stem in stems if is_number(stem))

    def _note(self, number: int) -> str:
        return f"{self.path}/{number}.exported"

    def _forget_drafts(self) -> None:
        """Remove what somebody has begun long ago, and was killed before it had its name: a key that nothing was ever encrypted with."""
        try:
            for each in os.scandir(self.path):
                if DRAFT.fullmatch(each.name) and each.stat(follow_symlinks=False).st_mtime < time.time() - LONG_AGO:
                    forget(each.path)
        except FileNotFoundError:
            pass
        except OSError as error:
            raise from_os("cannot look into the directory of master keys", self.path, error) from None

    def _put(self, path: str, content: bytes) -> None:
        try:
            put_whole(path, [content], f"{path}.{os.getpid()}.{token_hex(4)}", replace=False)
        except OSError as error:
            raise from_os("cannot write the master key", path, error) from None


def is_number(text: str) -> bool:
    """Whether `text` is the number of a key, written as we do."""
    return text.isascii() and text.isdigit() and len(text) <= MOST_DIGITS and text[0] != "0"


def written_key(number: int, key: bytes) -> str:
    """A key as it is written."""
    return f"{number}:{b64encode(key).decode('ascii')}"


def parsed_keys(text: str, where: str) -> dict[int, bytes]:
    """The keys that `text` has, which is from `where`. Raises `Problem` (bad-config), which does not say what stands there."""
    found: dict[int, bytes] = {}
    for place, word in enumerate(text.split(), 1):
        number, _, written = word.partition(":")
        try:
            key = b64decode(written, validate=True)
        except ValueError:
            key = b""
        if not is_number(number) or len(key) != SIZE or int(number) in found:
            raise Problem(
                f"{where}: entry {place} is no master key; one is NUMBER:BASE64, of {SIZE} octets, each number once", "bad-config"
            )
        found[int(number)] = key
    return found


def wrap(master: bytes, number: int, owner: str, what: str, data: bytes) -> bytes:
    """Encrypt `data`, which is `what` of the owner with that ID, with the master key of that number."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    nonce = token_bytes(NONCE)
    return nonce + AESGCM(master).encrypt(nonce, data, _bound(number, owner, what))


def unwrap(master: bytes, number: int, owner: str, what: str, wrapped: bytes) -> bytes:
    """What was wrapped. Raises `NoKey` where this is not the key, or what was wrapped is another's or was changed."""
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    try:
        return AESGCM(master).decrypt(wrapped[:NONCE], wrapped[NONCE:], _bound(number, owner, what))
    except (InvalidTag, ValueError):
        text = f"the {what} of owner {owner} does not open with the master key {number}: that is another key, or the owner's was changed"
        raise NoKey(f"{text}; put the right {number}.key back, or the owners from a backup") from None


def _bound(number: int, owner: str, what: str) -> bytes:
    return f"mailer mailbox {what} {owner} {number}".encode("ascii")
