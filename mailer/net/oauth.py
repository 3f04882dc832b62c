"""OAuth: an access token in place of a password, fetched with a refresh token when it is needed (RFC 6749 §6).

A provider gives out two tokens. The refresh token lasts until somebody takes it back, and opens nothing but the token endpoint; the
access token is what SASL shows, and lasts an hour or so. The first comes from a file of the operator's; the second is kept in a file of
ours, readable by nobody else, and replaced `EARLY` seconds before it expires.

Some providers replace the refresh token too, each time (RFC 6749 §6). The new one is kept beside the access token and used from then
on, until the operator writes another one into his file: that begins anew. A lock on our file keeps two processes from
using one refresh token at the same moment, which such providers take for a theft.

Blocking: to be called in a thread. No token and no client secret is in a text, whatever fails; of what the provider says only its
error code and its description of the error are shown, without what we told it.
"""

from __future__ import annotations

import fcntl
import json
import os
import stat
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from typing import NamedTuple, Protocol
from urllib.parse import urlsplit

from mailer.mail.problem import Problem

from .oauth_endpoint import LARGEST, OAuthRefusal, ask, read_object

EARLY = 300.0  # seconds before a token expires
LIFETIME = 3600.0  # seconds that a token lasts whose provider does not say, RFC 6749 §5.1


@dataclass(frozen=True, slots=True)
class TokenSet:
    """The tokens that are kept. `origin` tells which token of the operator's they began with, without being one."""

    refresh: str = field(default="", repr=False)
    origin: str = ""
    access: str = field(default="", repr=False)
    expires: float = 0.0


class TokenHold(Protocol):
    """The tokens of a relay in one hand."""

    def read(self) -> TokenSet:
        """The tokens that were written last; empty ones where nothing was."""

    def write(self, tokens: TokenSet) -> None:
        """Keep `tokens` in their place, durably if anything here is."""


class TokenStore(Protocol):
    """The place where the tokens of one relay are kept, for one hand at a time: of this process, or of all of this machine."""

    def held(self) -> AbstractContextManager[TokenHold]:
        """The tokens, until the context ends. Raises `Problem`."""


@dataclass(frozen=True, slots=True)
class OAuth:
    """The source of access tokens for one relay. Two are equal if all their settings are.

    `token_endpoint` is an ``https`` address. `client_secret` is None for a client that has none. `store` is our
    file, or what keeps tokens otherwise. `clock` gives seconds since the epoch.
    """

    token_endpoint: str
    client_id: str
    refresh_token: Callable[[], str] = field(repr=False)
    store: str | TokenStore
    client_secret: Callable[[], str] | None = field(default=None, repr=False)
    scope: str = ""
    ca_file: str = ""
    clock: Callable[[], float] = field(default=time.time, repr=False, compare=False)

    def __call__(self) -> str:
        """An access token for a while. Raises `Problem`: bad-config or no-permission where the operator has to act, else try-again."""
        given = self.refresh_token()
        with self._kept.held() as hold:
            kept = hold.read()
            if kept.origin != _digest(given):
                kept = TokenSet(given, _digest(given))
            left = kept.expires - self.clock()
            if left > EARLY:
                return kept.access
            try:
                kept = self._refreshed(kept)
            except Problem as problem:
                if left > 0 and problem.kind == "try-again":
                    return kept.access  # it is good for these minutes, and then we ask again
                raise
            hold.write(kept)
            return kept.access

    def forget(self) -> None:
        """Forget the access token, which was not accepted: the next call fetches another."""
        try:
            with self._kept.held() as hold:
                kept = hold.read()
                hold.write(TokenSet(kept.refresh, kept.origin))
        except Problem:
            pass  # the next call meets it again, and can say so

    def _refreshed(self, kept: TokenSet) -> TokenSet:
        form = {"grant_type": "refresh_token", "refresh_token": kept.refresh, "client_id": self.client_id}
        if self.client_secret is not None:
            form["client_secret"] = self.client_secret()
        if self.scope:
            form["scope"] = self.scope
        try:
            answer = ask(self.token_endpoint, form, self.ca_file, "token endpoint")
        except OAuthRefusal as refused:
            raise self._refusal(refused) from None
        access = answer.get("access_token")
        seconds = answer.get("expires_in", LIFETIME)
        refresh = answer.get("refresh_token", kept.refresh)
        if not isinstance(access, str) or not access or not isinstance(refresh, str) or not isinstance(seconds, int | float):
            raise Problem(f"{self._where} gave an answer without an access token", "try-again")
        return TokenSet(refresh, kept.origin, access, self.clock() + seconds)

    def _refusal(self, refused: OAuthRefusal) -> Problem:
        """RFC 6749 §5.2, in words that say what to do, with those of the provider."""
        code, said = refused.code, refused.said
        if code == "invalid_grant":
            text = f"the refresh token is not accepted any more (invalid_grant){said}"
            return Problem(f"{self._where}: {text}; allow access at the provider again: mailer oauth login RELAY", "bad-config")
        return refused.problem(self._where)

    @property
    def _kept(self) -> TokenStore:
        return TokenFile(self.store) if isinstance(self.store, str) else self.store

    @property
    def _where(self) -> str:
        return f"the token endpoint {urlsplit(self.token_endpoint).hostname}"


