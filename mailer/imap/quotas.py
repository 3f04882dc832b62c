"""QUOTA: how much a mailbox may have, and has. RFC 9208. The grammar of its commands, and its answers.

Resources are STORAGE, in units of 1024 octets, and MESSAGE.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .answer import BadCommand
from .command import GetQuota, GetQuotaRoot, SetQuota
from .listed import folder_name
from .strings import string

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .lexer import Tokens

UNIT = 1024  # octets, RFC 9208 §5.1


def parse_getquota(tokens: Tokens, uid: bool) -> GetQuota:  # noqa: ARG001
    """GETQUOTA, RFC 9208 §4.1.1."""
    tokens.space()
    root = _root(tokens)
    tokens.end()
    return GetQuota(root)


def parse_getquotaroot(tokens: Tokens, uid: bool) -> GetQuotaRoot:  # noqa: ARG001
    """GETQUOTAROOT, RFC 9208 §4.1.2."""
    tokens.space()
    folder = tokens.folder()
    tokens.end()
    return GetQuotaRoot(folder)


def parse_setquota(tokens: Tokens, uid: bool) -> SetQuota:  # noqa: ARG001
    """SETQUOTA, RFC 9208 §4.1.3. Raises `BadCommand`."""
    tokens.space()
    root = _root(tokens)
    tokens.space()
    tokens.expect(b"(")
    limits: dict[str, int] = {}
    while not tokens.closed():
        if limits:
            tokens.space()
        resource = tokens.word()
        if resource in limits:
            raise BadCommand(f"the limit of {resource[:40]} is said twice")
        tokens.space()
        limits[resource] = tokens.number64()
    tokens.end()
    return SetQuota(root, limits)


def quota_line(root: str, resources: Mapping[str, tuple[int, int]]) -> bytes:
    """QUOTA: how much of each resource is used, and its limit. RFC 9208 §4.2.1"""
    said = " ".join(f"{name} {used} {limit}" for name, (used, limit) in resources.items())
    return b"QUOTA %b (%b)" % (string(root.encode()), said.encode("ascii"))


def quota_root_line(folder: str, roots: Sequence[str], *, utf8: bool) -> bytes:
    """QUOTAROOT: the roots of a folder. RFC 9208 §4.2.2"""
    return b"QUOTAROOT %b%b" % (folder_name(folder, utf8=utf8), b"".join(b" " + string(each.encode()) for each in roots))


def _root(tokens: Tokens) -> str:
    return tokens.text(tokens.astring())
