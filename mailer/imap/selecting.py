"""The grammar of commands about the folder that is selected as a whole: SELECT, EXAMINE, EXPUNGE, COPY, MOVE.

Each function takes the arguments of its command from `Tokens`, and raises `BadCommand` for what RFC 9051 §9 and RFC 7162 §7 do not have.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import command as said
from .answer import BadCommand

if TYPE_CHECKING:
    from .lexer import Tokens


def parse_select(tokens: Tokens, _: bool) -> said.Select:
    """SELECT, RFC 9051 §6.3.2, with (CONDSTORE), (QRESYNC (…)), RFC 7162 §7."""
    return _select(tokens, readonly=False)


def parse_examine(tokens: Tokens, _: bool) -> said.Select:
    """EXAMINE, RFC 9051 §6.3.3."""
    return _select(tokens, readonly=True)


def _select(tokens: Tokens, *, readonly: bool) -> said.Select:
    tokens.space()
    folder = tokens.folder()
    condstore, qresync = False, None
    if tokens.taken(b" "):
        tokens.expect(b"(")
        while True:
            if tokens.taken(b"CONDSTORE"):
                condstore = True
            elif tokens.taken(b"QRESYNC"):
                qresync = _known_state(tokens)
            else:
                raise BadCommand("SELECT can have CONDSTORE and QRESYNC")
            if tokens.closed():
                break
            tokens.space()
    tokens.end()
    return said.Select(folder, readonly, condstore, qresync)


def _known_state(tokens: Tokens) -> said.KnownState:
    """What follows QRESYNC: ``SP "(" uidvalidity SP modseq [SP known-uids] [SP "(" numbers SP uids ")"] ")"``."""
    tokens.space()
    tokens.expect(b"(")
    uidvalidity = tokens.number(least=1)
    tokens.space()
    modseq = tokens.number64(least=1)
    known = numbers = uids = None
    while not tokens.closed():
        tokens.space()
        if tokens.opened():
            numbers = _plain_set(tokens)
            tokens.space()
            uids = _plain_set(tokens)
            tokens.expect(b")")
            tokens.expect(b")")
            break
        if known is not None:
            raise BadCommand("QRESYNC has known UIDs once")
        known = _plain_set(tokens)
    return said.KnownState(uidvalidity, modseq, known, numbers, uids)


def _plain_set(tokens: Tokens) -> said.NumberSet:
    """A set without ``*`` and ``$``. RFC 7162 §7, known-uids"""
    found = tokens.numbers()
    if found.saved or any(said.STAR in pair for pair in found.ranges):
        raise BadCommand("what is known is said without * and $")
    return found


def parse_expunge(tokens: Tokens, uid: bool) -> said.Expunge:
    """EXPUNGE, RFC 9051 §6.4.3; UID EXPUNGE has a set of UIDs, §6.4.9."""
    uids = None
    if uid:
        tokens.space()
        uids = tokens.numbers()
    tokens.end()
    return said.Expunge(uids)


def parse_copy(tokens: Tokens, uid: bool) -> said.Copy:
    """COPY. RFC 9051 §6.4.7"""
    return _copy(tokens, uid=uid, move=False)


def parse_move(tokens: Tokens, uid: bool) -> said.Copy:
    """MOVE. RFC 9051 §6.4.8"""
    return _copy(tokens, uid=uid, move=True)


def _copy(tokens: Tokens, *, uid: bool, move: bool) -> said.Copy:
    tokens.space()
    numbers = tokens.numbers()
    tokens.space()
    folder = tokens.folder()
    tokens.end()
    return said.Copy(numbers, uid, folder, move)