def _digest(token: str) -> str:
    return sha256(token.encode()).hexdigest()


class TokenFile:
    """A `TokenStore` in a file of our own, readable by nobody else. It is rewritten in place, so that its lock stays with it."""

    def __init__(self, path: str) -> None:
        self.path = path

    @contextmanager
    def held(self) -> Iterator[TokenHold]:
        """The file, open and ours alone. Raises `Problem` where it cannot be, or where others could read it."""
        path = self.path
        try:
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise Problem(
                f"cannot keep the access token in {path}: {error.strerror}; let mailer's user write there",
                "no-permission" if isinstance(error, PermissionError) else "bad-config",
            ) from None
        try:
            about = os.fstat(fd)
            if not stat.S_ISREG(about.st_mode) or about.st_uid != os.geteuid() or about.st_mode & 0o077:
                raise Problem(
                    f"others could read the access token in {path}; run: chmod 600 {path}, and chown it to mailer's user", "bad-config"
                )
            fcntl.flock(fd, fcntl.LOCK_EX)
            yield _FileHold(fd)
        finally:
            os.close(fd)


class _FileHold(NamedTuple):
    fd: int

    def read(self) -> TokenSet:
        """What the file holds; one that was torn by a crash holds nothing, and the operator's token begins anew."""
        found = read_object(os.pread(self.fd, LARGEST, 0))
        refresh, origin, access, expires = (found.get(name) for name in ("refresh_token", "origin", "access_token", "expires"))
        if not (isinstance(refresh, str) and isinstance(origin, str) and isinstance(access, str) and isinstance(expires, int | float)):
            return TokenSet()
        return TokenSet(refresh, origin, access, float(expires))

    def write(self, tokens: TokenSet) -> None:
        """One write of what is shorter than a page: a crash leaves the old text, the new one, or what `read` takes for nothing."""
        document = {"refresh_token": tokens.refresh, "origin": tokens.origin, "access_token": tokens.access, "expires": tokens.expires}
        os.ftruncate(self.fd, 0)
        os.pwrite(self.fd, json.dumps(document).encode() + b"\n", 0)
        os.fsync(self.fd)


class TokenMemory:
    """A `TokenStore` of this process, for tests and for programs that keep no file."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tokens = TokenSet()

    @contextmanager
    def held(self) -> Iterator[TokenHold]:
        """The tokens, ours alone."""
        with self._lock:
            yield self

    def read(self) -> TokenSet:
        """The tokens that were written last."""
        return self._tokens

    def write(self, tokens: TokenSet) -> None:
        """Keep `tokens`."""
        self._tokens = tokens
