"""What Dovecot keeps in a Maildir beside the messages: their UIDs, the names of keywords, and which folders are subscribed.

Used by the reader of Maildirs, and, the other way round, by the export. The formats are those of its documentation ("Maildir Mailbox
Format"); a file that is damaged is read as far as it makes sense, and costs UIDs or keywords, never a message.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from mailer.mailbox.api import LAST_UID

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

UIDLIST: Final = "dovecot-uidlist"
KEYWORDS: Final = "dovecot-keywords"
SUBSCRIPTIONS: Final = "subscriptions"
LETTERS: Final = "abcdefghijklmnopqrstuvwxyz"
"""The letters in a file's name that stand for keywords; who has more of them keeps those nowhere but in Dovecot's index."""
LONGEST_LINE: Final = 4096


class KnownAs(NamedTuple):
    """What a client knows a message as: its UID, and the UIDL of POP3 where that is none that is made of numbers."""

    uid: int
    uidl: str = ""


class UidList(NamedTuple):
    """What `dovecot-uidlist` says: numbers of the folder, and of each message by its name without flags."""

    uidvalidity: int
    uidnext: int
    messages: dict[bytes, KnownAs]


NONE: Final = UidList(0, 0, {})


def uid_list(data: bytes) -> UidList:
    """Read `dovecot-uidlist`, version 1 or 3; `NONE` where it is none. UIDs that do not ascend end it: nobody knows whose they are."""
    head, _, rest = data.partition(b"\n")
    words = head.split()
    if words[:1] == [b"3"]:
        numbers = {word[:1]: _number(word[1:]) for word in words[1:]}
        uidvalidity, uidnext = numbers.get(b"V", 0), numbers.get(b"N", 0)
    elif words[:1] == [b"1"] and len(words) == 3:
        uidvalidity, uidnext = _number(words[1]), _number(words[2])
    else:
        return NONE
    if not uidvalidity:
        return NONE
    messages: dict[bytes, KnownAs] = {}
    last = 0
    for line in rest.split(b"\n"):
        if not line or len(line) > LONGEST_LINE:
            continue
        uid, name, uidl = _message(line)
        if not last < uid <= LAST_UID:
            break
        last = uid
        messages[name] = KnownAs(uid, uidl)
    return UidList(uidvalidity, max(uidnext, last + 1), messages)


def _message(line: bytes) -> tuple[int, bytes, str]:
    """UID, name without flags, and UIDL of one line: ``UID [letter and value…] :name``, or ``UID name`` in version 1."""
    number, _, rest = line.partition(b" ")
    uidl = ""
    while rest and not rest.startswith(b":") and rest[:1].isalpha() and b" :" in rest:
        word, _, rest = rest.partition(b" ")
        if word[:1] == b"P":
            uidl = word[1:].decode("ascii", "replace")
    name = rest.removeprefix(b":")
    return _number(number), name.partition(b":")[0], uidl


def keywords(data: bytes) -> dict[str, str]:
    """Read `dovecot-keywords`: the keyword of each letter."""
    found = {}
    for line in data.split(b"\n")[: len(LETTERS)]:
        number, _, name = line.partition(b" ")
        if name and number.isdigit() and len(number) < 3 and int(number) < len(LETTERS):
            found[LETTERS[int(number)]] = name.decode("utf-8", "replace")
    return found


def subscriptions(data: bytes) -> list[bytes]:
    """Read `subscriptions`, in its first or second form: names of folders with ``.`` between levels, where it was ``/`` as well."""
    if data.startswith(b"V\t2\n"):
        return [line.replace(b"\t", b".") for line in data.split(b"\n")[2:] if line]
    return [line for line in data.split(b"\n") if line]


def uidl_of(uid: int, uidvalidity: int) -> str:
    """The UIDL that Dovecot tells where nobody set another format: ``%08Xu%08Xv`` in its configuration."""
    return f"{uid:08x}{uidvalidity:08x}"


def as_uid_list(uidvalidity: int, uidnext: int, guid: str, messages: Iterable[tuple[int, str, str]]) -> bytes:
    """Write `dovecot-uidlist`, version 3; of each message its UID, its name without flags, and its UIDL or nothing."""
    lines = [f"3 V{uidvalidity} N{uidnext} G{guid}"]
    lines += [f"{uid} P{uidl} :{name}" if uidl else f"{uid} :{name}" for uid, name, uidl in messages]
    return "".join(f"{line}\n" for line in lines).encode("ascii")


def as_keywords(names: Sequence[str]) -> bytes:
    """Write `dovecot-keywords`."""
    return "".join(f"{at} {name}\n" for at, name in enumerate(names[: len(LETTERS)])).encode()


def as_subscriptions(names: Iterable[str]) -> bytes:
    """Write `subscriptions` in the second form; levels of a name are parted by ``/``, and written as a Maildir++ has them."""
    return b"V\t2\n\n" + b"".join(name.replace("/", "\t").encode("ascii") + b"\n" for name in names)


def _number(word: bytes) -> int:
    return int(word) if word.isdigit() and len(word) < 11 and int(word) < 2**32 else 0
